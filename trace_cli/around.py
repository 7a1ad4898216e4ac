"""What `trace before` and `trace after` share: from what was asked to the anchors, then again over the trace."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from trace_cli import params, render, streams, window
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.head import RUN_ID
from trace_cli.reading import Reading, talk
from trace_cli.selection import Selection, select
from trace_cli.view import View

Find = Callable[[Iterable[Event], str], list[window.Anchor]]
Side = Callable[[Iterable[Event], Iterable[window.Anchor], window.Size], Iterator[Event]]


class Around:
    """A question about a moment: FILEs, `at`, or anchors on stdin; what lies on one `side` of it.

    FILE: the trace is FILE, `at` is first-error unless given, `-` reads anchors from stdin. No FILE but `at`: the
    trace is stdin. Neither: stdin holds anchors, and their traces are read again. What can be read only once is
    kept in a temporary file, unless the trace is read only `once`: by `find`, which gives the anchors that `at`
    names, or behind `through`, which passes all events on.
    """

    def __init__(
        self,
        command: str,
        files: Sequence[str],
        at: str | None,
        strict: bool,
        *,
        find: Find = window.anchors_at,
        through: Callable[[Iterable[Event]], Iterable[Event]] = iter,
        once: bool = False,
    ) -> None:
        self._command = command
        self._once = once
        self._through = through
        self._strict = strict
        self.anchors: list[window.Anchor] = []
        self._sources: list[Reading] = []
        self._lost = 0
        self._copies: dict[str, str] = {}
        if at == streams.STDIN or not (files or at):
            wanted = self._anchors_on_stdin(files)
            self._files = tuple(files) or tuple(dict.fromkeys(str(event.src["file"]) for event in wanted))
            self.anchors = self._located(wanted)
        else:
            self._files = tuple(files) or (streams.STDIN,)
            if streams.STDIN in self._files:
                params.expect_input()
            self.anchors = find(self._read(say=talk), at or "first-error")
            if at and not self.anchors and at not in window.IN_EACH_RUN:
                self._lost = 1
                talk(f"trace: no event is at {at}: {self._sources[-1].count} were read")

    def events(self, side: Side, size: window.Size, selection: Selection, naming: bool = False) -> Iterator[Event]:
        """The selected events on that side of the anchors, at most `selection.max`. See `select_errors`."""
        trace = self._read()
        chosen = select(trace, selection._replace(max=None), naming)
        wanted, runs = trace.only, {each.run for each in self.anchors}
        trace.only = lambda head: (head[RUN_ID].decode(), None) in runs and (not wanted or wanted(head))
        return islice(side(chosen, self.anchors, size), selection.max)

    @property
    def trace(self) -> Reading:
        """The trace, as it was read last."""
        return self._sources[-1]

    def status(self, found: object) -> int:
        """The exit status of a command that found something, or nothing."""
        return 2 if self._lost else max(source.status(found) for source in self._sources)

    def _read(self, say: Callable[[str], None] | None = None) -> Reading:
        """The trace; what is wrong with it is said, and counts, the first time only."""
        for name in () if self._once else self._files:
            if name not in self._copies and streams.is_readable_once(name):
                self._copies[name] = streams.spool(name)
        trace = Reading(
            self._files,
            strict=self._strict,
            say=say or (lambda text: None),
            copies=self._copies,
            judging=not self.anchors,  # else they are known
        )
        if say:
            self._sources.append(trace)
        return trace

    def _anchors_on_stdin(self, files: Sequence[str]) -> list[Event]:
        if streams.STDIN in files:
            raise TraceError("standard input cannot be both the trace and the anchors", "name the trace: FILE")
        if files:
            params.expect_input("the anchors are read from standard input, which is a terminal")
        given = params.reading((), strict=self._strict)
        self._sources.append(given)
        found = []
        for event in given:
            if not event.carried and not (files and event.seq is not None):
                raise TraceError(
                    f"stdin:{event.line}: an anchor needs its _src, or a FILE to find its run_id and seq in",
                    f"trace filter --src … FILE | trace {self._command}, or: trace {self._command} FILE",
                )
            file = event.src["file"]
            if not files and (file == streams.STDIN or file.startswith(("/dev/fd/", "/proc/self/fd/"))):
                raise TraceError(
                    "the anchor's trace was a pipe and cannot be read again",
                    f"name the trace: trace {self._command} --at first-error FILE,"
                    f" or: … | trace {self._command} --at - FILE",
                )
            found.append(event)
        return found

    def _located(self, wanted: list[Event]) -> list[window.Anchor]:
        if not wanted:
            return []
        found, lost = window.locate(self._through(self._read(say=talk)), wanted, named=len(self._files) != 1)
        if not self._sources[-1].trouble:  # else it has been said already what could not be read
            self._lost = len(lost)
            for event in lost[:1]:
                more = f"; nor are {len(lost) - 1} more" if len(lost) > 1 else ""
                talk(f"trace: {_whereabouts(event)} is not in {', '.join(self._files)}{more}")
        return found


def _whereabouts(event: Event) -> str:
    """What an anchor says of itself, for a message."""
    known = f"the anchor, event {event.seq} of run {event.run_id}," if event.seq is not None else "the anchor"
    return f"{known} once at {event.carried['file']}:{event.carried.get('line')}," if event.carried else known


def answer(
    command: str,
    side: Side,
    files: Sequence[str],
    at: str | None,
    size: window.Size,
    selection: Selection,
    view: View,
    strict: bool,
) -> int:
    """What `trace before` or `trace after` does: prints the events of one side; the exit status."""
    question = Around(command, files, at, strict)
    found = 0
    with render.results(view, files) as results:
        for event in question.events(side, size, selection, naming=view.pretty):
            results.event(event, src=True)
            found += 1
    return question.status(found)
