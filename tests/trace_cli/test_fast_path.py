"""The type of a line is known without parsing it, and no command can tell the difference.

Generated are lines in our own format and foreign ones, with all that looks like a head where none is. Left out is
what the fast path is documented not to see: a duplicate key, and damage between a line's head and its end.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from inside import run
from jsontext import KEYS, VALUES, objects
from processes import SAMPLES
from readers import COMPARING, INTERACTIVE, READERS

from trace_cli import line, lines, search, streams
from trace_cli.event import Event

OWN = '{"v":1,"type":"'
TYPES = st.sampled_from(
    ["tool.called", "tool.result", "model.error", "note", "run.ended", "step.started", "step.ended"]
)
IDS = st.sampled_from(["r1", "r2", "0197-a.b:c_d"])
DECOYS = st.sampled_from(
    [
        '{"v":1,"type":"tool.called","timestamp":"t","run_id":"x","seq":0,"payload":{}}',
        '{"a":{"type":"tool.called"}}',
        '"\\"type\\":\\"tool.called\\""',
        '"}}{"',
        '[{"b":{}},{"v":1}]',
        '{"tool_name":"search","error":"no"}',
    ]
)
PAYLOAD_KEYS = st.one_of(
    st.sampled_from(["tool_name", "error", "result", "status", "body", "name", "parent_id", "attached"]), KEYS
)
PAYLOADS = objects(PAYLOAD_KEYS, st.one_of(VALUES, DECOYS))


def mostly(usual: st.SearchStrategy[str], *odd: str) -> st.SearchStrategy[str]:
    """Five times out of six what is usual."""
    return st.integers(0, 5).flatmap(lambda dice: st.sampled_from(odd) if dice == 5 else usual)


@st.composite
def own(draw: st.DrawFn) -> str:
    """A line in our own format, or one that is nearly so."""
    call, step, span = (
        st.sampled_from(["", ',"call_id":null', ',"call_id":"c1"']),
        st.sampled_from(["", ',"step_id":"s1"', ',"step_id":"s2"', ',"step_id":null']),
        mostly(st.just(""), f',"trace_id":"{"0af7" * 8}","span_id":"{"b7ad" * 4}"', ',"trace_id":"0AF7"'),
    )
    kind = draw(mostly(TYPES, "tool\\u002ecalled", "a b", ""))
    time = draw(st.sampled_from(["2026-05-24T03:17:04.123456Z", "2026-05-24T05:17:05+02:00", "soon"]))
    seq = draw(mostly(st.sampled_from(["0", "1", "7"]), "-1", "1.0", "1" * 30, "null"))
    version, space = draw(mostly(st.just("1"), "2")), draw(mostly(st.just(""), " "))
    tail = draw(mostly(st.just(""), ',"_src":{"file":"a","line":1,"offset":0}', ',"extra":{"a":{}}', ',"n":1'))
    return (
        f'{{"v":{version},"type":"{kind}",{space}"timestamp":"{time}","run_id":"{draw(IDS)}","seq":{seq}'
        f'{draw(call)}{draw(step)}{draw(span)},"payload":{draw(PAYLOADS)}{tail}}}'
    )


FOREIGN = st.builds(
    lambda kind, run_id, rest: json.dumps({"event_type": kind, "run_id": run_id, "payload": rest}),
    TYPES,
    IDS,
    st.fixed_dictionaries({}, optional={"error": st.just("no"), "inner": st.just({"v": {}})}),
)
EVENTS = st.one_of(own(), own(), own(), FOREIGN)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A line as it may stand in a file: whole, cut off, glued to another, or cut off and glued."""
    first, second = draw(EVENTS), draw(EVENTS)
    cut = first[: draw(st.integers(1, len(first) - 1))].encode()
    whole = first.encode()
    if cut.rstrip().endswith(b"}}"):  # ends as a whole line does: damage in the middle
        cut = whole
    how = draw(st.sampled_from(["whole", "whole", "whole", "CRLF", "cut", "glued", "cut and glued", "NUL"]))
    return {
        "whole": whole,
        "CRLF": whole + b"\r",
        "cut": cut,
        "glued": whole + second.encode(),
        "NUL": b"\0" + whole,
        "cut and glued": cut + draw(own().filter(lambda text: text.startswith(OWN))).encode(),
    }[how]


COMMANDS: list[tuple[str, ...]] = [
    ("types",),
    ("count", "--by", "run_id"),
    ("filter", "-t", "tool.*"),
    ("filter", "--src", "--tool", "s*"),
    ("filter", "--run", "r1", "--since", "2026-05-24T03:17:05Z"),
    ("filter", "--run", "night*", "-t", "note"),
    ("filter", "-w", "seq < `5`", "-w", "run_id != 'r2'"),
    ("filter", "-w", "call_id == 'c1' || payload.error"),
    ("filter", "-v", "-t", "tool.*", "-w", "type == 'note'"),
    ("filter", "--step", "p*", "-t", "tool.*"),
    ("filter", "--step", "s1", "--run", "r*"),
    ("filter", "-w", "trace_id != null && span_id != 'x'"),
    ("filter", "--error", "--src"),
    ("first-error",),
    ("before", "--at", "last", "-n", "2"),
    ("after", "--at", "first-error", "-n", "2"),
    ("after", "--at", "call:c1", "-n", "1s"),
    ("filter", "-o", "pretty"),
    ("show", "--at", "last"),
    ("show", "--at", "unrecovered", "-o", "pretty"),
    ("context", "--at", "last"),
    ("context", "--at", "first-error", "--delta"),
    ("diff", str(SAMPLES / "failed.jsonl")),
    ("step", "--keys", "G e p c"),
    ("stats", "--by", "step"),
    ("stats", "--by", "model", "--run", "r1"),
    ("runs",),
]


def test_all_commands_that_read_traces_are_among_them() -> None:
    assert {command[0] for command in COMMANDS} == {*READERS, *COMPARING, *INTERACTIVE}


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fast") / "trace.jsonl"


def every_way(trace: Path, *arguments: str) -> list[Any]:
    """What a command answers by the fast path; by that with what large traces are read with; without it."""
    answers = [run(*arguments, str(trace))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "WORTH_IT", 0)
        patch.setattr(streams, "AHEAD", 0)
        patch.setattr(streams, "BLOCK", 500)
        answers.append(run(*arguments, str(trace)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "match", lambda block, start=0: None)
        answers.append(run(*arguments, str(trace)))
    return answers


START = b'{"v":1,"type":"note","timestamp":"t","run_id":"r","seq":0,"payload":{"a":'
WHOLE = START + b"{}}}"
GLUED = WHOLE + b'{"event":"note","a":{"b":{}}}'
NAMED = WHOLE.replace(b"note", b"run.started").replace(b'{"a":{}}', b'{"name":"nightly"}')


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(written(), min_size=1, max_size=5), end=st.sampled_from([b"\n", b""]))
@example(lines=[START, WHOLE], end=b"\n")
@example(lines=[START + b'"x' + WHOLE], end=b"\n")
@example(lines=[START + b'"x' + WHOLE, START + b"{}}"], end=b"")
@example(lines=[WHOLE + WHOLE, GLUED], end=b"\n")
@example(lines=[WHOLE, b"\0", GLUED], end=b"\n")
@example(lines=[NAMED, WHOLE, WHOLE.replace(b'"r"', b'"s"')], end=b"\n")
@example(lines=[START + b'1},"n":1}{"event":"note","a":{"b":{}}}'], end=b"\n")
def test_no_command_can_tell(lines: list[bytes], end: bytes, trace: Path) -> None:
    trace.write_bytes(b"\n".join(lines) + end)
    for command in COMMANDS:
        fast, large, slow = every_way(trace, *command)
        assert fast == slow, command
        assert large == slow, command


@settings(max_examples=200, deadline=None)
@given(text=own())
def test_a_head_says_what_parsing_says(text: str) -> None:
    raw = text.encode()
    if head := lines.head_of(raw):
        event, fields = Event(raw, head), line.parse(raw)
        for name in ("type", "timestamp", "run_id", "seq", "call_id", "step_id"):
            assert getattr(event, name) == fields.get(name), name
        assert (event.span or (None, None)) == (fields.get("trace_id"), fields.get("span_id"))


def test_the_fast_path_is_taken() -> None:
    samples = Path(__file__).parents[1] / "samples"
    raws = (samples / "failed.jsonl").read_bytes().splitlines()
    assert all(lines.head_of(raw) for raw in raws)
    assert all(lines.head_of(raw + b"\r") for raw in raws)


def test_a_number_that_json_has_not_is_no_seq() -> None:
    start, end = b'{"v":1,"type":"x","timestamp":"t","run_id":"r","seq":', b',"payload":{}}'
    assert lines.head_of(start + b"7" + end)
    assert not lines.head_of(start + b"07" + end)
    assert not lines.head_of(start + b"7" * 5000 + end)
