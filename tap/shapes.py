"""Keys of known shapes, and what follows Bearer or Basic: where they stand in a text."""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from .credentials import Span, is_header

# Almost every text is looked through for nothing, so what counts is how fast that is. `re` is quick at going to
# the next place of one literal byte, and ten times slower at anything else. So a shape is looked for by the
# separator in it; the cheapest doubt about what stands around that comes next, and the whole shape last.


def _where_a_word_begins(begin: bytes, inside: bytes) -> bytes:
    r"""Return a pattern for a place where `begin`, of a fixed width, has just been passed and began a word.

    A word goes on in what `inside`, a class, has. The letter of an escape (\n, \u000a, %20) is no part of one.
    """
    before = (rb"(?<!" + inside, rb"(?<=\\[nrtbf]", rb"(?<=\\u[0-9a-fA-F]{4}", rb"(?<=%[0-9a-fA-F]{2}")
    return b"(?:" + b"|".join(word + begin + b")" for word in before) + b")"


class _Shape(NamedTuple):
    begin: bytes  # of a fixed width, with the separator
    rest: bytes
    whole: bool = True  # whether it begins where a word does

    def after_begin(self) -> bytes:
        """Return a pattern for `rest` when `begin` has just been passed; its group holds that."""
        start = _where_a_word_begins(self.begin, b"[A-Za-z0-9]") if self.whole else b""
        return b"(?<=(" + self.begin + b"))" + start + self.rest


class _Group(NamedTuple):
    """Shapes with the same separator."""

    separator: bytes
    doubt: bytes  # what stands around the separator in each of them
    shapes: list[_Shape]
    other: bytes = b""  # what else begins with the separator

    def compiled(self) -> re.Pattern[bytes]:
        other = self.other + b"|" if self.other else b""
        shapes = b"|".join(shape.after_begin() for shape in self.shapes)
        return re.compile(self.separator + b"(?:" + other + self.doubt + b"(?:" + shapes + b"))")

    def signs(self) -> tuple[bytes, ...]:
        return tuple(shape.begin + rb"[\w=.-]{8}" for shape in self.shapes)


# A key has a long word with a digit in it. The title sk-learn-tutorial-2024 has none.
_LONG_WORD = rb"(?=(?:[A-Za-z0-9]{0,200}[_-]){0,20}(?=[A-Za-z]{0,60}[0-9])[A-Za-z0-9]{10})"
_DASH = _Group(
    rb"-",
    rb"(?<=[asdrftbpPlneAuiEx][a-zXKY]-)(?=[\w.-]{8})",
    [
        _Shape(rb"sk-ant-", rb"[\w.-]{8,}", whole=False),  # Anthropic
        # OpenAI, OpenRouter and many that imitate them
        _Shape(rb"sk-", rb"(?!ant-)" + _LONG_WORD + rb"[\w-]{17,}"),
        _Shape(rb"csk-", rb"[a-z0-9]{40,}"),  # Cerebras
        _Shape(rb"gl(?:pat|ptt|cbt)-", rb"[\w.-]{20,}"),  # GitLab
        _Shape(rb"gl[drf]t-", rb"[\w.-]{20,}"),
        _Shape(rb"xox[a-z]-", rb"[A-Za-z0-9-]{15,}"),  # Slack
        _Shape(rb"xapp-", rb"[A-Za-z0-9-]{15,}"),
        _Shape(rb"GOCSPX-", rb"[\w-]{20,}"),  # Google
        _Shape(rb"xai-", rb"[A-Za-z0-9]{20,}"),
        _Shape(rb"pplx-", rb"[A-Za-z0-9]{20,}"),  # Perplexity
        _Shape(rb"nvapi-", rb"[\w-]{20,}"),  # NVIDIA
        _Shape(rb"tvly-", rb"[\w-]{20,}"),  # Tavily
        _Shape(rb"pypi-", rb"[\w-]{40,}"),
        _Shape(rb"key-", rb"[0-9a-f]{32}(?![\w-])"),  # Mailgun
        _Shape(rb"PMAK-", rb"[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
        _Shape(rb"NRAK-", rb"[A-Z0-9]{27}"),  # New Relic
        _Shape(rb"pul-", rb"[0-9a-f]{40}"),  # Pulumi
        _Shape(rb"xkeysib-", rb"[0-9a-f]{64}-[A-Za-z0-9]{16}"),  # Brevo
        _Shape(rb"AGE-SECRET-KEY-", rb"1[0-9A-Z]{58}"),
        _Shape(rb"sq0(?:atp|csp)-", rb"[\w-]{22,}"),  # Square
    ],
)
_UNDERSCORE = _Group(
    rb"_",
    rb"(?<=[havesfprctbgymk2nA][acdefikmnoprstuvwxbT18]_)(?=[\w.=-]{16})"
    # how the words end that stand before it below
    rb"(?<=(?:h[pousrx]|at|ve|st|ec|hf|fw|sk|pm|r8|v1|ca|pa|ss|pi|tn|et|b[pv]|gd|sa|yu|ms|kn|pw|pt|2b|fp|na|AT)_)",
    [
        _Shape(rb"gh[pousr]_", rb"[A-Za-z0-9]{30,}"),  # GitHub
        _Shape(rb"github_pat_", rb"\w{22,}"),
        _Shape(rb"[sr]k_(?:live|test)_", rb"[A-Za-z0-9]{16,}"),  # Stripe
        _Shape(rb"whsec_", rb"[A-Za-z0-9]{20,}"),
        _Shape(rb"(?:hf|fw)_", rb"[A-Za-z0-9]{20,}"),  # Hugging Face, Fireworks
        _Shape(rb"gsk_", rb"[A-Za-z0-9]{20,}"),  # Groq
        _Shape(rb"npm_", rb"[A-Za-z0-9]{30,}"),
        _Shape(rb"r8_", rb"[A-Za-z0-9]{30,}"),  # Replicate
        _Shape(rb"do[por]_v1_", rb"[a-f0-9]{40,}"),  # DigitalOcean
        _Shape(rb"shp(?:at|ca|pa|ss)_", rb"[a-fA-F0-9]{32}"),  # Shopify
        _Shape(rb"lin_api_", rb"[A-Za-z0-9]{32,}"),  # Linear
        _Shape(rb"ntn_", rb"[A-Za-z0-9]{40,}"),  # Notion
        _Shape(rb"secret_", rb"[A-Za-z0-9]{43}(?![\w-])"),  # Notion, before
        _Shape(rb"sb[pv]_", rb"[a-f0-9]{40}"),  # Supabase
        _Shape(rb"figd_", rb"[\w-]{40,}"),  # Figma
        _Shape(rb"glsa_", rb"[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),  # Grafana
        _Shape(rb"dckr_pat_", rb"[\w-]{27,}"),  # Docker
        _Shape(rb"sntryu_", rb"[a-f0-9]{64}"),  # Sentry
        _Shape(rb"rubygems_", rb"[a-f0-9]{48}"),
        _Shape(rb"pscale_(?:tkn|oat)_", rb"[\w.=-]{32,}"),  # PlanetScale
        _Shape(rb"pscale_pw_", rb"[\w.=-]{32,}"),
        _Shape(rb"lsv2_(?:pt|sk)_", rb"[a-f0-9]{32}\w*"),  # LangSmith
        _Shape(rb"e2b_", rb"[a-f0-9]{40}"),
        _Shape(rb"tgp_v1_", rb"[\w-]{40,}"),  # Together
        _Shape(rb"phx_", rb"[A-Za-z0-9]{40,}"),  # PostHog
        _Shape(rb"nfp_", rb"[A-Za-z0-9]{36,}"),  # Netlify
        _Shape(rb"apify_api_", rb"[A-Za-z0-9]{36}"),
        _Shape(rb"jina_", rb"[a-f0-9]{32}[\w-]{28,}"),
        _Shape(rb"CCIPAT_", rb"[A-Za-z0-9]{22}_[a-f0-9]{40}"),  # CircleCI
    ],
)
_DOT = _Group(
    rb"\.(?=[\w.-])",
    rb"(?<=[9Gstbca]\.)",
    [
        _Shape(rb"ya29\.", rb"[\w.-]{20,}"),  # Google
        _Shape(rb"hv[sb]\.", rb"[\w-]{24,}"),  # Vault
        _Shape(rb"dp\.(?:pt|st|ct|sa)\.", rb"[A-Za-z0-9]{40,}"),  # Doppler
        _Shape(rb"SG\.", rb"[\w-]{16,}+\.[\w-]{16,}"),  # SendGrid
    ],
    # A JWT from its second part on, and one that is encrypted: key, initialisation vector, text, tag.
    other=rb"eyJ[\w-]{8,}+\.[\w-]{8,}|[\w-]{0,700}+\.[\w-]{16,22}\.[\w-]{8,}+\.[\w-]{22,43}(?![\w-])",
)
_CAPITAL_A = _Group(
    rb"A",
    rb"(?=[KSBCITA])",
    [
        _Shape(rb"A", rb"(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}"),  # AWS
        _Shape(rb"A", rb"Iza[\w-]{35}"),  # Google
        _Shape(rb"A", rb"T[AC]TT3[\w=-]{50,}"),  # Atlassian
        _Shape(rb"[0-9]{8}:A", rb"A[\w-]{32,}", whole=False),  # Telegram
    ],
)
# The first part of a JWT is looked for backwards from the dot after it: forwards, a run of what could begin one
# would be walked from each of them.
_JWT_HEAD = re.compile(rb"eyJ[\w-]{8,}\Z")
_MAX_JWT_HEAD = 4000
_ESCAPES = (b"n", b"r", b"t", b"b", b"f")
# What follows the name of an HTTP authentication scheme. Words have no digit and no capital inside; \/ is PHP's.
# A short one has a digit as well as letters.
_SCHEME = (
    rb"(?:(?=(?:[A-Za-z.~+/_-]|\\+/){0,100}(?:[0-9]|[a-z][A-Z]))((?:[\w.~+-]|\\*/){20,}+=*)"
    rb"|(?=[a-z.~+_-]{0,20}[0-9A-Z])((?:[\w.~+-]|\\*/){6,19}+=*+)(?![\w.~+/-]))"
)
_SCHEMES = [
    re.compile(name + _SCHEME)
    for name in (
        rb"B(?=e|E|a)(?:earer|EARER|asic) ",
        rb"b(?=earer )" + _where_a_word_begins(b"b", b"[A-Za-z]") + b"earer ",
    )
]
_LETTER_AND_DIGIT = re.compile(rb"(?=.*[0-9]).*[A-Za-z]")


def _keys(pattern: re.Pattern[bytes], raw: bytes) -> Iterator[Span]:
    """Yield where keys of a group's shapes stand, in order."""
    done = 0
    for match in pattern.finditer(raw):
        if match.lastindex is not None:
            start = match.start(match.lastindex)
        else:
            head = _JWT_HEAD.search(raw, max(done, match.start() - _MAX_JWT_HEAD), match.start())
            if head is None:
                continue
            start = head.start()
        before = raw[max(0, start - 64) : start]
        slashes = len(before) - len(before.rstrip(b"\\"))
        # After an odd number of backslashes the first letter is an escape: \npm_ is a line end and "pm_". After an
        # even number it may be one in JSON that is inside a string, and has to stay.
        if slashes % 2 == 0:
            yield start + (slashes > 0 and raw[start : start + 1] in _ESCAPES), match.end()
        done = match.end()


def _authorizations(raw: bytes) -> Iterator[Span]:
    """Yield where something secret stands behind the name of an authentication scheme."""
    for scheme in _SCHEMES:
        for match in scheme.finditer(raw):
            if match[1] is not None or _is_short_secret(match[0], match[2]):
                yield match.span(match.lastindex or 0)


# X-Api-Key: …, as in a call of curl. Without a dash in its name it might be a line of code: token: str
_HEADER_LINE = re.compile(
    rb":(?<=[yntethYNTETH6]:)(?<=(?i:-key|ikey|nkey|skey|oken|cret|ture|-jwt|auth|word|tial|-256):)[ \t]*"
    rb"((?![:$<{\[(%*])[^\s\"'\\,;]{6,})"
)
_HEADER_NAME = re.compile(rb"[A-Za-z][\w-]{0,60}\Z")


def _header_lines(raw: bytes) -> Iterator[Span]:
    """Yield where the value of a credential header stands in a text."""
    for match in _HEADER_LINE.finditer(raw):
        name = _HEADER_NAME.search(raw, max(0, match.start() - 60), match.start())
        if name is not None and b"-" in name[0] and is_header(name[0].decode()):
            yield match.span(1)


def _is_short_secret(scheme: bytes, word: bytes) -> bool:
    """Say whether a word of less than 20 characters after Bearer or Basic is a secret, and no word of prose."""
    if not scheme.startswith(b"Basic"):
        return len(word) >= 8 and _LETTER_AND_DIGIT.match(word) is not None
    try:
        login = b64decode(word, validate=True)
    except ValueError:
        return False
    return b":" in login and login.isascii()


# Each yields where keys stand in the text of JSON.
DETECTORS: dict[str, Callable[[bytes], Iterator[Span]]] = {
    "keys with -": partial(_keys, _DASH.compiled()),
    "keys with _": partial(_keys, _UNDERSCORE.compiled()),
    "keys with .": partial(_keys, _DOT.compiled()),
    "keys with A": partial(_keys, _CAPITAL_A.compiled()),
    "authorizations": _authorizations,
    "header lines": _header_lines,
}
# What a text has in it where they find anything.
SIGNS = {
    "keys with -": _DASH.signs(),
    "keys with _": _UNDERSCORE.signs(),
    "keys with .": (*_DOT.signs(), rb"eyJ[\w-]{8}"),
    "keys with A": tuple(shape.begin + shape.rest for shape in _CAPITAL_A.shapes),
    "authorizations": (rb"(?i)(?:bearer|basic) [\w.~+/\\-]{6}",),
    "header lines": (rb"(?i)(?:-key|ikey|nkey|skey|oken|cret|ture|-jwt|auth|word|tial|-256):[ \t]*[^\s\"'\\,;]",),
}
