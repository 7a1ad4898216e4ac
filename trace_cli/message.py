"""What the body of a request or a response says: text, tool calls, errors. Anthropic and OpenAI shapes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trace_cli import line


def blocks(content: Any) -> Iterator[Mapping[str, Any]]:
    """The content blocks of a message, whose content may be one text."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        yield from (block for block in content if isinstance(block, Mapping))


def text_of(content: Any) -> str:
    """The text in a message's content, tool results included, other blocks left out."""
    parts = []
    for block in blocks(content):
        if isinstance(block.get("text"), str):
            parts.append(block["text"])
        elif block.get("type") == "tool_result":
            parts.append(text_of(block.get("content")))
    return "\n".join(part for part in parts if part)


def messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The conversation that a request carries (`messages`; `input` in OpenAI's responses API)."""
    found = body.get("messages", body.get("input"))
    if isinstance(found, str):
        return [{"role": "user", "content": found}]
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Parts:
    """What a request carries: system prompt (None: none), tools, messages, and all else, the settings."""

    system: Any
    tools: list[Any]
    messages: list[Mapping[str, Any]]
    settings: dict[str, Any]


_CARRIED = ("system", "instructions", "tools", "messages", "input")


def parts(body: Mapping[str, Any]) -> Parts:
    """The parts of a request. The system prompt of OpenAI's shapes, which are messages, is none here."""
    sent = messages(body)
    leading = 0
    while leading < len(sent) and sent[leading].get("role") in ("system", "developer"):
        leading += 1
    prompts = [body[key] for key in ("system", "instructions") if body.get(key) is not None]
    prompts += [each.get("content") for each in sent[:leading]]
    tools = body.get("tools")
    return Parts(
        prompts if len(prompts) > 1 else prompts[0] if prompts else None,
        tools if isinstance(tools, list) else [],
        sent[leading:],
        {key: value for key, value in body.items() if key not in _CARRIED},
    )


def last_sent(body: Mapping[str, Any]) -> str:
    """The text of the last message in a request."""
    sent = messages(body)
    return text_of(sent[-1].get("content", sent[-1].get("output"))) if sent else ""


def answer(body: Mapping[str, Any]) -> str:
    """The text of the message in a response."""
    for message in answers(body):
        if text := text_of(message.get("content")):
            return text
    return ""


def answers(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The messages in a response; the output items of OpenAI's responses API."""
    if "content" in body:
        yield body
    for key in ("choices", "output"):
        items = body.get(key)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping):
                inner = item.get("message", item)
                if isinstance(inner, Mapping):
                    yield inner


def tool_calls(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(name, arguments) of each tool call in a response; OpenAI's arguments are text."""
    return ((name, arguments) for _, name, arguments in identified_tool_calls(answers(body)))


def identified_tool_calls(sent: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """(call id, name, arguments) of each tool call in messages; OpenAI's arguments are text."""
    for message in sent:
        for block in blocks(message.get("content")):
            if block.get("type") in ("tool_use", "server_tool_use", "mcp_tool_use"):
                yield str(block.get("id")), str(block.get("name")), block.get("input")
        if message.get("type") == "function_call":
            yield str(message.get("call_id")), str(message.get("name")), message.get("arguments")
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping) and isinstance(function := call.get("function"), Mapping):
                yield str(call.get("id")), str(function.get("name")), function.get("arguments")


def tool_of(definition: Any) -> str:
    """The name of a tool, as a request defines it."""
    if not isinstance(definition, Mapping):
        return str(definition)
    function = definition.get("function")
    inner = function if isinstance(function, Mapping) else definition
    return str(inner.get("name") or inner.get("type"))


def tool_names(sent: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The names of the tools that messages call, by the id of the call."""
    return {call_id: name for call_id, name, _ in identified_tool_calls(sent)}


def _name(block: Mapping[str, Any]) -> str | None:
    found = block.get("name")
    return found if isinstance(found, str) else None


def stop_reason(body: Mapping[str, Any]) -> str:
    """Why the model stopped, in the vendor's word; "" if it is not said."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    found = body.get("stop_reason") or first.get("finish_reason") or body.get("status")
    return found if isinstance(found, str) else ""


def error_text(error: Any) -> str | None:
    """The text of an error as the many write it: a text, or an object with `message`; None for none."""
    if error is None or isinstance(error, str):
        return error
    if isinstance(error, Mapping):
        for key in ("message", "error", "detail", "type"):
            if isinstance(error.get(key), str):
                return str(error[key])
    return line.dump(error).decode()


def with_type(text: str, exception: Any) -> str:
    """The text of an error, behind the type of its exception: `'x'` alone says less than `KeyError: 'x'`."""
    name = exception.get("type") if isinstance(exception, Mapping) else None
    return f"{name}: {text}" if isinstance(name, str) and not text.startswith(name) else text


_FRAME = re.compile(r'^ *File "(.*)", line (\d+), in (.*)', re.MULTILINE)


def raised_in(exception: Any) -> str | None:
    """Where an exception was raised, as `FUNCTION, FILE:LINE`, by its traceback."""
    trace = exception.get("traceback") if isinstance(exception, Mapping) else None
    frames = _FRAME.findall(trace) if isinstance(trace, str) else ()
    return "{2}, {0}:{1}".format(*frames[-1]) if frames else None


def failed_tool_results(body: Mapping[str, Any]) -> Iterator[tuple[str, str | None, bool, str]]:
    """(tool_use_id, tool name, failed, text) of the results that a request brings and that say `is_error`.

    Only those behind the model's last message: earlier ones were sent before.
    """
    sent = messages(body)
    last = max((i for i, item in enumerate(sent) if item.get("role") == "assistant"), default=-1)
    names = {
        str(block.get("id")): _name(block)
        for block in (blocks(sent[last].get("content")) if last >= 0 else ())
        if block.get("type") == "tool_use"
    }
    for item in sent[last + 1 :]:
        for block in blocks(item.get("content")):
            if block.get("type") == "tool_result" and isinstance(block.get("is_error"), bool):
                use = str(block.get("tool_use_id"))
                yield use, names.get(use), block["is_error"], text_of(block.get("content"))


def error_body(body: Mapping[str, Any]) -> str | None:
    """The text of an error that came as the body of a response, with status 200; else None."""
    if body.get("error") or body.get("type") == "error":
        return error_text(body.get("error")) or "error"
    return None


def server_tool_results(body: Mapping[str, Any]) -> Iterator[tuple[str | None, str | None]]:
    """(tool name, its error or None) of each result of a server tool or of MCP in a response."""
    uses: dict[str, str | None] = {}
    for block in blocks(body.get("content")):
        kind = str(block.get("type"))
        if kind in ("server_tool_use", "mcp_tool_use"):
            uses[str(block.get("id"))] = _name(block)
        elif kind.endswith("_tool_result"):
            inner, name = block.get("content"), uses.get(str(block.get("tool_use_id")))
            if isinstance(inner, Mapping) and str(inner.get("type")).endswith("_error"):
                yield name, str(inner.get("error_code") or inner.get("type"))
            else:
                yield name, (text_of(inner) or "is_error") if block.get("is_error") is True else None
