"""On a real terminal: what is read at 3 AM."""

import stat
from pathlib import Path

import pytest
from processes import copy_samples
from readers import READERS
from screen import on_screen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_samples(tmp_path)


def script(folder: Path, name: str, text: str) -> str:
    """A program in the folder; its path."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


@pytest.mark.parametrize("columns", [80, 60])
def test_types_are_a_table(folder: Path, columns: int) -> None:
    shown = on_screen("trace types failed.jsonl", folder, columns)
    assert shown.rows == [
        "Total events: 10",
        "  type              count",
        "  run.started           1",
        "  model.request         2",
        "  model.response        2",
        "  tool.called           2",
        "  tool.result           2",
        "  run.ended             1",
    ]


@pytest.mark.parametrize("columns", [120, 80, 60])
@pytest.mark.parametrize("sample", ["failed", "hostile", "foreign", "wrapped"])
def test_an_event_is_one_row(folder: Path, sample: str, columns: int) -> None:
    shown = on_screen(f"trace filter {sample}.jsonl", folder, columns)
    events = [row for row in shown.rows if not row.startswith("── run ")]  # said where another run begins
    assert len(events) == (folder / f"{sample}.jsonl").read_text().count("\n")
    assert not any(row.startswith(" ") for row in shown.rows)


def test_the_first_error_is_told_with_its_message(folder: Path) -> None:
    shown = on_screen("trace first-error failed.jsonl", folder)
    told = " ".join(shown.rows)
    assert "tool.result" in shown.rows[0]
    assert "write ✗ ValueError: no rows [/] in q1" in told
    assert "never recovered" in told
    assert "red" in shown.colors(0)


def test_payloads_do_nothing_to_the_terminal(folder: Path) -> None:
    for command in ("filter", "first-error", "before --at last", "types", "count --by payload.tool_name"):
        shown = on_screen(f"echo before; trace {command} --color never hostile.jsonl; echo after", folder)
        assert shown.raw.count(b"\x1b") == 0, command
        assert b"\x9b" not in shown.raw.replace("\u009b".encode(), b"\x9b"), command
        assert (shown.rows[0], shown.rows[-1]) == ("before", "after"), command
        assert shown.screen.title == "", command
        assert not any(mark in shown.raw.decode() for mark in "\u202e\x07\x08\x7f"), command


def test_payloads_are_shown_as_they_are(folder: Path) -> None:
    shown = on_screen("trace filter -t run.started hostile.jsonl", folder, 120)
    assert r"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J [bold]x[/] \u202egnp.exe \x08\x7f" in shown.rows[0]


def test_colours_tell_failures_and_can_be_left_out(folder: Path) -> None:
    assert "red" in on_screen("trace filter -t tool.result failed.jsonl", folder).colors(1)
    assert "red" not in on_screen("trace filter -t tool.result failed.jsonl", folder).colors(0)
    for env, option in (({"NO_COLOR": "1"}, ""), ({"TERM": "dumb"}, ""), ({}, "--color never")):
        shown = on_screen(f"trace filter {option} failed.jsonl", folder, env=env)
        assert b"\x1b" not in shown.raw, (env, option)
    assert b"\x1b" in on_screen("trace filter --color always failed.jsonl", folder, env={"NO_COLOR": "1"}).raw


def test_the_output_can_be_json_lines(folder: Path) -> None:
    line = (folder / "failed.jsonl").read_bytes().splitlines()[0]
    for command, env in (("trace filter", {"TRACE_OUTPUT": "jsonl"}), ("trace filter -o jsonl", {})):
        assert on_screen(f"{command} -m 1 failed.jsonl", folder, env=env).raw.rstrip() == line


@pytest.mark.parametrize("name", READERS)
def test_a_keyboard_is_no_trace(folder: Path, name: str) -> None:
    shown = on_screen(f"trace {name}", folder)
    assert shown.status == 2
    assert shown.rows == [
        "trace: no FILE, and standard input is a terminal",
        f"  name a trace: trace {name} run.jsonl",
    ]


# The pager


def test_results_go_through_the_pager(folder: Path) -> None:
    pager = script(folder, "pager", 'echo "paged with LESS=$LESS"; cat')
    for name in READERS:
        shown = on_screen(f"trace {name} failed.jsonl", folder, env={"PAGER": pager})
        assert shown.rows[0] == "paged with LESS=FRX", name
        assert (len(shown.rows) > 1, shown.status) == (True, 0), name
    assert on_screen("trace filter -t no failed.jsonl", folder, env={"PAGER": pager}).status == 1


def test_trace_pager_goes_before_pager(folder: Path) -> None:
    env = {"TRACE_PAGER": script(folder, "mine", "echo mine; cat"), "PAGER": "false"}
    assert on_screen("trace types failed.jsonl", folder, env=env).rows[0] == "mine"


def test_less_leaves_at_once_when_all_fits(folder: Path) -> None:
    shown = on_screen("trace types failed.jsonl; echo end", folder, env={"PAGER": "less"})
    assert (shown.rows[-1], shown.status) == ("end", 0)


@pytest.mark.parametrize(
    ("line", "env"),
    [
        ("cat failed.jsonl | trace filter", {}),
        ("trace filter <(cat failed.jsonl)", {}),
        ("trace filter -o jsonl failed.jsonl", {}),
        ("trace filter failed.jsonl | cat", {}),
        ("trace filter --follow -m 3 failed.jsonl", {}),
        ("trace filter failed.jsonl", {"PAGER": ""}),
        ("trace filter failed.jsonl", {"PAGER": "cat"}),
        ("trace filter failed.jsonl", {"TERM": "dumb"}),
    ],
)
def test_no_pager_where_there_is_no_end_or_no_use(folder: Path, line: str, env: dict[str, str]) -> None:
    pager = script(folder, "pager", "echo paged")
    shown = on_screen(line, folder, env={"PAGER": pager, **env})
    assert "paged" not in shown.rows
    assert len(shown.rows) >= 3


def test_a_pager_that_is_not_there_is_none(folder: Path) -> None:
    shown = on_screen("trace types failed.jsonl", folder, env={"PAGER": "no-such-pager"})
    assert (shown.rows[0], shown.status) == ("Total events: 10", 0)


@pytest.mark.parametrize("name", [*READERS, "count --by payload.n"])
def test_a_pager_that_is_left_at_once_is_quiet(folder: Path, name: str) -> None:
    with open(folder / "many.jsonl", "w") as many:
        for number in range(2000):
            many.write(f'{{"type":"model.request","run_id":"{number}","payload":{{"body":{{"system":"s"}}}}}}\n')
            many.write(f'{{"type":"t{number}","run_id":"{number}","payload":{{"n":{number}}}}}\n')
            many.write(f'{{"type":"tool.result","run_id":"{number}","payload":{{"error":"no"}}}}\n')
            many.write(f'{{"type":"note","run_id":"{number}"}}\n')
    shown = on_screen(f"trace {name} many.jsonl", folder, env={"PAGER": script(folder, "pager", "exit 0")})
    assert (shown.rows, shown.status) == ([], 0)


def test_ctrl_c_is_the_pagers(folder: Path) -> None:
    pager = script(
        folder, "pager", "trap 'echo noticed; exit 0' INT; cat >/dev/null; echo ready; read key </dev/tty"
    )
    shown = on_screen("trace types failed.jsonl; echo left with $?", folder, env={"PAGER": pager}, keys=b"\x03")
    assert [row.removeprefix("^C") for row in shown.rows] == ["ready", "noticed", "left with 0"]
