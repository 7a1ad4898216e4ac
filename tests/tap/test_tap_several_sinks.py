"""Several sinks at once: the same events with the same numbers in each, and none that suffers from another."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from agenttap import CallbackSink, FileSink, Tap, guard
from agenttap.backlog import Record
from agenttap.event import NOWHERE
from traced import Trace


@pytest.fixture(autouse=True)
def _speak_again() -> None:
    guard._told.clear()


def parsed(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_every_sink_gets_the_same_lines(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.jsonl" for n in range(3)]
    ours: list[bytes] = []
    others: list[bytes] = []
    with Tap(
        paths[0],
        ours.append,
        sinks=[FileSink(paths[1]), str(paths[2]), CallbackSink(others.append), others.append],
    ) as tap:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: tap.record("note", n=n), range(500)))
        assert tap.flush(10)
        assert [sink["written"] for sink in tap.stats()["sinks"]] == [501] * 6
        assert tap.stats()["written"] == 6 * 501
    first = paths[0].read_bytes()
    assert [json.loads(line)["seq"] for line in first.splitlines()] == list(range(502))
    assert [path.read_bytes() for path in paths] == [first] * 3
    assert b"".join(ours) == first
    assert sorted(others) == sorted(first.splitlines(keepends=True) * 2)


def never(line: bytes) -> None:
    raise RuntimeError("not today")


@pytest.mark.parametrize("broken", ["raises", "full", "vanished"])
def test_a_sink_that_fails_touches_no_other(trace: Trace, tmp_path: Path, broken: str) -> None:
    (tmp_path / "file").write_text("")
    sink: Any = {
        "raises": never,
        "full": FileSink("/dev/full"),
        "vanished": tmp_path / "file" / "run.jsonl",
    }[broken]
    with Tap(trace.path, sinks=[sink]) as tap:
        for n in range(50):
            tap.record("note", n=n)
            assert trace.events()[-1]["payload"] == {"n": n}  # at once, as ever
        written = [each["written"] for each in tap.stats()["sinks"]]
        assert written == [51, 0]
    assert [event["seq"] for event in trace.events()] == list(range(52))
    assert trace.events()[-1]["payload"]["dropped"] == 0
    assert [each["dropped"] > 0 for each in tap.stats()["sinks"]] == [False, True]


def test_a_sink_that_hangs_holds_up_no_other(trace: Trace) -> None:
    gate, entered = threading.Event(), threading.Event()
    lines: list[bytes] = []

    def slow(line: bytes) -> None:
        entered.set()
        assert gate.wait(60)
        lines.append(line)

    tap = Tap(trace.path, slow, max_queue_bytes=100_000)
    tap.record("first")
    assert entered.wait(10)
    for n in range(100):  # more than the queue of the one that hangs has room for
        tap.record("note", n=n, text="x" * 1000)
        assert trace.events()[-1]["payload"]["n"] == n
    assert tap.recorder.journal.hold(90_000)  # nor is there less room for streams
    tap.recorder.journal.release(90_000)
    gate.set()
    assert tap.flush(20)
    tap.close()
    assert [event["seq"] for event in trace.events()] == list(range(103))
    slow_ones = parsed(lines)
    lost = [event["payload"] for event in slow_ones if event["type"] == "tap.dropped"]
    assert lost
    # The same event has the same number in both, whatever was lost.
    same = {event["seq"]: event for event in trace.events()}
    kept = [event for event in slow_ones if event["type"] not in ("tap.dropped", "run.ended")]
    assert all(same[event["seq"]] == event for event in kept)
    missing = {n for gap in lost for n in range(gap["from_seq"], gap["to_seq"] + 1)}
    assert missing | {event["seq"] for event in slow_ones} == set(range(103))
    assert missing.isdisjoint(event["seq"] for event in kept)
    ends = [events[-1]["payload"] for events in (trace.events(), slow_ones)]
    assert [(end["events"], end["dropped"]) for end in ends] == [(102, 0), (102, len(missing))]


def test_closing_gives_every_sink_its_time(trace: Trace) -> None:
    gate = threading.Event()
    lines: list[bytes] = []
    tap = Tap(writer=lambda line: gate.wait(60), sinks=[lines.append, FileSink(trace.path)], blocking=False)
    for _ in range(100):
        tap.record("note")
    tap.close()
    gate.set()
    assert len(lines) == 102
    assert len(trace.events()) == 102


def test_a_stream_is_put_together_once(tmp_path: Path) -> None:
    made: list[str] = []
    both = threading.Barrier(2, timeout=20)

    def later() -> tuple[str, dict[str, Any]]:
        made.append(threading.current_thread().name)
        return "late", {}

    lines: list[list[bytes]] = [[], []]

    def writer(into: list[bytes]) -> Callable[[bytes], object]:
        def write(line: bytes) -> None:
            if b'"first"' in line:
                both.wait()  # so that both threads come to the next at the same time
            into.append(line)

        return write

    with Tap(sinks=[writer(into) for into in lines]) as tap:
        tap.recorder.journal.start()
        tap.record("first")
        tap.recorder.put_later(tap.recorder.journal, tap.recorder.current_run(), "call", NOWHERE, later, 0)
    assert len(made) == 1
    assert [[event["type"] for event in parsed(each)] for each in lines] == [
        ["run.started", "first", "late", "run.ended"]
    ] * 2


def test_what_was_made_counts_with_its_real_size(trace: Trace) -> None:
    """A compressed answer takes many times its bytes once one sink has made it and another has it queued."""
    gate, entered, bodies = threading.Event(), threading.Event(), 30
    lines: list[bytes] = []

    def slow(line: bytes) -> None:
        entered.set()
        assert gate.wait(60)
        lines.append(line)

    tap = Tap(trace.path, slow, max_queue_bytes=1_000_000)
    tap.record("first")
    assert entered.wait(10)
    hung = tap.recorder.journal.feeds[1]
    for _ in range(bodies):
        assert tap.recorder.journal.hold(1000)
        run = tap.recorder.current_run()
        tap.recorder.put_later(
            tap.recorder.journal, run, "call", NOWHERE, lambda: ("late", {"text": "x" * 100_000}), 1000
        )
        tap.record("behind")  # written behind it, so it was made
        assert trace.types()[-2:] == ["late", "behind"]
    kept = len([item for item in hung._queue.items if isinstance(item, Record) and item.type == "late"])
    assert 5 < kept < 11
    assert kept * 100_000 < hung.queued_bytes < 1_300_000
    gate.set()
    assert tap.flush(20)
    assert [sink["queued_bytes"] for sink in tap.stats()["sinks"]] == [0, 0]
    tap.close()
    assert len(trace.events("late")) == bodies
    assert sum(b'"type":"late"' in line for line in lines) == kept


def test_what_is_no_sink() -> None:
    with pytest.raises(TypeError, match="a sink is a path, a function"):
        Tap(sinks=[7])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="CallbackSink takes a function"):
        CallbackSink("run.jsonl")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nowhere to write"):
        Tap(sinks=[])
    with pytest.raises(ValueError, match="give them to FileSink"):
        Tap(writer=print, rotate_bytes=10)


def test_an_event_behind_a_short_stream_is_there_when_the_call_returns(trace: Trace) -> None:
    """What a tool dies in comes right after the stream that asked for it."""
    tap = Tap(trace.path)
    feed = tap.recorder.journal.feeds[0]
    tap.record("first")
    feed.start = lambda: True  # type: ignore[method-assign]  # no thread takes part
    assert tap.recorder.journal.hold(130_000)
    tap.recorder.put_later(
        tap.recorder.journal, tap.recorder.current_run(), "call", NOWHERE, lambda: ("late", {}), 60_000
    )
    tap.record_tool_call("dangerous")
    assert trace.types() == ["run.started", "first", "late", "tool.called"]
    tap.recorder.put_later(
        tap.recorder.journal, tap.recorder.current_run(), "call", NOWHERE, lambda: ("long", {}), 70_000
    )  # takes too long to make
    tap.record("behind")
    assert trace.types()[-1] == "tool.called"
    del feed.start
    tap.close()
    assert trace.types()[-3:] == ["long", "behind", "run.ended"]
    assert [event["seq"] for event in trace.events()] == list(range(7))
    assert tap.stats()["queued_bytes"] == 0


# --- a choice for each sink --------------------------------------------------------------------------------------


def test_each_sink_gets_what_it_is_for(tmp_path: Path) -> None:
    files = {name: Trace(tmp_path / f"{name}.jsonl") for name in ("all", "errors", "tools", "both")}
    lines: list[bytes] = []
    with Tap(
        files["all"].path,
        sinks=[
            FileSink(files["errors"].path, errors=True),
            FileSink(files["tools"].path, types="tool.*"),
            FileSink(files["both"].path, types=["step.*", "note"], errors=True),
            CallbackSink(lines.append, types=["run.*"]),
        ],
    ) as tap:
        tap.record("note")
        tap.record("note", error="odd")
        tap.record("note", is_error=True)
        with tap.tool_call("search") as call:
            call.error = "no such index"
        with pytest.raises(ValueError, match="x"), tap.step("plan"):
            raise ValueError("x")
        assert files["errors"].types() == ["note", "note", "tool.result", "step.ended"]  # at once
    whole = {event["seq"]: event for event in files["all"].events()}
    assert len(whole) == 9
    assert files["tools"].types() == ["tool.called", "tool.result"]
    assert files["both"].types() == ["note", "note", "step.ended"]
    assert [event["type"] for event in parsed(lines)] == ["run.started", "run.ended"]
    for part in (files["errors"], files["tools"], files["both"]):
        assert all(whole[event["seq"]] == event for event in part.events())  # with the same numbers


def test_a_choice_waits_for_the_type_of_a_stream(tmp_path: Path, trace: Trace) -> None:
    def later(type: str) -> Callable[[], tuple[str, dict[str, Any]]]:
        return lambda: (type, {"error": "cut off"} if type.endswith("error") else {})

    errors = Trace(tmp_path / "errors.jsonl")
    with Tap(trace.path, sinks=[FileSink(errors.path, errors=True)]) as tap:
        run, journal = tap.recorder.current_run(), tap.recorder.journal
        tap.record("note")
        for type in ("model.response", "model.error", "model.response"):
            tap.recorder.put_later(journal, run, "call", NOWHERE, later(type), 0)
        assert tap.flush(10)
        assert errors.types() == ["model.error"]
        assert [feed.queued_bytes for feed in journal.feeds] == [0, 0]
        assert [sink["written"] for sink in tap.stats()["sinks"]] == [5, 1]
    assert trace.types().count("model.response") == 2


def test_a_loss_is_told_only_of_what_was_wanted(tmp_path: Path, trace: Trace) -> None:
    gate, entered = threading.Event(), threading.Event()
    lines: list[bytes] = []

    def slow(line: bytes) -> None:
        entered.set()
        gate.wait(30)
        lines.append(line)

    with Tap(trace.path, sinks=[CallbackSink(slow, types="note")], max_queue_bytes=20_000) as tap:
        tap.record("note")
        assert entered.wait(10)
        for number in range(20):
            tap.record("note", number=number, text="x" * 1000)
            tap.record("other", text="x" * 1000)
        dropped = tap.stats()["sinks"][1]["dropped"]
        assert 10 < dropped < 20
        gate.set()
        assert tap.flush(10)
    *notes, gap = parsed(lines)
    assert {event["type"] for event in notes} == {"note"}
    assert len(notes) + dropped == 21
    assert gap["payload"]["count"] == dropped
    assert gap["payload"]["to_seq"] - gap["payload"]["from_seq"] > dropped  # there are others between
    assert len(trace.events("note", "other")) == 41


@pytest.mark.parametrize("types", [5, [], [b"x"]])
def test_a_choice_that_is_none(tmp_path: Path, types: Any) -> None:
    with pytest.raises(TypeError, match="types= takes a type"):
        FileSink(tmp_path / "a.jsonl", types=types)
    with pytest.raises(TypeError, match="types= takes a type"):
        CallbackSink(print, types=types)
