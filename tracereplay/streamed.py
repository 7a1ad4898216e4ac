"""A message that was put together from a stream -> a stream that comes to the same message.

Not the one that was sent: how the texts were cut into pieces is not known any more. `agenttap.assembly` is the way
back, and the orders of events are those of the APIs' references.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trace_cli import line

from . import raw

PIECE = 32  # characters of a text that come at once
MOST = 500  # pieces of one text, so that they are longer where that is long

Events = Iterator[dict[str, Any]]


def stream(body: Any, text: str, whole: bool, error: Mapping[str, Any] | None = None) -> list[bytes] | None:
    """The events of a stream that gives `body`, each as bytes; None where its format is not known.

    `text` is the JSON of the body as it was recorded. A stream that was not `whole` has no last event; one that
    ended in an `error` (as the tap records it) ends in an event that says so.
    """
    kind = _kind(body)
    if kind is None:
        return None
    make, named, failed = kind
    pieces = [_event(each, named) for each in make(body, text, whole)]
    if error is not None and not (make is _response and body.get("status") in _TERMINAL):
        event = error.get("event")
        pieces.append(_event(event if isinstance(event, dict) else failed(error), named))
    elif whole and make is _chat:
        pieces.append(b"data: [DONE]\n\n")
    return pieces


def _event(data: dict[str, Any], named: bool) -> bytes:
    name = b"event: %b\n" % str(data.get("type", "error")).encode() if named else b""
    return name + b"data: %b\n\n" % line.dump(data)


def _kind(body: Any) -> tuple[Callable[[Any, str, bool], Events], bool, Callable[[Any], dict[str, Any]]] | None:
    """How a body of this kind is streamed, whether its events are named, and how an error is told among them."""
    match body:
        case {"type": "message"}:
            return _message, True, lambda error: {"type": "error", "error": _told(error)}
        case {"object": "response"}:
            return _response, True, _failed
        case {"choices": list()}:
            return _chat, False, lambda error: {"error": _told(error)}
    return None


def _told(error: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": error.get("type"), "message": error.get("message")}


def _failed(error: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "error", "code": error.get("type"), "message": error.get("message"), "param": None}


def _cut(text: str) -> list[str]:
    size = max(PIECE, -(-len(text) // MOST))
    return [text[at : at + size] for at in range(0, len(text), size)]


# --- Anthropic: https://platform.claude.com/docs/en/build-with-claude/streaming ---------------------------------


def _message(body: dict[str, Any], text: str, whole: bool) -> Events:
    last = {key: body[key] for key in body if key.startswith("stop_")}
    yield {"type": "message_start", "message": body | dict.fromkeys(last) | {"content": []}}
    content = body.get("content")
    blocks = content if isinstance(content, list) else []
    inputs = _inputs(text)
    for index, block in enumerate(blocks):
        yield from _block(index, block, inputs.get(index))
        if whole or index + 1 < len(blocks) or last.get("stop_reason"):
            yield {"type": "content_block_stop", "index": index}
    if whole or last.get("stop_reason"):
        told = {"usage": body["usage"]} if "usage" in body else {}
        yield {"type": "message_delta", "delta": last, **told}
    if whole:
        yield {"type": "message_stop"}


def _inputs(text: str) -> dict[int, str | None]:
    """The input of each content block, as it was recorded: numbers keep their digits."""
    content = raw.value(text, "content") or ""
    return {number: raw.value(content[slice(*span)], "input") for number, span in enumerate(raw.items(content))}


def _block(index: int, block: Any, given: str | None) -> Events:
    start, deltas = block, list[dict[str, Any]]()
    match block:
        case {"type": "text", "text": str(text)}:
            start = block | {"text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in _cut(text)]
            if isinstance(citations := block.get("citations"), list):
                start["citations"] = []
                deltas += [{"type": "citations_delta", "citation": each} for each in citations]
        case {"type": "thinking", "thinking": str(text)}:
            start = block | {"thinking": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(text)]
            if "signature" in block:
                start["signature"] = ""
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case {"type": str(kind)} if kind.endswith("tool_use") and ("input" in block or "partial_json" in block):
            start = {key: {} if key == "input" else value for key, value in block.items() if key != "partial_json"}
            arguments = block.get("partial_json", given if block.get("input") != {} else "")
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in _cut(str(arguments or ""))]
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}


# --- OpenAI, chat and text completions: https://platform.openai.com/docs/api-reference/chat-streaming -----------


def _chat(body: dict[str, Any], text: str, whole: bool) -> Events:
    kind = body.get("object")
    named = {"object": "chat.completion.chunk" if kind in (None, "chat.completion") else kind}
    common = {key: body[key] for key in _IN_EACH if key in body} | named
    once = {key: value for key, value in body.items() if key not in ("choices", "usage", "object")}
    if body.get("usage") is None and "usage" in body:
        common["usage"] = None
    choices = [(number, each) for number, each in enumerate(body["choices"]) if isinstance(each, dict)]
    if not choices:
        yield once | common | {"choices": []}
    for number, choice in choices:
        index = choice.get("index", number)
        for told in _choice(choice):
            yield once | common | {"choices": [{"index": index, **told}]}
            once = {}
    for number, choice in choices:
        if "finish_reason" in choice and (whole or choice["finish_reason"]):
            ended: dict[str, Any] = (
                {"delta": {}} if "message" in choice else {"text": ""} if "text" in choice else {}
            )
            ended["finish_reason"] = choice["finish_reason"]
            yield common | {"choices": [{"index": choice.get("index", number), **ended}]}
    if body.get("usage") is not None:
        yield common | {"choices": [], "usage": body["usage"]}


_IN_EACH = ("id", "created", "model", "system_fingerprint", "service_tier")  # what every chunk has


def _choice(choice: dict[str, Any]) -> Events:
    """What is told of one choice, but for its index and its end."""
    message, text = choice.get("message"), choice.get("text")
    rest = {key: each for key, each in choice.items() if key not in ("index", "message", "text", "finish_reason")}
    end = {"finish_reason": None} if "finish_reason" in choice else {}
    if isinstance(rest.get("logprobs"), str):  # they were hidden
        rest["logprobs"] = None
    if not isinstance(message, dict):
        pieces = _cut(text) if isinstance(text, str) else []
        yield rest | {"text": pieces[0] if pieces else text or "", **end}
        for piece in pieces[1:]:
            yield {"text": piece, **end}
        return
    calls = message.get("tool_calls")
    content = message.get("content")
    first = {key: each for key, each in message.items() if key != "tool_calls" or not calls}
    if isinstance(content, str):
        first["content"] = ""
    yield {"delta": first, **end}
    if rest:  # not with the first: the SDK would add logprobs to themselves
        yield {"delta": {}, **rest, **end}
    for piece in _cut(content) if isinstance(content, str) else []:
        yield {"delta": {"content": piece}, **end}
    for number, call in enumerate(calls if isinstance(calls, list) else []):
        for told in _call(number, call):
            yield {"delta": {"tool_calls": [told]}, **end}


def _call(number: int, call: Any) -> Iterator[Any]:
    match call:
        case {"function": {"arguments": str(arguments)} as function}:
            index = call.get("index", number)
            yield call | {"index": index, "function": function | {"arguments": ""}}
            for piece in _cut(arguments):
                yield {"index": index, "function": {"arguments": piece}}
        case dict():
            yield call | {"index": call.get("index", number)}
        case _:
            yield call


# --- OpenAI, responses: https://platform.openai.com/docs/api-reference/responses-streaming ----------------------

_TERMINAL = {"incomplete": "response.incomplete", "failed": "response.failed", "cancelled": "response.cancelled"}


def _response(body: dict[str, Any], text: str, whole: bool) -> Events:
    for number, event in enumerate(_response_events(body, whole)):
        yield {"type": event.pop("type"), "sequence_number": number, **event}


def _response_events(body: dict[str, Any], whole: bool) -> Events:
    ended = whole or body.get("status") in _TERMINAL
    begun = body | {"status": "in_progress" if ended else body.get("status"), "output": []}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    output = body.get("output")
    items = output if isinstance(output, list) else []
    for index, item in enumerate(items):
        if isinstance(item, dict):
            done = whole or index + 1 < len(items) or item.get("status") == "completed"
            for event in _item(item, done):
                yield {"type": event.pop("type"), "output_index": index, **event}
    if ended:
        yield {"type": _TERMINAL.get(str(body.get("status")), "response.completed"), "response": body}


def _item(item: dict[str, Any], done: bool) -> Events:
    id = {"item_id": item["id"]} if "id" in item else {}
    begun = item | {"status": "in_progress"} if done else item
    content = item.get("content")
    match item:
        case {"type": "message"} if isinstance(content, list):
            yield {"type": "response.output_item.added", "item": begun | {"content": []}}
            for number, part in enumerate(content):
                for event in _part(part, done or number + 1 < len(content)):
                    yield {"type": event.pop("type"), **id, "content_index": number, **event}
        case {"type": "function_call", "arguments": str(arguments)}:
            yield {"type": "response.output_item.added", "item": begun | {"arguments": ""}}
            for piece in _cut(arguments):
                yield {"type": "response.function_call_arguments.delta", **id, "delta": piece}
            if done:
                yield {"type": "response.function_call_arguments.done", **id, "arguments": arguments}
        case _:
            yield {"type": "response.output_item.added", "item": item}
    if done:
        yield {"type": "response.output_item.done", "item": item}


def _part(part: Any, done: bool) -> Events:
    match part:
        case {"type": "output_text", "text": str(text)}:
            name, key = "output_text", "text"
        case {"type": "refusal", "refusal": str(text)}:
            name, key = "refusal", "refusal"
        case _:
            yield {"type": "response.content_part.added", "part": part}
            return
    yield {"type": "response.content_part.added", "part": part | {key: ""}}
    for piece in _cut(text):
        logprobs: dict[str, Any] = {"logprobs": []} if name == "output_text" else {}
        yield {"type": f"response.{name}.delta", "delta": piece, **logprobs}
    if done:
        logprobs = {"logprobs": part.get("logprobs") or []} if name == "output_text" else {}
        yield {"type": f"response.{name}.done", key: text, **logprobs}
        yield {"type": "response.content_part.done", "part": part}
