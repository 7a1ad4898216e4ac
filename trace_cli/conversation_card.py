"""A conversation, and what is new in it, as lines of text."""

from collections.abc import Iterator, Mapping
from typing import Any

from trace_cli import card, delta, message, readable
from trace_cli.attached import State
from trace_cli.conversation import Context
from trace_cli.event import Event
from trace_cli.readable import Line, said
from trace_cli.text import clock, visible

NONE = "no request to a model came before this event"


def lines(
    context: Context | None,
    full: bool = False,
    usage: Mapping[str, Any] | None = None,
    state: Mapping[str, State] | None = None,
) -> Iterator[Line]:
    """All that the model had been sent, and what is known since. Long texts are folded unless `full`.

    `usage` is as `conversation.spent` gives it, `state` what the agent had attached to events by then.
    """
    if context is None:
        yield said(NONE, "dim")
        return
    yield from _title("conversation", context)
    yield from card.settings_line(context.settings)
    if usage:
        yield _usage(usage)
    yield from card.system_lines(context.system, full)
    yield from _tools(context.tools, full)
    yield card.heading("messages", len(context.messages))
    names = message.tool_names(context.messages)
    for number, each in enumerate(context.messages):
        yield from card.numbered_message(number, each, names, full)
    for name, known in (state or {}).items():
        yield card.heading("attached", name, f"event {known.event.index}")
        yield from readable.value_lines(known.value, indent=2, full=full)


def changed_lines(context: Context | None, before: Event | None, full: bool = False) -> Iterator[Line]:
    """What is new since the request `before`."""
    if context is None:
        yield said(NONE, "dim")
        return
    yield from _title("new in the conversation", context)
    changes = delta.changes(context, before)
    if before is None and context.missing:
        yield said("which request was before it cannot be told", "dim")
    elif before is None:
        yield said("no request before it in this conversation: all of it is new", "dim")
    else:
        yield said(f"since event {before.index}, {before.src['file']}:{before.src.get('line')}", "dim")
    if not changes:
        yield said("nothing")
    gone = [change["a"] for change in changes if "a" in change and change["path"].startswith("/messages/")]
    names = message.tool_names([*gone, *context.messages])
    for change in changes:
        yield from _change(change, names, full)


def _title(name: str, context: Context) -> Iterator[Line]:
    request = context.request
    added = "with the answer and the results known by now" if context.inferred else ""
    yield card.heading(name, f"request {request.index}", clock(request.time), added)
    yield said(f"{request.src['file']}:{request.src.get('line')} · run {request.run_id}", "dim")
    if context.missing:
        yield said(context.missing, "yellow")


def _usage(usage: Mapping[str, Any]) -> Line:
    told = f"{usage.get('input_tokens', 0):,}→{usage.get('output_tokens', 0):,} tokens"
    calls = usage.get("requests")
    return Line((("so far", "bold"), (f"  {calls} answers, {told}", "")))


def _tools(tools: list[Any], full: bool) -> Iterator[Line]:
    if not full:
        yield from card.tools_line(tools)
        return
    yield card.heading("tools", len(tools))
    for each in tools:
        yield from readable.value_lines(each, indent=2, full=True)


_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def _change(change: Mapping[str, Any], names: Mapping[str, str], full: bool) -> Iterator[Line]:
    """A message under its mark, number and role; anything else under its path."""
    mark, style = _MARKS[change["op"]]
    path = str(change["path"])
    _, part, *rest = path.split("/")
    sides = [change[side] for side in ("a", "b") if side in change]
    role = sides[-1].get("role") or sides[-1].get("type") if part == "messages" and rest else None
    label = f"{rest[0]} " if role else ""
    yield Line(((f"{mark} {label}", f"bold {style}"), (visible(str(role or "/".join([part, *rest]))), "bold")))
    for side in ("a", "b"):
        if side not in change:
            continue
        if len(sides) == 2:
            yield said({"a": "was", "b": "is"}[side], "dim", 2)
        indent = 4 if len(sides) == 2 else 2
        if role:
            yield from readable.message_lines(change[side], names, indent=indent, full=full)
        else:
            text = message.text_of(change[side]) if part == "system" else ""
            yield from readable.value_lines(text or change[side], indent=indent, full=full)
