"""Rows and events on a terminal, with rich."""

import io
import os
import shlex
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from trace_cli import layout, line, message, streams
from trace_cli.event import Event
from trace_cli.readable import Line, Shown
from trace_cli.retries import Error
from trace_cli.tables import Table
from trace_cli.text import clock, visible
from trace_cli.view import View

COLORS = {"run": "blue", "step": "blue", "model": "cyan", "tool": "yellow", "http": "magenta"}


class Pretty:
    """A line an event, a table for rows; what payloads contain is shown, never interpreted."""

    def __init__(self, view: View, pager: bool, several: bool) -> None:
        self._pager = _start_pager() if pager else None
        to = self._pager.stdin if self._pager else None
        self._out = None if self._pager else streams.Output()
        self._to = to
        self._width = _width()
        self._several = several  # files, so that a line number alone says too little
        self._run: object = None  # of the event shown last
        self._color = view.color
        self._carded = False
        self._console = Console(
            color_system="standard" if view.color else None,
            force_terminal=view.color,
            no_color=not view.color,
            width=self._width,
            highlight=False,
            markup=False,
            emoji=False,
            file=io.StringIO(),
        )

    def event(self, event: Event, *, src: bool = False, error: Error | None = None) -> None:
        if event.run != self._run:
            if self._several or self._run is not None:
                self._print(Text(f"── {_name_of_run(event)}", "dim"))
            self._run = event.run
        self._print(self._row(event, src, error))

    def _row(self, event: Event, src: bool, error: Error | None) -> Text:
        kind = visible(event.type or "(no type)")
        row = Text(no_wrap=True, overflow="ellipsis")
        if src:
            place = event.src
            file = f"{visible(str(place['file']))}:" if self._several else ""
            row.append(f"{file}{visible(str(place.get('line')))}: ", "dim")
        row.append(f"{clock(event.time)}  ", "dim")
        failed = error or event.type.endswith(".error") or event.failure
        row.append(f"{kind:<14}  ", "bold red" if failed else COLORS.get(kind.partition(".")[0], ""))
        row.append(event.summary())
        if error and visible(error.message) not in row.plain:
            row.append(f"  ✗ {visible(error.message)}")
        row.truncate(self._width, overflow="ellipsis")
        return row

    def error(self, error: Error) -> None:
        self._run = error.event.run  # told below
        row = self._row(error.event, True, error)
        self._print(row)
        for part in _particulars(error):
            if visible(part) in row.plain:
                continue
            for folded in wrap(visible(part), max(self._width - 4, 20), max_lines=10, placeholder=" …"):
                self._print(Text(f"    {folded}", "red"))

    def rows(self, rows: Iterable[Mapping[str, Any]], title: str = "") -> int:
        from rich.table import Table

        found = list(rows)
        if title:
            self._print(Text(title, "bold"))
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim", show_header=bool(found))
        for key, value in found[0].items() if found else ():
            table.add_column(key, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
        for row in found:
            table.add_row(*(Text(_cell(value)) for value in row.values()))
        if found:
            self._print(table)
        return len(found)

    def tables(self, rows: Iterable[Mapping[str, Any]], tables: Iterable[Table]) -> None:
        from rich.table import Table as Grid

        for number, each in enumerate(tables):
            if number:
                self._write("")
            if each.title:
                self._print(Text(each.title, "bold"))
            grid = Grid(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
            columns = each.within(self._width)
            for column in columns:
                justify: Any = "right" if column.name and not column.names else "left"
                grid.add_column(column.name, justify=justify, no_wrap=not column.names, overflow="fold")
            for cells in zip(*(column.cells for column in columns), strict=True):
                styled = zip(columns, cells, strict=True)
                grid.add_row(*(Text(cell, column.styles.get(cell, "")) for column, cell in styled))
            self._print(grid)

    def text(self, text: str) -> None:
        self._write(text)

    def card(self, row: Mapping[str, Any], lines: Iterable[Shown]) -> None:
        rule: list[Shown] = [Line((("─" * self._width, "dim"),))] if self._carded else []
        self._carded = True
        self.lines(chain(rule, lines))

    def lines(self, lines: Iterable[Shown]) -> None:
        paint = layout.painted if self._color else layout.plain
        for each in lines:
            for broken in layout.rows(each, self._width):
                self._write(paint(broken))

    def flush(self) -> None:
        if self._out:
            self._out.flush()

    def close(self) -> None:
        """Waits until the pager is left."""
        if self._pager and self._pager.stdin:
            ours = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's from here on
            with suppress(BrokenPipeError):
                self._pager.stdin.close()
            self._pager.wait()
            signal.signal(signal.SIGINT, ours)

    def _print(self, shown: Any) -> None:
        with self._console.capture() as captured:
            self._console.print(shown)
        for each in captured.get().rstrip("\n").split("\n"):
            self._write(each.rstrip())

    def _write(self, text: str) -> None:
        raw = text.encode("utf-8", "backslashreplace")
        if self._out:
            self._out.write(raw)
        elif self._to:
            self._to.write(raw + b"\n")


def _start_pager() -> subprocess.Popen[bytes] | None:
    """As git: TRACE_PAGER, PAGER, less; less leaves at once if all fits on the screen."""
    command = os.environ.get("TRACE_PAGER", os.environ.get("PAGER", "less"))
    if not command or command == "cat" or os.environ.get("TERM") == "dumb":
        return None
    environment = {"LESS": "FRX", "LV": "-c", **os.environ}
    try:
        return subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, env=environment)
    except (OSError, ValueError):
        return None


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def _particulars(error: Error) -> Iterator[str]:
    """What there is to say of an error, a line each: what, where in the program, what became of its run."""
    yield error.message
    if where := message.raised_in(error.event.payload.get("exception")):
        yield f"raised in {where}"
    yield f"{error.kind}{', recovered later' if error.recovered else ', never recovered'}"
    if error.step:
        yield f"in step {error.step}"
    if error.end or error.event.own:
        names = " ".join(filter(None, (error.run_name, error.event.run_id)))
        yield f"run {names}{'' if error.end else ' has no end'}"
    if error.end:
        yield f"ended: {error.end.summary()}"


def _name_of_run(event: Event) -> str:
    if event.run_id is None:
        return visible(event.file)
    name = event.payload.get("name") if event.type == "run.started" else None
    return visible(f"run {name} {event.run_id}" if isinstance(name, str) else f"run {event.run_id}")


def _cell(value: object) -> str:
    return "null" if value is None else visible(value if isinstance(value, str) else line.dump(value).decode())
