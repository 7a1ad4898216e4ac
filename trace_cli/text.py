"""Text that came out of a payload, made fit for one line of a terminal."""

import re
from datetime import UTC, datetime
from typing import Any

from trace_cli.line import dump

# C0 but tab and newline, DEL, C1; marks that turn the direction of what follows; lone surrogates; and what takes
# no room, in which text can hide: soft hyphens, joiners, tags, variation selectors but one behind an emoji.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0e\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]|(?<=\ufe0f)\ufe0f"
)


def visible(text: str) -> str:
    """`text` with what a terminal would obey shown as an escape, and newlines as ⏎."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(_escape, text.replace("\n", "⏎").replace("\t", " "))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def day(time: float | None) -> str | None:
    """The day of a time (seconds since 1970), in UTC; None for none."""
    try:
        return None if time is None else datetime.fromtimestamp(time, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def clock(time: float | None) -> str:
    """The time of day, of seconds since 1970, in UTC: always as wide."""
    if time is None:
        return "--:--:--.--- "
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"
    except (OverflowError, ValueError, OSError):
        return "??:??:??.??? "


_NEWLINE = re.compile("\r\n|\n")


def lines(text: str) -> list[str]:
    """`text` line by line, each as `visible` shows it; a tab is up to four spaces."""
    return [visible(each.expandtabs(4)) for each in _NEWLINE.split(text)]


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
