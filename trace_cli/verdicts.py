"""Errors over a stream of events, whose runs may be interleaved: the first of each run, or all in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from trace_cli import retries
from trace_cli.event import Event
from trace_cli.retries import Error
from trace_cli.run_errors import ORPHAN, RunErrors

HELD = 32 << 20  # bytes


def first_errors(
    events: Iterable[Event],
    *,
    unrecovered: bool = False,
    every: bool = False,
    wanted: Callable[[Event], bool] = lambda event: True,
    unended: Callable[[RunErrors], None] = lambda run: None,
) -> Iterator[Error]:
    """The first error of each run, when the run ends; the unended ones at the end of the input.

    With `unrecovered` the first that was never recovered. `unended` is told of runs without an end and without an
    error. Memory grows with the number of runs that have no end, and of those that failed.
    """
    runs: dict[object, RunErrors] = {}
    told: set[object] = set()

    def first(run: RunErrors) -> Iterator[Error]:
        found = run.unrecovered() if unrecovered else run.first
        if found:
            found.recovered = bool(found.recovered)
            found.run_name, found.end = run.name, run.end
            yield found
        elif run.unended:
            unended(run)

    for event in events:
        name = event.run
        if name in told:
            continue
        run = runs.get(name)
        if run is None:
            run = runs[name] = RunErrors(every, wanted)
        run.feed(event)
        if event.type == "run.ended":
            for error in first(runs.pop(name)):
                told.add(name)
                yield error
    for run in runs.values():
        run.finish()
        yield from first(run)


def with_errors(events: Iterable[Event], *, others: bool) -> Iterator[tuple[Event, Error | None]]:
    """The events that are errors, each with what it is, in file order; with `others` the rest too, with None.

    While a failed attempt awaits its retry, what is to come behind it is held back, for up to `HELD` bytes and for
    as long as SDKs wait; past that the attempt counts as an error. A call without an answer is none here: that is
    known only at the end.
    """
    runs: dict[object, RunErrors] = {}
    waiting: dict[int, Error] = {}
    errors: dict[int, Error] = {}
    held: deque[Event] = deque()
    size = 0

    def settled(now: float | None, limit: int) -> Iterator[tuple[Event, Error | None]]:
        nonlocal size
        while held and (held[0].index not in waiting or size > limit or _long_ago(held[0], now)):
            event = held.popleft()
            size -= len(event.raw)
            yield event, errors.pop(event.index, None) or waiting.pop(event.index, None)

    for event in events:
        run = runs.get(event.run)
        if run is None:
            run = runs[event.run] = RunErrors(waiting=waiting)
        for error in run.feed(event):
            errors[error.event.index] = error
        if event.type == "run.ended":
            del runs[event.run]
        if others or event.index in errors or event.index in waiting:
            held.append(event)
            size += len(event.raw)
        if held:
            yield from settled(event.time if waiting else None, HELD)
    for run in runs.values():
        errors |= {error.event.index: error for error in run.finish() if error.kind != ORPHAN}
    yield from settled(None, 0)


def _long_ago(event: Event, now: float | None) -> bool:
    """Whether an SDK would have made another attempt by `now`, in seconds since 1970."""
    return now is not None and event.time is not None and now - event.time > retries.patience(event)
