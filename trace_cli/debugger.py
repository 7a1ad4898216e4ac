"""The Python API of a post-mortem: Debugger over a whole trace, StepSession to walk through it."""

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from os import PathLike, fspath

from trace_cli import window
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.reading import Reading
from trace_cli.retries import Error
from trace_cli.verdicts import first_errors

Where = Callable[[Event], object]


class Debugger:
    """The events of a trace, in file order. Holds them all in memory, as bytes until they are looked at."""

    def __init__(self, events: Iterable[Event], problems: Iterable[str] = ()) -> None:
        self._events = list(events)
        self.problems = list(problems)
        """What was said of lines that could not be read, one text each."""

    @classmethod
    def load(cls, path: str | PathLike[str], *more: str | PathLike[str]) -> "Debugger":
        """Reads one trace or several, compressed or not. Bad lines are skipped and told in `problems`.

        Raises TraceError for a file that cannot be read.
        """
        problems: list[str] = []
        trace = Reading([fspath(each) for each in (path, *more)], say=problems.append)
        events = list(trace)
        if trace.trouble:
            raise TraceError("\n".join(problems).removeprefix("trace: "))
        return cls(events, problems)

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def count(self) -> int:
        """How many events there are."""
        return len(self._events)

    def event_counts(self) -> dict[str, int]:
        """How many there are of each type, in the order in which the types first appear."""
        counts: dict[str, int] = {}
        for event in self._events:
            counts[event.type] = counts.get(event.type, 0) + 1
        return counts

    def all(self) -> list[Event]:
        """Every event."""
        return list(self._events)

    def where(self, event_type: str | None = None, where: Where | None = None) -> list[Event]:
        """The events of a type (a glob too: `model.*`) for which `where(event)` is true."""
        return [event for event in self._events if _wanted(event, event_type, where)]

    def first(self, event_type: str | None = None, where: Where | None = None) -> Event | None:
        """The first of them, or None."""
        return next((event for event in self._events if _wanted(event, event_type, where)), None)

    def first_errors(self, *, unrecovered: bool = False) -> list[Error]:
        """The first error of each run, as `trace first-error` finds it."""
        return list(first_errors(self._events, unrecovered=unrecovered))

    def before(self, event: Event | Error, event_type: str | None = None, n: int = 10) -> list[Event]:
        """The last `n` events of that type that came before `event` in its run, oldest first."""
        return list(window.before(self.where(event_type), [_anchor(event)], window.Size(count=n)))

    def after(self, event: Event | Error, event_type: str | None = None, n: int = 10) -> list[Event]:
        """The first `n` events of that type that came after `event` in its run."""
        return list(window.after(self.where(event_type), [_anchor(event)], window.Size(count=n)))

    def step_session(self) -> "StepSession":
        """A walk through the trace, standing before its first event."""
        return StepSession(self._events)


class StepSession:
    """A position in a trace. `next` and `prev` move and give the event they reach, or None at an end."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = list(events)
        self._position = -1
        self._jumped = False

    @property
    def current(self) -> Event | None:
        """The event at the position; None before the first and behind the last."""
        return self._events[self._position] if 0 <= self._position < len(self._events) else None

    def next(self) -> Event | None:
        """The next event; right after a jump, the one jumped to."""
        if not self._jumped:
            self._position = min(self._position + 1, len(self._events))
        self._jumped = False
        return self.current

    def prev(self) -> Event | None:
        """The event before."""
        self._jumped = False
        self._position = max(self._position - 1, -1)
        return self.current

    def jump(self, index: int) -> Event:
        """Goes to the event at `index`, from where `next` goes on. Raises IndexError where there is none."""
        if not 0 <= index < len(self._events):
            raise IndexError(f"no event {index}: the trace has events 0 to {len(self._events) - 1}")
        self._position = index
        self._jumped = True
        return self._events[index]


def _anchor(event: Event | Error) -> window.Anchor:
    return window.anchor(event.event if isinstance(event, Error) else event)


def _wanted(event: Event, event_type: str | None, where: Where | None) -> bool:
    if event_type is not None and not fnmatchcase(event.type, event_type):
        return False
    return where is None or bool(where(event))
