"""The events of a stream -> the final message, as if it had not been streamed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import sse
from .jsonable import dumps, loads, raw_json

# An event that ends the stream as its API promises. OpenAI's chat streams end with data that is not JSON.
_TERMINAL = {"message_stop", "completion", "response.completed", "response.incomplete", "response.failed"}
_DONE = "[DONE]"


@dataclass
class Assembled:
    """What a stream came to.

    `body` is the message put together, or None where that is not possible: then the stream's text is the body.
    `complete` says whether a terminal event came. `error` is that of an error event: an object, text, or None.
    `other` holds the parsed events that belong to no message and are of no known type.
    """

    body: Any = None
    complete: bool = False
    error: Any = None
    other: list[Any] = field(default_factory=list)


def assemble(stream: bytes) -> Assembled:
    """Put the stream of a model's API together. Never raises for what a stream may hold."""
    done = Assembled()
    message = _Message()
    for name, data in sse.events(stream):
        if data.strip() == _DONE:
            done.complete = True
            continue
        try:
            event = loads(data)
        except ValueError:
            event = data
        if name == "error" or (isinstance(event, dict) and _is_error(event)):
            done.error = event.get("error", event) if isinstance(event, dict) else event
        elif not isinstance(event, dict):
            done.other.append(event)
        else:
            kind = event.get("type") or name
            done.complete = done.complete or kind in _TERMINAL
            if not message.take(kind, event):
                done.other.append(event)
    done.body = message.done()
    if done.body is None:
        done.other = []  # they are in the text
    return done


def _is_error(event: dict[str, Any]) -> bool:
    return event.get("type") == "error" or (event.get("error") is not None and "type" not in event)


class _Message:
    """An Anthropic message while its events come in."""

    def __init__(self) -> None:
        self.message: dict[str, Any] | None = None
        self.blocks: dict[int, _Block] = {}

    def take(self, kind: str, event: dict[str, Any]) -> bool:
        """Work one event in; False if it is none of a message's."""
        if kind == "message_start" and isinstance(event.get("message"), dict):
            # A second start voids what came before it.
            self.message, self.blocks = dict(event["message"]), {}
            return True
        if self.message is None:
            return kind == "ping"
        index = event.get("index")
        if kind == "content_block_start" and isinstance(index, int):
            block = event.get("content_block")
            self.blocks[index] = _Block(dict(block) if isinstance(block, dict) else {"type": None})
            match block:
                case {"type": "fallback", "to": {"model": str(model)}}:  # another model took over
                    self.message["model"] = model
            return True
        if kind == "content_block_delta" and isinstance(index, int) and isinstance(event.get("delta"), dict):
            block = self.blocks.get(index)
            return block is not None and block.take(event["delta"])
        if kind == "message_delta":
            self._close(event)
            return True
        return kind in ("content_block_stop", "message_stop", "ping")

    def _close(self, event: dict[str, Any]) -> None:
        assert self.message is not None
        delta, usage = event.get("delta"), event.get("usage")
        if isinstance(delta, dict):
            # null says that there is nothing to tell, but for the keys that only this event fills.
            self.message |= {k: v for k, v in delta.items() if v is not None or k.startswith("stop_")}
        if isinstance(usage, dict):
            before = self.message.get("usage")
            told = {k: v for k, v in usage.items() if v is not None}
            self.message["usage"] = (before if isinstance(before, dict) else {}) | told
        for key in event.keys() - {"type", "delta", "usage"}:
            if event[key] is not None:
                self.message[key] = event[key]

    def done(self) -> dict[str, Any] | None:
        if self.message is None:
            return None
        if self.blocks:
            self.message["content"] = [self.blocks[index].done() for index in sorted(self.blocks)]
        return self.message


class _Block:
    """One content block while its deltas come in. Text is kept in pieces, so that long streams stay linear."""

    def __init__(self, block: dict[str, Any]) -> None:
        self.block = block
        self.pieces: dict[str, list[str]] = {}
        self.input: list[str] = []

    def take(self, delta: dict[str, Any]) -> bool:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                self._add("text", text)
            case {"type": "thinking_delta", "thinking": str(text)}:
                self._add("thinking", text)
            case {"type": "compaction_delta", **rest}:
                if isinstance(rest.get("content"), str):
                    self._add("content", rest["content"])
                self.block |= {k: v for k, v in rest.items() if k != "content" and v is not None}
            case {"type": "signature_delta", "signature": signature}:
                self.block["signature"] = signature
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self.input.append(text)
            case {"type": "citations_delta", "citation": citation}:
                self.block["citations"] = [*(self.block.get("citations") or []), citation]
            case _:
                return False
        return True

    def _add(self, key: str, text: str) -> None:
        if key not in self.pieces:
            before = self.block.get(key)
            self.pieces[key] = [before] if isinstance(before, str) else []
            self.block[key] = None  # keeps the key's place
        self.pieces[key].append(text)

    def done(self) -> dict[str, Any]:
        for key, pieces in self.pieces.items():
            self.block[key] = "".join(pieces)
        text = "".join(self.input)
        if text:
            # Put in as it came: numbers keep their digits.
            whole = raw_json(text.encode("utf-8", "surrogatepass"))
            if whole is not None:
                self.block["input"] = whole
            else:  # cut off, by max_tokens or by the connection
                self.block["partial_json"] = text
        return self.block


def parsed(stream: bytes) -> Iterator[Any]:
    """Yield the data of each event of a stream, parsed where it is JSON."""
    for _, data in sse.events(stream):
        try:
            yield loads(data)
        except ValueError:
            yield data


def hides_secret(events: Iterable[Any], redact: Callable[[bytes], bytes]) -> bool:
    """Say whether events that cannot be put together hold a secret split over them.

    Looks at the strings that stand at the same place in each event, one after another.
    """
    joined: dict[tuple[str, ...], list[str]] = {}
    for event in events:
        _strings(event, (), joined)
    text = dumps(["".join(pieces) for pieces in joined.values()])
    return redact(text) != text


def _strings(value: Any, path: tuple[str, ...], into: dict[tuple[str, ...], list[str]]) -> None:
    if isinstance(value, str):
        into.setdefault(path, []).append(value)
    elif isinstance(value, dict | list):
        items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            _strings(item, (*path, str(key)), into)
