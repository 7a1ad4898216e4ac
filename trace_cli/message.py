"""What the body of a request or a response says: text, tool calls, errors. Anthropic and OpenAI shapes."""

from collections.abc import Iterator, Mapping
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
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def last_sent(body: Mapping[str, Any]) -> str:
    """The text of the last message in a request."""
    sent = messages(body)
    return text_of(sent[-1].get("content", sent[-1].get("output"))) if sent else ""


def answer(body: Mapping[str, Any]) -> str:
    """The text of the message in a response."""
    for message in _answers(body):
        if text := text_of(message.get("content")):
            return text
    return ""


def _answers(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
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
    for message in _answers(body):
        for block in blocks(message.get("content")):
            if block.get("type") in ("tool_use", "server_tool_use", "mcp_tool_use"):
                yield str(block.get("name")), block.get("input")
        if message.get("type") == "function_call":
            yield str(message.get("name")), message.get("arguments")
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, Mapping) and isinstance(function := call.get("function"), Mapping):
                yield str(function.get("name")), function.get("arguments")


def _name(block: Mapping[str, Any]) -> str | None:
    found = block.get("name")
    return found if isinstance(found, str) else None


def stop_reason(body: Mapping[str, Any]) -> str:
    """Why the model stopped, in the vendor's word; "" if it is not said."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    found = body.get("stop_reason") or first.get("finish_reason") or body.get("status")
    return found if isinstance(found, str) else ""


def usage(body: Mapping[str, Any]) -> str:
    """Tokens as `in→out`, all input counted (cached too); "" if it is not said."""
    found = body.get("usage")
    if not isinstance(found, Mapping):
        return ""
    cached = ("cache_read_input_tokens", "cache_creation_input_tokens")
    into = [found.get("input_tokens", found.get("prompt_tokens")), *(found.get(key) for key in cached)]
    out = found.get("output_tokens", found.get("completion_tokens"))
    known = [number for number in into if isinstance(number, int)]
    return f"{sum(known)}→{out} tokens" if known and isinstance(out, int) else ""


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
