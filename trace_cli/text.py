"""Text that came out of a payload, made fit for one line of a terminal."""

import re
from typing import Any

from trace_cli.line import dump

# C0 but tab and newline, DEL, C1, and the marks that turn the direction of what follows.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """`text` with what a terminal would obey shown as an escape, and newlines as ⏎."""
    return _CONTROL.sub(_escape, text.replace("\n", "⏎").replace("\t", " "))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def compact(value: Any, limit: int = 200) -> str:
    """Any JSON value in one short line: text as it is, objects as `key=value`, cut at `limit` characters."""
    if isinstance(value, str):
        text = value[: limit * 4].strip()
        text = re.sub(r"\s+", " ", text)
    elif isinstance(value, dict):
        text = ", ".join(f"{key}={_json(item, limit)}" for key, item in list(value.items())[:20])
    else:
        text = _json(value, limit)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _json(value: Any, limit: int) -> str:
    if isinstance(value, str):
        value = value[: limit + 1]
    return dump(value).decode()
