"""Traces told in the test itself: events as the tap writes them, from types, ids and payloads."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trace_cli import line, lines
from trace_cli.event import Event

Told = dict[str, Any]  # an event without its number and time


def event(kind: str, call_id: str | None = None, step: str | None = None, **payload: Any) -> Told:
    return {"type": kind, "call_id": call_id, "step_id": step, "payload": payload}


def request(call: str | None, body: Any, step: str | None = None, **payload: Any) -> Told:
    return event("model.request", call, step, body=body, **payload)


def response(call: str | None, body: Any, step: str | None = None) -> Told:
    return event("model.response", call, step, status=200, body=body, complete=True)


def error(call: str, step: str | None = None) -> Told:
    return event("model.error", call, step, status=529, body=None, error={"kind": "http", "message": "busy"})


def called(call: str | None, tool: str, step: str | None = None, **args: Any) -> Told:
    return event("tool.called", call, step, tool_name=tool, args=args)


def result(call: str | None, tool: str, value: Any, failed: str | None = None, step: str | None = None) -> Told:
    return event("tool.result", call, step, tool_name=tool, result=value, error=failed)


def said(role: str, content: Any) -> Told:
    """A message."""
    return {"role": role, "content": content}


def use(call: str, tool: str, **args: Any) -> Told:
    return {"type": "tool_use", "id": call, "name": tool, "input": args}


def came_back(call: str, content: Any, **more: Any) -> Told:
    return {"type": "tool_result", "tool_use_id": call, "content": content, **more}


def asking(*messages: Mapping[str, Any], **settings: Any) -> Told:
    """The body of a request to Anthropic."""
    return {"model": "m", "system": "Be brief.", "messages": list(messages), **settings}


def answering(*content: Any, **more: Any) -> Told:
    """The body of Anthropic's response; a text may stand for its block."""
    blocks = [{"type": "text", "text": each} if isinstance(each, str) else each for each in content]
    usage = {"input_tokens": 10, "output_tokens": 2}
    return {"id": "msg", "type": "message", "role": "assistant", "content": blocks, "usage": usage, **more}


def traced(*told: Told) -> list[Event]:
    """The events of one run, in their order, a second between two of them."""
    return [_event(number, each) for number, each in enumerate(told)]


def _event(number: int, told: Told) -> Event:
    head = {"v": 1, "type": told["type"], "timestamp": f"2026-05-24T03:{number // 60:02}:{number % 60:02}.000000Z"}
    fields = {**head, "run_id": "r", "seq": number, **told}
    raw = json.dumps(fields, separators=(",", ":")).encode()
    head = lines.head_of(raw)
    return Event(raw, head, None if head else line.parse(raw), "t.jsonl", number + 1, 0, number)


class Walk:
    """The events up to one, newest first, and how many of them were read."""

    def __init__(self, events: Sequence[Event], last: int = -1) -> None:
        self._left = list(events)[: last + 1 or None]
        self.read = 0

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        if not self._left:
            raise StopIteration
        self.read += 1
        return self._left.pop()
