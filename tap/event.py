"""The envelope of an event: ids, clock, and one line of bytes. The format is specified in trace-events(5)."""

import os
import re
import time
from functools import lru_cache
from typing import NamedTuple

_UNSAFE = re.compile(r"[^A-Za-z0-9._:-]")
_CALL_TYPES = ("model.", "http.", "tool.")


class Place(NamedTuple):
    """What an event happened inside of: a step, and the span of OpenTelemetry that was the current one, if any."""

    step_id: str | None = None
    trace_id: str | None = None  # 32 and 16 hexadecimal digits
    span_id: str | None = None


NOWHERE = Place()


def safe(value: object) -> str:
    """Return the text of a type in which every character outside `[A-Za-z0-9._:-]` is `_`."""
    return _UNSAFE.sub("_", str(value)) or "_"


def safe_id(value: object) -> str:
    """Return the same of an id, which ends in 8 hexadecimal digits of its SHA-256 if anything had to be replaced.

    So what was different stays different.
    """
    text = str(value)
    if (replaced := safe(text)) == text:
        return text
    import hashlib  # not needed by most agents, and slow to load

    return f"{replaced}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


@lru_cache(maxsize=256)
def safe_type(value: str) -> str:
    """Return the same of a type: there are few."""
    return safe(value)


def new_run_id() -> str:
    """Return a UUIDv7 (RFC 9562): its text sorts by the time it was made, to the millisecond."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_id(prefix: str) -> str:
    """Return an id that no other process makes: `prefix`, `_`, and 96 random bits in hexadecimal."""
    return f"{prefix}_{os.urandom(12).hex()}"


_second = (-1, "")  # since 1970, and its text: most events come in the second of the one before


def now() -> str:
    """Return the time as RFC 3339 in UTC with microseconds."""
    global _second
    second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    known, text = _second
    if known != second:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _second = (second, text)
    return f"{text}.{nanoseconds // 1000:06d}Z"


def clock() -> float:
    """Return seconds for measuring durations."""
    return time.perf_counter()


def is_call(type: str) -> bool:
    """Say whether events of this type have a `call_id` in their head."""
    return type.startswith(_CALL_TYPES)


def line(
    type: str, timestamp: str, run_id: str, seq: int, call_id: str | None, place: Place, payload: bytes
) -> bytes:
    """Return one event as a line, newline included.

    `type`, `run_id` and the ids must be `safe`; `payload` must be the JSON of an object, without newlines.
    """
    head = f'{{"v":1,"type":"{type}","timestamp":"{timestamp}","run_id":"{run_id}","seq":{seq},'
    if call_id is not None:
        head += f'"call_id":"{call_id}",'
    elif is_call(type):
        head += '"call_id":null,'
    if place.step_id is not None:
        head += f'"step_id":"{place.step_id}",'
    if place.trace_id is not None:
        head += f'"trace_id":"{place.trace_id}","span_id":"{place.span_id}",'
    return b"".join((head.encode(), b'"payload":', payload, b"}\n"))
