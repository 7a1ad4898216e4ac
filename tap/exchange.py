"""One HTTP request and what came back -> the payloads of its events."""

import sys
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from . import guard, redact
from .assembly import Assembled, assemble, hides_secret, parsed
from .jsonable import loads, opaque, raw_json

MAX_DECODED = 64 << 20
_SPLIT = "a secret runs over several events of this stream"

# How the path of a generation endpoint ends, and whose wire format it speaks.
_ENDPOINTS = {
    "/messages": "anthropic",
    "/chat/completions": "openai",
    "/responses": "openai",
    "/completions": "openai",
    "/invoke": None,  # Bedrock, Vertex and Gemini: the body tells
    "/invoke-with-response-stream": None,
    ":rawPredict": None,
    ":streamRawPredict": None,
    ":generateContent": None,
    ":streamGenerateContent": None,
}


@dataclass(slots=True)
class Exchange:
    """What is known of one HTTP attempt; the transport fills it in while it happens. Times are `perf_counter`s."""

    family: str  # "model" for a generation endpoint, "http" for the rest
    provider: str | None  # whose wire format, None where unknown
    started: float = field(default_factory=time.perf_counter)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
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
        return self.encoding != "" or self.streamed

    @property
    def encoding(self) -> str:
        return "" if self.decoded else self.headers.get("content-encoding", "").strip().lower()

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").lower().startswith("text/event-stream")


def classify(method: str, path: str, body: bytes | None) -> tuple[str, str | None]:
    """Return family and provider of a request, by the path of its URL and its body."""
    if method.upper() != "POST":
        return "http", None
    for ending, provider in _ENDPOINTS.items():
        if path.endswith(ending):
            if provider is None and body is not None and b'"anthropic_version"' in body:
                provider = "anthropic"
            return "model", provider
    return "http", None


def request_payload(
    exchange: Exchange, method: str, url: str, headers: Mapping[str, str], body: object
) -> dict[str, Any]:
    """Return the payload of `model.request` or `http.request`; `body` is a `body_value`."""
    count = headers.get("x-stainless-retry-count", "0")
    return {
        "provider": exchange.provider,
        "method": method,
        "url": redact.url(url),
        "headers": redact.headers(headers),
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


def result(exchange: Exchange, hide: Callable[[bytes], bytes] | None) -> tuple[str, dict[str, Any]]:
    """Return type and payload of the event that ends an exchange: `….response` or `….error`.

    `hide` is the redaction in force, needed for streams that are kept as text.
    """
    body = b"".join(exchange.chunks)
    cut = exchange.size - exchange.kept
    if exchange.encoding and body:
        body, readable = _decode(body, exchange.encoding)
    else:
        readable = True
    stream = assemble(body) if exchange.streamed and exchange.family == "model" and readable else None

    value: object
    if not readable:
        value = opaque(body) | {"encoding": exchange.encoding}
    elif stream is not None and stream.body is not None:
        value = stream.body
    elif exchange.streamed and hide is not None and hides_secret(parsed(body), hide):
        value = opaque(body) | {"left_out": _SPLIT}
    else:
        value = body_value(body)

    payload: dict[str, Any] = {
        "status": exchange.status,
        "headers": redact.headers(exchange.headers),
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
    if error is None:
        return f"{exchange.family}.response", payload | told | timing
    return f"{exchange.family}.error", payload | {"error": error} | told | timing


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
        return None, body.decode("utf-8", "replace").strip()[:1000]
    if isinstance(parsed, dict):
        inner = parsed.get("error")
        return _named(inner if inner else parsed)
    return None, ""


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


def _decode(body: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return the body decompressed and True, or as it is and False. A cut-off body gives what it holds.

    Names that are no compression are passed over, as clients do: the body may be text all the same.
    """
    names = [name.strip() for name in encoding.split(",")]
    for name in reversed(names):
        if name not in _COMPRESSIONS:
            continue
        decoded = _decompress(body, name)
        if decoded is None:
            return body, False
        body = decoded
    return body, set(names) <= {*_COMPRESSIONS, "identity"} or _is_text(body)


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decompress(body: bytes, name: str) -> bytes | None:
    try:
        if name in ("gzip", "x-gzip"):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, MAX_DECODED)
        if name == "deflate":
            try:
                return zlib.decompressobj().decompress(body, MAX_DECODED)
            except zlib.error:  # some servers send it without the zlib header
                return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, MAX_DECODED)
    except zlib.error:
        return None
    decompress = _DECOMPRESSORS.get(name)
    decoded = guard.attempt(decompress, body, quiet=True) if decompress is not None else None
    return decoded if isinstance(decoded, bytes) else None


def _brotli(body: bytes) -> bytes | None:
    # The client offered br because it found one of these.
    for library in ("brotli", "brotlicffi"):
        if (module := sys.modules.get(library)) is not None:
            decoder: Any = module.Decompressor()
            decoded: bytes = (getattr(decoder, "process", None) or decoder.decompress)(body)
            return decoded[:MAX_DECODED]
    return None


def _zstd(body: bytes) -> bytes | None:
    for library in ("compression.zstd", "backports.zstd", "pyzstd", "zstandard"):
        if (module := sys.modules.get(library)) is not None:
            return _zstd_frames(module, body)
    return None


def _zstd_frames(module: Any, body: bytes) -> bytes:
    """Return what all frames of a body hold: a server that flushes may send several."""
    pieces: list[bytes] = []
    room = MAX_DECODED
    while body and room > 0:
        decoder = module.ZstdDecompressor()
        if module.__name__ == "zstandard":
            decoder = decoder.decompressobj()
            piece = decoder.decompress(body)[:room]
        else:
            piece = decoder.decompress(body, room)
        pieces.append(piece)
        room -= len(piece)
        body = decoder.unused_data
    return b"".join(pieces)


_DECOMPRESSORS = {"br": _brotli, "zstd": _zstd}
_COMPRESSIONS = ("gzip", "x-gzip", "deflate", "compress", "x-compress", *_DECOMPRESSORS)
