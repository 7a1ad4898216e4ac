"""A recorded end of an exchange -> what is sent to who asks again: status, headers, pieces of a body, an error."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trace_cli.event import Event
from trace_cli.retries import may_follow

from . import raw, streamed
from .asked import HIDDEN

_EVENT_STREAM = "text/event-stream"
# How the tap tells that the body of a refusal broke off: behind the API's message.
_BROKEN = re.compile(r"\((\w+): (.*)\)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send. Times are seconds since the request was sent, as they were recorded.

    `status` is None where no answer came. `pieces` are those of the body, with the time of each. `failure` is what
    ended the exchange early, after all pieces: kind (connection, timeout, cancelled, cut), class and message; a
    body that is "cut" just ends. `took` is how long all of it took.
    """

    status: int | None
    headers: list[tuple[str, str]] = field(default_factory=list)
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    failure: tuple[str, str, str] | None = None
    took: float = 0.0
    stream: bool = False

    @property
    def breaks(self) -> bool:
        """Whether it ends in an error, behind all pieces."""
        return self.failure is not None and self.failure[0] != "cut"

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(piece for _, piece in self.pieces)


def unanswerable(payload: Mapping[str, Any]) -> str | None:
    """Why the payload of the event that ended an exchange is not enough for an answer; None where it is."""
    status, body, error = payload.get("status"), payload.get("body"), payload.get("error")
    if status is None:
        return None if isinstance(error, Mapping) else "its answer was recorded without a status"
    if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
        return f"the status of its answer is {status!r}"
    if _chunks(payload) is not None:
        return None
    if payload.get("body_bytes_left_out") or payload.get("truncated") is True:
        return "its answer was not recorded whole"
    if isinstance(body, dict) and "bytes" in body and ("sha256" in body or "left_out" in body):
        return f"the body of its answer was not recorded ({body.get('left_out') or 'it is no text'})"
    return None


def answer(event: Event, stream: bool | None = None, quick: bool = True) -> Answer:
    """What the event that ended an exchange says was sent.

    `stream` says in which form it is wanted; None as it was recorded. With `quick` SDKs are told not to wait
    before they try again. The event is none that is `unanswerable`.
    """
    payload = event.payload
    error = payload.get("error")
    error = error if isinstance(error, Mapping) else {}
    took = _seconds(payload.get("duration_ms"))
    status = payload.get("status")
    if not isinstance(status, int):
        return Answer(None, failure=_failure(error), took=took)
    recorded = payload.get("stream") is True
    wanted = recorded if stream is None or status >= 400 else stream
    headers = _headers(payload.get("headers"))
    if any(name == "content-encoding" for name, _ in headers):  # the body is sent plain
        headers = [each for each in headers if each[0] not in ("content-encoding", "content-length")]
    if wanted != recorded:
        kind = f"{_EVENT_STREAM}; charset=utf-8" if wanted else "application/json"
        headers = [each for each in headers if each[0] not in ("content-type", "content-length")]
        headers.append(("content-type", kind))
    if quick and may_follow(error, status, dict(headers)) and "retry-after-ms" not in dict(headers):
        headers.append(("retry-after-ms", "1"))
    pieces = _body(event, payload, error, wanted)
    return Answer(status, headers, _timed(pieces, payload, took), _ended(payload, error), took, wanted)


def _headers(found: Any) -> list[tuple[str, str]]:
    """The recorded headers, but for what was hidden."""
    pairs = found.items() if isinstance(found, Mapping) else ()
    return [
        (str(name).lower(), value) for name, value in pairs if isinstance(value, str) and not HIDDEN.search(value)
    ]


def _chunks(payload: Mapping[str, Any]) -> list[tuple[Any, str]] | None:
    """The recorded chunks of a stream; None where there are none, or not such as a tap records."""
    chunks = payload.get("chunks")
    if not isinstance(chunks, list):
        return None
    if not all(isinstance(each, list) and len(each) == 2 and isinstance(each[1], str) for each in chunks):
        return None
    return [(each[0], each[1]) for each in chunks]


def _body(
    event: Event, payload: Mapping[str, Any], error: Mapping[str, Any], stream: bool
) -> list[tuple[float | None, bytes]]:
    """The pieces of the body, with the milliseconds of each where they are known."""
    body, chunks = payload.get("body"), _chunks(payload)
    if stream and chunks is not None:
        return [(moment, _bytes(chunk)) for moment, chunk in chunks]
    if body is None:
        return []
    text = raw.value(event.raw.decode("utf-8", "surrogatepass"), "payload", "body") or "null"
    if isinstance(body, str):
        return [(None, _bytes(text if _is_json_text(payload, text) else body))]
    if not stream:
        return [(None, _bytes(text))]
    told = error if error.get("kind") == "stream" and _is_event(error) else None
    made = streamed.stream(body, text, payload.get("complete") is True, told)
    return [(None, piece) for piece in made or [b"data: %b\n\n" % _bytes(text)]]


def _is_json_text(payload: Mapping[str, Any], text: str) -> bool:
    """Whether the body was the JSON of a text, and not a text: the length that it had tells."""
    headers = payload.get("headers")
    length = headers.get("content-length") if isinstance(headers, Mapping) else None
    return length == str(len(_bytes(text)))


def _is_event(error: Mapping[str, Any]) -> bool:
    """Whether the error came as an event of the stream: else the stream just ended."""
    return error.get("type") is not None or "without its last event" not in str(error.get("message"))


def _ended(payload: Mapping[str, Any], error: Mapping[str, Any]) -> tuple[str, str, str] | None:
    kind, message = error.get("kind"), str(error.get("message"))
    if kind == "http":
        broken = _BROKEN.search(message) if payload.get("complete") is False else None
        return broken and ("connection", broken[1], broken[2])
    if kind == "stream":
        return None if _is_event(error) else ("cut", "", message)
    return _failure(error) if kind is not None else None


def _failure(error: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(error.get("kind")), str(error.get("type")), str(error.get("message"))


def _timed(
    pieces: list[tuple[float | None, bytes]], payload: Mapping[str, Any], took: float
) -> list[tuple[float, bytes]]:
    """The pieces with the time of each: as recorded, else spread evenly from the first byte to the end."""
    first = _seconds(payload.get("ttft_ms"))
    step = max(0.0, took - first) / (len(pieces) - 1) if len(pieces) > 1 else 0.0
    return [
        (_seconds(moment) if moment is not None else first + number * step, piece)
        for number, (moment, piece) in enumerate(pieces)
    ]


def _seconds(milliseconds: Any) -> float:
    is_number = isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool)
    return max(0.0, milliseconds / 1000) if is_number else 0.0


def _bytes(text: Any) -> bytes:
    return str(text).encode("utf-8", "surrogatepass")
