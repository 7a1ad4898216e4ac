"""The bytes of one line: what parsing gives, and splicing a key in."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from trace_cli.errors import BadLine
from trace_cli.head import OWN

if TYPE_CHECKING:
    import json

_RESUMED = 100  # how often reading is taken up again on one damaged line, each time at the cost of the rest of it
_CUT_OFF = re.compile(r"Unterminated string|Expecting (value|',' delimiter|':' delimiter|property name)")


def parse(raw: bytes) -> dict[str, Any]:
    """One JSON object. What orjson refuses and the stdlib accepts (NaN, lone surrogates) is accepted.

    Raises BadLine. Numbers beyond double precision lose digits here, never in `raw`.
    """
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = _parse_slowly(raw)
    if isinstance(found, dict):
        return found
    if isinstance(found, list):
        raise BadLine("a JSON array, not an object", "one event a line: jq -c '.[]'")
    raise BadLine(f"a JSON {_NAMES.get(type(found), 'value')}, not an object")


_NAMES = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}


def _parse_slowly(raw: bytes) -> Any:
    import json

    try:
        return json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadLine(f"invalid UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadLine(*_reason(raw, error)) from None
    except RecursionError:
        raise BadLine("nested too deeply") from None
    except ValueError as error:  # an integer with more digits than Python converts
        raise BadLine(f"not readable as JSON: {str(error).partition(';')[0]}") from None


def _reason(raw: bytes, error: "json.JSONDecodeError") -> tuple[str, str | None]:
    text = raw.strip()
    if not text.startswith(b"{") or text == b"{":
        fragment = text in (b"{", b"}", b"[", b"]", b"},", b"],") or re.match(rb'"[^"]*"\s*:|[\]}],?$', text)
        if text.startswith(b"[{"):
            return "not JSON", "one JSON array? one event a line: jq -c '.[]' FILE | trace …"
        return "not JSON", "pretty-printed JSON? jq -c . FILE | trace …" if fragment else None
    at_the_end = _CUT_OFF.match(error.msg) and error.pos >= len(error.doc.rstrip())
    if at_the_end or error.msg.startswith("Unterminated"):
        return f"cut off after {len(raw)} bytes", None
    before = error.doc[: error.pos].encode("utf-8", "surrogatepass")
    return f"not JSON: {error.msg.removesuffix(' at')} at byte {len(before)}", None


def parsed(text: str) -> Any:
    """What a text spells in JSON; the text itself where it spells nothing."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def unglue(raw: bytes) -> Iterator[tuple[int, bytes, dict[str, Any] | BadLine]]:
    """The objects of one line, each with its offset in the line and its own bytes; a BadLine for what is none.

    Behind damage, reading goes on at an object in our own format that reaches the end of the line cleanly:
    a writer that was cut off, and another that appended to it.
    """
    try:
        yield 0, raw, parse(raw)
        return
    except BadLine as bad:
        whole = bad
    start = 0
    for start, end, found in _objects(raw):
        yield start, raw[start:end], found
        start = end
    rest = raw[start:]
    if not rest.strip():
        return
    resume, tail = _clean_tail(rest)
    if tail:
        yield start, rest[:resume], BadLine(f"cut off after {resume} bytes, another event follows on the line")
        yield from (
            (start + resume + first, rest[resume + first : resume + end], found) for first, end, found in tail
        )
        return
    if start:
        whole = BadLine(f"{len(rest)} bytes behind the last object are not JSON")
    yield start, rest, whole


def _clean_tail(raw: bytes) -> tuple[int, list[tuple[int, int, dict[str, Any]]]]:
    """Where the objects begin, the first in our own format, that fill `raw` up to its end; and those objects."""
    start = 0
    for _ in range(_RESUMED):
        start = raw.find(OWN, start + 1)
        if start < 0:
            break
        tail = list(_objects(raw[start:]))
        if tail and not raw[start + tail[-1][1] :].strip():
            return start, tail
    return 0, []


_BLANK = re.compile(r"[ \t\r]*")


def _objects(raw: bytes) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The JSON objects at the start of `raw`, one behind the other: (start, end, object)."""
    import json

    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        text = raw[: error.start].decode("utf-8")
    decode = json.JSONDecoder().raw_decode
    at = position = 0  # in characters, in bytes
    while True:
        blank = len(_BLANK.match(text, at)[0])  # type: ignore[index]  # it always matches
        at, position = at + blank, position + blank
        try:
            found, end = decode(text, at)
        except (ValueError, RecursionError):
            return
        if not isinstance(found, dict):
            return
        size = len(text[at:end].encode("utf-8", "surrogatepass"))
        yield position, position + size, found
        at, position = end, position + size


def splice(raw: bytes, **added: object) -> bytes:
    """`raw` with keys put in as the last ones, all its other bytes as they were."""
    end = raw.rindex(b"}")
    comma = b"" if raw[:end].rstrip().endswith(b"{") else b","
    return raw[:end] + comma + dump(added)[1:-1] + raw[end:]


def dump(value: Any) -> bytes:
    """Compact JSON, numbers beyond 64 bits and lone surrogates come through too."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _dump_slowly(value)


def canonical(value: Any) -> bytes:
    """As `dump`, with the keys of objects in order: equal for equal values."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return _dump_slowly(value, sort_keys=True)


def _dump_slowly(value: Any, sort_keys: bool = False) -> bytes:
    import json

    try:
        return json.dumps(value, separators=(",", ":"), sort_keys=sort_keys).encode()
    except RecursionError:
        return b'"(nested too deeply)"'
