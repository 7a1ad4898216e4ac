"""The figures of a trace, by run, model, tool, step or day."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from trace_cli.calls import Call, Calls
from trace_cli.event import Event
from trace_cli.figures import Figures
from trace_cli.numbering import Numbering, Run
from trace_cli.prices import Prices
from trace_cli.retries import Error
from trace_cli.run_errors import ORPHAN, RunErrors
from trace_cli.text import day

Key = str | int | None
_NOBODY = object()  # the group of what counts in none
OF_TOOLS = ("tool", "tool_result", "response")  # kinds of errors that may be a tool's


_OF_CALL: dict[str | None, Callable[[Call], Any]] = {
    None: lambda call: None,
    "run": lambda call: call.run.number,
    "model": lambda call: call.requested if call.of_model else _NOBODY,
    "tool": lambda call: _NOBODY if call.of_model else call.tool,
    "step": lambda call: call.step,
    "day": lambda call: day(call.event.time),
}
GROUPS = tuple(filter(None, _OF_CALL))


class Grouped:
    """Figures in groups. Memory: an entry a group and a run, eight bytes a duration, the open calls.

    A call counts where the event that ends it is `wanted`; without an end, where its request is. `by` is one of
    GROUPS, or None for one group of all. `ended` is told of each run, and of the errors in it.
    """

    def __init__(
        self,
        by: str | None,
        prices: Prices,
        wanted: Callable[[Event], bool] = lambda event: True,
        ended: Callable[[Run, RunErrors], None] = lambda run, errors: None,
    ) -> None:
        self.numbering = Numbering()
        self.open: dict[int, Call] = {}  # what each run broke off in, by its number
        self._calls = Calls()
        self._ended = ended
        self._by = by
        self._prices = prices
        self._wanted = wanted
        self._groups: dict[Key, Figures] = {}
        self._judges: dict[int, RunErrors] = {}  # by the number of the run
        self._models: dict[int, str | None] = {}  # of failed calls, by their event, until they are judged

    def read(self, events: Iterable[Event]) -> None:
        """Takes all events, in their order."""
        for event in events:
            run = self.numbering.run(event)
            if run is None:
                continue
            model: Any = _NOBODY
            for call in self._calls.feed(event, run):
                self._count(call)
                if self._by == "model" and call.of_model and call.end is event:
                    model = call.requested
                    if event.type == "model.error":
                        self._models[event.index] = model
            if self._by == "step" and event.type.startswith("step.") and self._wanted(event):
                self._count_step(event)
            judge = self._judges.get(run.number)
            if judge is None:
                judge = self._judges[run.number] = RunErrors()
            for error in judge.feed(event):
                self._note(error, run, model if error.event is event else _NOBODY)
            if event.type == "run.ended":
                self._ended(run, self._judges.pop(run.number))
        self.open = self._calls.open()
        for call in self._calls.finish():
            self._count(call)
        for number, judge in self._judges.items():
            run = self.numbering.runs[number]
            for error in judge.finish():
                self._note(error, run, _NOBODY)
            self._ended(run, judge)

    def figures(self, key: Key = None) -> Figures:
        """Those of one group."""
        return self._groups.get(key) or Figures()

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each group: runs as they began, days in order, else the busiest first."""
        if self._by is None:
            yield self.figures().row()
        for key, found in sorted(self._groups.items(), key=self._place) if self._by else ():
            yield {**self._named(key, found), **(found.tool_row() if self._by == "tool" else found.row())}

    def _place(self, group: tuple[Key, Figures]) -> Any:
        key, found = group
        return (key is None, key or 0) if self._by in ("run", "day") else -(found.calls + found.tool_calls)

    def _named(self, key: Key, found: Figures) -> dict[str, Any]:
        if self._by == "run":
            run = self.numbering.runs[int(key or 0)]
            return {"run": run.run_id or run.file, "name": run.name}
        if self._by == "step":
            return {"step": key, "steps": found.steps, "step_ms": found.step_time.row()}
        return {str(self._by): key}

    def _group(self, key: Any) -> Figures:
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = Figures()
        return found

    def _count(self, call: Call) -> None:
        if self._wanted(call.end or call.event):
            key = _OF_CALL[self._by](call)
            if key is not _NOBODY:
                self._group(key).add(call, self._prices)

    def _count_step(self, event: Event) -> None:
        figures = self._group(event.step)
        if event.type == "step.started":
            figures.steps += 1
        else:
            figures.add_step(event)

    def _note(self, error: Error, run: Run, model: Any) -> None:
        if error.kind == ORPHAN or not self._wanted(error.event):
            return
        tool = error.tool_name if error.kind in OF_TOOLS else None
        key: Any = {
            "run": run.number,
            "model": self._models.pop(error.event.index, model),
            "tool": _NOBODY if tool is None else tool,
            "step": error.step,
            "day": day(error.event.time),
        }.get(str(self._by))
        if key is not _NOBODY:
            figures = self._group(key)
            figures.errors += 1
            figures.tool_errors += tool is not None
