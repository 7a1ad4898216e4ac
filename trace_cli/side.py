"""One of the two runs of a comparison: its items, what it spent, and its errors that nothing recovered."""

import re
from collections.abc import Callable
from typing import Any

from trace_cli.comparable import Comparing
from trace_cli.conversation import Spent
from trace_cli.event import Event
from trace_cli.ignoring import Ignoring
from trace_cli.index import Index, Run
from trace_cli.item import Item
from trace_cli.retries import Error
from trace_cli.run_errors import RunErrors
from trace_cli.usage import cost

EVENTS = 8  # that are kept when they were read again
RETRIED = "attempts that were made again"
_ATTEMPTS = ("model.error", "http.error")
Wanted = Callable[[Event], bool]


class Side:
    """A run, made comparable. `wanted` and `most` narrow down which of its events are."""

    def __init__(
        self,
        index: Index,
        run: Run,
        ignoring: Ignoring,
        wanted: Wanted | None = None,
        most: int | None = None,
    ) -> None:
        self.index = index
        self.run = run
        self.items: list[Item] = []
        self.left: dict[int, tuple[str, ...]] = {}  # by number: what an error that is left is known by
        self.events = self.requests = self.calls = self.errors = self.retries = 0
        self._spent = Spent()
        self._kept: dict[int, Event] = {}
        self._cost: float | None = None
        self._duration: float | None = None
        comparing = Comparing(ignoring)
        self.conversations = comparing.conversations
        self._read(comparing, ignoring, wanted, most)

    def _read(self, comparing: Comparing, ignoring: Ignoring, wanted: Wanted | None, most: int | None) -> None:
        judge = RunErrors()
        keys: dict[object, list[int]] = {}  # the errors of each key
        recoveries = 0
        requests: dict[str, Item] = {}
        retried: set[int] = set()
        first = last = None
        for number in self.index.of_run(self.run):
            event = self.index.event(number)
            item = comparing.item(event, number)
            if (most is None or len(self.items) < most) and (wanted is None or wanted(event)):
                self.items.append(item)
            if event.type in ("model.request", "http.request") and event.call_id:
                requests[event.call_id] = item
            elif event.type in _ATTEMPTS and number not in self.index.errors:
                self.retries += 1
                retried |= (
                    {number, requests[event.call_id or ""].number} if event.call_id in requests else {number}
                )
            for error in judge.feed(event):
                self._note(error.event.index if error.event is not event else number, error, keys)
            if judge.recoveries > recoveries:
                recoveries = judge.recoveries
                self._drop_recovered(judge, keys)
            self._count(event)
            first = event.time if first is None else first
            last = event.time if event.time is not None else last
        for error in judge.finish():
            self._note(error.event.index, error, keys)
        if self._duration is None and first is not None and last is not None:
            self._duration = round((last - first) * 1000, 3)
        if ignoring.default and retried:
            kept = [item for item in self.items if item.number not in retried]
            if len(kept) < len(self.items):
                ignoring.note(RETRIED)
            self.items = kept

    def _note(self, number: int, error: Error, keys: dict[object, list[int]]) -> None:
        self.errors += 1
        text = re.sub(r"[\w-]*\d[\w-]*", "#", error.message)  # ids and figures
        self.left[number] = (error.kind, error.tool_name or "", text)
        if error.key is not None:
            keys.setdefault(error.key, []).append(number)

    def _drop_recovered(self, judge: RunErrors, keys: dict[object, list[int]]) -> None:
        for key in [key for key in keys if not judge.is_left(key)]:
            for number in keys.pop(key):
                self.left.pop(number, None)

    def _count(self, event: Event) -> None:
        self.events += 1
        if event.type == "model.request":
            self.requests += 1
        elif event.type == "tool.called":
            self.calls += 1
        elif event.type == "model.response":
            self._spent.add(event)
        elif event.type == "run.ended" and isinstance(event.payload.get("duration_ms"), int | float):
            self._duration = event.payload["duration_ms"]
        if (told := cost(event.payload)) is not None:
            self._cost = (self._cost or 0.0) + told

    def metrics(self) -> dict[str, Any]:
        """What the run took and did; null where nothing says it."""
        spent = self._spent.row()
        told = bool(spent["requests"])
        return {
            "duration_ms": self._duration,
            "input_tokens": spent["input_tokens"] if told else None,
            "output_tokens": spent["output_tokens"] if told else None,
            "cost": self._cost,
            "events": self.events,
            "requests": self.requests,
            "tool_calls": self.calls,
            "errors": self.errors,
            "retries": self.retries,
        }

    def place(self, item: Item | None) -> dict[str, Any] | None:
        """The head of an event, and where it stands."""
        return None if item is None else self.event(item.number).place()

    def event(self, number: int) -> Event:
        """An event, read again; the last few are kept."""
        found = self._kept.get(number)
        if found is None:
            if len(self._kept) >= EVENTS:
                self._kept.clear()
            found = self._kept[number] = self.index.event(number)
        return found
