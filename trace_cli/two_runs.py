"""From the arguments of `trace diff` to the two runs that it compares."""

from trace_cli import params, runs, streams
from trace_cli.errors import TraceError
from trace_cli.ignoring import Ignoring
from trace_cli.index import Index, Run
from trace_cli.reading import Reading, talk
from trace_cli.selection import Matcher, Selection
from trace_cli.side import Side

_FORM = "trace diff A B; both runs in one file: trace diff --run-a ID --run-b ID FILE"


class TwoRuns:
    """The runs `a` and `b`, read and made comparable. The selection narrows down which events are compared."""

    def __init__(
        self,
        files: tuple[str, ...],
        run_a: str | None,
        run_b: str | None,
        selection: Selection,
        ignoring: Ignoring,
        strict: bool,
    ) -> None:
        run_a, run_b = run_a or selection.run, run_b or selection.run
        if len(files) != 2 and not (len(files) == 1 and run_a and run_b):
            raise TraceError(f"two traces are compared, not {len(files)}", _FORM)
        if files == (streams.STDIN,) * 2 and not (run_a and run_b):
            raise TraceError("both A and B are standard input", _FORM)
        if streams.STDIN in files:
            params.expect_input("standard input is a terminal")
        self._strict = strict
        self._readings: list[Reading] = []
        read = {name: self._read(name, selection) for name in dict.fromkeys(files)}
        self.readable = not any(reading.trouble for reading in self._readings)
        if not self.readable:
            return
        sides = []
        for name, run, option in ((files[0], run_a, "--run-a"), (files[-1], run_b, "--run-b")):
            index, matcher = read[name]
            label = "stdin" if name == streams.STDIN else name
            chosen = runs.chosen(index, run, label, option)
            sides.append(_side(index, chosen, selection, matcher, ignoring))
        self.a, self.b = sides
        if not (self.a.items or self.b.items or selection.error):
            wanted = "" if selection == Selection() else " that is wanted"
            raise TraceError(f"nothing was compared: neither run has an event{wanted}")

    def _read(self, name: str, selection: Selection) -> tuple[Index, Matcher]:
        index, matcher = Index(), Matcher(selection)
        reading = Reading((name,), say=talk, strict=self._strict, judging=True)
        self._readings.append(reading)
        for _ in index.adding(matcher.watch(reading)):
            pass
        return index, matcher

    def status(self, differ: bool) -> int:
        """The exit status: 0 the same, 1 different, 2 where that cannot be said."""
        if self._strict and any(reading.bad for reading in self._readings):
            return 2
        return 1 if differ else 0


def _side(index: Index, run: Run, selection: Selection, matcher: Matcher, ignoring: Ignoring) -> Side:
    errors = index.errors
    everything = selection == Selection(run=selection.run, max=selection.max)
    wanted = None if everything else lambda event: matcher.wants(event, event.index in errors)
    return Side(index, run, ignoring, wanted, selection.max)
