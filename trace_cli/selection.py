"""Which events are wanted: the selection options that every command shares."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from trace_cli.event import Event, seconds
from trace_cli.head import RUN_ID, STEP_ID, TIMESTAMP, TYPE, Condition
from trace_cli.reading import Reading

if TYPE_CHECKING:
    from trace_cli.expression import Field
    from trace_cli.retries import Error
    from trace_cli.steps import Steps


class Moment(NamedTuple):
    """A bound in time: seconds since 1970, or since the start of the event's run."""

    seconds: float
    of_run: bool = False


class Selection(NamedTuple):
    """An event is wanted when all that is given holds; of several types, tools or steps one is enough.

    `where` are expressions that must hold. `invert` turns the whole round, but for `run`, `since`, `until`.
    """

    types: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    error: bool = False
    run: str | None = None
    grep: re.Pattern[bytes] | None = None
    where: tuple["Field", ...] = ()
    since: Moment | None = None
    until: Moment | None = None
    invert: bool = False
    max: int | None = None


class Matcher:
    """Tells which events a selection wants. `watch` must see every event: a run's time counts from its first.

    With `naming` it tells each event in which step it is (`Event.step`).
    """

    def __init__(self, selection: Selection, naming: bool = False) -> None:
        self._selection = selection
        self._types = _Types(selection.types)
        self._starts: dict[object, float] = {}
        moments = (selection.since, selection.until)
        self._timed = any(moments)
        self._bounded = self._timed or selection.run is not None
        self._relative = any(moment and moment.of_run for moment in moments)
        self._named: set[str | None] = set()  # runs whose name is the wanted one
        self._steps = _followed() if naming or selection.steps else None
        self._inside: set[str] = set()  # the wanted steps, and all inside of them
        self._conditions: list[Callable[[Event], bool]] = []
        if selection.types:
            self._conditions.append(lambda event: self._types[event.type])
        if (grep := selection.grep) is not None:
            self._conditions.append(lambda event: grep.search(event.raw) is not None)
        if selection.tools:
            self._conditions.append(lambda event: _matches(event.tool_name, selection.tools))
        if selection.steps:
            self._conditions.append(lambda event: self._in_step(event.step_id))
        self._conditions += (field.holds for field in selection.where)

    def by_head(self) -> Condition | None:
        """False where the head of a line tells that its event is not wanted, nor has to say anything of others."""
        chosen = self._selection
        if chosen.error or chosen.invert or self._relative:
            return None
        conditions: list[Condition] = []
        if chosen.types:
            types = self._types
            conditions.append(lambda head: types[head[TYPE]])
        if chosen.run is not None:
            conditions.append(lambda head: self._of_run(head[RUN_ID].decode()))
        if chosen.steps:
            conditions.append(lambda head: head[STEP_ID] is not None and self._in_step(head[STEP_ID].decode()))
        if self._timed:
            conditions.append(lambda head: self._in_time(seconds(head[TIMESTAMP].decode()), 0))
        conditions += (field.may_hold for field in chosen.where if field.by_head)
        needed: tuple[bytes, ...] = ()  # what knows the name of a run, or of a step
        if chosen.run is not None:
            needed += (b"run.started",)
        if self._steps is not None:
            needed += (b"step.started", b"step.ended")
        if needed and conditions:
            return lambda head: head[TYPE] in needed or all(may_hold(head) for may_hold in conditions)
        if len(conditions) > 1:
            return lambda head: all(may_hold(head) for may_hold in conditions)
        return conditions[0] if conditions else None

    def watch(self, events: Iterable[Event]) -> Iterable[Event]:
        """Passes the events on, noting when each run began and how it is called, and the same of steps."""
        noted = self._relative or self._selection.run is not None or self._steps is not None
        return self._noting(events) if noted else events

    def _noting(self, events: Iterable[Event]) -> Iterator[Event]:
        run = self._selection.run
        for event in events:
            if self._relative and event.time is not None:
                self._starts.setdefault(event.run, event.time)
            if run is not None and event.type == "run.started":
                original = event.payload.get("original")
                given = original.get("run_id") if isinstance(original, dict) else None
                if _matches(event.payload.get("name"), (run,)) or _matches(given, (run,)):
                    self._named.add(event.run_id)
            if self._steps is not None and event.step_id is not None:
                self._note_step(event, self._steps)
            yield event

    def _note_step(self, event: Event, steps: "Steps") -> None:
        steps.feed(event)
        event.step = steps.path(event.step_id)
        if event.type == "step.started" and self._selection.steps and event.step_id is not None:
            names = (event.payload.get("name"), event.step, event.step_id)
            around = event.payload.get("parent_id")
            within = isinstance(around, str) and around in self._inside
            if within or any(_matches(name, self._selection.steps) for name in names):
                self._inside.add(event.step_id)

    def wants(self, event: Event, is_error: bool = True) -> bool:
        """Whether the event is wanted; `is_error` only counts where the selection asks for errors."""
        chosen = self._selection
        if self._bounded and not (
            self._of_run(event.run_id)
            and (not self._timed or self._in_time(event.time, self._starts.get(event.run, 0)))
        ):
            return False
        found = is_error or not chosen.error
        for holds in self._conditions:
            if not found:
                break
            found = holds(event)
        return found != chosen.invert

    def _of_run(self, run_id: str | None) -> bool:
        run = self._selection.run
        return run is None or run_id in self._named or _matches(run_id, (run,))

    def _in_step(self, step_id: str | None) -> bool:
        return step_id in self._inside or _matches(step_id, self._selection.steps)

    def _in_time(self, time: float | None, start: float) -> bool:
        since, until = self._selection.since, self._selection.until
        if time is None or (since and time < since.seconds + (start if since.of_run else 0)):
            return False
        return not (until and time > until.seconds + (start if until.of_run else 0))


def _followed() -> "Steps":
    from trace_cli.steps import Steps  # few traces are asked for steps

    return Steps()


class _Types(dict[str | bytes, bool]):
    """Whether types match, by their names, which may be bytes."""

    def __init__(self, globs: tuple[str, ...]) -> None:
        self._globs = globs

    def __missing__(self, name: str | bytes) -> bool:
        text = name.decode() if isinstance(name, bytes) else name
        self[name] = found = _matches(text, self._globs)
        return found


def _matches(name: object, globs: tuple[str, ...]) -> bool:
    return isinstance(name, str) and any(fnmatchcase(name, glob) for glob in globs)


def count_types(trace: Reading, selection: Selection) -> dict[str, int]:
    """How many events are wanted of each type, by first appearance. Memory: one entry a type."""
    if selection._replace(types=(), invert=False) == Selection():  # nothing counts but the type
        trace.only, trace.alone = (lambda head: False), True
        for event in trace:
            trace.left_out[event.type.encode("utf-8", "surrogatepass")] += 1
        types, wanted = selection.types or ("*",), not selection.invert
        counts = {name.decode("utf-8", "surrogatepass"): n for name, n in trace.left_out.items()}
        return {name: n for name, n in counts.items() if _matches(name, types) == wanted}
    return Counter(event.type for event in select(trace, selection))


def select(events: Iterable[Event], selection: Selection, naming: bool = False) -> Iterator[Event]:
    """The wanted events, in their order, at most `selection.max`; reading stops there."""
    return (event for event, _ in select_errors(events, selection, naming))


def select_errors(
    events: Iterable[Event], selection: Selection, naming: bool = False
) -> Iterator["tuple[Event, Error | None]"]:
    """The wanted events, each with the error that it is: looked for only where the selection asks for errors.

    With `naming` each knows in which step it is.
    """
    matcher = Matcher(selection, naming)
    if isinstance(events, Reading):
        events.only = matcher.by_head()
        events.alone = selection.run is None and not selection.steps
        events.judging = selection.error
    watched = matcher.watch(events)
    wants = matcher.wants
    wanted: Iterator[tuple[Event, Error | None]]
    if selection.error:
        from trace_cli.verdicts import with_errors

        judged = with_errors(watched, others=selection.invert)
        wanted = (pair for pair in judged if wants(pair[0], pair[1] is not None))
    else:
        wanted = ((event, None) for event in watched if wants(event))
    return islice(wanted, selection.max)
