"""The Python API: load a trace, look for the failure, look back from it, and walk."""

import gzip
from pathlib import Path

import pytest

from agent_replay_trace import Debugger, Error, Event, StepSession, TraceError

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture
def debugger() -> Debugger:
    return Debugger.load(str(SAMPLES / "failed.jsonl"))


def test_counts_what_is_there(debugger: Debugger) -> None:
    assert debugger.count() == 10
    assert list(debugger.event_counts().items()) == [
        ("run.started", 1),
        ("model.request", 2),
        ("model.response", 2),
        ("tool.called", 2),
        ("tool.result", 2),
        ("run.ended", 1),
    ]


def test_shows_the_calls_of_tools(debugger: Debugger) -> None:
    shown = [
        f"{event.timestamp} {event.tool_name} {event.args}" for event in debugger.where(event_type="tool.called")
    ]
    assert shown == [
        "2026-05-24T03:17:03.000250Z search {'query': 'Q1 revenue'}",
        "2026-05-24T03:17:07.000250Z write {'path': 'q1.md'}",
    ]


def test_goes_from_the_failure_to_what_the_model_had_said(debugger: Debugger) -> None:
    failure = debugger.first(event_type="tool.result", where=lambda event: event.error is not None)
    assert failure is not None
    assert (failure.tool_name, failure.error, failure.result) == ("write", "ValueError: no rows [/] in q1", None)
    (said,) = debugger.before(failure, event_type="model.response", n=1)
    assert said.content[:200] == "Now the report."
    (sent,) = debugger.before(failure, event_type="model.request", n=1)
    assert sent.payload["body"]["system"] == "You write reports."
    assert [event.event_type for event in debugger.before(failure, n=2)] == ["model.response", "tool.called"]
    assert [event.event_type for event in debugger.after(failure, n=5)] == ["run.ended"]
    assert debugger.before(failure, n=0) == []


def test_everything_has_an_index_and_a_summary(debugger: Debugger) -> None:
    events = debugger.all()
    assert [event.index for event in events] == list(range(10))
    assert all(isinstance(event, Event) and isinstance(event.summary(), str) for event in events)
    assert events[8].summary() == "write ✗ ValueError: no rows [/] in q1"


def test_what_is_not_there_is_not_found(debugger: Debugger) -> None:
    assert debugger.first(event_type="nothing") is None
    assert debugger.where(where=lambda event: False) == []
    assert len(debugger.where(event_type="tool.*")) == 4


def test_first_errors_are_those_of_the_command(debugger: Debugger) -> None:
    (error,) = debugger.first_errors()
    assert isinstance(error, Error)
    assert (error.event.index, error.kind, error.recovered) == (8, "tool", False)
    (error,) = Debugger.load(SAMPLES / "recovered.jsonl").first_errors(unrecovered=True)
    assert error.tool_name == "write"


def test_a_walk_goes_to_the_end(debugger: Debugger) -> None:
    session = debugger.step_session()
    assert isinstance(session, StepSession)
    assert session.current is None
    walked = []
    while (event := session.next()) is not None:
        walked.append(event.index)
    assert walked == list(range(10))
    assert session.next() is None
    back = session.prev()
    assert back is not None
    assert back.index == 9


def test_a_jump_is_followed_by_the_event_jumped_to(debugger: Debugger) -> None:
    session = debugger.step_session()
    assert session.jump(7).index == 7
    assert [event.index for event in (session.next(), session.next(), session.prev()) if event] == [7, 8, 7]
    session.jump(5)
    previous = session.prev()
    assert previous is not None
    assert previous.index == 4
    session.jump(0)
    assert session.prev() is None
    following = session.next()
    assert following is not None
    assert following.index == 0


@pytest.mark.parametrize("index", [-1, 10])
def test_a_jump_to_nowhere_is_an_error_that_says_where_events_are(debugger: Debugger, index: int) -> None:
    session = debugger.step_session()
    session.jump(3)
    with pytest.raises(IndexError, match="events 0 to 9"):
        session.jump(index)
    assert session.current is not None
    assert session.current.index == 3


def test_a_walk_searches_and_goes_from_error_to_error(debugger: Debugger) -> None:
    session = debugger.step_session()
    found = [session.search("no rows"), session.search("no rows"), session.search("no rows")]
    assert [event and event.index for event in found] == [8, 9, None]
    assert session.current is found[1]
    session.jump(0)
    errors = [session.next_error(), session.next_error(), session.next_error()]
    assert [event and event.index for event in errors] == [8, 9, None]
    following = session.next()
    assert following is not None
    assert following.index == 9
    assert session.next() is None
    assert session.search("run") is None
    with pytest.raises(ValueError, match="unterminated"):
        session.search("[")


def test_a_search_begins_with_the_first_event(debugger: Debugger) -> None:
    found = debugger.step_session().search("run.started")
    assert found is not None
    assert found.index == 0


def test_a_walk_through_a_selection_keeps_its_events(debugger: Debugger) -> None:
    session = StepSession(debugger.where("tool.*"))
    walked = [session.next(), session.next_error(), session.next(), session.next()]
    assert [event and event.index for event in walked] == [3, 8, 8, None]


def test_loads_several_traces_compressed_or_not(tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress((SAMPLES / "fine.jsonl").read_bytes()))
    debugger = Debugger.load(packed, SAMPLES / "failed.jsonl")
    assert debugger.count() == 20
    failure = debugger.first(where=lambda event: event.error is not None and event.run_id == "failed")
    assert failure is not None
    assert all(event.run_id == "failed" for event in debugger.before(failure, n=99))


def test_bad_lines_are_skipped_and_told() -> None:
    debugger = Debugger.load(SAMPLES / "damaged.jsonl")
    assert debugger.count() == 7
    assert len(debugger.problems) == 8
    assert debugger.problems[0].endswith("damaged.jsonl:2: cut off after 60 bytes; skipped")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"missing.jsonl: No such file or directory"):
        Debugger.load(tmp_path / "missing.jsonl")


def test_an_empty_trace_is_walked_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    debugger = Debugger.load(empty)
    assert (debugger.count(), debugger.event_counts(), debugger.all(), debugger.first()) == (0, {}, [], None)
    assert debugger.step_session().next() is None
