"""What `trace before` and `trace after` share: from what was asked to the anchors, then again over the trace."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from trace_cli import params, streams, window
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.reading import Reading
from trace_cli.selection import Selection, select

Side = Callable[[Iterable[Event], Iterable[window.Anchor], window.Size], Iterator[Event]]


class Around:
    """A question about a moment: FILEs, `at`, or anchors on stdin; what lies on one `side` of it.

    FILE: the trace is FILE, `at` is first-error unless given, `-` reads anchors from stdin. No FILE but `at`: the
    trace is stdin, kept in a temporary file. Neither: stdin holds anchors, and their traces are read again.
    """

    def __init__(self, command: str, files: Sequence[str], at: str | None, strict: bool) -> None:
        self._strict = strict
        spool = None
        wanted: list[Event] | None = None
        if at == streams.STDIN or not (files or at):
            wanted = self._anchors_on_stdin(command, files)
            files = files or list(dict.fromkeys(str(event.src["file"]) for event in wanted))
        elif not files or streams.STDIN in files:
            files = files or [streams.STDIN]
            params.reading(())  # complains of a terminal
            spool = streams.spool_stdin()
        self.trace = params.reading(tuple(files), strict=strict, spool=spool) if files else Reading(())
        if wanted is None:
            self.anchors = window.anchors_at(self.trace, at or "first-error")
        else:
            self.anchors, lost = window.locate(self.trace, wanted)
            for event in lost:
                raise TraceError(
                    f"{event.src['file']}: the anchor is not there: event {event.seq} of run {event.run_id}, "
                    f"once at line {event.src.get('line')}",
                    f"has the trace changed? name it: trace {command} --at - FILE",
                )
        self._again = Reading(self.trace.files, strict=strict, spool=spool)

    def events(self, side: Side, size: window.Size, selection: Selection) -> Iterator[Event]:
        """The selected events on that side of the anchors."""
        return side(select(self._again, selection), self.anchors, size)

    def _anchors_on_stdin(self, command: str, files: Sequence[str]) -> list[Event]:
        if streams.STDIN in files:
            raise TraceError("standard input cannot be both the trace and the anchors", "name the trace: FILE")
        anchors = params.reading((), strict=self._strict)
        found = list(anchors)
        for event in found:
            placed = "_src" in event.fields
            if files and (placed or event.seq is not None):
                continue
            if not placed:
                raise TraceError(
                    f"stdin:{event.line}: an anchor needs its _src, or a FILE to find its run_id and seq in",
                    f"trace filter --src … FILE | trace {command}, or: trace {command} FILE",
                )
            if event.src["file"] == streams.STDIN:
                raise TraceError(
                    "the anchor's trace was a pipe and cannot be read again",
                    f"name the trace: trace {command} --at first-error FILE, or: … | trace {command} --at - FILE",
                )
        return found
