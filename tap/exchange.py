"""One HTTP request and what came back -> the payloads of its events."""

import codecs
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from . import credentials, guard, urls
from .assembly import Assembled, assemble, changes, hides_secret, lines, parsed
from .decoding import MAX_DECODED, decode
from .jsonable import dumps, loads, opaque, raw_json

MAX_MESSAGE = 1000  # characters of an error page; all of it is in the body
_SPLIT = "a secret runs over several events of this stream"
_SECRET = "there is a secret in this stream"
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/stream+json")

Hide = Callable[[bytes], bytes]


@dataclass(slots=True)
class Exchange:
    """What is known of one HTTP attempt; the transport fills it in while it happens. Times are `perf_counter`s."""

    family: str  # "model" for a generation endpoint, "http" for the rest
    provider: str | None  # whose wire format, None where unknown
    started: float = field(default_factory=time.perf_counter)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    times: list[float] | None = None  # when each of `chunks` came, if that is to be told
    size: int = 0  # bytes of body that came
    kept: int = 0  # bytes of them in `chunks`
    decoded: bool = False  # whether `chunks` are decompressed
    first: float | None = None  # when the first byte of the body came
    ended: float | None = None
    whole: bool = False  # whether the body came to its end
    failure: tuple[str, str, str] | None = None  # kind, class name, message of what ended it early

    def end(self, failure: tuple[str, str, str] | None = None) -> None:
        """Note that nothing more will come. Takes no locks."""
        self.ended = time.perf_counter()
        self.failure = failure
        self.whole = failure is None

    @property
    def heavy(self) -> bool:
        """Whether turning the body into a payload is too much work for the agent's thread."""
        return self.encoding != "" or self.pieced

    @property
    def encoding(self) -> str:
        return "" if self.decoded else self.headers.get("content-encoding", "").strip().lower()

    @property
    def streamed(self) -> bool:
        return self._kind.startswith("text/event-stream")

    @property
    def pieced(self) -> bool:
        """Whether the body comes in pieces with a meaning of their own: events, or a JSON text in each line."""
        return self.streamed or self._kind.startswith(_LINES)

    @property
    def _kind(self) -> str:
        return self.headers.get("content-type", "").strip().lower()


def request_payload(
    exchange: Exchange, method: str, url: str, headers: Mapping[str, str], body: object
) -> dict[str, Any]:
    """Return the payload of `model.request` or `http.request`; `body` is a `body_value`."""
    count = headers.get("x-stainless-retry-count", "0")
    return {
        "provider": exchange.provider,
        "method": method,
        "url": urls.url(url),
        "headers": credentials.headers(headers),
        "body": body,
        "attempt": int(count) + 1 if count.isdecimal() else 1,
    }


def body_value(body: bytes | None) -> object:
    """Return a body for use in a payload: JSON as it came, else text, else length and SHA-256; None if empty."""
    if not body:
        return None
    whole = raw_json(body)
    if whole is not None:
        return whole
    try:
        return body.decode()
    except UnicodeDecodeError:
        return opaque(body)


def result(exchange: Exchange, hide: Hide | None, room: int = MAX_DECODED) -> tuple[str, dict[str, Any]]:
    """Return type and payload of the event that ends an exchange: `….response` or `….error`.

    `hide` is the redaction in force, needed for streams that are kept as text; `room` is how many bytes of JSON
    the payload may take with its `chunks`, which are left out when they do not fit.
    """
    pieces: list[bytes] | None = exchange.chunks
    if exchange.encoding and exchange.chunks:
        pieces = decode(exchange.chunks, exchange.encoding)
    readable = pieces is not None
    body = b"".join(exchange.chunks if pieces is None else pieces)
    cut = exchange.size - exchange.kept
    stream = assemble(body) if exchange.streamed and exchange.family == "model" and readable else None

    value: object
    if not readable:
        value = opaque(body) | {"encoding": exchange.encoding}
    elif stream is not None and stream.body is not None:
        value = stream.body
    elif hide is not None and hides_secret(_events(exchange, body), hide):
        value = opaque(body) | {"left_out": _SPLIT}
    else:
        value = body_value(body)

    payload: dict[str, Any] = {
        "status": exchange.status,
        "headers": credentials.headers(exchange.headers),
        "body": value,
    }
    if cut:
        payload["body_bytes_left_out"] = cut
    error = _error(exchange, stream, body, readable)
    if stream is not None and stream.other:
        split = hide is not None and hides_secret(stream.other, hide)
        payload["other_events"] = {"left_out": _SPLIT} if split else stream.other
    timing = {
        "ttft_ms": _ms(exchange.started, exchange.first),
        "duration_ms": _ms(exchange.started, exchange.ended),
        "request_id": exchange.headers.get("request-id") or exchange.headers.get("x-request-id"),
    }
    complete: bool | None = exchange.whole or error is None
    if stream is not None:
        complete = stream.complete and stream.error is None
        if not complete and error is None:
            complete = None  # not kept to its end: nobody knows
    told = {"stream": exchange.streamed, "complete": complete}
    if error is not None:
        payload["error"] = error
    payload |= told | timing
    if exchange.times is not None and pieces is not None:
        payload["chunks"] = _chunks(exchange, pieces, payload, hide, room)
    return f"{exchange.family}.{'response' if error is None else 'error'}", payload


def _events(exchange: Exchange, body: bytes) -> Iterable[Any]:
    """Return what the body consists of, parsed: events, lines, items of an array; nothing if it is one thing."""
    if exchange.streamed:
        return parsed(body)
    if exchange.pieced:
        return lines(body)
    if exchange.family == "model" and body[:1] == b"[":  # as Gemini streams, unless it is asked for events
        items = guard.attempt(loads, body, default=[], quiet=True)
        return items if isinstance(items, list) else []
    return []


def _chunks(exchange: Exchange, pieces: list[bytes], told: Mapping[str, Any], hide: Hide | None, room: int) -> Any:
    """Return the chunks of a stream, [milliseconds since sending, text] each, or why they are left out.

    A chunk is what the HTTP library gave at once, decompressed; a character that is split over two is in the one
    that ends it. `told` is the payload without them.
    """
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        texts = [decode(piece) for piece in pieces]
    except UnicodeDecodeError:
        return {"left_out": "these are not text"}
    moments = [_ms(exchange.started, moment) for moment in exchange.times or ()]
    chunks = [list(chunk) for chunk in zip(moments, texts, strict=True)]
    raw = dumps(chunks)
    if len(raw) + len(dumps(told)) > room:
        return {"left_out": "there is no room for them", "bytes": len(raw)}
    if hide is not None:
        # Whatever is hidden elsewhere may stand here in parts; so it is looked for in every form that there is.
        events = list(_events(exchange, b"".join(pieces)))
        whole = [told.get("body"), told.get("other_events"), "".join(texts), events, chunks]
        if hides_secret(events, hide) or any(changes(one, hide) for one in whole):
            return {"left_out": _SECRET}
    return chunks


def _error(exchange: Exchange, stream: Assembled | None, body: bytes, readable: bool) -> dict[str, Any] | None:
    """Return kind, type and message of what went wrong, or None."""
    kind_of_end, kind_of_exception, text = exchange.failure or ("", "", "")
    left = kind_of_end == "cancelled"
    broken = kind_of_end in ("connection", "timeout")  # the client got an exception, whatever had come by then
    if exchange.status is not None and exchange.status >= 400:
        kind, message = _told(body)
        message = message or _phrase(exchange) + (" (the client did not read the body)" if left else "")
        if broken:
            message += f" ({kind_of_exception}: {text})"
        return {"kind": "http", "type": kind, "message": message}
    if stream is not None and stream.error is not None:
        kind, message = _named(stream.error)
        return {"kind": "stream", "type": kind, "message": message or "the stream ended in an error event"}
    if stream is not None and stream.complete and not broken:
        return None  # whatever came after the terminal event is no part of the message
    if exchange.failure is not None:
        if left and readable and _has_all(exchange):
            return None
        return dict(zip(("kind", "type", "message"), exchange.failure, strict=True))
    if exchange.whole and exchange.kept < exchange.size:
        return None  # the body came to its end; there was no room to keep all of it
    if stream is not None:
        return {
            "kind": "stream",
            "type": None,
            "message": f"the stream ended after {exchange.size} bytes without its last event",
        }
    return None


def _has_all(exchange: Exchange) -> bool:
    if exchange.status is not None and (exchange.status < 200 or exchange.status in (204, 304)):
        return True  # these have no body
    length = exchange.headers.get("content-length", "")
    return length.isdecimal() and int(length) == exchange.size


def _told(body: bytes) -> tuple[str | None, str]:
    try:
        parsed = loads(body)
    except ValueError:
        return None, _beginning(body.decode("utf-8", "replace").strip())
    if isinstance(parsed, dict):
        inner = parsed.get("error")
        return _named(inner if inner else parsed)
    return None, ""


def _beginning(text: str) -> str:
    """Return up to MAX_MESSAGE characters, to the end of a word: half a secret is one that no pattern knows."""
    if len(text) <= MAX_MESSAGE:
        return text
    return f"{text[:MAX_MESSAGE].rpartition(' ')[0]} …".lstrip()


def _named(error: Any) -> tuple[str | None, str]:
    """Return type and message of an API's error, in the shapes that are about."""
    if isinstance(error, str):
        return None, error
    if not isinstance(error, dict):
        return None, ""
    kind = error.get("type") or error.get("status") or error.get("code")
    message = error.get("message") or error.get("detail") or error.get("error") or ""
    return (None if kind is None else str(kind)), message if isinstance(message, str) else str(message)


def _phrase(exchange: Exchange) -> str:
    try:
        phrase = HTTPStatus(exchange.status or 0).phrase
    except ValueError:
        phrase = ""
    return f"HTTP {exchange.status} {phrase}".rstrip()


def _ms(start: float, end: float | None) -> float | None:
    return None if end is None else round((end - start) * 1000, 3)
