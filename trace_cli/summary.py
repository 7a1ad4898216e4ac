"""One line that says what happened, by the type of the event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trace_cli import message, usage
from trace_cli.text import compact

if TYPE_CHECKING:
    from trace_cli.event import Event


def of(event: Event) -> str:
    """What happened, in one line."""
    return _summaries.get(event.type, _summary_of_any)(event)


def _summary_of_request(event: Event) -> str:
    body = event.payload.get("body")
    if not isinstance(body, Mapping):
        return f"{event.payload.get('method', '')} {event.payload.get('url', '')}".strip()
    messages = body.get("messages", body.get("input"))
    size = f"{len(messages)} message{'s'[: len(messages) != 1]}" if isinstance(messages, list) else ""
    attempt = event.payload.get("attempt")
    again = f"attempt {attempt}" if isinstance(attempt, int) and attempt > 1 else ""
    said = compact(message.last_sent(body))
    return "  ".join(part for part in (str(body.get("model", "")), size, again, said) if part)


def _summary_of_response(event: Event) -> str:
    body = event.payload.get("body")
    if not isinstance(body, Mapping):
        return f"status {event.payload.get('status')}"
    parts = (*_said(body), message.stop_reason(body), usage.text(body))
    return "  ".join(part for part in parts if part)


def _said(body: Mapping[str, Any]) -> list[str]:
    """The errors, tool calls and text of a model's message."""
    failed = [f"✗ {compact(error)}"] if (error := message.error_body(body)) else []
    failed += [f"✗ {tool}: {compact(error)}" for tool, error in message.server_tool_results(body) if error]
    calls = [f"{name}({compact(args)})" for name, args in message.tool_calls(body)]
    return [part for part in (*failed, *calls, compact(message.answer(body))) if part]


def _summary_of_model_error(event: Event) -> str:
    error = event.payload.get("error")
    error = error if isinstance(error, Mapping) else {}
    status = event.payload.get("status") if error.get("kind") == "http" else None
    parts = (status, error.get("kind"), error.get("type"), error.get("message"))
    return "  ".join(compact(part) for part in parts if part)


def _summary_of_call(event: Event) -> str:
    return f"{event.tool_name}({compact(event.args)})"


def _summary_of_result(event: Event) -> str:
    if event.payload.get("error") is not None:
        return f"{event.tool_name} ✗ {compact(event.failure)}"
    return f"{event.tool_name} → {compact(event.result)}"


def _summary_of_start(event: Event) -> str:
    metadata = event.payload.get("metadata")
    return "  ".join(
        filter(None, (compact(event.payload.get("name") or ""), compact(metadata) if metadata else ""))
    )


def _summary_of_end(event: Event) -> str:
    payload = event.payload
    return _joined(str(payload.get("status") or ""), _took(payload), compact(event.failure or ""))


def _summary_of_step(event: Event) -> str:
    payload = event.payload
    attributes = payload.get("attributes") if event.type == "step.started" else None
    failure = event.failure
    return _joined(
        compact(payload.get("name") or ""),
        compact(attributes) if attributes else "",
        _took(payload),
        f"✗ {compact(failure)}" if failure else "",
    )


def _took(payload: Mapping[str, Any]) -> str:
    duration = usage.number(payload.get("duration_ms"))
    return "" if duration is None else f"{duration / 1000:.1f} s"


def _joined(*parts: str) -> str:
    return "  ".join(part for part in parts if part)


def _summary_of_any(event: Event) -> str:
    for key in ("message", "msg", "text", "summary"):
        if isinstance(said := event.payload.get(key), str):
            return compact(said)
    if isinstance(inner := event.payload.get("message"), Mapping) and (parts := _said(inner)):
        return "  ".join(parts)
    return compact(event.payload) if event.payload else ""


_summaries = {
    "run.started": _summary_of_start,
    "run.ended": _summary_of_end,
    "model.request": _summary_of_request,
    "model.response": _summary_of_response,
    "model.error": _summary_of_model_error,
    "http.request": _summary_of_request,
    "http.response": _summary_of_response,
    "http.error": _summary_of_model_error,
    "tool.called": _summary_of_call,
    "tool.result": _summary_of_result,
    "step.started": _summary_of_step,
    "step.ended": _summary_of_step,
}
