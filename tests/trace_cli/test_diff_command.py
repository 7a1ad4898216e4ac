"""`trace diff` as a command: what it reads, what it says, how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from processes import SAMPLES, TRACE, copy_samples, shell
from screen import on_screen
from test_contract import HARMLESS, PACKERS
from test_cost import measured

SAME = "trace diff -q good.jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.jsonl").write_bytes((SAMPLES / "failed.jsonl").read_bytes())
    return copy_samples(tmp_path)


def summary(out: bytes) -> Any:
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("what", HARMLESS)
def test_what_does_no_harm_is_no_difference(folder: Path, what: str) -> None:
    (folder / "odd.jsonl").write_bytes(HARMLESS[what])
    done = shell("trace diff good.jsonl odd.jsonl", folder)
    assert (summary(done.out)["verdict"], done.err, done.status) == ("same", "", 0)


@pytest.mark.parametrize("packer", PACKERS)
def test_unpacks_either_side(folder: Path, packer: str) -> None:
    (folder / "packed").write_bytes(PACKERS[packer]((folder / "good.jsonl").read_bytes()))
    for line in (
        f"{SAME} packed",
        "trace diff -q packed good.jsonl",
        f"{SAME} - <packed",
        "trace diff -q - good.jsonl <packed",
    ):
        done = shell(line, folder)
        assert (done.out, done.err, done.status) == (b"", "", 0), line


def test_reads_pipes_on_both_sides(folder: Path) -> None:
    done = shell("trace diff <(cat good.jsonl) <(sed s/q1.md/q2.md/ good.jsonl)", folder)
    assert (summary(done.out)["verdict"], done.err, done.status) == ("args-changed", "", 1)
    places = [each["b"]["_src"]["file"] for each in map(json.loads, done.lines[:-1])]
    assert all(place.startswith("/dev/fd/") for place in places)


def test_the_status_is_that_of_diff(folder: Path) -> None:
    for line, status in {
        "trace diff -q good.jsonl good.jsonl": 0,
        "trace diff -q good.jsonl fine.jsonl": 1,
        "trace diff -q good.jsonl missing.jsonl": 2,
        "trace diff -q good.jsonl .": 2,
        "trace diff -q good.jsonl interleaved.jsonl": 2,
        "trace diff -q --strict good.jsonl good.jsonl": 0,
        "trace diff -q --strict --run-b failed good.jsonl damaged.jsonl": 2,
        "trace diff -q good.jsonl": 2,
        "trace diff -q a b c": 2,
        "trace diff -q --level text --stat good.jsonl good.jsonl": 0,
        "trace diff -q --error --tool nothing good.jsonl good.jsonl": 0,
    }.items():
        done = shell(line, folder)
        assert (done.out, done.status) == (b"", status), line
        assert ("trace" in done.err) == (status == 2) or "damaged" in line, line


def test_a_torn_last_line_is_told_and_is_no_trouble(folder: Path) -> None:
    done = shell("head -c -20 good.jsonl | trace diff --stat good.jsonl -", folder)
    assert "stdin:10: torn last line" in done.err
    found = summary(done.out)
    assert (found["removed"], found["first_divergence"]["reason"], done.status) == (
        1,
        "B breaks off here, without an end",
        1,
    )


def test_bad_lines_are_told_with_their_file(folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(b"words\n" + (folder / "good.jsonl").read_bytes())
    done = shell("trace diff good.jsonl bad.jsonl", folder)
    assert (done.err, done.status) == ("bad.jsonl:1: not JSON; skipped\n", 0)


def test_output_that_nobody_reads_is_quiet(folder: Path) -> None:
    done = shell(
        "trace diff --no-default-ignore good.jsonl fine.jsonl | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}",
        folder,
    )
    assert (done.err, done.out) in (("", b"0\n"), ("", b"1\n"), ("", b"141\n"))
    done = shell("trace diff good.jsonl fine.jsonl >/dev/full", folder)
    assert (done.err, done.status) == ("trace: cannot write to standard output: No space left on device\n", 2)


def test_closed_standard_input_is_told(folder: Path) -> None:
    done = shell(f"{SAME} - <&-", folder)
    assert (done.err, done.status) == ("trace: stdin: standard input is closed\n", 2)


def test_a_keyboard_is_no_trace(folder: Path) -> None:
    shown = on_screen("trace diff good.jsonl -", folder)
    assert shown.rows[0] == "trace: standard input is a terminal"
    assert shown.status == 2


@pytest.mark.parametrize("width", [50, 60, 80, 120, 200])
def test_every_row_fits_the_terminal(folder: Path, width: int) -> None:
    shown = on_screen("trace diff fine.jsonl failed.jsonl; trace diff hostile.jsonl failed.jsonl", folder, width)
    assert all(len(row) <= width for row in shown.rows)
    assert ("│" in shown.raw.decode()) == (width >= 60)


def test_colours_tell_old_from_new_and_marks_where_there_are_none(folder: Path) -> None:
    line = "trace diff good.jsonl <(sed s/q1.md/q2.md/ good.jsonl)"
    colored = on_screen(line, folder, 120).raw.decode()
    assert "\x1b[1;31mq1.md" in colored
    assert "\x1b[1;32mq2.md" in colored
    assert "[-" not in colored
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = on_screen(line, folder, 120, env=env).raw.decode()
        assert "\x1b" not in plain
        assert "[-q1.md-]" in plain
        assert "{+q2.md+}" in plain


def test_what_is_long_is_folded_and_shown_in_full_when_asked_for(folder: Path) -> None:
    lines = [
        {"type": "tool.result", "tool_name": "read", "result": {"text": text, "list": [{"n": n} for n in numbers]}}
        for text, numbers in (("", range(100)), ("\n".join(f"line {n}" for n in range(300)), range(500, 600)))
    ]
    for name, line in zip("ab", lines, strict=True):
        (folder / f"{name}.jsonl").write_text(json.dumps(line) + "\n")
    shown = shell("trace diff -o pretty a.jsonl b.jsonl", folder).out.decode()
    assert "lines hidden" in shown
    assert "81 places hidden" in shown
    assert "--full shows what is hidden" in shown
    assert len(shown.splitlines()) < 100
    full = shell("trace diff -o pretty --full a.jsonl b.jsonl", folder).out.decode()
    assert "hidden" not in full
    assert len(full.splitlines()) > 450


def test_payloads_are_shown_and_never_interpreted(folder: Path) -> None:
    line = "trace diff --color never hostile.jsonl <(sed s/bold/bald/g hostile.jsonl)"
    shown = on_screen(line, folder)
    assert b"\x1b" not in shown.raw
    assert not any(mark in shown.raw.decode() for mark in "\u202e\x07\x08\x7f\x9b")


def test_the_first_divergence_is_an_anchor_for_other_commands(folder: Path) -> None:
    for command, kind in (("show", "tool.called"), ("before -n 1", "tool.called"), ("context", None)):
        done = shell(f"trace diff --first fine.jsonl failed.jsonl | trace {command}", folder)
        assert (done.err, done.status) == ("", 0), command
        assert json.loads(done.lines[0]).get("type") == kind


def test_memory_stays_small_for_long_runs(tmp_path: Path) -> None:
    """10,000 events against 10,000 that differ in every tenth: 300 MB and not the square of it."""
    for name, other in (("a", 0), ("b", 1)):
        with open(tmp_path / f"{name}.jsonl", "w") as file:
            for number in range(10_000):
                query = number if number % 10 else f"{name} {number}"
                payload = {"tool_name": f"tool{number % 7}", "args": {"query": query, "text": "x" * 500}}
                kind = "tool.called" if number % 3 else "note"
                row = {
                    "v": 1,
                    "type": kind,
                    "timestamp": f"2026-05-24T03:17:{other:02}Z",
                    "run_id": name,
                    "seq": number,
                }
                file.write(json.dumps({**row, "payload": payload}, separators=(",", ":")) + "\n")
    command = [TRACE, "diff", "-q", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    status, peak_kib = measured(command)
    assert status == 1
    assert peak_kib < 300e3
    found = summary(shell("trace diff a.jsonl b.jsonl", tmp_path).out)
    assert (found["equal"], found["changed"], found["approximate"]) == (9000, 1000, False)
