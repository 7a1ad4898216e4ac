"""The events of a stream -> the final message, as if it had not been streamed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import anthropic_message, guard, openai_chat, openai_response, sse
from . import redact as redaction
from .jsonable import dumps, loads

# OpenAI's chat streams end with data that is not JSON.
_DONE = "[DONE]"
# What numbers the events of a stream, or pads them: not the same in two deltas that belong together.
_PASSING = ("delta", "sequence_number", "obfuscation")


@dataclass
class Assembled:
    """What a stream came to.

    `body` is the message put together, or None where that is not possible: then the stream's text is the body.
    `complete` says whether a terminal event came; for the chunks of a completion, `[DONE]` or a `finish_reason`
    for every choice that was seen. `error` is that of an error event: an object, text, or None.
    `other` holds the parsed events that belong to no message and are of no known type; deltas are joined there.
    """

    body: Any = None
    complete: bool = False
    error: Any = None
    other: list[Any] = field(default_factory=list)


class _Message(Protocol):
    """What an API's events are put together into."""

    @property
    def complete(self) -> bool: ...

    def take(self, kind: str, event: dict[str, Any]) -> bool:
        """Work one event in; False if it is none of this message's."""

    def done(self) -> dict[str, Any] | None:
        """Return the message, or None if there is too little of it. Called once, at the end."""


def assemble(stream: bytes) -> Assembled:
    """Put the stream of a model's API together. Never raises for what a stream may hold."""
    done = Assembled()
    message: _Message | None = None
    other = _Other()
    for name, data in sse.events(stream):
        if data.strip() == _DONE:
            done.complete = True
            continue
        try:
            event = loads(data)
        except ValueError:
            event = data
        if not isinstance(event, dict):
            if name == "error":
                done.error = event
            else:
                other.take(event)
            continue
        kind = event["type"] if isinstance(event.get("type"), str) else name
        error = _error(name, kind, event)
        if error is not None and done.error is None:
            done.error = error
        message = message or _begun(kind, event)
        taken = message.take(kind, event) if message is not None else kind == "ping"
        if not taken and error is None:
            done.complete = done.complete or kind == "completion"  # Anthropic's, before there were messages
            other.take(event)
    if message is not None:
        done.complete = done.complete or message.complete
        done.body = message.done()
    if done.body is not None:  # else they are in the text
        done.other = other.done()
    return done


def _begun(kind: str, event: dict[str, Any]) -> _Message | None:
    """Return an empty message of the kind that this event belongs to, or None if it belongs to none."""
    if kind == "message_start":
        return anthropic_message.Message()
    if kind.startswith("response."):
        return openai_response.Response()
    if openai_chat.is_chunk(event):
        return openai_chat.Completion()
    return None


def _error(name: str, kind: str, event: dict[str, Any]) -> Any:
    """Return what an event says went wrong, or None: an object, or text."""
    if kind == "response.failed":
        return openai_response.failure(event)
    error = event.get("error")
    if name == "error" or kind in ("error", "response.error"):
        # OpenAI's responses have the error's own keys beside the type of the event.
        return error or {k: v for k, v in event.items() if (k, v) != ("type", "error")}
    if event.get("object") == "error":  # vLLM
        return event
    if error and "type" not in event:  # in place of a chunk, or with the last
        return error
    match event:
        case {"x_groq": {"error": error}} if error:
            return error
    return None


class _Other:
    """The events that belong to no message. Deltas are joined, so that nothing hides in their parts."""

    def __init__(self) -> None:
        self._events: list[Any] = []
        self._joined: dict[bytes, tuple[dict[str, Any], list[str]]] = {}

    def take(self, event: Any) -> None:
        match event:
            case {"type": str(), "delta": str(delta)}:
                place = dumps({k: v for k, v in event.items() if k not in _PASSING})
                if place in self._joined:
                    self._joined[place][1].append(delta)
                    return
                self._joined[place] = (event, [delta])
        self._events.append(event)

    def done(self) -> list[Any]:
        for event, pieces in self._joined.values():
            event["delta"] = "".join(pieces)
        return self._events


def parsed(stream: bytes) -> Iterator[Any]:
    """Yield the data of each event of a stream, parsed where it is JSON."""
    for _, data in sse.events(stream):
        try:
            yield loads(data)
        except ValueError:
            yield data


def lines(stream: bytes) -> Iterator[Any]:
    """Yield each line of a stream that has a JSON text in each, parsed where it is one."""
    for line in stream.split(b"\n"):
        try:
            yield loads(line)
        except ValueError:
            yield line.decode("utf-8", "replace")


def hides_secret(events: Iterable[Any], redact: Callable[[bytes], bytes]) -> bool:
    """Say whether events that cannot be put together hold a secret split over them.

    Looks at the strings that stand at the same place in each event, one after another.
    """
    joined: dict[tuple[str, ...], list[str]] = {}
    for event in events:
        _strings(event, (), joined)
    return bool(joined) and changes(["".join(pieces) for pieces in joined.values()], redact)


def changes(value: object, redact: Callable[[bytes], bytes]) -> bool:
    """Say whether there is something to redact in `value`, a body; as there is where redaction fails."""
    text = dumps({"body": value})
    redacted: bytes | None = guard.attempt(redaction.checked, redact, text)
    if redacted is None or redacted == text:
        return redacted is None
    return bool(loads(redacted) != loads(text))  # else the same JSON, written in another way


def _strings(value: Any, path: tuple[str, ...], into: dict[tuple[str, ...], list[str]]) -> None:
    if isinstance(value, str):
        into.setdefault(path, []).append(value)
    elif isinstance(value, dict | list):
        items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            _strings(item, (*path, str(key)), into)
