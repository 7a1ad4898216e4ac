"""The calls of a trace: each request to a model and each tool call with its end, or without one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from trace_cli import usage
from trace_cli.event import Event
from trace_cli.numbering import Run

# The last of a request's payload, as the tap writes it: no string can end so.
_ATTEMPT = re.compile(rb',"attempt":([1-9][0-9]{0,5})\}\}$').search
_MODEL_IN_URL = re.compile(r"/models/([^/:?]+)|/model/([^/?]+)").search  # of Gemini, and of Bedrock
ANSWERED, FAILED, ORPHAN, LOST = "answered", "failed", "orphan", "lost"


class Call:
    """One call: `request` and `end` are its events, either may be missing. A call of a model, or of a `tool`.

    `step` is the path of the step that it was made in.
    """

    def __init__(self, run: Run, request: Event | None, end: Event | None = None, tool: str | None = None) -> None:
        self.run = run
        self.request = request
        self.end = end
        self.tool = tool
        event = request or end
        assert event is not None
        self.event = event
        self.step = event.step
        self.again = False  # an attempt that an SDK made again

    @property
    def of_model(self) -> bool:
        """Whether a model was called."""
        return self.tool is None

    @property
    def outcome(self) -> str:
        """How it ended."""
        if self.end is None:
            return ORPHAN
        if self.end.type == _LOST:
            return LOST
        return FAILED if self.end.type.endswith(".error") else ANSWERED

    @property
    def requested(self) -> str | None:
        """The model that the agent asked for; where that is not known, the one that answered."""
        payload = self.request.payload if self.request else {}
        body = payload.get("body")
        asked = body.get("model") if isinstance(body, Mapping) else None
        if isinstance(asked, str):
            return asked
        named = _MODEL_IN_URL(str(payload.get("url") or ""))
        return unquote(named[1] or named[2]) if named else self.answered_by

    @property
    def answered_by(self) -> str | None:
        """The model that answered."""
        body = self.end.payload.get("body") if self.end else None
        inner = self.end.payload.get("message") if self.end else None
        for told in (body, inner):
            for key in ("model", "modelVersion"):
                if isinstance(told, Mapping) and isinstance(told.get(key), str):
                    return str(told[key])
        return None

    @property
    def duration_ms(self) -> float | None:
        """How long it took: as its end says; else by the two times, where the clock went forward."""
        if self.end is None:
            return None
        if usage.number(self.end.payload.get("duration_ms")) is not None:
            return usage.duration(self.end.payload)
        if self.request is None or self.request.time is None or self.end.time is None:
            return None
        took = round((self.end.time - self.request.time) * 1000, 3)
        return took if took >= 0 else None

    @property
    def ttft_ms(self) -> float | None:
        """When the first byte of a streamed answer came."""
        payload = self.end.payload if self.end else {}
        return usage.duration(payload, "ttft_ms") if payload.get("stream") is True else None

    @property
    def told(self) -> Any:
        """What of its end may tell of tokens: the body; in a transcript, the message."""
        payload = self.end.payload if self.end else {}
        body = payload.get("body")
        return body if body is not None else payload.get("message")


_BEGINNINGS = ("model.request", "tool.called")
_ENDS = ("model.response", "model.error", "tool.result")
_LOST = "tap.dropped"  # with a call_id: that call ended, and how could not be recorded
PENDING = 64  # messages of transcripts that may still be told again, with more of them


class Calls:
    """Pairs what belongs together. Memory: the open calls with their events, the ids of calls of open runs."""

    def __init__(self) -> None:
        self._open: dict[tuple[object, str], Call] = {}
        self._ended: dict[object, set[str]] = {}  # by the id of a run, as long as it lasts
        self._pending: dict[int, Call] = {}  # by a hash of the message's id
        self._told: set[int] = set()

    def feed(self, event: Event, run: Run) -> Iterator[Call]:
        """Takes the next event of a run; gives the calls that ended with it."""
        kind, call_id = event.type, event.call_id
        if kind in _BEGINNINGS:
            if call_id is None:
                yield self._begun(event, run)
                return
            self._open.setdefault((run.key, call_id), self._begun(event, run))
            self._ended.setdefault(run.key, set()).discard(call_id)  # a call that is named as one before
        elif kind in _ENDS:
            ended = self._ended.setdefault(run.key, set())
            if call_id in ended:
                return  # it was told before
            call = self._open.pop((run.key, call_id), None) if call_id else None
            call = call or Call(run, None, event, _tool(event))
            call.end = event
            if call_id is not None:
                ended.add(call_id)
            yield call
        elif kind == _LOST and call_id is not None:
            if (call := self._open.pop((run.key, call_id), None)) is not None:
                call.end = event
                self._ended.setdefault(run.key, set()).add(call_id)
                yield call
        elif kind == "run.ended":
            self._ended.pop(run.key, None)
        elif not event.own:
            yield from self._transcript(event, run)

    def _begun(self, event: Event, run: Run) -> Call:
        call = Call(run, event, tool=_tool(event))
        call.again = event.type == "model.request" and _attempt(event) > 1
        return call

    def finish(self) -> Iterator[Call]:
        """Gives the calls that never ended, and what transcripts told last of each message."""
        yield from self._open.values()
        yield from self._pending.values()
        self._open, self._pending = {}, {}

    def open(self) -> dict[int, Call]:
        """The call that was made last of those that have not ended, by the number of the run."""
        return {call.run.number: call for call in self._open.values()}

    def _transcript(self, event: Event, run: Run) -> Iterator[Call]:
        """A message of a transcript. It is told for each of its blocks, with counts that go up: the last hold.

        A session that is gone on with in another file begins with a copy of the one before.
        """
        inner = event.payload.get("message")
        if not isinstance(inner, Mapping) or not isinstance(inner.get("usage"), Mapping):
            return
        if inner.get("model") == "<synthetic>":  # by Claude Code itself, which called nobody
            return
        call = Call(run, None, event)
        name = inner.get("id")
        if not isinstance(name, str):
            yield call
            return
        key = hash((name, str(event.payload.get("requestId"))))
        if key in self._pending:
            self._pending[key].end = event  # it stays where it was told first
        elif key not in self._told:
            self._told.add(key)
            self._pending[key] = call
        if len(self._pending) > PENDING:
            yield self._pending.pop(next(iter(self._pending)))


def _tool(event: Event) -> str | None:
    return (event.tool_name or "") if event.type.startswith("tool.") else None


def _attempt(request: Event) -> int:
    if request.head and (found := _ATTEMPT(request.raw)):
        return int(found[1])
    told = request.payload.get("attempt")
    return told if isinstance(told, int) else 1
