"""Which events of a run are errors, and which of them recovered: the one definition that every command uses.

An event is an error when it is
- a `model.error` or `http.error`, unless the SDK retried that attempt by itself and it then succeeded;
- a `tool.result` whose `error` is not null;
- a `model.request` that brings a tool result with `is_error: true` which no `tool.result` said already;
- a `model.response` with the error block of a server tool or of MCP, or with an error for a body;
- a `run.ended` or `step.ended` with an error;
- of any other type, or in another format, and says so: `error`, `is_error: true`, a level of error or worse, at
  the top of the line or in the payload; a tool result with `is_error: true` in the message of a transcript.

Of a run that was read from its start and has no end, the last call without an answer counts as one too, behind
all others: there it broke off.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from trace_cli import line, message, retries
from trace_cli.event import Event
from trace_cli.retries import Error, Retries
from trace_cli.steps import Steps
from trace_cli.text import compact

_BAD_LEVELS = {"error", "err", "fatal", "critical", "crit", "alert", "emerg", "emergency", "panic"}
ORPHAN = "orphan"  # the kind of a call without an answer
_DEFINED = ("run.", "step.", "model.", "http.", "tool.", "tap.")  # types that trace-events(5) gives a meaning to
_SAID_IN = ("message", "msg", "statusMessage", "content")
_MAY_STATE = re.compile(rb'"(?:error|is_error|level|severity)"').search
_SAYS_IS_ERROR = re.compile(rb'"is_error"\s*:\s*(?:true|false)').search


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
        self.recoveries = 0  # how often something recovered
        self._every = every
        self._wanted = wanted
        self._waiting = {} if waiting is None else waiting
        self._unrecovered: dict[object, Error] = {}  # the first of each key; None: what nothing can recover
        self._open: dict[str, Event] = {}  # call_id -> the request or tool.called without an answer yet
        self._retries = Retries()
        self._again: dict[str, object] = {}  # call_id -> key, of requests that failed before
        self._told_calls: set[str] = set()  # call_ids whose error a tool.result said
        self._told_tools: Counter[str | None] = Counter()  # tool.results with an error, no request with it yet
        self._sent: set[str] = set()  # ids of the tool results that a request brought
        self._steps = Steps()
        self._next_seq: int | None = 0  # None: not all of the run was read

    @property
    def unended(self) -> bool:
        """Whether the run was read from its start, without a gap, and has no end."""
        return bool(self._next_seq) and self.end is None

    def feed(self, event: Event) -> list[Error]:
        """Takes the run's next event; gives the errors that are now known to be, earlier events' too."""
        if self._next_seq is not None:
            self._next_seq = self._next_seq + 1 if event.own and event.seq == self._next_seq else None
        if event.judged:
            return self._keep(_judged_before(event, event.judged))
        judge = _JUDGES.get(event.type)
        found = judge(self, event) if judge else []
        if not found and (not event.own or not (judge or event.type.startswith(_DEFINED))):
            found = self._keep(_stated_error(event))
        return found

    def finish(self) -> list[Error]:
        """The end of what was read of this run: what no retry and no answer came for."""
        found = self._keep(*self._retries.give_up())
        if self.unended and self._open:
            last = max(self._open.values(), key=lambda event: event.index)
            text = "no answer: the run broke off in this call, or is still in it"
            found += self._keep(Error(last, ORPHAN, text, last.tool_name, False))
        return found

    def resume(self) -> None:
        """There is more to come after a `finish`: the call without an answer may get one."""
        if self.first and self.first.kind == ORPHAN:
            self.first = None
        self._unrecovered = {key: error for key, error in self._unrecovered.items() if error.kind != ORPHAN}

    def unrecovered(self) -> Error | None:
        """The first error that nothing recovered, as far as was read."""
        known = list(self._unrecovered.values())  # while another thread may go on
        return min(known, key=_order, default=None)

    def is_left(self, key: object) -> bool:
        """Whether an error of this key has not recovered."""
        return key in self._unrecovered

    def _keep(self, *errors: Error | None) -> list[Error]:
        kept = []
        for error in errors:
            if error is None:
                continue
            self._waiting.pop(error.event.index, None)
            if error.step is None:
                error.step = self._steps.path(error.event.step_id)
            if self._wanted(error.event):
                kept.append(error)
                if error.recovered is not True:
                    self._unrecovered.setdefault(error.key, error)
                if self.first is None or _order(error) < _order(self.first):
                    self.first = error
        return kept

    def _recover(self, key: object) -> None:
        if self._unrecovered.pop(key, None):
            self.recoveries += 1
        if self.first and self.first.key == key:
            self.first.recovered = True

    def _request(self, event: Event) -> list[Error]:
        found = []
        if call_id := event.call_id:
            self._open[call_id] = event
            if self._retries or (self._unrecovered and any(map(_is_request_key, self._unrecovered))):
                key = _request_key(event)
                given_up = self._retries.sent(call_id, key, event.payload.get("attempt"))
                found = self._keep(*given_up)
                if given_up or key in self._unrecovered:
                    self._again[call_id] = key
        if event.may_flag_error and _SAYS_IS_ERROR(event.raw):
            found += self._tool_results_sent(event)
        return found

    def _tool_results_sent(self, event: Event) -> list[Error]:
        found: list[Error] = []
        for call_id, tool, failed, text in message.failed_tool_results(_body(event)):
            key = ("tool", tool)
            if not failed:
                self._recover(key)
            elif call_id in self._sent:  # by an attempt before this one
                continue
            elif call_id in self._told_calls or self._told_tools[tool]:
                self._told_tools[tool] = max(0, self._told_tools[tool] - 1)
            else:
                found += self._keep(Error(event, "tool_result", compact(text), tool, None, key))
            self._sent.add(call_id)
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
        if self._every:
            return self._keep(error)
        self._retries.failed(error, request.payload.get("attempt"))
        if not retries.may_follow(stated, status, event.payload.get("headers")):
            return self._keep(*self._retries.give_up(event.call_id))
        self._waiting[event.index] = error
        return []

    def _response(self, event: Event) -> list[Error]:
        request = None
        key = None
        if call_id := event.call_id:
            request = self._open.pop(call_id, None)
            key = self._again.pop(call_id, None) if self._again else None
            for error in self._retries.answered(call_id) if self._retries else ():
                self._waiting.pop(error.event.index, None)
        found: list[Error] = []
        if event.type == "model.response" and (b"error" in event.raw or b"_tool_result" in event.raw):
            body = _body(event)
            if text := message.error_body(body):
                key = None
                request_key = _request_key(request) if request else None
                found += self._keep(Error(event, "response", compact(text), None, None, request_key))
            for tool, failure in message.server_tool_results(body):
                if failure is None:
                    self._recover(("tool", tool))
                else:
                    found += self._keep(Error(event, "response", compact(failure), tool, None, ("tool", tool)))
        if key is not None:
            self._recover(key)
        return found[:1]

    def _tool_called(self, event: Event) -> list[Error]:
        if self._next_seq is not None and (call_id := event.call_id):  # else nobody asks what the run broke off in
            self._open[call_id] = event
        return []

    def _tool_result(self, event: Event) -> list[Error]:
        if call_id := event.call_id:
            self._open.pop(call_id, None)
        key = ("tool", event.tool_name)
        if event.payload.get("error") is None:
            self._recover(key)
            return []
        if call_id:
            self._told_calls.add(call_id)
        self._told_tools[event.tool_name] += 1
        return self._keep(Error(event, "tool", compact(event.failure), event.tool_name, None, key))

    def _step_started(self, event: Event) -> list[Error]:
        self._steps.feed(event)
        return []

    def _step_ended(self, event: Event) -> list[Error]:
        self._steps.feed(event)
        key = ("step", str(event.payload.get("name")))
        if event.payload.get("error") is None:
            self._recover(key)
            return []
        return self._keep(Error(event, "step", compact(event.failure), None, None, key))

    def _call_lost(self, event: Event) -> list[Error]:
        """A call ended, and how could not be recorded."""
        if event.call_id:
            self._open.pop(event.call_id, None)
        return []

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
    "step.started": RunErrors._step_started,
    "step.ended": RunErrors._step_ended,
    "run.ended": RunErrors._run_ended,
    "tap.dropped": RunErrors._call_lost,
}


def _order(error: Error) -> tuple[bool, int]:
    """What a run broke off in began early, but failed last."""
    return error.kind == ORPHAN, error.event.index


def _request_key(request: Event) -> tuple[str, bytes]:
    """Equal for requests with the same URL and body: a digest, bodies are large."""
    from hashlib import blake2b  # brings OpenSSL along, which few traces need

    sent = line.dump([request.payload.get("url"), request.payload.get("body")])
    return "request", blake2b(sent, digest_size=16).digest()


def _is_request_key(key: object) -> bool:
    return isinstance(key, tuple) and key[0] == "request"


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
    if stated and not (event.own and isinstance(stated, int | float)):  # an agent's own numbers may mean anything
        return Error(event, "error", compact(message.error_text(stated)), event.tool_name, False)
    if fields.get("is_error") is True:
        return Error(event, "error", compact(said or "is_error"), event.tool_name, False)
    if isinstance(level, str):
        bad = level.lower() in _BAD_LEVELS
    else:
        bad = isinstance(level, int) and level >= 50 and not event.own  # pino, bunyan
    if bad:
        return Error(event, "log", compact(said or f"level {level}"), event.tool_name, False)
    inner = fields.get("message")  # of a transcript: results of tools are messages there
    for block in message.blocks(inner.get("content")) if isinstance(inner, Mapping) else ():
        if block.get("is_error") is True:
            return Error(event, "tool_result", compact(message.text_of(block.get("content")) or "is_error"))
    return None


def _judged_before(event: Event, row: Mapping[str, Any]) -> Error:
    """An `_error` that an earlier command put into the line: it had read more than this one may have."""
    tool, step = row.get("tool_name"), row.get("step")
    found = Error(event, str(row.get("kind")), str(row.get("message")), tool if isinstance(tool, str) else None)
    found.recovered = row.get("recovered")
    found.step = step if isinstance(step, str) else None
    return found
