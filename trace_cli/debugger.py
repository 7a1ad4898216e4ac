"""The Python API of a post-mortem: Debugger over a whole trace, StepSession to walk through it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from trace_cli import window
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.reading import Reading
from trace_cli.retries import Error
from trace_cli.verdicts import first_errors

if TYPE_CHECKING:
    from trace_cli.index import Index

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

    def diff(
        self,
        other: "Debugger",
        *,
        level: str = "args",
        run_a: str | None = None,
        run_b: str | None = None,
        ignore: Sequence[str] = (),
        default_ignore: bool = True,
        around: int = 0,
    ) -> list[dict[str, Any]]:
        """The run in this trace compared with the one in `other`: the rows of `trace diff`, the summary last.

        `run_a` and `run_b` say which, by id or name, where there are several; `ignore` are JSON pointers. `around`
        asks for so many equal events beside each that differs. Raises TraceError where a run is
        not one, and ValueError for a level or a pointer that is none.
        """
        from trace_cli.comparison import Comparison
        from trace_cli.ignoring import Ignoring
        from trace_cli.runs import chosen
        from trace_cli.side import Side

        ignoring = Ignoring(ignore, default_ignore)
        a, b = _indexed(self._events), _indexed(other._events)
        comparison = Comparison(
            Side(a, chosen(a, run_a, "this trace", "run_a"), ignoring),
            Side(b, chosen(b, run_b, "the other trace", "run_b"), ignoring),
            level,
            ignoring,
        )
        return [*comparison.rows(around), comparison.summary()]

    def step_session(self) -> "StepSession":
        """A walk through the trace, standing before its first event."""
        return StepSession(self._events)


class StepSession:
    """A walk through a trace: the state machine of `trace step`, without a screen.

    `next` and `prev` move and give the event they reach, or None at an end. `search` and `next_error` go to the
    next event that has a text, or is an error, and give it; None where there is none behind, and the walk stays.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        from trace_cli.params import typed_selection
        from trace_cli.state import State

        self._state = State(_indexed(events), typed_selection)
        self._outside = -1  # before the first event; 1: behind the last; 0: on one
        self._jumped = False

    @property
    def current(self) -> Event | None:
        """The event at the position; None before the first and behind the last."""
        index = self._state.index
        return index.event(self._state.position) if len(index) and not self._outside else None

    def next(self) -> Event | None:
        """The next event; right after a jump, a search or an error, the one that was reached."""
        if not self._jumped:
            self._step("Down", 1)
        self._jumped = False
        return self.current

    def prev(self) -> Event | None:
        """The event before."""
        self._jumped = False
        self._step("Up", -1)
        return self.current

    def jump(self, index: int) -> Event:
        """Goes to the event at `index`, from where `next` goes on. Raises IndexError where there is none."""
        if not 0 <= index < len(self._state.index):
            raise IndexError(f"no event {index}: the trace has events 0 to {len(self._state.index) - 1}")
        return self._reach(index)

    def search(self, text: str) -> Event | None:
        """Goes to the next event whose line has `text`, a regular expression, as `/` does.

        Raises ValueError for what is none.
        """
        from trace_cli.finding import Search

        wanted, index = Search(text), self._state.index
        found = (number for number in range(self._behind, len(index)) if wanted.matches(index.raw(number)))
        number = next(found, None)
        return None if number is None else self._reach(number)

    def next_error(self) -> Event | None:
        """Goes to the next error, as `trace first-error` understands it."""
        from trace_cli.links import error

        number = error(self._state.index, self._behind - 1, 1)
        return None if number is None else self._reach(number)

    @property
    def _behind(self) -> int:
        """The number of the event behind the position."""
        return len(self._state.index) if self._outside > 0 else self._state.position + 1 + self._outside

    def _reach(self, number: int) -> Event:
        from trace_cli.state import jump

        self._state, self._outside, self._jumped = jump(self._state, number), 0, True
        return self._state.index.event(number)

    def _step(self, key: str, step: int) -> None:
        from trace_cli.stepping import press

        if self._outside:
            self._outside = 0 if self._outside == -step else self._outside
            return
        before = self._state.position
        self._state = press(self._state, key)
        self._outside = step if self._state.position == before else 0


def _indexed(events: Iterable[Event]) -> "Index":
    from trace_cli.index import Index

    index = Index(keep=True)
    for event in events:
        index.add(event)
    index.close()
    return index


def _anchor(event: Event | Error) -> window.Anchor:
    return window.anchor(event.event if isinstance(event, Error) else event)


def _wanted(event: Event, event_type: str | None, where: Where | None) -> bool:
    if event_type is not None and not fnmatchcase(event.type, event_type):
        return False
    return where is None or bool(where(event))
