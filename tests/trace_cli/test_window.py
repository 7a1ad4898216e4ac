"""What lies around a moment: against the plain definition, for any runs and any anchors."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trace_cli.event import Event
from trace_cli.window import Size, after, anchor, anchors_at, before, locate


def events(runs: str, **more: Any) -> list[Event]:
    """One event for each letter, which names its run; a second apart."""
    return [
        Event(
            b"", None, {"run_id": run, "seq": runs[:i].count(run), "timestamp": 1e9 + i, **more}, "f", i + 1, i, i
        )
        for i, run in enumerate(runs)
    ]


def near(side: Any, trace: list[Event], places: set[int], size: Size) -> list[int]:
    return [event.index for event in side(trace, [anchor(trace[i]) for i in places], size)]


TRACES = st.text("ab", min_size=1, max_size=14)
PLACES = st.sets(st.integers(0, 13), max_size=4)


@given(TRACES, PLACES, st.integers(0, 4))
def test_a_count_takes_the_nearest_of_the_run_once_each_in_file_order(runs: str, places: set[int], n: int) -> None:
    trace = events(runs)
    places = {place for place in places if place < len(runs)}
    ahead: set[int] = set()
    behind: set[int] = set()
    for place in places:
        own = [i for i, run in enumerate(runs) if run == runs[place]]
        ahead |= set([i for i in own if i < place][-n:] if n else [])
        behind |= set([i for i in own if i > place][:n])
    assert near(before, trace, places, Size(count=n)) == sorted(ahead)
    assert near(after, trace, places, Size(count=n)) == sorted(behind)


@given(TRACES, PLACES, st.integers(0, 5))
def test_a_span_takes_what_is_that_near_in_time(runs: str, places: set[int], span: int) -> None:
    trace = events(runs)
    places = {place for place in places if place < len(runs)}
    pairs = [(i, place) for i, run in enumerate(runs) for place in places if run == runs[place]]
    ahead = sorted({i for i, place in pairs if place - span <= i < place})
    behind = sorted({i for i, place in pairs if place < i <= place + span})
    assert near(before, trace, places, Size(seconds=span)) == ahead
    assert near(after, trace, places, Size(seconds=span)) == behind


@given(TRACES, PLACES)
def test_all_is_all_of_the_run_on_that_side(runs: str, places: set[int]) -> None:
    trace = events(runs)
    places = {place for place in places if place < len(runs)}
    pairs = [(i, place) for i, run in enumerate(runs) for place in places if run == runs[place]]
    assert near(before, trace, places, Size()) == sorted({i for i, place in pairs if i < place})
    assert near(after, trace, places, Size()) == sorted({i for i, place in pairs if i > place})


def test_without_a_time_nothing_is_near_in_time() -> None:
    trace = events("aaa", timestamp=None)
    assert near(before, trace, {1}, Size(seconds=5)) == []


def test_file_order_counts_not_the_clock() -> None:
    trace = [
        Event(b"", None, {"run_id": "r", "timestamp": time}, index=i) for i, time in enumerate((9e8, 8e8, 7e8))
    ]
    assert near(before, trace, {1}, Size(count=5)) == [0]


@pytest.mark.parametrize(
    ("at", "indexes"), [("last", [3, 2]), ("1", [1]), ("9", []), ("call:x", [1, 2]), ("call:y", [])]
)
def test_an_anchor_is_named(at: str, indexes: list[int]) -> None:
    trace = events("abba")
    for i in (1, 2, 3):
        trace[i].fields["call_id"] = "x" if i < 3 else "z"
    trace[2].fields["run_id"] = "c"
    found = {each.index for each in anchors_at(trace, at)}
    assert found == ({1, 2, 3} if at == "last" else set(indexes)) | ({0} & found)


def wanted(file: str, line: int, offset: int, **fields: Any) -> Event:
    src = {"file": file, "line": line, "offset": offset}
    return Event(b'{"_src":0}', None, {**fields, "_src": src})


def test_an_anchor_is_found_at_its_place() -> None:
    found, lost = locate(events("aab"), [wanted("f", 2, 1, run_id="a", seq=1)])
    assert ([each.index for each in found], lost) == ([1], [])


def test_an_anchor_that_moved_is_found_by_its_run_and_seq() -> None:
    found, lost = locate(events("aab"), [wanted("f", 9, 77, run_id="b", seq=0)])
    assert ([each.index for each in found], lost) == ([2], [])


def test_a_place_where_another_event_stands_is_not_believed() -> None:
    anchors = [wanted("f", 2, 1, run_id="z", seq=5)]
    assert locate(events("aab"), anchors) == ([], anchors)


def test_a_foreign_anchor_is_found_by_its_place_alone() -> None:
    trace = [Event(b"", None, {"n": i}, "f", i + 1, i * 10, i) for i in range(3)]
    found, lost = locate(trace, [wanted("f", 2, 10, n=1)])
    assert ([each.index for each in found], lost) == ([1], [])


def test_of_an_event_that_was_written_twice_the_place_decides() -> None:
    trace = events("ab") + events("ab")
    for i, event in enumerate(trace):
        event.index = event.offset = i
    found, _ = locate(trace, [wanted("f", 1, 2, run_id="a", seq=0)])
    assert [each.index for each in found] == [2]
