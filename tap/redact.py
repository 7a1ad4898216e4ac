"""Secrets out of events: credential headers, key shapes, and the values of keys named like credentials.

Works on the bytes of valid JSON and gives valid JSON back: all that changes is the text of the secret, which
becomes REPLACEMENT (no prefix, no suffix, no hash of it).
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Set
from contextvars import ContextVar
from typing import NamedTuple

from . import assigned, logprobs, named, pem, rules, shapes, urls
from .credentials import REPLACEMENT, Span
from .jsonable import raw_json
from .prefilter import Prefilter

_REPLACEMENT = REPLACEMENT.encode()


class Found(NamedTuple):
    """Where a secret stands, and the name of what found it."""

    start: int
    end: int
    detector: str


Function = Callable[[bytes], bytes]
Redact = Function | list[rules.Rule] | tuple[rules.Rule, ...]

_DETECTORS: dict[str, Callable[[bytes], Iterable[Span]]] = {
    **shapes.DETECTORS,
    "named": named.spans,
    "assigned": assigned.spans,
    "logins": urls.spans,
    "pem": pem.spans,
}
# Escapes of characters that need none. Spelled so, a key would be seen by no pattern.
_SPELLED = re.compile(rb"\\u00[2-7]")
_SPELLED_WHOLE = re.compile(rb"(?<!\\)\\++u00([2-7][0-9a-fA-F])")

# By `@` alone logins are found faster than by anything else.
_SIGNS = {
    **shapes.SIGNS,
    "named": named.SIGNS,
    "assigned": assigned.SIGNS,
    "logins": (),
    "pem": pem.SIGNS,
    "spelled": (_SPELLED.pattern,),
    "logprobs": (rb'"logprobs"',),
}
PREFILTER = Prefilter(_SIGNS)


def default(raw: bytes) -> bytes:
    """Return the JSON `raw` with every secret replaced by REPLACEMENT, and unchanged elsewhere."""
    present = PREFILTER.present(raw)
    if "logprobs" in present and b'"logprobs"' in raw:
        raw = logprobs.hide(raw, lambda text: _default(text, PREFILTER.present(text)), REPLACEMENT)
        present = PREFILTER.present(raw)
    return _default(raw, present)


def found(raw: bytes) -> list[Found]:
    """Return where secrets stand in the JSON `raw`, in order and apart from each other; not those in logprobs."""
    apart: list[Found] = []
    for start, end, name in sorted(_found(raw, PREFILTER.present(raw))):
        if apart and start < apart[-1][1]:
            apart[-1] = apart[-1]._replace(end=max(end, apart[-1].end))
        else:
            apart.append(Found(start, end, name))
    return apart


def _default(raw: bytes, present: Set[str]) -> bytes:
    spans = _found(raw, present)
    return _replace(raw, spans) if spans else raw


def _found(raw: bytes, present: Set[str]) -> list[Found]:
    spans = _spans(raw, present)
    if "spelled" in present and _SPELLED.search(raw) is not None:
        spans += _in_spelled(raw)
    return spans


def _spans(raw: bytes, present: Set[str]) -> list[Found]:
    return [Found(*span, name) for name in present if name in _DETECTORS for span in _DETECTORS[name](raw)]


def _in_spelled(raw: bytes) -> list[Found]:
    """Return the spans in `raw` of what is a secret once the needless escapes are read as what they mean."""
    pieces: list[bytes] = []
    # Where pieces begin, in the text with plain spelling and in `raw`.
    plain_starts, raw_starts = [0], [0]
    at = length = 0
    for match in _SPELLED_WHOLE.finditer(raw):
        character = bytes.fromhex(match[1].decode())
        if character in b'"\\':
            continue
        pieces += (raw[at : match.start()], character)
        length += match.start() - at
        plain_starts += (length, length + 1)
        raw_starts += (match.start(), match.end())
        at = match.end()
        length += 1
    if not pieces:
        return []
    pieces.append(raw[at:])

    def place(offset: int) -> int:
        piece = bisect_right(plain_starts, offset) - 1
        return raw_starts[piece] + offset - plain_starts[piece]

    plain = b"".join(pieces)
    return [Found(place(start), place(end), name) for start, end, name in _spans(plain, PREFILTER.present(plain))]


def _replace(raw: bytes, spans: list[Found]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end, _ in sorted(spans):
        if start >= at:
            pieces += (raw[at:start], _REPLACEMENT)
        at = max(at, end)
    pieces.append(raw[at:])
    return b"".join(pieces)


# --- a redaction of the agent's own ----------------------------------------------------------------------------


def chosen(redact: Redact | None) -> Function | None:
    """Return the redaction that `Tap(redact=…)` asks for. Raises TypeError or ValueError where it asks wrongly."""
    if redact is default or isinstance(redact, list | tuple):
        PREFILTER.load()
    if redact is None or (callable(redact) and not isinstance(redact, type)):
        return redact
    if not isinstance(redact, list | tuple):
        raise TypeError(
            "Tap(redact=…) takes a list of regular expressions and functions, a function from bytes to bytes, "
            f"or None, not {type(redact).__name__}"
        )
    own = rules.functions(redact, REPLACEMENT)
    return (lambda raw: rules.apply(own, default(raw))) if own else default


_busy: ContextVar[bool] = ContextVar("agenttap_redacting", default=False)


def checked(function: Function, raw: bytes) -> bytes | None:
    """Return `function(raw)` if that is one JSON object on one line, else None. What it raises passes.

    What `function` itself records is redacted by `default`, or it would be asked about its own events without end.
    """
    if function is default or _busy.get():
        done = default(raw)
        return done if done is raw or raw_json(done) is not None else None  # a damaged line would be lost
    token = _busy.set(True)
    try:
        done = function(raw)
    finally:
        _busy.reset(token)
    if not isinstance(done, bytes) or not (done[:1] == b"{" and done[-1:] == b"}"):
        return None
    if done == raw:
        return done
    return done if b"\n" not in done and b"\r" not in done and raw_json(done) is not None else None
