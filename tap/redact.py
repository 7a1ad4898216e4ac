"""Secrets out of events: credential headers, key shapes, and the values of keys named like credentials.

Works on the bytes of valid JSON and gives valid JSON back: all that changes is the text of the secret, which
becomes REPLACEMENT (no prefix, no suffix, no hash of it).
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache

from . import rules
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


# --- key shapes ------------------------------------------------------------------------------------------------

# Almost every text is looked through for nothing, so what counts is how fast that is. `re` jumps to the next place
# of a pattern's first byte if that is a literal, and is ten times slower if it is not. So a shape is looked for by
# the separator in it, and what stands before that is asked afterwards.


def _shape(begin: bytes, rest: bytes) -> bytes:
    r"""Return a pattern for `rest` when `begin`, of a fixed width, has just been passed; its group holds that.

    A shape must not begin in the middle of a word; the letter of an escape before it (\n, \u000a, %20) is no part
    of a word.
    """
    before = (rb"(?<![A-Za-z0-9]", rb"(?<=\\[nrtbf]", rb"(?<=\\u[0-9a-fA-F]{4}", rb"(?<=%[0-9a-fA-F]{2}")
    return b"(?<=(" + begin + b"))(?:" + b"|".join(word + begin + b")" for word in before) + b")" + rest


# A key has a long word with a digit in it. The title sk-learn-tutorial-2024 has none.
_LONG_WORD = rb"(?=(?:[A-Za-z0-9]{0,200}[_-]){0,20}(?=[A-Za-z]{0,60}[0-9])[A-Za-z0-9]{10})"
_SHAPES = [
    re.compile(separator + b"(?:" + b"|".join(shapes) + b")")
    for separator, *shapes in (
        (
            rb"-(?<=[asnxplP][a-zX]-)(?=[\w.-]{8})",
            rb"(?<=(sk-ant-))[\w.-]{8,}",  # Anthropic
            _shape(rb"sk-", _LONG_WORD + rb"[\w-]{17,}"),  # OpenAI and many that imitate it
            _shape(rb"glpat-", rb"[\w.-]{20,}"),  # GitLab
            _shape(rb"xox[a-z]-", rb"[A-Za-z0-9-]{15,}")
            + b"|"
            + _shape(rb"xapp-", rb"[A-Za-z0-9-]{15,}"),  # Slack
            _shape(rb"GOCSPX-", rb"[\w-]{20,}"),  # Google
            _shape(rb"xai-", rb"[A-Za-z0-9]{20,}"),
            _shape(rb"pplx-", rb"[A-Za-z0-9]{20,}"),
            _shape(rb"nvapi-", rb"[\w-]{20,}"),
            _shape(rb"tvly-", rb"[\w-]{20,}"),
            _shape(rb"pypi-", rb"[\w-]{40,}"),
        ),
        (
            rb"_(?<=[hatvsefpnrcg][a-z18]_)(?=[A-Za-z0-9]{16})",
            _shape(rb"gh[pousr]_", rb"[A-Za-z0-9]{30,}") + b"|" + _shape(rb"github_pat_", rb"\w{22,}"),  # GitHub
            _shape(rb"[sr]k_(?:live|test)_", rb"[A-Za-z0-9]{16,}"),  # Stripe
            _shape(rb"whsec_", rb"[A-Za-z0-9]{20,}"),
            _shape(rb"(?:hf|fw)_", rb"[A-Za-z0-9]{20,}"),
            _shape(rb"gsk_", rb"[A-Za-z0-9]{20,}"),
            _shape(rb"npm_", rb"[A-Za-z0-9]{30,}"),
            _shape(rb"r8_", rb"[A-Za-z0-9]{30,}"),
            _shape(rb"dop_v1_", rb"[a-f0-9]{40,}"),
            _shape(rb"shp(?:at|ca|pa|ss)_", rb"[a-fA-F0-9]{32}"),
        ),
        (
            rb"\.",
            rb"(eyJ)[\w-]{8,}+\.[\w-]{8,}",  # JWT, from its second part on
            rb"(?<=[9G]\.)(?:" + _shape(rb"ya29\.", rb"[\w.-]{20,}"),  # Google
            _shape(rb"SG\.", rb"[\w-]{16,}+\.[\w-]{16,}") + b")",  # SendGrid
        ),
        (
            rb"A(?=[KSBCI])",
            _shape(rb"A", rb"(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}"),  # AWS
            _shape(rb"A", rb"Iza[\w-]{35}"),  # Google
        ),
    )
]
# The first part of a JWT is looked for backwards from the dot after it: forwards, a run of what could begin one
# would be walked from each of them.
_JWT_HEAD = re.compile(rb"eyJ[\w-]{8,}\Z")
_MAX_JWT_HEAD = 4000
# What follows the name of an HTTP authentication scheme. Words have no digit and no capital inside; \/ is PHP's.
_SCHEME = rb"(?=[A-Za-z.~+/\\_-]{0,100}(?:[0-9]|[a-z][A-Z]))((?:[\w.~+-]|\\*/){20,}+=*)"
_SCHEMES = [
    re.compile(name + _SCHEME) for name in (rb"B(?:earer|EARER|asic) ", rb"b(?=earer )(?<![A-Za-z]b)earer ")
]


def _shapes(raw: bytes) -> Iterator[Span]:
    for shapes in _SHAPES:
        done = 0
        for match in shapes.finditer(raw):
            start = match.start(match.lastindex or 0)
            if start > match.start():
                head = _JWT_HEAD.search(raw, max(done, match.start() - _MAX_JWT_HEAD), match.start())
                if head is None:
                    continue
                start = head.start()
            before = raw[max(0, start - 64) : start]
            # After an odd number of backslashes the first letter is an escape: \npm_ is a line end and "pm_".
            if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
                yield start, match.end()
            done = match.end()
    for scheme in _SCHEMES:
        yield from (match.span(1) for match in scheme.finditer(raw))


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
    ends = rb"oken|cret|word|sswd|rase|_key|-key|[isetn]key|okie|tial"
    return (
        rb"(?<=[kroswaiKROSWAI][erwsoiaERWSOIA][ntdeylNTDEYL]" + after + b")"
        rb"(?:(?<=(?i:" + ends + b")" + after + b")|(?<=(?i:rization)" + after + b"))"
    )


# A name is found by the colon after it, which a search can jump to. In JSON that is a string inside JSON, to any
# depth, the quote has backslashes before it: one, or three, or more, which are counted later.
_COLON = re.compile(
    rb":(?<=[\"'\s]:)(?:"
    rb'(?<=\\":)(?:' + _ends(rb'\\":') + rb'|(?<=\\\\":)(?:' + _ends(rb'\\\\\\":') + rb'|(?<=\\\\\\\\":)))'
    rb"|" + _ends(rb"[\"']:") + rb"|(?<=\s:))"
    rb"(?=\s*(?:\\*\"|'))"
)
_OPEN = re.compile(rb"\s*(\\*)([\"'])")
_STRING_END = re.compile(rb'(?:[^"\\]|\\.)*+"')
# The value of a key in a string: a quote that is JSON there has a number of backslashes before it that the depth
# gives: \1, k of them. A backslash of the value takes 2(k + 1), and a quote inside the value k + 1 more than one
# that ends it.
_NESTED = re.compile(
    rb'(\\+)"((?:[^"\\]|\\++[^"\\]|(?:\1\\\1\\)*+\1\\\1")*+(?:(?:\1\\\1\\)*+(?=\1")|(?:\\\\)*+(?=")))'
)
# Between single quotes, as Python shows it, or as much as there is of it.
_SINGLE = re.compile(rb"'((?:[^'\"\\]|\\++[^\"\\]|\\++(?=\"[^\"']*'))*+)")


def _named(raw: bytes) -> Iterator[Span]:
    for match in _COLON.finditer(raw):
        key = raw[max(0, match.start() - _MAX_NAME) : match.start()].rstrip()
        quote = key[-1:]
        name = key[:-1].rstrip(b"\\")
        depth = len(key) - 1 - len(name)
        name = name[name.rfind(quote) + 1 :]
        opening = _OPEN.match(raw, match.end())
        if opening is not None and opening.groups() == (b"\\" * depth, quote) and _is_name(name):
            yield from _value(raw, opening)


@lru_cache  # the same few come again and again
def _is_name(word: bytes) -> bool:
    """Say whether a key of this name holds a credential."""
    return _NAME.fullmatch(word) is not None


def _value(raw: bytes, opening: re.Match[bytes]) -> Iterator[Span]:
    """Yield where the string is whose opening quote is given, unless it is empty."""
    if opening[2] == b"'":
        value = _SINGLE.match(raw, opening.end() - 1)
        span = value.span(1) if value is not None else (0, 0)
    elif opening[1]:
        value = _NESTED.match(raw, opening.start(1))
        span = value.span(2) if value is not None else (0, 0)
    else:
        value = _STRING_END.match(raw, opening.end())
        span = (opening.end(), value.end() - 1) if value is not None else (0, 0)
    if span[0] < span[1]:
        yield span


# --- assignments -----------------------------------------------------------------------------------------------

# What follows `=`: in a repr a quote, Config(api_key='…'), and in a URL anything else, …?api_key=….
_EQUALS = re.compile(
    rb"=(?<=[ntdeylhgNTDEYLHG]=)(?<=(?i:ken|ret|ord|swd|ase|key|ion|kie|ial|ure|uth|sig|pwd|jwt|ode)=)"
    rb"(?=\\+[\"/]|'|[^&;#\s\"'\\<>(){}|]{3})"
)
_WORD_BEFORE = re.compile(rb"(?<![\w.-])[\w.-]++\Z")
_PARAMETER_BEFORE = re.compile(_PARAMETER_NAME.encode(), re.IGNORECASE)
_MAX_QUERY = 300
_PARAMETER_VALUE = re.compile(rb"=((?:[^&;#\s\"'\\<>(){}|]|\\+/)++)")
_NO_URL = re.compile(rb"[\s\"'<>(){}|\\]")


def _assigned(raw: bytes) -> Iterator[Span]:
    for match in _EQUALS.finditer(raw):
        at = match.start()
        opening = _OPEN.match(raw, match.end())
        if opening is not None:
            word = _WORD_BEFORE.search(raw, max(0, at - _MAX_NAME), at)
            if word is not None and _is_name(word[0]):
                yield from _value(raw, opening)
        elif _is_parameter(raw, at):
            value = _PARAMETER_VALUE.match(raw, at)
            if value is not None:
                yield value.span(1)


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
    spans = _spans(raw)
    if _SPELLED.search(raw) is not None:
        spans += _in_spelled(raw)
    return _replace(raw, spans) if spans else raw


def _spans(raw: bytes) -> list[Span]:
    return [*_shapes(raw), *_named(raw), *_assigned(raw), *_logins(raw), *_private_keys(raw)]


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
