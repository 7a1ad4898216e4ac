"""The figures of a group of calls: how many, how they ended, what they took and cost."""

from array import array
from decimal import Decimal
from math import ceil
from typing import Any

from trace_cli import usage
from trace_cli.calls import FAILED, LOST, ORPHAN, Call
from trace_cli.event import Event
from trace_cli.prices import Prices
from trace_cli.usage import NONE, Tokens

PERCENTS = (50, 90, 99)


class Spread:
    """Durations in milliseconds. Percentiles are exact, by the nearest rank. Memory: eight bytes each."""

    def __init__(self) -> None:
        self._values = array("d")

    def add(self, value: float | None) -> None:
        """Takes one; None is none."""
        if value is not None:
            self._values.append(value)

    def row(self) -> dict[str, float] | None:
        """The smallest values that so many per cent do not exceed, and the largest; None without any."""
        known = sorted(self._values)
        if not known:
            return None
        found = {f"p{percent}": known[ceil(percent / 100 * len(known)) - 1] for percent in PERCENTS}
        return {**found, "max": known[-1]}


class Figures:
    """The figures of one group. `errors` are counted from outside: what is one is judged over a run."""

    def __init__(self) -> None:
        self.calls = self.errors = self.retries = self.orphans = 0
        self.tool_calls = self.tool_errors = self.tool_orphans = 0
        self.answers = self.untold = self.unpriced = 0
        self.tokens: Tokens = NONE
        self.cost = Decimal(0)
        self.latency, self.ttft, self.tool_time = Spread(), Spread(), Spread()
        self.steps = 0
        self.step_time = Spread()

    def add(self, call: Call, prices: Prices) -> None:
        """Takes a call."""
        if call.of_model:
            self._add_model_call(call, prices)
            return
        self.tool_calls += 1
        self.tool_orphans += call.outcome == ORPHAN
        self.tool_time.add(call.duration_ms)

    def add_step(self, ended: Event) -> None:
        """Takes the end of a step."""
        self.step_time.add(usage.duration(ended.payload))

    def _add_model_call(self, call: Call, prices: Prices) -> None:
        self.calls += 1
        self.retries += call.again
        self.orphans += call.outcome == ORPHAN
        if call.end is None or call.outcome == LOST:
            return
        parts = usage.parts(call.told)
        if call.outcome == FAILED and not parts:  # what is cut off in the middle may still tell
            return
        self.answers += 1
        if call.outcome != FAILED:
            self.latency.add(call.duration_ms)
            self.ttft.add(call.ttft_ms)
        for part in parts:
            self.tokens = self.tokens.plus(part.tokens)
        asked = call.request.payload if call.request else {}
        price = prices.cost(
            call.end.payload,
            parts,
            call.answered_by or call.requested,
            str(asked.get("url") or ""),
            str(asked.get("provider") or ""),
            call.end.time,
        )
        self.untold += not parts
        self.unpriced += price is None
        self.cost += price or 0

    def spent(self) -> dict[str, Any]:
        """Tokens and cost; null where no answer says it, or no price is known."""
        told = self.answers > self.untold
        sums = zip(("input", "output", "cache_read", "cache_write"), self.tokens, strict=False)
        return {
            **{f"{name}_tokens": value if told else None for name, value in sums},
            "cost": round(float(self.cost), 9) if self.answers > self.unpriced else None,
            "untold": self.untold,
            "unpriced": self.unpriced,
        }

    def row(self) -> dict[str, Any]:
        """All of them."""
        return {
            "calls": self.calls,
            "errors": self.errors,
            "retries": self.retries,
            "orphans": self.orphans + self.tool_orphans,
            **self.spent(),
            "latency_ms": self.latency.row(),
            "ttft_ms": self.ttft.row(),
            "tool_calls": self.tool_calls,
            "tool_errors": self.tool_errors,
            "tool_ms": self.tool_time.row(),
        }

    def tool_row(self) -> dict[str, Any]:
        """Those of a tool."""
        return {
            "calls": self.tool_calls,
            "errors": self.tool_errors,
            "orphans": self.tool_orphans,
            "duration_ms": self.tool_time.row(),
        }
