"""The index of a trace: where each event stands, its type, run, time and call, and which events are errors."""

from array import array
from bisect import insort
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any

from trace_cli import line, lines, streams, usage
from trace_cli.errors import BadLine, TraceError
from trace_cli.event import Event
from trace_cli.retries import Error
from trace_cli.run_errors import ORPHAN, RunErrors
from trace_cli.steps import Steps
from trace_cli.usage import NONE

_NEVER = float("nan")  # the time of an event without one


class Run:
    """What is known of one run: its number, its name, its first event, and what went wrong in it.

    `first` and `unrecovered` are the numbers of its first error, and of its first that nothing recovered, or None.
    """

    def __init__(self, number: int, start: int, run_id: str | None) -> None:
        self.number = number
        self.start = start
        self.run_id = run_id
        self.name: str | None = None
        self.ended = False
        self.tokens = NONE  # of its responses
        self.cost = 0.0  # US dollars, as far as events say so
        self.first: int | None = None
        self.unrecovered: int | None = None
        self.errors: RunErrors | None = None  # while it is read
        self.chosen: RunErrors | None = None  # the same, of the wanted ones


class Index:
    """The events of a trace, numbered from 0. Their bytes are read again when they are asked for.

    Memory grows by some sixty bytes an event, and with the number of errors, runs and steps. Events may be added
    by another thread: what lies below `len()` is whole. With `keep` the events themselves stay in memory. `wanted`
    narrows down which errors may be a run's first.
    """

    def __init__(self, *, keep: bool = False, wanted: Callable[[Event], bool] | None = None) -> None:
        self.types: list[str] = []  # each type once, in the order of appearance
        self.files: list[str] = []
        self.runs: list[Run] = []
        self.errors: dict[int, dict[str, Any]] = {}  # number -> `_error`
        self.error_numbers: list[int] = []  # sorted
        self.steps = Steps(every=True)
        self.type_of = array("I")  # by number: which of `types`
        self.run_of = array("I")
        self.time_of = array("d")  # seconds since 1970
        self.call_of = array("q")  # a hash of the call_id; 0: none
        self._file_of = array("I")
        self._line_of = array("Q")
        self._offset_of = array("Q")
        self._size_of = array("Q")
        self._place_of = array("q")  # in the copy; -1: in the file itself
        self._numbers: dict[object, int] = {}  # of types and of files, by name; of runs
        self._wanted = wanted
        self._waiting: dict[int, Error] = {}
        self._orphans: list[int] = []
        self._kept: list[Event] | None = [] if keep else None
        self._readable: dict[str, bool] = {}
        self._files = streams.Reopened()
        self._copy: streams.Spool | None = None
        self._count = 0
        self.complete = False  # all was read

    def __len__(self) -> int:
        return self._count

    # What is added

    def adding(self, events: Iterable[Event]) -> Iterator[Event]:
        """Passes the events on, each added; at the end `close`."""
        for event in events:
            self.add(event)
            yield event
        self.close()

    def add(self, event: Event, *, copied: bool = False) -> None:
        """Takes the next event. What its file cannot give again, and what is to be `copied`, is kept in a copy."""
        number = self._count
        run = self._run(event)
        self.steps.feed(event)
        event.step = self.steps.path(event.step_id)
        self._place_of.append(self._place(event, copied))
        self._file_of.append(self._numbered(self.files, "file", event.file))
        self._line_of.append(event.line)
        self._offset_of.append(event.offset)
        self._size_of.append(len(event.raw))
        self.type_of.append(self._numbered(self.types, "type", event.type))
        self.run_of.append(run.number)
        self.time_of.append(_NEVER if event.time is None else event.time)
        call_id = event.call_id
        self.call_of.append(0 if call_id is None else hash(call_id) or 1)
        self._judge(run, event if event.index == number else _renumbered(event, number))
        self._count = number + 1

    def close(self) -> None:
        """The end of what is read, for now: calls without an answer count as errors until `reopen`."""
        for run in self.runs:
            if run.errors is not None:
                for error in run.errors.finish():
                    if error.kind == ORPHAN:
                        self._orphans.append(error.event.index)
                    self._note(error)
                if run.chosen is not None:
                    run.chosen.finish()
                self._conclude(run)
        self.complete = True

    def reopen(self) -> None:
        """There is more to come after all: an answer too."""
        for number in self._orphans:
            self.errors.pop(number, None)
            if number in self.error_numbers:
                self.error_numbers.remove(number)
        self._orphans = []
        self.complete = False
        for run in self.runs:
            if run.errors is not None:
                run.errors.resume()
                self._conclude(run)

    def _numbered(self, names: list[str], kind: str, name: str) -> int:
        number = self._numbers.get((kind, name))
        if number is None:
            number = self._numbers[kind, name] = len(names)
            names.append(name)
        return number

    def _run(self, event: Event) -> Run:
        key = event.run
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.runs)
            self.runs.append(Run(number, self._count, event.run_id))
        return self.runs[number]

    def _place(self, event: Event, copied: bool) -> int:
        if self._kept is not None:
            self._kept.append(event)
            return -1
        if not copied:
            readable = self._readable.get(event.file)
            if readable is None:
                readable = self._readable[event.file] = streams.is_plain(event.file)
            if readable:
                return -1
        if self._copy is None:
            self._copy = streams.Spool()
        return self._copy.append(event.raw)

    def _judge(self, run: Run, event: Event) -> None:
        if run.errors is None:  # at its start, or behind its end
            run.errors = RunErrors(waiting=self._waiting)
            run.chosen = RunErrors(wanted=self._wanted) if self._wanted else None
        for error in run.errors.feed(event):
            self._note(error)
        if event.type == "model.response" or not event.own:
            self._count_up(run, event)
        if run.chosen is not None:
            run.chosen.feed(event)
        if event.type == "run.started":
            run.name = run.errors.name
        elif event.type == "run.ended":
            run.ended = True
            self._conclude(run)
            run.errors = run.chosen = None

    def _count_up(self, run: Run, event: Event) -> None:
        body = event.payload.get("body")
        if told := usage.tokens(body):
            run.tokens = run.tokens.plus(told)
        if spent := usage.cost(event.payload):
            run.cost += spent

    def _note(self, error: Error) -> None:
        number = error.event.index
        if number not in self.errors:
            insort(self.error_numbers, number)
        self.errors[number] = error.row()

    def _conclude(self, run: Run) -> None:
        """What is known of the run's errors by now."""
        errors = run.chosen or run.errors
        if errors is None:
            return
        unrecovered = errors.unrecovered()
        run.first = self._recovery(errors.first, bool(errors.first and errors.first.recovered))
        run.unrecovered = self._recovery(unrecovered, False)

    def _recovery(self, error: Error | None, recovered: bool) -> int | None:
        if error is None:
            return None
        self.errors.get(error.event.index, {})["recovered"] = recovered
        return error.event.index

    # What is asked

    def type(self, number: int) -> str:
        """The type of an event; "" for none."""
        return self.types[self.type_of[number]]

    def run(self, number: int) -> Run:
        """The run of an event."""
        return self.runs[self.run_of[number]]

    def time(self, number: int) -> float | None:
        """The time of an event, in seconds since 1970."""
        found = self.time_of[number]
        return None if found != found else found

    def unrecovered(self, run: Run) -> int | None:
        """The number of a run's first error that nothing recovered, as far as is known by now."""
        errors = run.chosen or run.errors
        if errors is None:
            return run.unrecovered
        error = errors.unrecovered()
        return None if error is None else error.event.index

    def since_start(self, number: int) -> float | None:
        """Seconds from the first event of its run."""
        now, start = self.time(number), self.time(self.run(number).start)
        return None if now is None or start is None else now - start

    def size(self, number: int) -> int:
        """The length of an event's line, in bytes."""
        return self._size_of[number]

    def place(self, number: int) -> tuple[str, int]:
        """The file and the line where an event stands."""
        return self.files[self._file_of[number]], self._line_of[number]

    def raw(self, number: int) -> bytes:
        """The bytes of an event. Raises TraceError where its file is not what it was."""
        if self._kept is not None:
            return self._kept[number].raw
        place, size = self._place_of[number], self._size_of[number]
        if place >= 0 and self._copy:
            return self._copy.read(place, size)
        return self._files.read(self.files[self._file_of[number]], self._offset_of[number], size)

    def let_go(self) -> None:
        """Closes the files that are open."""
        self._files.close()

    def event(self, number: int) -> Event:
        """An event, read again. Raises TraceError where its file is not what it was."""
        if self._kept is not None:
            return self._kept[number]
        raw = self.raw(number)
        file, row = self.place(number)
        head = lines.head_of(raw)
        try:
            fields = None if head else line.parse(raw)
            found = Event(raw, head, fields, file, row, self._offset_of[number], number)
        except BadLine:
            found = None
        if found is None or found.type != self.type(number):
            raise TraceError(f"{file}:{row}: changed while it was looked at", "start again")
        found.step = self.steps.path(found.step_id)
        return found

    def of_run(self, run: Run) -> Iterator[int]:
        """The numbers of a run's events."""
        number = run.number
        return (each for each in range(run.start, self._count) if self.run_of[each] == number)

    def backwards(self, number: int) -> Iterator[Event]:
        """An event and those before it in its run, newest first, each read when it is its turn."""
        run = self.run_of[number]
        for each in range(number, self.runs[run].start - 1, -1):
            if self.run_of[each] == run:
                yield self.event(each)


def _renumbered(event: Event, number: int) -> Event:
    found = copy(event)
    found.index = number
    return found
