"""Any Python object -> JSON: as faithful as can be, and never an exception."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Set
from enum import Enum
from typing import Any

import orjson

from .guard import attempt

MAX_DEPTH = 150
MAX_REPR = 10_000
_SMALL = 8192
_FAILED: Any = object()  # what `_attempt` returns for a call that raised
_UNKNOWN: Any = object()  # what `_known` returns for a value of which only the repr can be written


def dumps(value: object) -> bytes:
    """Return compact JSON for `value`, without newlines.

    JSON's own types, dataclasses, enums, dates and UUIDs are written as they are; pydantic models as their
    fields; sets as lists; bytes as text when they are UTF-8, else as their length and SHA-256; exceptions as
    type and message; anything else as its `repr`. NaN and infinities become strings, integers keep all their
    digits, a lone surrogate becomes its escape as text, a cycle `<cycle>`.
    """
    # Not `_attempt`: no code of the agent's runs right here, so what is no Exception comes from a signal handler.
    done: bytes | None = attempt(orjson.dumps, value, _default, quiet=True)
    if done is None:
        return orjson.dumps(_plain(value, ()))
    # orjson writes NaN as null and says nothing. Looking at few values costs less than looking through long text.
    if len(done) <= _SMALL and b"null" not in done:
        return done
    if attempt(_may_hold_nan, value, default=True, quiet=True) and b"null" in done:
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


def _attempt(function: Callable[..., Any], *args: Any) -> Any:
    """Return `function(*args)`, or _FAILED if it raises.

    Extensions written in Rust panic with a BaseException. An agent's cancellation cannot come out of here, as
    nothing is awaited.
    """
    try:
        return function(*args)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException:  # noqa: BLE001 - a guard: this runs code of any object that an agent may hold
        return _FAILED


def _default(value: Any) -> Any:
    """orjson's hook for what it does not know."""
    known = _attempt(_known, value)
    return _repr(value) if known is _FAILED or known is _UNKNOWN else known


def _known(value: Any) -> Any:
    """Return something simpler that stands for `value`, or _UNKNOWN if only its repr can. May raise."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    if isinstance(value, BaseException):
        message = _attempt(str, value)
        cannot = f"<{type(value).__name__} that cannot be shown>"
        return {"type": type(value).__qualname__, "message": cannot if message is _FAILED else message}
    if isinstance(value, type):
        return _UNKNOWN
    if callable(getattr(type(value), "model_dump", None)):  # pydantic
        fields = _attempt(_model_dump, value)
        return value.model_dump() if fields is _FAILED else fields
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        in_order = _attempt(sorted, value)
        return list(value) if in_order is _FAILED else in_order
    if isinstance(value, list | tuple) or type(value).__name__ in ("deque", "range", "dict_keys", "dict_values"):
        return list(value)
    if isinstance(value, int):
        return orjson.Fragment(int.__repr__(value).encode())
    if type(value).__name__ in ("Decimal", "Fraction"):
        return str(value)
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    if callable(getattr(type(value), "tolist", None)):  # numpy
        return orjson.Fragment(dumps(value.tolist()))
    return _UNKNOWN


def _model_dump(value: Any) -> Any:
    return value.model_dump(mode="json", warnings=False)


def _bytes(value: bytes) -> Any:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return opaque(value)


def _repr(value: object) -> str:
    shown: str = _attempt(_shown, value)
    return f"<{type(value).__name__} whose repr fails>" if shown is _FAILED else shown


def _shown(value: object) -> str:
    shown = repr(value)
    return clean(shown if len(shown) <= MAX_REPR else shown[:MAX_REPR] + "…")


def _may_hold_nan(value: object) -> bool:
    """Say whether there is NaN or an infinity in `value`, or something that is not looked into here."""
    seen: list[Any] = [value]
    for item in seen:  # grows meanwhile
        kind = type(item)
        if kind is dict:
            seen.extend(item.values())
        elif kind is list or kind is tuple:
            seen.extend(item)
        elif kind is float:
            if not math.isfinite(item):
                return True
        elif kind not in _NEVER_NAN:
            return True  # something with insides of its own
    return False


_NEVER_NAN = (str, int, bool, type(None), bytes, orjson.Fragment)


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    """Return a copy of `value` made of what orjson takes; `above` holds the ids of the containers around it.

    Never raises: of a container, only the items that cannot be written are lost.
    """
    done = _attempt(_copy, value, above)
    return _repr(value) if done is _FAILED else done


def _copy(value: Any, above: tuple[int, ...]) -> Any:
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
    return _contents(value, (*above, id(value)))


def _contents(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, dict):
        return _object(value, above)
    if isinstance(value, list | tuple) and not hasattr(value, "_asdict"):
        return [_plain(item, above) for item in list(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object({f.name: _field(value, f.name) for f in dataclasses.fields(value)}, above)
    known = _known(value)
    if known is not _UNKNOWN:
        return _plain(known, above)
    return orjson.Fragment(orjson.dumps(value))  # dates, times, UUIDs; TypeError for the rest


def _object(value: dict[Any, Any], above: tuple[int, ...]) -> Any:
    done: dict[str, Any] = {}
    for key, item in list(value.items()):
        name = _attempt(_key, key)
        if name is _FAILED:
            name = _repr(key)
        while name in done:  # 1 and "1" are two keys in Python
            name += "_"
        done[name] = _plain(item, above)
    return done


def _field(value: object, name: str) -> Any:
    found = _attempt(getattr, value, name, None)
    return f"<{name} cannot be read>" if found is _FAILED else found


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
