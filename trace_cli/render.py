"""Where a command's results go: JSONL in a pipe, else to a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from trace_cli import streams
from trace_cli.event import Event
from trace_cli.view import View

if TYPE_CHECKING:
    from trace_cli.readable import Shown
    from trace_cli.retries import Error
    from trace_cli.tables import Table


class Results(Protocol):
    """Where a command's results go."""

    def event(self, event: Event, *, src: bool = False, error: "Error | None" = None) -> None:
        """An event; with `src` and `error` the keys `_src` and `_error`, where it has none yet."""

    def error(self, error: "Error") -> None:
        """The error of a run, with its `_error` and `_src`; on a terminal with all that is known of it."""

    def rows(self, rows: Iterable[Mapping[str, Any]], title: str = "") -> int:
        """Rows with the same keys: JSON objects, or a table under a title. Gives their number."""

    def tables(self, rows: Iterable[Mapping[str, Any]], tables: "Iterable[Table]") -> None:
        """Rows, too: JSON objects, or the tables that were made of them."""

    def text(self, text: str) -> None:
        """A line as it is."""

    def card(self, row: Mapping[str, Any], lines: "Iterable[Shown]") -> None:
        """A JSON object; on a terminal its card, broken to the width, below one before it a rule."""

    def lines(self, lines: "Iterable[Shown]") -> None:
        """Lines, broken to the width: for a terminal alone."""

    def flush(self) -> None:
        """Shows all that was given."""


class JSONL:
    """Events as the bytes that were read, rows as compact JSON."""

    def __init__(self) -> None:
        self._out = streams.Output()
        self.flush = self._out.flush

    def event(self, event: Event, *, src: bool = False, error: "Error | None" = None) -> None:
        raw = event.raw
        if src or error:
            from trace_cli.line import splice

            if error and not event.judged:
                raw = splice(raw, _error=error.row())
            if src and not event.carried:
                raw = splice(raw, _src=event.src)
        self._out.write(raw)

    def error(self, error: "Error") -> None:
        self.event(error.event, src=True, error=error)

    def rows(self, rows: Iterable[Mapping[str, Any]], title: str = "") -> int:
        from trace_cli.line import dump

        count = 0
        for row in rows:
            self._out.write(dump(row))
            count += 1
        return count

    def tables(self, rows: Iterable[Mapping[str, Any]], tables: "Iterable[Table]") -> None:
        self.rows(rows)

    def text(self, text: str) -> None:
        self._out.write(text.encode("utf-8", "backslashreplace"))

    def card(self, row: Mapping[str, Any], lines: "Iterable[Shown]") -> None:
        from trace_cli.line import dump

        self._out.write(dump(row))

    def lines(self, lines: "Iterable[Shown]") -> None:
        pass


@contextmanager
def results(view: View, names: Sequence[str] = (), live: bool = False) -> Iterator[Results]:
    """Where a command puts what it found. The pager comes in only where the input has an end."""
    if not view.pretty:
        jsonl = JSONL()
        try:
            yield jsonl
        finally:  # after Ctrl-C too
            jsonl.flush()
        return
    from trace_cli.pretty import Pretty

    ends = all(streams.is_file(name) for name in names or (streams.STDIN,)) and not live
    pretty = Pretty(view, view.pager and ends, len(names) != 1)
    try:
        yield pretty
        pretty.flush()
    except BrokenPipeError:  # the pager was left: only it can break here
        pass
    finally:
        pretty.close()
