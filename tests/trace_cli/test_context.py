"""`trace context` for eyes and for programs: on a terminal of any width, in a pipe, and with hostile texts."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from processes import copy_samples, shell
from screen import on_screen
from traces import answering, asking, called, came_back, request, response, result, said, traced, use

ESCAPES = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J [bold]x[/] \u202egnp.exe \x08\x7f \r\n\ttab"
LONG = "\n".join(f"line {number} of a long text" for number in range(100))
STYLES = re.compile(r"\x1b\[[0-9;]*m")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_samples(tmp_path)


def written(file: Path, *told: Any) -> None:
    file.write_bytes(b"".join(each.raw + b"\n" for each in traced(*told)))


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("option", ["", "--delta", "--full"])
@pytest.mark.parametrize("sample", ["failed", "openai", "subagents", "compacted"])
def test_fits_into_the_terminal(sample: str, option: str, columns: int, folder: Path) -> None:
    shown = on_screen(f"trace context {option} --at last {sample}.jsonl", folder, columns)
    rows = [STYLES.sub("", row) for row in shown.raw.decode().split("\r\n")]
    assert shown.status == 0
    assert 0 < max(map(len, rows)) <= columns
    assert rows[0].startswith("new in the conversation" if option == "--delta" else "conversation")


def test_is_coloured_on_a_terminal_and_json_in_a_pipe(folder: Path) -> None:
    assert STYLES.search(on_screen("trace context failed.jsonl", folder).raw.decode())
    assert not STYLES.search(on_screen("trace context --color never failed.jsonl", folder).raw.decode())
    for option in ("", "--delta", "--full"):
        (row,) = shell(f"trace context {option} failed.jsonl | cat", folder).lines
        assert json.loads(row)["request"]["seq"] == 5


def test_long_texts_are_folded_unless_all_is_wanted(folder: Path) -> None:
    tools = [{"name": "search", "description": "Finds what there is."}]
    written(folder / "long.jsonl", request("c1", asking(said("user", LONG), tools=tools)))
    for option in ("", "--delta"):
        folded = shell(f"trace context -o pretty {option} --at 0 long.jsonl", folder).out.decode()
        assert "… 86 lines hidden" in folded
        assert "line 50" not in folded
        full = shell(f"trace context -o pretty --full {option} --at 0 long.jsonl", folder).out.decode()
        assert all(f"line {number} of" in full for number in range(100))
    assert "Finds what there is." in shell("trace context -o pretty --full --at 0 long.jsonl", folder).out.decode()
    (row,) = shell("trace context --at 0 long.jsonl", folder).lines
    assert json.loads(row)["messages"] == [said("user", LONG)]


def hostile(text: str) -> list[Any]:
    """A run that says `text` wherever something can be said."""
    block = use(text, text, **{text: text})
    first = asking(said(text, text), {text: text}, system=text, tools=[{"name": text}], **{text: text})
    back = came_back(text, [{"type": text, text: text}, {"type": "text", "text": text}])
    more = [said("assistant", [block, {"type": text, "source": {"type": text}}]), said("user", [back])]
    return [
        request("c1", first),
        response("c1", answering(text, block, role=text)),
        called(None, text, **{text: text}),
        result(None, text, text, text),
        request("c2", {**first, "system": text * 2, "messages": [*first["messages"], *more]}),
        response("c2", answering(text, block)),
        result("x", text, {text: text}),
    ]


@pytest.mark.parametrize("columns", [60, 200])
@pytest.mark.parametrize("option", ["", "--delta", "--full"])
def test_what_a_terminal_would_obey_is_shown(option: str, columns: int, folder: Path) -> None:
    written(folder / "bad.jsonl", *hostile(ESCAPES))
    lines = [f"trace context {option} --at {at} bad.jsonl" for at in (1, 3, "last")]
    raw = on_screen("; ".join(lines), folder, columns).raw.decode()
    assert not UNSAFE.search(STYLES.sub("", raw).replace("\r\n", "\n"))
    assert "\\x1b[31mred" in raw
    assert "[bold]x[/]" in raw


def test_hostile_texts_come_through_a_pipe_as_they_are(folder: Path) -> None:
    written(folder / "bad.jsonl", *hostile(ESCAPES))
    done = shell("trace context --at 4 bad.jsonl; trace context --delta --at 4 bad.jsonl", folder)
    whole, new = map(json.loads, done.lines)
    assert (whole["system"], whole["messages"][0]) == (ESCAPES * 2, said(ESCAPES, ESCAPES))
    assert new["changes"][0] == {"op": "changed", "path": "/system", "a": ESCAPES, "b": ESCAPES * 2}
    assert (done.err, done.status) == ("", 0)


def test_each_event_of_each_sample_has_a_conversation_or_is_said_to_have_none(folder: Path) -> None:
    for sample in sorted(folder.glob("*.jsonl")):
        if sample.name in ("damaged.jsonl", "foreign.jsonl"):
            continue
        for option in ("", "--delta", "-o pretty --full", "-o pretty --delta"):
            done = shell(f"trace filter --src {sample.name} | trace context {option}", folder)
            assert (done.status == 0) == bool(done.out)
            assert done.status in (0, 1)
            for talk in done.err.splitlines():
                assert re.fullmatch(
                    r"trace: \w+\.jsonl:\d+: (no request to a model|the conversation before).*", talk
                )


def test_counts_the_tokens_of_the_run_up_to_the_event(folder: Path) -> None:
    spent = []
    for at in (1, 2, 6, 8):
        (row,) = shell(f"trace context --at {at} fine.jsonl", folder).lines
        usage = json.loads(row)["usage"]
        spent.append((usage["requests"], usage["input_tokens"], usage["output_tokens"], usage["last"] is None))
    assert spent == [(0, 0, 0, True), (0, 0, 0, True), (1, 912, 44, False), (2, 1824, 88, False)]


def test_takes_no_more_anchors_than_are_wanted(folder: Path) -> None:
    done = shell("trace filter --src -t model.request compacted.jsonl | trace context -m 2", folder)
    assert [json.loads(row)["request"]["call_id"] for row in done.lines] == ["c1", "c2"]
