"""Secrets that are spelled token by token, in the log probabilities of OpenAI's completions and responses."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from .jsonable import dumps, loads

_KEY = re.compile(rb'"logprobs"\s*:\s*(?=[{\[])')
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\]]')


def hide(raw: bytes, redact: Callable[[bytes], bytes], replacement: str) -> bytes:
    """Return the JSON `raw`; a `logprobs` whose tokens in a row hold a secret is `replacement` instead."""
    pieces: list[bytes] = []
    done = looked = 0
    for match in _KEY.finditer(raw):
        start = match.end()
        if start < looked:  # inside one that was looked at with all that is in it
            continue
        end = _end(raw, start)
        if end is None:
            break
        looked = end
        if _tells(raw[start:end], redact):
            pieces += (raw[done:start], dumps(replacement))
            done = end
    return b"".join([*pieces, raw[done:]]) if pieces else raw


def _end(raw: bytes, start: int) -> int | None:
    """Return where the list or object ends that begins at `start`."""
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(raw, start):
        if match[0] in (b"{", b"["):
            depth += 1
        elif match[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return match.end()
    return None


def _tells(value: bytes, redact: Callable[[bytes], bytes]) -> bool:
    try:
        text = dumps(list(_spelled(loads(value))))
    except (ValueError, RecursionError):  # nested deeper than any API does
        return True
    return redact(text) != text


def _spelled(value: Any) -> Iterator[str]:
    """Yield what the tokens of each list say: objects with a `token`, or, in older completions, strings."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _spelled(item)
    elif isinstance(value, list):
        tokens = [item.get("token") if isinstance(item, dict) else item for item in value]
        yield "".join(token for token in tokens if isinstance(token, str))
        for item in value:
            yield from _spelled(item)
