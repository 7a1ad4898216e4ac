"""Which run an event belongs to, and which numbers of it are missing or there twice."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trace_cli import line, lines
from trace_cli.event import Event
from trace_cli.numbering import Numbering


def event(run_id: str, seq: Any, kind: str = "note", time: int = 0, **payload: Any) -> Event:
    stamp = f"2026-05-24T03:00:{time:02}.000000Z"
    fields = {"v": 1, "type": kind, "timestamp": stamp, "run_id": run_id, "seq": seq, "payload": payload}
    raw = json.dumps(fields, separators=(",", ":")).encode()
    head = lines.head_of(raw)
    return Event(raw, head, None if head else line.parse(raw))


def read(*events: Event) -> Numbering:
    found = Numbering()
    for each in events:
        found.run(each)
    return found


def of(run_id: str, numbers: Iterable[int], start: int = 0) -> list[Event]:
    """A run's events; number 0 is its run.started, at second `start`."""
    return [event(run_id, n, "note" if n else "run.started", start if n == 0 else 30, name="x") for n in numbers]


@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=20))
def test_numbers_in_any_order_and_again(order: list[int], again: list[int]) -> None:
    known: set[int] = set()
    numbering = Numbering()
    for seq in [*order[:8], *again]:
        assert (numbering.run(event("r", seq)) is not None) == (seq not in known)
        known.add(seq)
    (run,) = numbering.runs
    missing = [n for first, last in run.gaps for n in range(first, last + 1)]
    assert missing == [n for n in range(max(known)) if n not in known]
    assert all(last + 1 < first for (_, last), (first, _) in zip(run.gaps, run.gaps[1:], strict=False))
    assert run.events == len(known)


def test_what_was_lost_is_missing() -> None:
    dropped = event("r", 9, "tap.dropped", count=5, from_seq=5, to_seq=9)
    (run,) = read(*of("r", range(5)), dropped, *of("r", range(10, 12))).runs
    assert run.gaps == [(5, 9)]
    assert run.events == 8


def test_a_part_of_a_run() -> None:
    (run,) = read(*of("r", range(500, 510))).runs
    assert run.gaps == [(0, 499)]


def test_runs_with_one_id() -> None:
    """One after the other; each has its own numbers."""
    numbering = read(*of("r", range(3)), *of("other", range(2)), *of("r", range(4), start=1))
    assert [(run.run_id, run.events, run.gaps) for run in numbering.runs] == [
        ("r", 3, []),
        ("other", 2, []),
        ("r", 4, []),
    ]
    assert numbering.shared == {"r": 2}
    assert numbering.repeated == 0


def test_a_file_and_its_copy() -> None:
    numbering = read(*of("r", range(3)), *of("r", range(3)))
    assert [run.events for run in numbering.runs] == [3]
    assert (numbering.repeated, numbering.shared) == (3, {})


def test_a_run_with_one_id_twice_each() -> None:
    first, second = of("r", range(3)), of("r", range(4), start=1)
    numbering = read(*first, *second, *first, *second)
    assert [run.events for run in numbering.runs] == [3, 4]
    assert numbering.repeated == 7


def test_rotated_files_in_the_wrong_order() -> None:
    (run,) = read(*of("r", range(50, 100)), *of("r", range(50))).runs
    assert (run.events, run.gaps) == (100, [])
    assert run.name == "x"


def test_without_ids_a_run_is_a_file_and_nothing_is_twice() -> None:
    raw = b'{"type":"note","n":1}'
    numbering = read(*(Event(raw, None, line.parse(raw), file) for file in ("a", "a", "b")))
    assert [(run.run_id, run.file, run.events, run.gaps) for run in numbering.runs] == [
        (None, "a", 2, []),
        (None, "b", 1, []),
    ]


def test_numbers_that_are_none() -> None:
    (run,) = read(event("r", None), event("r", "7"), event("r", -1), event("r", 10**30), event("r", 1.5)).runs
    assert run.events == 5


def test_two_writers_with_one_id_lose_nothing() -> None:
    first = [event("r", n, "note" if n else "run.started", 2 * n) for n in range(9)]
    second = [event("r", n, "note" if n else "run.started", 2 * n + 1) for n in range(9)]
    numbering = read(*(each for pair in zip(first, second, strict=True) for each in pair))
    assert sorted(run.events for run in numbering.runs) == [9, 9]
    assert (numbering.repeated, numbering.shared) == (0, {"r": 2})


def test_a_run_whose_start_is_gone_and_another_with_its_id() -> None:
    old = [event("r", n, "note" if n < 13 else "run.ended", n) for n in range(5, 14)]
    new = [event("r", n, "note" if n else "run.started", 20 + n) for n in range(14)]
    numbering = read(*old, *new)
    assert [run.events for run in numbering.runs] == [9, 14]
    assert numbering.repeated == 0
