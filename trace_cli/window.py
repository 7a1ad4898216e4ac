"""The events around a moment: which anchors a question is about, and what lies before and after them."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trace_cli.event import Event
from trace_cli.verdicts import first_errors

IN_EACH_RUN = ("first-error", "unrecovered", "last")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place in what is read: `index` over all of it, its run and its time (seconds since 1970)."""

    index: int
    run: object
    time: float | None


@dataclass(frozen=True, slots=True)
class Size:
    """How much is wanted on one side: `count` events, or `seconds` around the anchor; neither: all."""

    count: int | None = None
    seconds: float | None = None


def anchor(event: Event) -> Anchor:
    """The place where an event stands."""
    return Anchor(event.index, event.run, event.time)


def anchors_at(events: Iterable[Event], at: str) -> list[Anchor]:
    """The anchors that `at` names: `first-error`, `unrecovered`, `last`, one in each run; an index; `call:ID`;
    `FILE:LINE`, where FILE may be empty.

    Of a call the anchor is its first event. Reads all events. Memory grows with the number of runs.
    """
    if at in IN_EACH_RUN[:2]:
        return [anchor(error.event) for error in first_errors(events, unrecovered=at == "unrecovered")]
    if at == "last":
        return [anchor(event) for event in {event.run: event for event in events}.values()]
    found: dict[object, Anchor] = {}
    file, _, number = at.rpartition(":")
    for event in events:
        if at.startswith("call:"):
            here = event.call_id == at[5:]
        elif ":" in at:
            here = event.line == int(number) and file in ("", event.file)
        else:
            here = event.index == int(at)
        if here:
            found.setdefault(event.run, anchor(event))
    return list(found.values())


def locate(
    events: Iterable[Event], wanted: Iterable[Event], named: bool = True
) -> tuple[list[Anchor], list[Event]]:
    """Where the `wanted` events stand among `events`, and those that are not there.

    An event in our own format is known by its run and seq, at its `_src` if it is there, else wherever it is;
    any other by its place and its bytes. Unless `named`, the file's name does not matter.
    """
    wanted = list(wanted)
    places: dict[object, list[int]] = defaultdict(list)
    for number, event in enumerate(wanted):
        for key in (_identity(event), _place(event.src["file"] if named else None, event.src["offset"])):
            places[key].append(number)
    exact: dict[int, Anchor] = {}
    elsewhere: dict[int, Anchor] = {}
    for event in events:
        identity, place = _identity(event), _place(event.file if named else None, event.offset)
        for number in places.get(place, ()):
            if _identity(wanted[number]) == identity and (identity or _same_but_spliced(wanted[number], event)):
                exact.setdefault(number, anchor(event))
        for number in places.get(identity, ()) if identity else ():
            elsewhere.setdefault(number, anchor(event))
    found = elsewhere | exact
    return list(found.values()), [event for number, event in enumerate(wanted) if number not in found]


def _identity(event: Event) -> object:
    return ("is", event.run_id, event.seq) if event.run_id is not None and event.seq is not None else None


def _place(file: str | None, offset: int) -> object:
    return ("at", file, offset)


def _same_but_spliced(anchor: Event, event: Event) -> bool:
    return anchor.raw.startswith(event.raw.rstrip()[:-1])


def before(events: Iterable[Event], anchors: Iterable[Anchor], size: Size) -> Iterator[Event]:
    """What lies before the anchors, each in its run, oldest first, once each.

    With a count, memory holds that many events for each anchor; else only the line at hand.
    """
    ahead = _by_run(anchors)
    if size.count is None:
        for event in events:
            there = ahead.get(event.run)
            while there and there[0].index <= event.index:
                there.popleft()
            if there and any(_near(event, each, size) for each in there):
                yield event
        return
    found: list[Event] = []
    recent: dict[object, deque[Event]] = {run: deque(maxlen=size.count) for run in ahead}

    def pass_anchors(run: object, index: float) -> None:
        while ahead[run] and ahead[run][0].index <= index:
            ahead[run].popleft()
            found.extend(recent[run])
            recent[run].clear()

    for event in events:
        if event.run in ahead:
            pass_anchors(event.run, event.index)
            if ahead[event.run]:
                recent[event.run].append(event)
            elif not any(ahead.values()):  # the rest is behind them all
                break
    for run in ahead:
        pass_anchors(run, float("inf"))
    yield from sorted(found, key=lambda event: event.index)


def after(events: Iterable[Event], anchors: Iterable[Anchor], size: Size) -> Iterator[Event]:
    """What lies behind the anchors, each in its run, oldest first, once each."""
    behind = _by_run(anchors)
    left: dict[object, int] = defaultdict(int)
    for event in events:
        if event.run not in behind:
            continue
        if size.count is None:
            if any(event.index > each.index and _near(event, each, size) for each in behind[event.run]):
                yield event
            continue
        while behind[event.run] and behind[event.run][0].index < event.index:
            behind[event.run].popleft()
            left[event.run] = size.count
        if left[event.run] > 0:
            left[event.run] -= 1
            yield event
        elif not any(left.values()) and not any(behind.values()):  # nothing more is wanted
            break


def _by_run(anchors: Iterable[Anchor]) -> dict[object, deque[Anchor]]:
    runs: dict[object, deque[Anchor]] = defaultdict(deque)
    for each in sorted(set(anchors), key=lambda each: each.index):
        runs[each.run].append(each)
    return dict(runs)


def _near(event: Event, each: Anchor, size: Size) -> bool:
    if size.seconds is None:
        return True
    return event.time is not None and each.time is not None and abs(event.time - each.time) <= size.seconds
