"""Secrets out of events: credential headers, key shapes, and the values of keys named like credentials.

Works on the bytes of valid JSON and gives valid JSON back: all that changes is the text of the secret, which
becomes REPLACEMENT (no prefix, no suffix, no hash of it).
"""

import re
from collections.abc import Iterator, Mapping

REPLACEMENT = "[redacted]"
_REPLACEMENT = REPLACEMENT.encode()

Span = tuple[int, int]

# --- headers and URLs ------------------------------------------------------------------------------------------

_HEADER = re.compile(
    r"(?:^|[-_])(?:authorization|auth|authentication|cookie2?|token|secret|password|credentials?|signature|"
    r"jwt|(?:api|access|account|auth|subscription|secret|private|master|function)[-_]?key|apikey)$",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    r"([?&;](?:[\w.~-]*(?:token|secret|passw(?:or)?d|signature|credential|api[-_]?key|access[-_]?key|auth)"
    r"|key|sig|pwd|jwt|code)=)[^&;#\s]*",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def headers(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the value of every credential header replaced."""
    return {name: REPLACEMENT if _HEADER.search(name) else value for name, value in pairs.items()}


def url(text: str) -> str:
    """Return the URL with user, password and the values of credential parameters replaced."""
    return _PARAMETER.sub(rf"\g<1>{REPLACEMENT}", _USERINFO.sub(f"{REPLACEMENT}@", text))


# --- key shapes ------------------------------------------------------------------------------------------------

# Every shape is built from these characters, which stand in JSON as themselves, and is at least RUN long. Text
# seldom has such runs, so looking for them first is what keeps this cheap. (The last four are for tokens after
# "Bearer ".)
_SHAPE_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-+/~="
_TABLE = bytes(0x78 if byte in _SHAPE_CHARACTERS else 0x20 for byte in range(256))  # "x" or " "
RUN = 20
_RUN = b"x" * RUN
# Past so many runs the text is base64 or the like, and one regular expression over the rest costs less.
_MANY_RUNS = 200

# A shape with a common beginning must not start in the middle of a word; the letter of an escape before it
# (\n, \u000a, %20) is no part of a word.
_START = rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=%[0-9a-fA-F]{2}))"
_SHAPES = re.compile(
    rb"sk-ant-[\w.-]{8,}"  # Anthropic
    rb"|" + _START + rb"(?:sk-(?=[A-Za-z_-]{0,200}[0-9])[A-Za-z0-9_-]{17,}"  # OpenAI and many that imitate it
    rb"|(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}"  # AWS
    rb"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}"  # GitHub
    rb"|glpat-[A-Za-z0-9_.-]{20,}"  # GitLab
    rb"|xox[a-z]-[A-Za-z0-9-]{15,}|xapp-[A-Za-z0-9-]{15,}"  # Slack
    rb"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_.-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"  # Google
    rb"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{20,}"  # Stripe
    rb"|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|pplx-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{30,}"
    rb"|hf_[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}|tvly-[A-Za-z0-9_-]{20,}|fw_[A-Za-z0-9]{20,}"
    rb"|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}|dop_v1_[a-f0-9]{40,}|shp[a-z]{2}_[a-fA-F0-9]{32}"
    rb"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    rb"|eyJ[A-Za-z0-9_-]{8,1000}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}"  # JWT
    rb")"
)
# What follows the name of an HTTP authentication scheme.
_SCHEME = re.compile(rb"(?<=[Bb]earer )[\w.~+/-]{20,}=*|(?<=BEARER )[\w.~+/-]{20,}=*|(?<=Basic )[\w+/-]{20,}=*")


def _shapes(raw: bytes) -> Iterator[Span]:
    runs = raw.translate(_TABLE)
    at = runs.find(_RUN)
    for _ in range(_MANY_RUNS):
        if at < 0:
            return
        end = runs.find(b" ", at)
        end = len(raw) if end < 0 else end
        yield from _shapes_in(raw, at, end)
        if (scheme := _SCHEME.match(raw, at)) is not None:
            yield scheme.span()
        at = runs.find(_RUN, end)
    if at >= 0:
        yield from _shapes_in(raw, at, len(raw))
        yield from (match.span() for match in _SCHEME.finditer(raw, at))


def _shapes_in(raw: bytes, start: int, end: int) -> Iterator[Span]:
    for match in _SHAPES.finditer(raw, start, end):
        before = raw[max(0, match.start() - 64) : match.start()]
        # After an odd number of backslashes the first letter is an escape: \npm_ is a line end and "pm_".
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            yield match.span()


# --- keys named like credentials -------------------------------------------------------------------------------

_NAMES = (
    rb"(?:(?:authorization|access|refresh|auth|id|session|bearer|security|bot|csrf|api)[_-]?token"
    rb"|(?:client|app|api|consumer|webhook|shared|signing)[_-]?secret|secret[_-]?(?:access[_-]?)?key"
    rb"|(?:api|access|private|account|subscription|encryption)[_-]?key|(?:x-)?api-key"
    rb"|passw(?:or)?d|passphrase|proxy-authorization|authorization|(?:set-)?cookie|credential|secret)"
)
# A quote is what a search can jump to; the four letters before it decide whether to look further.
_KEY_END = re.compile(
    rb'"(?<=(?i:oken|cret|word|sswd|rase|_key|-key|ikey|skey|ekey|tkey|nkey|tion|okie|tial)")\s*:\s*"'
)
_NAME = re.compile(rb"[\w.-]*" + _NAMES, re.IGNORECASE)
_MAX_NAME = 100
_STRING_END = re.compile(rb'(?:[^"\\]|\\.)*+"')
# The same inside a string that holds JSON itself, to any depth. A quote that is JSON there has a number of
# backslashes before it that the depth gives: \1, k of them. A backslash of the value takes 2(k + 1), and a quote
# inside the value k + 1 more than one that ends it.
# A run of backslashes is taken from its beginning and whole, or a long one would be walked once for each of them.
_NESTED_KEY_END = re.compile(rb'(?<!\\)(\\++)"\s*:\s*\1"')
_NESTED = re.compile(
    rb'(\\+)"\s*:\s*\1"'
    rb'((?:[^"\\]|\\++[^"\\]|(?:\1\\\1\\)*+\1\\\1")*+(?:(?:\1\\\1\\)*+(?=\1")|(?:\\\\)*+(?=")))'
)


def _named(raw: bytes) -> Iterator[Span]:
    for match in _KEY_END.finditer(raw):
        if _is_name(raw, match.start()):
            value = _STRING_END.match(raw, match.end())
            if value is not None and value.end() - 1 > match.end():
                yield match.end(), value.end() - 1
    if b"\\" not in raw:
        return
    for match in _NESTED_KEY_END.finditer(raw):
        if _is_name(raw, match.start()):
            value = _NESTED.match(raw, match.start())
            if value is not None and value.end(2) > value.start(2):
                yield value.span(2)


def _is_name(raw: bytes, end: int) -> bool:
    quote = raw.rfind(b'"', max(0, end - _MAX_NAME), end)
    return quote >= 0 and _NAME.fullmatch(raw, quote + 1, end) is not None


# --- other shapes ----------------------------------------------------------------------------------------------

# Line ends inside JSON are escapes, once or several times over.
_PEM = rb"(?:[A-Za-z0-9+/=:,.() -]|\\+[nrt]|\\+/|\\+u[0-9a-fA-F]{4})"
_PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z0-9 ]{0,50}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:" + _PEM + rb"*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|" + _PEM + rb"*+)"
)
# What stands before the @ of a URL, looked for backwards from it.
_USER_AND_PASSWORD = re.compile(rb'://([^/?#\s"\\@:]*:[^/?#\s"\\@]+)\Z')
_MAX_USER = 300


def _others(raw: bytes) -> Iterator[Span]:
    if b"PRIVATE KEY" in raw:
        yield from (match.span() for match in _PRIVATE_KEY.finditer(raw))
    at = raw.find(b"@")
    while at >= 0:
        match = _USER_AND_PASSWORD.search(raw, max(0, at - _MAX_USER), at)
        if match is not None:
            yield match.span(1)
        at = raw.find(b"@", at + 1)


# --- all of it -------------------------------------------------------------------------------------------------

# Escapes of characters that need none. Spelled so, a key would be seen by no pattern.
_SPELLED = re.compile(rb"(?<!\\)\\++u00([2-7][0-9a-fA-F])")


def default(raw: bytes) -> bytes:
    """Return the JSON `raw` with every secret replaced by REPLACEMENT, and unchanged elsewhere."""
    spans = [*_shapes(raw), *_named(raw), *_others(raw)]
    if b"\\" in raw and _SPELLED.search(raw) is not None:
        spans += _in_spelled(raw)
    return _replace(raw, spans) if spans else raw


def _in_spelled(raw: bytes) -> list[Span]:
    """Return the spans in `raw` of what is a secret once the needless escapes are read as what they mean."""
    pieces: list[bytes] = []
    starts: list[int] = []  # where in `raw` each byte of the text with plain spelling begins
    at = 0
    for match in _SPELLED.finditer(raw):
        character = bytes.fromhex(match[1].decode())
        if character in b'"\\':
            continue
        pieces += (raw[at : match.start()], character)
        starts += range(at, match.start() + 1)
        at = match.end()
    if not pieces:
        return []
    pieces.append(raw[at:])
    starts += range(at, len(raw) + 1)
    plain = b"".join(pieces)
    return [(starts[a], starts[b]) for a, b in (*_shapes(plain), *_named(plain), *_others(plain))]


def _replace(raw: bytes, spans: list[Span]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end in sorted(spans):
        if start >= at:
            pieces += (raw[at:start], _REPLACEMENT)
        at = max(at, end)
    pieces.append(raw[at:])
    return b"".join(pieces)
