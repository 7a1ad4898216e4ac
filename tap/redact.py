"""Secrets out of events: credential headers, key shapes, and the values of keys named like credentials.

Works on the bytes of valid JSON and gives valid JSON back: all that changes is the text of the secret, which
becomes REPLACEMENT (no prefix, no suffix, no hash of it).
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache

from . import logprobs, rules, shapes
from .jsonable import raw_json

REPLACEMENT = "[redacted]"
_REPLACEMENT = REPLACEMENT.encode()

Span = tuple[int, int]
Redact = Callable[[bytes], bytes]

# --- headers and URLs ------------------------------------------------------------------------------------------

_HEADER = re.compile(
    r"(?:^|[-_])(?:authorization|auth|authentication|cookie2?|token|secret|password|credentials?|signature|"
    r"jwt|(?:api|access|account|auth|subscription|secret|private|master|function)[-_]?key|apikey)$",
    re.IGNORECASE,
)
_PARAMETER_NAME = (
    r"[?&;](?:[\w.~-]*(?:token|secret|passw(?:or)?d|signature|credential|api[-_]?key|access[-_]?key|auth)"
    r"|key|sig|pwd|jwt|code)"
)
_PARAMETER = re.compile(rf"({_PARAMETER_NAME}=)[^&;#\s]*", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")


def headers(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with the value of every credential header replaced."""
    return {name: REPLACEMENT if _HEADER.search(name) else value for name, value in pairs.items()}


def url(text: str) -> str:
    """Return the URL with user, password and the values of credential parameters replaced."""
    return _PARAMETER.sub(rf"\g<1>{REPLACEMENT}", _USERINFO.sub(f"{REPLACEMENT}@", text))


# --- keys named like credentials -------------------------------------------------------------------------------

_NAME = re.compile(
    rb"[\w.-]*(?:"
    # "id_token" and "userIdToken", but not "valid_token".
    rb"(?:(?<![A-Za-z])|(?-i:(?<=[a-z0-9])(?=[A-Z])))(?:id|bot|auth|api)[_-]?token"
    rb"|(?:authorization|access|refresh|session|bearer|security|csrf)[_-]?token"
    rb"|(?:client|app|api|consumer|webhook|shared|signing)[_-]?secret|secret[_-]?(?:access[_-]?)?key"
    rb"|(?:api|access|private|account|subscription|encryption)[_-]?key"
    rb"|(?<!forgot)(?<!forgot[_-])passw(?:or)?d|passphrase|authorization|(?:set-)?cookie|credential|secret)",
    re.IGNORECASE,
)
_MAX_NAME = 100


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
    rb"(?=\s*\[?\s*(?:\\*\"|'))"
)
_LIST = re.compile(rb"\s*\[")
_COMMA = re.compile(rb"\s*,")
# {"name": "x-api-key", "value": "…"}, as headers and environments are listed, in either order, with one more
# member between them at most.
_NAMED_BEFORE = re.compile(
    rb"[\"'](?i:name|key)\\*[\"']\s*:\s*\\*[\"']([\w.-]+)\\*[\"']\s*,\s*"
    rb"(?:\\*[\"']\w{1,20}\\*[\"']\s*:\s*(?:\\*[\"']\w{0,20}\\*[\"']|\w{1,20})\s*,\s*)?"
    rb"\\*[\"'](?i:value)\\*[\"']\s*\Z"
)
_NAMED_AFTER = re.compile(rb"\\*[\"']\s*,\s*\\*[\"'](?i:name|key)\\*[\"']\s*:\s*\\*[\"']([\w.-]{1,100})\\*[\"']")
_MAX_PAIR = 250
_OPEN = re.compile(rb"\s*(\\*)([\"'])")
_STRING_END = re.compile(rb'(?:[^"\\]|\\.)*+"')
# The value of a key in a string: a quote that is JSON there has a number of backslashes before it that the depth
# gives: \1, k of them. A backslash of the value takes 2(k + 1), and a quote inside the value k + 1 more than one
# that ends it.
_NESTED = re.compile(
    rb'(\\+)"((?:[^"\\]|\\++[^"\\]|(?:\1\\\1\\)*+\1\\\1")*+(?:(?:\1\\\1\\)*+(?=\1")|(?:\\\\)*+(?=")))'
)
# Between single quotes, as Python shows it, or as much as there is of it.
# Not possessive: Python 3.11.2 then takes a last backslash along.
_SINGLE = re.compile(rb"'((?:[^'\"\\]|\\+[^\"\\]|\\+(?=\"[^\"']*'))*)")


def _named(raw: bytes) -> Iterator[Span]:
    for match in _COLON.finditer(raw):
        key = raw[max(0, match.start() - _MAX_NAME) : match.start()].rstrip()
        quote = key[-1:]
        name = key[:-1].rstrip(b"\\")
        depth = len(key) - 1 - len(name)
        name = name[name.rfind(quote) + 1 :]
        paired = name.lower() == b"value"
        if paired or _is_name(name):
            for span in _values(raw, match.end(), b"\\" * depth, quote):
                if not paired or _is_named_beside(raw, match.start(), span[1]):
                    yield span


def _values(raw: bytes, at: int, depth: bytes, quote: bytes) -> Iterator[Span]:
    """Yield where the string is that stands at `at`, or the strings of a list; not the empty ones."""
    opened = _LIST.match(raw, at)
    at = at if opened is None else opened.end()
    while (opening := _OPEN.match(raw, at)) is not None and opening.groups() == (depth, quote):
        span = _value(raw, opening)
        if span is None:
            return
        if span[0] < span[1]:
            yield span
        comma = _COMMA.match(raw, span[1] + len(depth) + 1) if opened is not None else None
        if comma is None:
            return
        at = comma.end()


def _is_named_beside(raw: bytes, colon: int, end: int) -> bool:
    """Say whether the value whose key ends at `colon`, and which ends at `end`, has the name of a credential."""
    beside = _NAMED_BEFORE.search(raw[max(0, colon - _MAX_PAIR) : colon]) or _NAMED_AFTER.match(raw, end)
    return beside is not None and _is_name(beside[1])


@lru_cache  # the same few come again and again
def _is_name(word: bytes) -> bool:
    """Say whether a key of this name holds a credential."""
    return _NAME.fullmatch(word) is not None


def _value(raw: bytes, opening: re.Match[bytes]) -> Span | None:
    """Return where the string is whose opening quote is given, or None if it is none."""
    if opening[2] == b"'":
        value = _SINGLE.match(raw, opening.end() - 1)
        return value.span(1) if value is not None else None
    if opening[1]:
        value = _NESTED.match(raw, opening.start(1))
        return value.span(2) if value is not None else None
    value = _STRING_END.match(raw, opening.end())
    return (opening.end(), value.end() - 1) if value is not None else None


# --- assignments -----------------------------------------------------------------------------------------------

# What follows `=`: in a repr a quote, Config(api_key='…'), and in a URL anything else, …?api_key=….
_EQUALS = re.compile(
    rb"=(?<=[kroswaiupjKROSWAIUPJ][erwsoiatdERWSOIATD][ntdeylhgNTDEYLHG]=)"
    rb"(?:(?<=(?i:oken|cret|word|sswd|rase|_key|-key|ikey|skey|ekey|tkey|nkey|okie|tial|ture|auth|.sig|.pwd|.jwt)=)"
    rb"|(?<=[?&;](?i:key|sig|pwd|jwt)=)|(?<=[?&;](?i:code)=)|(?<=(?i:rization)=))"
    rb"(?=\\+[\"/]|'|[^&;#\s\"'\\<>(){}|])"
)
_WORD_BEFORE = re.compile(rb"(?<![\w.-])[\w.-]++\Z")
_PARAMETER_BEFORE = re.compile(_PARAMETER_NAME.encode(), re.IGNORECASE)
# DB_PASSWORD=…, as in an .env file or before a command, and --password=…; what begins so is no literal value.
# Not possessive either.
_VARIABLE_VALUE = re.compile(rb"=((?![$<{(\[`%*=])(?:[^\s\"'\\]|\\+[^nrtu\s\"'\\])+)")
_UNICODE = re.compile(rb"u[0-9a-fA-F]{4}")
_NO_VARIABLE = (b"?", b"&", b";", b"$", b"{", b"(", b",")
_MAX_QUERY = 300
_PARAMETER_VALUE = re.compile(rb"=(?=[^&;#\s\"'\\<>(){}|]{3})((?:[^&;#\s\"'\\<>(){}|]|\\+/)+)")
_NO_URL = re.compile(rb"[\s\"'<>(){}|\\]")


def _assigned(raw: bytes) -> Iterator[Span]:
    done = 0  # nothing before this is looked at again, or a long value would be walked from each = in it
    for match in _EQUALS.finditer(raw):
        at = match.start()
        if at < done:
            continue
        opening = _OPEN.match(raw, match.end())
        if opening is not None:
            word = _WORD_BEFORE.search(raw, max(0, at - _MAX_NAME), at)
            span = _value(raw, opening) if word is not None and _is_name(word[0]) else None
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
    word = _WORD_BEFORE.search(raw, max(0, end - _MAX_NAME), end)
    if word is None:
        return False
    name, before = word[0], raw[max(0, word.start() - 1) : word.start()]
    if before == b"\\":  # the letter of an escape is no part of it
        name = name[5:] if _UNICODE.match(name) else name[1:]
    if not (name.isupper() or name.startswith(b"--")) or before in _NO_VARIABLE:
        return False
    return _is_name(name) or name.endswith(b"_TOKEN")


def _is_parameter(raw: bytes, end: int) -> bool:
    """Say whether the name of a credential ends at `end` and stands in the query of a URL or in a form."""
    text = raw[max(0, end - _MAX_QUERY) : end]
    start = max(text.rfind(b"?"), text.rfind(b"&"))
    if start < 0 or _PARAMETER_BEFORE.fullmatch(text, start) is None:
        return False
    backwards = text[:start][::-1]
    other = _NO_URL.search(backwards)
    before = backwards if other is None else backwards[: other.start()]
    # Source code has `a && key=b` and `a ? key=b`. In a URL there is a path before, or another parameter.
    if text[start : start + 1] == b"&":
        return b"=" in before and not before.startswith(b"&")
    return not before or b"/" in before


# --- logins in URLs --------------------------------------------------------------------------------------------

# What stands before the @ of a URL: up to the last one before the path; or, when there is none before a / and what
# follows the colon is no port, up to the first after that.
_LOGIN = re.compile(
    rb"://([^/?#\s\"\\@:]{0,100}:(?:(?:[^/?#\s\"\\]|\\+u[0-9a-fA-F]{4}){1,300}(?=@)"
    rb"|(?![0-9]{0,5}(?:[/?#\"\\]|\Z))(?:[^\s\"\\@<>]|\\+u[0-9a-fA-F]{4}|\\+/){1,300}(?=@)))"
)
_MAX_LOGIN = 450


def _logins(raw: bytes) -> Iterator[Span]:
    at = raw.find(b"@")
    done = 0
    while at >= 0:
        start = raw.rfind(b"://", max(done, at - _MAX_LOGIN), at)
        login = _LOGIN.match(raw, start) if start >= 0 else None
        if login is not None and login.end() >= at:
            yield login.span(1)
        done = at if login is None else max(at, login.end())
        at = raw.find(b"@", done + 1)


# --- private keys ----------------------------------------------------------------------------------------------

_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,50}PRIVATE KEY(?: BLOCK)?-----")
_ENDING = re.compile(rb"-----END [A-Z0-9 ]{0,50}PRIVATE KEY(?: BLOCK)?-----")
# What is taken of a key that was cut off. Line ends inside JSON are escapes, once or several times over.
_PEM = re.compile(rb"(?:[A-Za-z0-9+/=:,.() -]|\\++(?:[nrt/]|u[0-9a-fA-F]{4}))*+")
_IN_STRING = re.compile(rb'(?:[^"\\]|\\.)*+')


def _private_keys(raw: bytes) -> Iterator[Span]:
    if b"PRIVATE KEY" not in raw:
        return
    done = inside = without = 0  # `inside`: the end of this string; `without`: no ending before this place
    for match in _BEGIN.finditer(raw):
        if match.start() < done:
            continue
        if match.end() > inside:
            string = _IN_STRING.match(raw, match.end())
            inside = string.end() if string is not None else len(raw)
        ending = _ENDING.search(raw, match.end(), inside) if match.end() > without else None
        if ending is not None:
            done = ending.end()
        else:
            without = inside
            rest = _PEM.match(raw, match.end())
            done = rest.end() if rest is not None else match.end()
        yield match.start(), done


# --- all of it -------------------------------------------------------------------------------------------------

# Escapes of characters that need none. Spelled so, a key would be seen by no pattern.
_SPELLED = re.compile(rb"\\u00[2-7]")
_SPELLED_WHOLE = re.compile(rb"(?<!\\)\\++u00([2-7][0-9a-fA-F])")


def default(raw: bytes) -> bytes:
    """Return the JSON `raw` with every secret replaced by REPLACEMENT, and unchanged elsewhere."""
    if b'"logprobs"' in raw:
        raw = logprobs.hide(raw, _default, REPLACEMENT)
    return _default(raw)


def _default(raw: bytes) -> bytes:
    spans = _spans(raw)
    if _SPELLED.search(raw) is not None:
        spans += _in_spelled(raw)
    return _replace(raw, spans) if spans else raw


def _spans(raw: bytes) -> list[Span]:
    return [*shapes.spans(raw), *_named(raw), *_assigned(raw), *_logins(raw), *_private_keys(raw)]


def _in_spelled(raw: bytes) -> list[Span]:
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

    return [(place(start), place(end)) for start, end in _spans(b"".join(pieces))]


def _replace(raw: bytes, spans: list[Span]) -> bytes:
    pieces: list[bytes] = []
    at = 0
    for start, end in sorted(spans):
        if start >= at:
            pieces += (raw[at:start], _REPLACEMENT)
        at = max(at, end)
    pieces.append(raw[at:])
    return b"".join(pieces)


# --- a redaction of the agent's own ----------------------------------------------------------------------------


def chosen(redact: Redact | list[rules.Rule] | tuple[rules.Rule, ...] | None) -> Redact | None:
    """Return the redaction that `Tap(redact=…)` asks for. Raises TypeError or ValueError where it asks wrongly."""
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


def checked(function: Redact, raw: bytes) -> bytes | None:
    """Return `function(raw)` if that is one JSON object on one line, else None. What it raises passes.

    What `function` itself records is redacted by `default`, or it would be asked about its own events without end.
    """
    if function is default or _busy.get():
        return default(raw)
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
