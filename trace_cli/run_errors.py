"""Which events of a run are errors, and which of them recovered: the one definition that every command uses.

An event is an error when it is
- a `model.error` or `http.error`, unless the SDK retried that attempt by itself and it then succeeded;
- a `tool.result` whose `error` is not null;
- a `model.request` that brings a tool result with `is_error: true` which no `tool.result` said already;
- a `model.response` with the error block of a server tool or of MCP, or with an error for a body;
- a `run.ended` or `step.ended` with an error;
- of any other type, or in another format, and says so: `error`, `is_error: true`, a level of error or worse, at
  the top of the line or in the payload; a tool result with `is_error: true` in the message of a transcript.

A run that was read from its start and has no end broke off, or goes on: then the last call without an answer,
or else its last event, counts as one too, behind all others.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trace_cli import line, message
from trace_cli.event import Event
from trace_cli.text import compact

_BAD_LEVELS = {"error", "err", "fatal", "critical", "crit", "alert", "emerg", "emergency", "panic"}
_RETRIED_STATUSES = {408, 409, 429}  # and all from 500: what the SDKs send again by themselves
BROKEN_OFF = ("orphan", "unfinished")  # kinds of what a run without an end broke off in
_DEFINED = ("run.", "step.", "model.", "http.", "tool.", "tap.")  # types that trace-events(5) gives a meaning to
_SAID_IN = ("message", "msg", "statusMessage", "content")
_MAY_STATE = re.compile(rb'"(?:error|is_error|level|severity)"').search
_SAYS_IS_ERROR = re.compile(rb'"is_error"\s*:\s*(?:true|false)').search


@dataclass(slots=True)
class Error:
    """An event that is an error. `recovered` is None until it is known; `key` names what can recover it.

    `run` is what was learnt of its run until the error was given out.
    """

    event: Event
    kind: str
    message: str
    tool_name: str | None = None
    recovered: bool | None = None
    key: object = None
    run: "RunErrors | None" = None

    def row(self) -> dict[str, Any]:
        """What goes into a line as `_error`."""
        return {
            "kind": self.kind,
            "message": self.message,
            "tool_name": self.tool_name,
            "recovered": self.recovered,
        }


@dataclass(slots=True)
class _Attempts:
    """Failed attempts of one request, the latest last, while its next attempt may still come or be answered."""

    key: object
    latest: int
    errors: list[Error]


class RunErrors:
    """Follows one run, event by event. In memory: open calls, and the first unrecovered error of each key.

    `every` counts attempts that the SDK retried with success too. `wanted` narrows down what is kept.
    `waiting` holds, by index, the failed attempts whose retry may still come; runs may share one.
    """

    def __init__(
        self,
        every: bool = False,
        wanted: Callable[[Event], bool] = lambda event: True,
        waiting: dict[int, Error] | None = None,
    ) -> None:
        self.first: Error | None = None
        self.name: str | None = None
        self.end: Event | None = None  # its run.ended
        self._every = every
        self._wanted = wanted
        self._waiting = {} if waiting is None else waiting
        self._unrecovered: dict[object, Error] = {}
        self._open: dict[str, Event] = {}  # call_id -> the model.request or tool.called without an answer yet
        self._attempts: dict[str, _Attempts] = {}  # by the call_id of the latest attempt
        self._again: dict[str, object] = {}  # call_id -> key, of requests that failed before
        self._told_calls: set[str] = set()  # call_ids whose error was said
        self._told_tools: Counter[str | None] = Counter()  # tool.results with an error, no request with it yet
        self._next_seq: int | None = 0  # None: not all of the run was read
        self._latest: Event | None = None

    def feed(self, event: Event) -> list[Error]:
        """Takes the run's next event; gives the errors that are now known to be, earlier events' too."""
        self._latest = event
        if self._next_seq is not None:
            self._next_seq = self._next_seq + 1 if event.own and event.seq == self._next_seq else None
        judge = _JUDGES.get(event.type)
        found = judge(self, event) if judge else []
        if not found and (not event.own or not (judge or event.type.startswith(_DEFINED))):
            found = self._keep(_stated_error(event))
        if not found and event.judged:
            found = self._keep(_judged_before(event, event.judged))
        return found

    def finish(self) -> list[Error]:
        """The end of what was read of this run: what no retry and no answer came for."""
        gone, self._attempts = self._attempts, {}
        found = [kept for attempts in gone.values() for kept in self._keep(*attempts.errors)]
        if self._next_seq and self._latest and not self.end:
            calls = sorted(self._open.values(), key=lambda event: event.index)
            last = calls[-1] if calls else self._latest
            kind, what = (BROKEN_OFF[0], "no answer: ") if calls else (BROKEN_OFF[1], "")
            text = f"{what}the run broke off {'in this call' if calls else 'behind this event'}, or still goes on"
            found += self._keep(Error(last, kind, text, last.tool_name, False))
        return found

    def unrecovered(self) -> Error | None:
        """The first error that nothing recovered, as far as was read."""
        return min(self._unrecovered.values(), key=lambda error: error.event.index, default=None)

    def _keep(self, *errors: Error | None) -> list[Error]:
        kept = []
        for error in errors:
            if error is None:
                continue
            error.run = self
            self._waiting.pop(error.event.index, None)
            if self._wanted(error.event):
                kept.append(error)
                if error.recovered is not True:
                    self._unrecovered.setdefault(error.key or error.event.index, error)
                if self.first is None or error.event.index < self.first.event.index:
                    self.first = error
        return kept

    def _recover(self, key: object) -> None:
        self._unrecovered.pop(key, None)
        if self.first and self.first.key == key:
            self.first.recovered = True

    def _request(self, event: Event) -> list[Error]:
        found = []
        if event.call_id:
            self._open[event.call_id] = event
            if self._attempts or any(isinstance(key, _RequestKey) for key in self._unrecovered):
                found = self._sent_again(event, event.call_id)
        if _SAYS_IS_ERROR(event.raw):
            found += self._tool_results_sent(event)
        return found

    def _sent_again(self, event: Event, call_id: str) -> list[Error]:
        """Whether this request is one that failed: the SDK's next attempt, or the agent's own."""
        key, attempt = _request_key(event), event.payload.get("attempt")
        for last, attempts in self._attempts.items():
            if attempts.key == key:
                del self._attempts[last]
                if attempt == attempts.latest + 1:
                    self._attempts[call_id] = attempts
                    return []
                self._again[call_id] = key
                return self._keep(*attempts.errors)
        if key in self._unrecovered:
            self._again[call_id] = key
        return []

    def _tool_results_sent(self, event: Event) -> list[Error]:
        found: list[Error] = []
        for call_id, tool, failed, text in message.failed_tool_results(_body(event)):
            key = ("tool", tool)
            if not failed:
                self._recover(key)
            elif call_id in self._told_calls or self._told_tools[tool]:
                self._told_calls.add(call_id)
                self._told_tools[tool] = max(0, self._told_tools[tool] - 1)
            else:
                self._told_calls.add(call_id)
                found += self._keep(Error(event, "tool_result", compact(text), tool, None, key))
        return found[:1]

    def _request_failed(self, event: Event) -> list[Error]:
        stated = event.payload.get("error")
        stated = stated if isinstance(stated, Mapping) else {}
        status = event.payload.get("status")
        text = compact(stated.get("message") or stated.get("type") or f"status {status}")
        error = Error(event, str(stated.get("kind") or "http"), text)
        request = self._open.pop(event.call_id or "", None)
        if request is None or event.call_id is None:
            return self._keep(error)
        error.key = _request_key(request)
        latest = request.payload.get("attempt")
        attempts = self._attempts.pop(event.call_id, None) or _Attempts(error.key, 0, [])
        attempts.latest = latest if isinstance(latest, int) else 1
        attempts.errors.append(error)
        if self._every or not _may_be_retried(error.kind, status):
            return self._keep(*attempts.errors)
        self._attempts[event.call_id] = attempts
        self._waiting[event.index] = error
        return []

    def _response(self, event: Event) -> list[Error]:
        request = self._open.pop(event.call_id, None) if event.call_id else None
        if event.call_id:
            if attempts := self._attempts.pop(event.call_id, None):
                for error in attempts.errors:
                    self._waiting.pop(error.event.index, None)
            if key := self._again.pop(event.call_id, None):
                self._recover(key)
        if event.type != "model.response" or b"error" not in event.raw:
            return []
        for tool, text in message.response_errors(_body(event)):
            key = ("tool", tool) if tool else request and _request_key(request)
            return self._keep(Error(event, "response", compact(text), tool, None, key))
        return []

    def _tool_called(self, event: Event) -> list[Error]:
        if event.call_id:
            self._open[event.call_id] = event
        return []

    def _tool_result(self, event: Event) -> list[Error]:
        if event.call_id:
            self._open.pop(event.call_id, None)
        key = ("tool", event.tool_name)
        if event.payload.get("error") is None:
            self._recover(key)
            return []
        if event.call_id:
            self._told_calls.add(event.call_id)
        self._told_tools[event.tool_name] += 1
        return self._keep(Error(event, "tool", compact(event.failure), event.tool_name, None, key))

    def _step_ended(self, event: Event) -> list[Error]:
        key = ("step", str(event.payload.get("name")))
        if event.payload.get("error") is None:
            self._recover(key)
            return []
        return self._keep(Error(event, "step", compact(event.failure), None, None, key))

    def _run_started(self, event: Event) -> list[Error]:
        name = event.payload.get("name")
        self.name = name if isinstance(name, str) else None
        return []

    def _run_ended(self, event: Event) -> list[Error]:
        self.end = event
        found = self.finish()
        if event.payload.get("error") is not None or event.payload.get("status") == "error":
            found += self._keep(Error(event, "run", compact(event.failure or "status: error"), None, False))
        return found


_JUDGES: dict[str, Callable[[RunErrors, Event], list[Error]]] = {
    "run.started": RunErrors._run_started,
    "model.request": RunErrors._request,
    "model.response": RunErrors._response,
    "model.error": RunErrors._request_failed,
    "http.request": RunErrors._request,
    "http.response": RunErrors._response,
    "http.error": RunErrors._request_failed,
    "tool.called": RunErrors._tool_called,
    "tool.result": RunErrors._tool_result,
    "step.ended": RunErrors._step_ended,
    "run.ended": RunErrors._run_ended,
}


class _RequestKey(bytes):
    """Equal for requests with the same URL and body."""


def _request_key(request: Event) -> _RequestKey:
    body = request.payload.get("body")
    return _RequestKey(line.dump([request.payload.get("url"), body]))


def _may_be_retried(kind: str, status: Any) -> bool:
    if kind == "http":
        return isinstance(status, int) and (status in _RETRIED_STATUSES or status >= 500)
    return kind in ("connection", "timeout")


def _body(event: Event) -> Mapping[str, Any]:
    body = event.payload.get("body")
    return body if isinstance(body, Mapping) else {}


def _stated_error(event: Event) -> Error | None:
    """What a line that is of no type of ours says of itself, at its top or in its payload."""
    if event.own and not _MAY_STATE(event.raw):
        return None
    fields = event.payload if event.own else event.fields
    said = next((fields[key] for key in _SAID_IN if isinstance(fields.get(key), str)), None)
    stated, level = fields.get("error"), fields.get("level", fields.get("severity"))
    if stated and not (event.own and isinstance(stated, float)):  # an error rate is none
        return Error(event, "error", compact(message.error_text(stated)), event.tool_name, False)
    if fields.get("is_error") is True:
        return Error(event, "error", compact(said or "is_error"), event.tool_name, False)
    if level.lower() in _BAD_LEVELS if isinstance(level, str) else isinstance(level, int) and level >= 50:
        return Error(event, "log", compact(said or f"level {level}"), event.tool_name, False)
    inner = fields.get("message")  # of a transcript: results of tools are messages there
    for block in message.blocks(inner.get("content")) if isinstance(inner, Mapping) else ():
        if block.get("is_error") is True:
            return Error(event, "tool_result", compact(message.text_of(block.get("content")) or "is_error"))
    return None


def _judged_before(event: Event, row: Mapping[str, Any]) -> Error:
    """An `_error` that an earlier command put into the line: it had read more than this one may have."""
    return Error(event, str(row.get("kind")), str(row.get("message")), row.get("tool_name"), row.get("recovered"))
