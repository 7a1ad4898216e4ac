"""From what --at names to the numbers of events in an index."""

from collections.abc import Iterable, Iterator, Sequence

from trace_cli import window
from trace_cli.around import Around
from trace_cli.event import Event
from trace_cli.index import Index
from trace_cli.selection import Matcher, Selection


class Pointed:
    """The events that a question is about, in an index of their whole trace, read once.

    What FILEs, `at` and stdin mean is said in `Around`. The selection narrows down which events `at` may name.
    """

    def __init__(
        self, command: str, files: Sequence[str], at: str | None, selection: Selection, strict: bool
    ) -> None:
        self._matcher = Matcher(selection)
        self._max = selection.max
        everything = selection == Selection(max=selection.max)
        self.index = Index(wanted=None if everything else self._matcher.wants)
        self._around = Around(command, files, at, strict, find=self._find, through=self._through, once=True)
        self.status = self._around.status
        self.trace = self._around.trace

    @property
    def numbers(self) -> list[int]:
        """The events, in their order, at most as many as the selection allows."""
        found = sorted({anchor.index for anchor in self._around.anchors})
        return [number for number in found if self._wanted(number)][: self._max]

    def _through(self, events: Iterable[Event]) -> Iterator[Event]:
        return self.index.adding(self._matcher.watch(events))

    def _wanted(self, number: int) -> bool:
        return self._matcher.wants(self.index.event(number), number in self.index.errors)

    def _find(self, events: Iterable[Event], at: str) -> list[window.Anchor]:
        through = self._through(events)
        if at not in window.IN_EACH_RUN:
            return window.anchors_at(through, at)
        for _ in through:
            pass
        runs = self.index.runs
        if at == "last":
            found = [self._last(run.number) for run in runs]
        else:
            found = [run.first if at == "first-error" else run.unrecovered for run in runs]
        return [window.Anchor(number, None, None) for number in found if number is not None]

    def _last(self, run: int) -> int | None:
        of_run = (each for each in range(len(self.index) - 1, -1, -1) if self.index.run_of[each] == run)
        return next((number for number in of_run if self._wanted(number)), None)
