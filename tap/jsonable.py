"""Any Python object -> JSON: as faithful as can be, and never an exception."""

import dataclasses
import datetime
import json
import math
import os
import types
import uuid
from collections.abc import Callable, Mapping, Set
from enum import Enum
from typing import Any

import orjson

MAX_DEPTH = 150
MAX_REPR = 10_000
_MANY = 16  # items of a list from which on it is faster to look at the types of all at once
_NUMBERS = frozenset((int, float))
_DATES = (datetime.datetime, datetime.date, datetime.time)
_ATOMS = frozenset((str, int, bool, type(None), orjson.Fragment))  # what is written as it is
_FAILED: Any = object()  # what `_attempt` returns for a call that raised
_UNKNOWN: Any = object()  # what `_known` returns for a value of which only the repr can be written


def dumps(value: object) -> bytes:
    """Return compact JSON for `value`, without newlines.

    JSON's own types, dataclasses, enums, dates and UUIDs are written as they are; pydantic models as their
    fields; sets as lists; bytes as text when they are UTF-8, else as their length and SHA-256; exceptions as
    type and message; anything else as its `repr`. NaN and infinities become strings, integers keep all their
    digits, a lone surrogate becomes its escape as text, a cycle `<cycle>`.
    """
    # orjson holds no references to what is in the containers that it walks. Code that runs meanwhile (its hook for
    # unknown types, an enum's `value`, and with these every other thread) could take that away, and the process
    # would crash; as it does when such a `value`, a time zone or a slot of a dataclass raises. So it gets copies
    # only, made of types that run no code.
    try:
        return orjson.dumps(_copy(value, 0))
    except Exception:  # noqa: BLE001 - whatever it is, the slow way can do it
        return orjson.dumps(_plain(value, ()))


def dumps_within(payload: dict[str, Any], limit: int, small: int) -> bytes:
    """Return `dumps(payload)`, or if that takes more than `limit` bytes, only its values of up to `small` bytes.

    These have the keys `truncated`, true, and `bytes`, how many all of it would take, at least: where the lengths
    of its strings already show that it is too large, it is not written to find out.
    """
    try:
        plain = _copy(payload, 0)
        size = _at_least(plain)
        raw = b"" if size > limit else orjson.dumps(plain)
    except Exception:  # noqa: BLE001 - as above
        plain = _object(payload, ())
        size = _at_least(plain)
        raw = b"" if size > limit else orjson.dumps(plain)
    size = max(size, len(raw))
    if size <= limit:
        return raw
    kept = {key: value for key, value in plain.items() if _is_small(value, small)}
    return dumps(kept | {"truncated": True, "bytes": size})


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


def _copy(value: Any, depth: int) -> Any:
    """Return the same as `_plain`, faster, but leave the strings, integers and keys that orjson refuses in it.

    Raises when this is nested too deep, or a cycle.
    """
    kind = type(value)
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if kind is dict:
        fields = value.copy()
        for key, item in fields.items():
            inner = type(item)
            if inner not in _ATOMS and (inner is not float or not math.isfinite(item)):
                fields[key] = _copy(item, depth + 1)
        return fields
    if kind is list or kind is tuple:
        items = list(value)
        if len(items) >= _MANY:
            kinds = set(map(type, items))
            if kinds <= _ATOMS or (kinds <= _NUMBERS and all(map(math.isfinite, items))):
                return items
        for at, item in enumerate(items):
            if type(item) not in _ATOMS:
                items[at] = _copy(item, depth + 1)
        return items
    if kind in _ATOMS or (kind is float and math.isfinite(value)):
        return value
    return _copy(_simpler(value), depth + 1)


def _at_least(plain: dict[str, Any]) -> int:
    """Return how many bytes this takes at the least, by what is cheap to know: the strings in its upper levels."""
    size = 0
    for value in plain.values():
        kind = type(value)
        if kind is str:
            size += len(value)
        elif kind is dict or kind is list:
            size += 2 * len(value)
            if len(value) < _MANY:
                for item in value.values() if kind is dict else value:
                    if type(item) is str:
                        size += len(item)
    return size


def _is_small(plain: Any, small: int) -> bool:
    """Say whether this takes up to `small` bytes, without writing it if it is far from that."""
    room = small
    seen: list[Any] = [plain]
    for item in seen:  # grows meanwhile
        kind = type(item)
        room -= len(item) if kind is str or kind is dict or kind is list else 1
        if room < 0:
            return False
        if kind is dict:
            seen.extend(item.values())
        elif kind is list:
            seen.extend(item)
    return len(dumps(plain)) <= small


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    """Return a copy of `value` made of what orjson takes; `above` holds the ids of the containers around it.

    Never raises: of a container, only the items that cannot be written are lost.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else clean(value)
    if kind is int:
        return _integer(value)
    if kind in _ATOMS or (kind is float and math.isfinite(value)):
        return value
    if id(value) in above:
        return "<cycle>"
    if len(above) >= MAX_DEPTH:
        return "<nested too deep>"
    done = _attempt(_insides, value, (*above, id(value)))
    return _repr(value) if done is _FAILED else done


def _insides(value: Any, above: tuple[int, ...]) -> Any:
    kind = type(value)
    if kind is dict:
        return _object(value, above)
    if kind is list or kind is tuple:
        return [_plain(item, above) for item in list(value)]
    return _plain(_simpler(value), above)


def _simpler(value: Any) -> Any:
    """Return something that stands for `value` and is nearer to JSON, at last its `repr`."""
    known = _attempt(_known, value)
    return _repr(value) if known is _FAILED or known is _UNKNOWN else known


def _known(value: Any) -> Any:
    """Return the same, or _UNKNOWN if it has nothing but a `repr`. May raise."""
    kind = type(value)  # asked for a name, a value may answer with a call over the network; its class does not
    if kind in _DATES:
        return value.isoformat()
    if kind is uuid.UUID:
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        number = float.__float__(value)
        return number if math.isfinite(number) else repr(number)
    if isinstance(value, int):
        return int.__int__(value)
    if dataclasses.is_dataclass(kind):
        return _fields(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    if isinstance(value, BaseException):
        message = _attempt(str, value)
        cannot = f"<{kind.__name__} that cannot be shown>"
        return {"type": kind.__qualname__, "message": cannot if message is _FAILED else message}
    if isinstance(value, type):
        return _UNKNOWN
    if callable(getattr(kind, "model_dump", None)):  # pydantic
        fields = _attempt(_model_dump, value)
        return value.model_dump() if fields is _FAILED else fields
    if callable(getattr(kind, "_asdict", None)) and isinstance(value, tuple):
        return value._asdict()  # type: ignore[attr-defined] # a named tuple
    if isinstance(value, Mapping):  # or a subclass of dict
        return dict(value)
    if isinstance(value, Set):
        in_order = _attempt(sorted, value)
        return list(value) if in_order is _FAILED else in_order
    if isinstance(value, list | tuple) or kind.__name__ in ("deque", "range", "dict_keys", "dict_values"):
        return list(value)
    if kind.__name__ in ("Decimal", "Fraction"):
        return str(value)
    if hasattr(kind, "__fspath__"):
        return os.fspath(value)
    if callable(getattr(kind, "tolist", None)):  # numpy
        return value.tolist()
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


def _object(value: dict[Any, Any], above: tuple[int, ...]) -> dict[str, Any]:
    done: dict[str, Any] = {}
    for key, item in list(value.items()):
        name = key if type(key) is str and key.isascii() else _attempt(_key, key)
        if name is _FAILED:
            name = _repr(key)
        while name in done:  # 1 and "1" are two keys in Python
            name += "_"
        done[name] = _plain(item, above)
    return done


def _fields(value: Any) -> dict[str, Any]:
    """Return the public fields of a dataclass as they stand there: what is only loaded when asked for is not."""
    held = _attempt(object.__getattribute__, value, "__dict__")
    inside = held.copy() if type(held) is dict else {}
    names = [field.name for field in dataclasses.fields(type(value)) if not field.name.startswith("_")]
    return {name: inside[name] if name in inside else _field(value, name) for name in names}


def _field(value: object, name: str) -> Any:
    """Return a field that is a slot, a property or the default that the class has; None if there is nothing."""
    found = getattr(type(value), name, None)
    if isinstance(found, property | types.MemberDescriptorType):  # the latter is a slot
        found = _attempt(found.__get__, value)
    elif hasattr(type(found), "__get__"):
        found = _FAILED
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
        return value
    try:
        return orjson.Fragment(repr(value).encode())
    except ValueError:  # more digits than sys.get_int_max_str_digits() allows
        return hex(value)
