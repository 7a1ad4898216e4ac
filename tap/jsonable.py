"""Any Python object -> JSON: as faithful as can be, and never an exception."""

import dataclasses
import json
import math
from collections.abc import Mapping, Set
from enum import Enum
from typing import Any

import orjson

from .guard import attempt, text

MAX_DEPTH = 150
MAX_REPR = 10_000
_MANY = 200


def dumps(value: object) -> bytes:
    """Return compact JSON for `value`, without newlines.

    JSON's own types, dataclasses, enums, dates and UUIDs are written as they are; pydantic models as their
    fields; sets as lists; bytes as text when they are UTF-8, else as their length and SHA-256; exceptions as
    type and message; anything else as its `repr`. NaN and infinities become strings, integers keep all their
    digits, a lone surrogate becomes its escape as text, a cycle `<cycle>`.
    """
    try:
        done = orjson.dumps(value, default=_default)
    except (TypeError, ValueError, RecursionError):
        return orjson.dumps(_plain(value, ()))
    # orjson writes NaN as null and says nothing. Looking at values costs less than looking through their text,
    # unless they are many.
    looked = _Looked(_MANY)
    if attempt(looked.has_nan, value, 0, default=True, quiet=True) and b"null" in done:
        return orjson.dumps(_plain(value, ()))
    return done


def raw_json(body: bytes) -> orjson.Fragment | None:
    """Return `body` for use as a value in `dumps`, as it came, if it is complete JSON; else None.

    Numbers keep their digits and keys their order. Newlines between tokens become spaces.
    """
    try:
        orjson.loads(body)
    except ValueError:
        try:
            # NaN, 1e400 and lone surrogates: orjson refuses them, other writers produce them.
            json.loads(body.decode())
        except (ValueError, RecursionError):
            return None
    if b"\n" in body or b"\r" in body:
        # In valid JSON a raw newline can only stand between tokens.
        body = body.replace(b"\n", b" ").replace(b"\r", b" ")
    return orjson.Fragment(body)


def loads(body: bytes | str) -> Any:
    """Parse JSON, with what orjson refuses and the standard library accepts. Raises ValueError."""
    try:
        return orjson.loads(body)
    except ValueError:
        try:
            return json.loads(body)
        except RecursionError as exc:
            raise ValueError("nested too deep") from exc


def opaque(body: bytes) -> dict[str, object]:
    """Return what is kept of bytes that are not text: their number and SHA-256."""
    import hashlib  # not needed by most agents, and slow to load

    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def clean(value: str) -> str:
    """Return `value` without lone surrogates: pairs are joined, lone ones become their escape as text."""
    joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return joined.encode("utf-8", "backslashreplace").decode()


def _default(value: Any) -> Any:
    """orjson's hook for what it does not know."""
    return attempt(_known, value, default=None, quiet=True) or _repr(value)


def _known(value: Any) -> Any:
    """Return something simpler that stands for `value`, or None if only its repr can. May raise.

    An empty container comes back as a `Fragment`, so that the result is true.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    if isinstance(value, BaseException):
        return {"type": type(value).__qualname__, "message": text(value)}
    if isinstance(value, type):
        return None
    if callable(getattr(type(value), "model_dump", None)):  # pydantic
        return attempt(_model_dump, value, quiet=True) or value.model_dump()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, Mapping):
        return dict(value) or orjson.Fragment(b"{}")
    if isinstance(value, Set):
        return attempt(sorted, value, quiet=True) or list(value) or orjson.Fragment(b"[]")
    if isinstance(value, list | tuple) or type(value).__name__ in ("deque", "range", "dict_keys", "dict_values"):
        return list(value) or orjson.Fragment(b"[]")
    if isinstance(value, int):
        return orjson.Fragment(int.__repr__(value).encode())
    if type(value).__name__ in ("Decimal", "Fraction"):
        return str(value)
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    if callable(getattr(type(value), "tolist", None)):  # numpy
        return orjson.Fragment(dumps(value.tolist()))
    return None


def _model_dump(value: Any) -> Any:
    return value.model_dump(mode="json", warnings=False) or orjson.Fragment(b"{}")


def _bytes(value: bytes) -> Any:
    try:
        return value.decode() or orjson.Fragment(b'""')
    except UnicodeDecodeError:
        return opaque(value)


def _repr(value: object) -> str:
    shown = attempt(repr, value, quiet=True)
    if not isinstance(shown, str):
        return f"<{type(value).__name__} whose repr fails>"
    return clean(shown if len(shown) <= MAX_REPR else shown[:MAX_REPR] + "…")


class _Looked:
    """A look at up to `left` values."""

    def __init__(self, left: int) -> None:
        self.left = left

    def has_nan(self, value: object, depth: int) -> bool:
        """Say whether there is NaN or an infinity in `value`, or whether that is not known."""
        self.left -= 1
        if isinstance(value, float):
            return not math.isfinite(value)
        if isinstance(value, str | int | bytes | orjson.Fragment) or value is None:
            return False
        if self.left < 0 or depth > MAX_DEPTH:
            return True
        if isinstance(value, dict):
            return any(self.has_nan(item, depth + 1) for item in value.values())
        if isinstance(value, list | tuple):
            return any(self.has_nan(item, depth + 1) for item in value)
        return True  # something with insides of its own


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    """Return a copy of `value` made of what orjson takes; `above` holds the ids of the containers around it."""
    if value is None or isinstance(value, bool | orjson.Fragment):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, above)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, int):
        return _integer(value)
    if id(value) in above:
        return "<cycle>"
    if len(above) >= MAX_DEPTH:
        return "<nested too deep>"
    return attempt(_contents, value, (*above, id(value)), quiet=True) or _repr(value)


def _contents(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, dict):
        return _object(value, above)
    if isinstance(value, list | tuple) and not hasattr(value, "_asdict"):
        return [_plain(item, above) for item in list(value)] or orjson.Fragment(b"[]")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object({f.name: getattr(value, f.name, None) for f in dataclasses.fields(value)}, above)
    known = _known(value)
    if known is not None:
        return _plain(known, above)
    return orjson.Fragment(orjson.dumps(value))  # dates, times, UUIDs; TypeError for the rest


def _object(value: dict[Any, Any], above: tuple[int, ...]) -> Any:
    done: dict[str, Any] = {}
    for key, item in list(value.items()):
        name = _key(key)
        while name in done:  # 1 and "1" are two keys in Python
            name += "_"
        done[name] = _plain(item, above)
    return done or orjson.Fragment(b"{}")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return clean(key)
    if isinstance(key, Enum):
        return _key(key.value)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return _repr(key)


def _integer(value: int) -> Any:
    if -(2**63) <= value < 2**64:
        return int(value)
    try:
        return orjson.Fragment(int.__repr__(value).encode())
    except ValueError:  # more digits than sys.get_int_max_str_digits() allows
        return hex(value)
