"""Errors over a stream of events, whose runs may be interleaved: the first of each run, or all in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from trace_cli.event import Event
from trace_cli.run_errors import BROKEN_OFF, Error, RunErrors

HELD = 32 << 20  # bytes


def first_errors(
    events: Iterable[Event],
    *,
    unrecovered: bool = False,
    every: bool = False,
    wanted: Callable[[Event], bool] = lambda event: True,
) -> Iterator[Error]:
    """The first error of each run, when the run ends; the unended ones at the end of the input.

    `unrecovered`: the first that was never recovered. Memory grows with the number of runs without an end.
    """
    runs: dict[object, RunErrors] = {}
    ended: set[object] = set()

    def first(run: RunErrors) -> Iterator[Error]:
        found = run.unrecovered() if unrecovered else run.first
        if found:
            found.recovered = bool(found.recovered)
            yield found

    for event in events:
        name = event.run
        if name in ended:
            continue
        run = runs.get(name)
        if run is None:
            run = runs[name] = RunErrors(every, wanted)
        run.feed(event)
        if event.type == "run.ended":
            ended.add(name)
            yield from first(runs.pop(name))
    for run in runs.values():
        run.finish()
        yield from first(run)


def with_errors(events: Iterable[Event], *, others: bool) -> Iterator[tuple[Event, Error | None]]:
    """The events that are errors, each with what it is, in file order; with `others` the rest too, with None.

    While a failed attempt awaits its retry, what is to come behind it is held back, up to `HELD` bytes; past
    that the attempt counts as an error. What a run broke off in is none here: that is known only at the end.
    """
    runs: dict[object, RunErrors] = {}
    waiting: dict[int, Error] = {}
    errors: dict[int, Error] = {}
    held: deque[Event] = deque()
    size = 0

    def settled(limit: int) -> Iterator[tuple[Event, Error | None]]:
        nonlocal size
        while held and (held[0].index not in waiting or size > limit):
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
        yield from settled(HELD)
    for run in runs.values():
        errors |= {error.event.index: error for error in run.finish() if error.kind not in BROKEN_OFF}
    yield from settled(0)
