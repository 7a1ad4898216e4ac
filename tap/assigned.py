"""Values behind a `=`: of environment variables and options, in queries and forms, and in what Python shows."""

import re
from collections.abc import Iterator

from .credentials import MAX_NAME, Span, is_name
from .named import OPEN, value_at
from .urls import PARAMETER_NAME

# What a text has in it where `spans` finds anything.
SIGNS = (
    rb"(?i)(?:token|secret|passwo?r?d|passphrase|authorization|[_\-isetn]key|cookie|credential|signature|auth|.sig|.pwd|.jwt"
    rb"|[?&;](?:key|sig|pwd|jwt|code))=[^&;#\s\"<>(){}|]",
)

# What follows `=`: in a repr a quote, Config(api_key='…'), and in a URL anything else, …?api_key=….
_EQUALS = re.compile(
    rb"=(?<=[kroswaiupjKROSWAIUPJ][erwsoiatdERWSOIATD][ntdeylhgNTDEYLHG]=)"
    rb"(?:(?<=(?i:oken|cret|word|sswd|rase|_key|-key|ikey|skey|ekey|tkey|nkey|okie|tial|ture|auth|.sig|.pwd|.jwt)=)"
    rb"|(?<=[?&;](?i:key|sig|pwd|jwt)=)|(?<=[?&;](?i:code)=)|(?<=(?i:rization)=))"
    rb"(?=\\+[\"/]|'|[^&;#\s\"'\\<>(){}|])"
)
_WORD_BEFORE = re.compile(rb"(?<![\w.-])[\w.-]++\Z")
_PARAMETER_BEFORE = re.compile(PARAMETER_NAME.encode(), re.IGNORECASE)
# DB_PASSWORD=…, as in an .env file or before a command, and --password=…; what begins so is no literal value.
# Not possessive either.
_VARIABLE_VALUE = re.compile(rb"=((?![$<{(\[`%*=])(?:[^\s\"'\\]|\\+[^nrtu\s\"'\\])+)")
_CLOSING = re.compile(rb"\s*[,:}\]]")  # what stands behind a quote that ends a string of JSON
_UNICODE = re.compile(rb"u[0-9a-fA-F]{4}")
_NO_VARIABLE = (b"?", b"&", b"$", b"{", b"(", b",")
_MAX_QUERY = 300
_PARAMETER_VALUE = re.compile(rb"=(?=[^&;#\s\"'\\<>(){}|]{3})((?:[^&;#\s\"'\\<>(){}|]|\\+/)+)")
_CONNECTION = re.compile(
    rb"(?i:server|data source|host|user(?: ?id)?|uid|database|initial catalog|driver|endpoint|accountname)\s*="
)
_NO_URL = re.compile(rb"[\s\"'<>(){}|\\]")


def spans(raw: bytes) -> Iterator[Span]:
    """Yield where a value that is assigned to the name of a credential stands, in order."""
    done = 0  # nothing before this is looked at again, or a long value would be walked from each = in it
    for match in _EQUALS.finditer(raw):
        at = match.start()
        if at < done:
            continue
        opening = OPEN.match(raw, match.end())
        if opening is not None and _CLOSING.match(raw, opening.end()) is not None:
            continue
        if opening is not None:
            word = _WORD_BEFORE.search(raw, max(0, at - MAX_NAME), at)
            span = value_at(raw, opening) if word is not None and is_name(word[0]) else None
        else:
            span = _bare(raw, at)
        if span is not None and span[0] < span[1]:
            yield span
            done = span[1]


def _bare(raw: bytes, at: int) -> Span | None:
    """Return where the value without quotes is that stands after the `=` at `at`, if it is a credential."""
    pattern = _PARAMETER_VALUE if _is_parameter(raw, at) else _VARIABLE_VALUE if _is_variable(raw, at) else None
    value = pattern.match(raw, at) if pattern is not None else None
    return value.span(1) if value is not None else None


def _is_variable(raw: bytes, end: int) -> bool:
    """Say whether the name of a credential ends at `end` and is that of an environment variable or an option."""
    word = _WORD_BEFORE.search(raw, max(0, end - MAX_NAME), end)
    if word is None:
        return False
    name, before = word[0], raw[max(0, word.start() - 1) : word.start()]
    if before == b"\\":  # the letter of an escape is no part of it
        name = name[5:] if _UNICODE.match(name) else name[1:]
    if not (name.isupper() or name.startswith(b"--")) or before in _NO_VARIABLE:
        return False
    return is_name(name) or name.endswith(b"_TOKEN")


def _is_parameter(raw: bytes, end: int) -> bool:
    """Say whether the name of a credential ends at `end` and stands in a query, a form or a connection string."""
    text = raw[max(0, end - _MAX_QUERY) : end]
    start = max(text.rfind(b"?"), text.rfind(b"&"), text.rfind(b";"))
    if start < 0 or _PARAMETER_BEFORE.fullmatch(text, start) is None:
        return False
    if text[start : start + 1] == b";":  # Server=db;User ID=app;Password=…, or an AccountKey
        return _CONNECTION.search(text, 0, start) is not None
    backwards = text[:start][::-1]
    other = _NO_URL.search(backwards)
    before = backwards if other is None else backwards[: other.start()]
    # Source code has `a && key=b` and `a ? key=b`. In a URL there is a path before, or another parameter.
    if text[start : start + 1] == b"&":
        return b"=" in before and not before.startswith(b"&")
    return not before or b"/" in before
