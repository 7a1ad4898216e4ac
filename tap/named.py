"""The values of keys that are named for a credential: in JSON, also inside a string, and in what Python shows."""

import re
from collections.abc import Iterator

from .credentials import MAX_NAME, Span, is_name

# What a text has in it where `spans` finds anything.
SIGNS = (
    rb"(?i)(?:token|secret|passwo?r?d|passphrase|authorization|[_\-isetn]key|cookie|credential|value)"
    rb"\\*[\"']\s*:\s*(?:\[[\w.+,\s-]*)?\\*[\"']",
)


def _ends(after: bytes) -> bytes:
    """Return a pattern for a place where the end of a name, and `after`, have just been passed.

    Asking for classes of letters first is for speed.
    """
    ends = rb"oken|cret|word|sswd|rase|_key|-key|[isetn]key|okie|tial|alue"
    return (
        rb"(?<=[kroswailKROSWAIL][erwsoiauERWSOIAU][ntdeylNTDEYL]" + after + b")"
        rb"(?:(?<=(?i:" + ends + b")" + after + b")|(?<=(?i:rization)" + after + b"))"
    )


# A name is found by the colon after it, which a search can jump to. In JSON that is a string inside JSON, to any
# depth, the quote has backslashes before it: one, or three, or more, which are counted later.
_COLON = re.compile(
    rb":(?<=[\\ntdeylNTDEYL\s\"'][\"'\s]:)(?:"
    rb'(?<=\\":)(?:' + _ends(rb'\\":') + rb'|(?<=\\\\":)(?:' + _ends(rb'\\\\\\":') + rb'|(?<=\\\\\\\\":)))'
    rb"|" + _ends(rb"[\"']:") + rb"|(?<=\s:))"
    rb"(?=\s*(?:\[\s*(?:[\w.+-]+\s*,\s*)*)?(?:\\*\"|'))"
)
_LIST = re.compile(rb"\s*\[")
_COMMA = re.compile(rb"\s*,")
_SCALARS = re.compile(rb"(?:\s*[\w.+-]+\s*,)*")  # numbers, true, false and null, each with its comma
# {"name": "x-api-key", "value": "…"}, as headers and environments are listed, in either order, with one more
# member between them at most.
_NAMED_BEFORE = re.compile(
    rb"[\"'](?i:name|key)\\*[\"']\s*:\s*\\*[\"']([\w.-]+)\\*[\"']\s*,\s*"
    rb"(?:\\*[\"']\w{1,20}\\*[\"']\s*:\s*(?:\\*[\"']\w{0,20}\\*[\"']|\w{1,20})\s*,\s*)?"
    rb"\\*[\"'](?i:value)\\*[\"']\s*\Z"
)
_NAMED_AFTER = re.compile(
    rb"\\*[\"']\s*\]?\s*,\s*\\*[\"'](?i:name|key)\\*[\"']\s*:\s*\\*[\"']([\w.-]{1,100})\\*[\"']"
)
_MAX_PAIR, _PAIR_QUOTES = 250, 10  # bytes of a pair, and how many quotes it has
OPEN = re.compile(rb"\s*(\\*)([\"'])")
_STRING_END = re.compile(rb'(?:[^"\\]|\\.)*+"')
# The value of a key in a string: a quote that is JSON there has a number of backslashes before it that the depth
# gives: \1, k of them. A backslash of the value takes 2(k + 1), and a quote inside the value k + 1 more than one
# that ends it.
_NESTED = re.compile(
    rb'(\\+)"((?:[^"\\]|\\++[^"\\]|(?:\1\\\1\\)*+\1\\\1")*+(?:(?:\1\\\1\\)*+(?=\1")|(?:\\\\)*+(?=")|(?=\\+")))'
)
# Between single quotes, as Python shows it: whole, where no double quote in it is the end of a JSON string
# inside this one; or as much as there is of it.
# Not possessive: Python 3.11.2 then takes a last backslash along.
_SINGLE = re.compile(
    rb"'((?:[^'\"\\]|\\+[^\"\\]|(?:\\\\)*\\\"(?!\s*[,:}\]])){0,1000})(?=')|'((?:[^'\"\\]|\\+[^\"\\])*)"
)


def spans(raw: bytes) -> Iterator[Span]:
    """Yield where the value of a key that is named for a credential stands, in no order."""
    for match in _COLON.finditer(raw):
        key = raw[max(0, match.start() - MAX_NAME) : match.start()].rstrip()
        quote = key[-1:]
        name = key[:-1].rstrip(b"\\")
        depth = len(key) - 1 - len(name)
        name = name[name.rfind(quote) + 1 :]
        paired = name.lower() == b"value"
        if paired or is_name(name):
            values = list(_values(raw, match.end(), b"\\" * depth, quote))
            if values and (not paired or _is_named_beside(raw, match.start(), values[-1][1], depth)):
                yield from values


def _values(raw: bytes, at: int, depth: bytes, quote: bytes) -> Iterator[Span]:
    """Yield where the string is that stands at `at`, or the strings of a list; not the empty ones."""
    opened = _LIST.match(raw, at)
    at = at if opened is None else _after_scalars(raw, opened.end())
    while (opening := OPEN.match(raw, at)) is not None and opening.groups() == (depth, quote):
        span = value_at(raw, opening)
        if span is None:
            return
        if span[0] < span[1]:
            yield span
        comma = _COMMA.match(raw, span[1] + len(depth) + 1) if opened is not None else None
        if comma is None:
            return
        at = _after_scalars(raw, comma.end())


def _after_scalars(raw: bytes, at: int) -> int:
    scalars = _SCALARS.match(raw, at)
    return at if scalars is None else scalars.end()


def _is_named_beside(raw: bytes, colon: int, end: int, depth: int) -> bool:
    """Say whether the value whose key ends at `colon`, and which ends at `end`, has the name of a credential."""
    room = _MAX_PAIR + _PAIR_QUOTES * depth
    beside = _NAMED_BEFORE.search(raw[max(0, colon - room) : colon]) or _NAMED_AFTER.match(raw, end)
    return beside is not None and is_name(beside[1])


def value_at(raw: bytes, opening: re.Match[bytes]) -> Span | None:
    """Return where the string is whose opening quote is given, or None if it is none."""
    if opening[2] == b"'":
        value = _SINGLE.match(raw, opening.end() - 1)
        return value.span(value.lastindex or 0) if value is not None else None
    if opening[1]:
        value = _NESTED.match(raw, opening.start(1))
        return value.span(2) if value is not None else None
    value = _STRING_END.match(raw, opening.end())
    return (opening.end(), value.end() - 1) if value is not None else None
