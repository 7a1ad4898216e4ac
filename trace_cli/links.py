"""From one event of a trace to another: the other half of its call, what led to it, the next turn or error."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice

from trace_cli import conversation, delta
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.index import Index

_CHUNK = 1 << 14
ANSWERS = (".result", ".response", ".error", ".ended")


def partner(index: Index, number: int) -> int | None:
    """The other half of a call: the nearest event of the run with the same call_id."""
    wanted = index.call_of[number]
    if not wanted:
        return None
    try:
        return _partner(index, number, wanted)
    except TraceError:  # the file is not what it was
        return None


def _partner(index: Index, number: int, wanted: int) -> int | None:
    event = index.event(number)
    call_id, run = event.call_id, index.run_of[number]
    for step in (-1, 1) if event.type.endswith(ANSWERS) else (1, -1):
        found = _next(index.call_of, wanted, number, step, len(index))
        while found is not None:
            if index.run_of[found] == run and index.event(found).call_id == call_id:
                return found
            found = _next(index.call_of, wanted, found, step, len(index))
    return None


def _next(numbers: "array[int]", wanted: int, start: int, step: int, end: int) -> int | None:
    """Where `wanted` stands next, from `start` on but not there, forward or backward."""
    if step > 0:
        try:
            return numbers.index(wanted, start + 1, end)
        except ValueError:
            return None
    while start > 0:
        low = max(0, start - _CHUNK)
        try:
            return start - 1 - numbers[low:start][::-1].index(wanted)
        except ValueError:
            start = low
    return None


def turn(index: Index, number: int, step: int) -> int | None:
    """Where the next turn begins, forward or backward: a request to the model; in a transcript the user."""
    starts = [each for each, name in enumerate(index.types) if name == "model.request"]
    starts = starts or [each for each, name in enumerate(index.types) if name == "user"]
    found = (_next(index.type_of, kind, number, step, len(index)) for kind in starts)
    return min((each for each in found if each is not None), key=lambda each: each * step, default=None)


def error(index: Index, number: int, step: int) -> int | None:
    """The next error, forward or backward."""
    numbers = index.error_numbers
    place = bisect_right(numbers, number) if step > 0 else bisect_left(numbers, number) - 1
    return numbers[place] if 0 <= place < len(numbers) else None


def unrecovered(index: Index, number: int) -> int | None:
    """The first error of the run that nothing recovered.

    Where there is none, or it is this event: of the next run that has one, behind the last run of the first.
    """
    runs = index.runs[index.run_of[number] :] + index.runs[: index.run_of[number]]
    found = [each for run in runs if (each := index.unrecovered(run)) is not None]
    return next((each for each in found if each != number), number if found else None)


def cause(index: Index, number: int) -> int | None:
    """What led to an event.

    Of an answer its request; of a tool call and its result the response that asked for it; of a request the
    response before it in its conversation; of anything else the model's last event before it.
    """
    event = index.event(number)
    if event.type in ("tool.called", "tool.result"):
        asking = conversation.asked_by(index.backwards(number))
        return None if asking is None else asking.index
    if event.type in ("model.response", "model.error"):
        return partner(index, number)
    if event.type == "model.request":
        before = delta.previous(event, before_of(index, number))
        return None if before is None else partner(index, before.index)
    told = (each for each in before_of(index, number) if each.type in ("model.response", "model.request"))
    found = next(told, None)
    return None if found is None else found.index


def before_of(index: Index, number: int) -> Iterator[Event]:
    """The events before one in its run, newest first."""
    return islice(index.backwards(number), 1, None)
