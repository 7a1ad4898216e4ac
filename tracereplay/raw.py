"""Where the values of a JSON text stand in it: to be taken out, or replaced, as they were written."""

import json
import re
from collections.abc import Iterator
from typing import Any

_BLANK = re.compile(r"[ \t\r\n]*")
_scan: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # not in the stub

Span = tuple[int, int]


def value(text: str, *names: str) -> str | None:
    """The text of the value that stands under `names` in an object, one inside the other; None if it is not there.

    As parsers do, the last of several keys with one name counts. Raises ValueError for what is no JSON.
    """
    start, end = 0, len(text)
    for name in names:
        found = None
        for key, span in members(text, start):
            if key == name:
                found = span
        if found is None:
            return None
        start, end = found
    return text[start:end].strip()


def members(text: str, start: int = 0) -> Iterator[tuple[str, Span]]:
    """The keys of the object that begins at `start`, each with where its value stands; nothing if it is none."""
    at = _skip(text, start)
    if text[at : at + 1] != "{" or text[_skip(text, at + 1)] == "}":
        return
    while True:
        key, at = _scanned(text, _skip(text, at + 1))
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        end = _scanned(text, at)[1]
        yield key, (at, end)
        at = _skip(text, end)
        if text[at] == "}":
            return


def items(text: str, start: int = 0) -> Iterator[Span]:
    """Where the items of the array that begins at `start` stand; nothing if it is none."""
    at = _skip(text, start)
    if text[at : at + 1] != "[" or text[_skip(text, at + 1)] == "]":
        return
    while True:
        at = _skip(text, at + 1)
        end = _scanned(text, at)[1]
        yield at, end
        at = _skip(text, end)
        if text[at] == "]":
            return


def _skip(text: str, at: int) -> int:
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it always matches


def _scanned(text: str, at: int) -> tuple[str, int]:
    try:
        return _scan(text, at)  # type: ignore[no-any-return]  # the stub says Any
    except StopIteration:
        raise ValueError(f"no JSON at character {at}") from None
