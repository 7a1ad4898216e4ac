"""Keys of known shapes, and what follows Bearer or Basic: where they stand in a text."""

import re
from base64 import b64decode
from collections.abc import Iterator

Span = tuple[int, int]

# Almost every text is looked through for nothing, so what counts is how fast that is. `re` is quick at going to
# the next place of one literal byte, and ten times slower at anything else. So a shape is looked for by the
# separator in it; the cheapest doubt about what stands around that comes next, and the whole shape last.


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
            rb"-(?<=[asdrftbpPlneAuiEx][a-zXKY]-)(?=[\w.-]{8})",
            rb"(?<=(sk-ant-))[\w.-]{8,}",  # Anthropic
            _shape(rb"sk-", _LONG_WORD + rb"[\w-]{17,}"),  # OpenAI, OpenRouter and many that imitate them
            _shape(rb"csk-", rb"[a-z0-9]{40,}"),  # Cerebras
            _shape(rb"gl(?:pat|ptt|cbt)-", rb"[\w.-]{20,}"),  # GitLab
            _shape(rb"gl[drf]t-", rb"[\w.-]{20,}"),
            _shape(rb"xox[a-z]-", rb"[A-Za-z0-9-]{15,}"),  # Slack
            _shape(rb"xapp-", rb"[A-Za-z0-9-]{15,}"),
            _shape(rb"GOCSPX-", rb"[\w-]{20,}"),  # Google
            _shape(rb"xai-", rb"[A-Za-z0-9]{20,}"),
            _shape(rb"pplx-", rb"[A-Za-z0-9]{20,}"),  # Perplexity
            _shape(rb"nvapi-", rb"[\w-]{20,}"),  # NVIDIA
            _shape(rb"tvly-", rb"[\w-]{20,}"),  # Tavily
            _shape(rb"pypi-", rb"[\w-]{40,}"),
            _shape(rb"key-", rb"[0-9a-f]{32}(?![\w-])"),  # Mailgun
            _shape(rb"PMAK-", rb"[0-9a-f]{24}-[0-9a-f]{34}"),  # Postman
            _shape(rb"NRAK-", rb"[A-Z0-9]{27}"),  # New Relic
            _shape(rb"pul-", rb"[0-9a-f]{40}"),  # Pulumi
            _shape(rb"xkeysib-", rb"[0-9a-f]{64}-[A-Za-z0-9]{16}"),  # Brevo
            _shape(rb"AGE-SECRET-KEY-", rb"1[0-9A-Z]{58}"),
            _shape(rb"sq0(?:atp|csp)-", rb"[\w-]{22,}"),  # Square
        ),
        (
            rb"_(?<=[havesfprctbgymk2nA][acdefikmnoprstuvwxbT18]_)(?=[A-Za-z0-9][\w-]{15})"
            # how the words end that stand before it below
            rb"(?<=(?:h[pousrx]|at|ve|st|ec|hf|fw|sk|pm|r8|v1|ca|pa|ss|pi|tn|et|b[pv]|gd|sa|yu|ms|kn|pw|pt|2b|fp|na|AT)_)",
            _shape(rb"gh[pousr]_", rb"[A-Za-z0-9]{30,}"),  # GitHub
            _shape(rb"github_pat_", rb"\w{22,}"),
            _shape(rb"[sr]k_(?:live|test)_", rb"[A-Za-z0-9]{16,}"),  # Stripe
            _shape(rb"whsec_", rb"[A-Za-z0-9]{20,}"),
            _shape(rb"(?:hf|fw)_", rb"[A-Za-z0-9]{20,}"),  # Hugging Face, Fireworks
            _shape(rb"gsk_", rb"[A-Za-z0-9]{20,}"),  # Groq
            _shape(rb"npm_", rb"[A-Za-z0-9]{30,}"),
            _shape(rb"r8_", rb"[A-Za-z0-9]{30,}"),  # Replicate
            _shape(rb"do[por]_v1_", rb"[a-f0-9]{40,}"),  # DigitalOcean
            _shape(rb"shp(?:at|ca|pa|ss)_", rb"[a-fA-F0-9]{32}"),  # Shopify
            _shape(rb"lin_api_", rb"[A-Za-z0-9]{32,}"),  # Linear
            _shape(rb"ntn_", rb"[A-Za-z0-9]{40,}"),  # Notion
            _shape(rb"secret_", rb"[A-Za-z0-9]{43}(?![\w-])"),  # Notion, before
            _shape(rb"sb[pv]_", rb"[a-f0-9]{40}"),  # Supabase
            _shape(rb"figd_", rb"[\w-]{40,}"),  # Figma
            _shape(rb"glsa_", rb"[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),  # Grafana
            _shape(rb"dckr_pat_", rb"[\w-]{27,}"),  # Docker
            _shape(rb"sntryu_", rb"[a-f0-9]{64}"),  # Sentry
            _shape(rb"rubygems_", rb"[a-f0-9]{48}"),
            _shape(rb"pscale_(?:tkn|oat)_", rb"[\w.=-]{32,}"),  # PlanetScale
            _shape(rb"pscale_pw_", rb"[\w.=-]{32,}"),
            _shape(rb"lsv2_(?:pt|sk)_", rb"[a-f0-9]{32}\w*"),  # LangSmith
            _shape(rb"e2b_", rb"[a-f0-9]{40}"),
            _shape(rb"tgp_v1_", rb"[\w-]{40,}"),  # Together
            _shape(rb"phx_", rb"[A-Za-z0-9]{40,}"),  # PostHog
            _shape(rb"nfp_", rb"[A-Za-z0-9]{36,}"),  # Netlify
            _shape(rb"apify_api_", rb"[A-Za-z0-9]{36}"),
            _shape(rb"jina_", rb"[a-f0-9]{32}[\w-]{28,}"),
            _shape(rb"CCIPAT_", rb"[A-Za-z0-9]{22}_[a-f0-9]{40}"),  # CircleCI
        ),
        (
            rb"\.(?=[\w-])",
            rb"(eyJ)[\w-]{8,}+\.[\w-]{8,}",  # JWT, from its second part on
            rb"(?<=[9Gstbca]\.)(?:" + _shape(rb"ya29\.", rb"[\w.-]{20,}"),  # Google
            _shape(rb"hv[sb]\.", rb"[\w-]{24,}"),  # Vault
            _shape(rb"dp\.(?:pt|st|ct|sa)\.", rb"[A-Za-z0-9]{40,}"),  # Doppler
            _shape(rb"SG\.", rb"[\w-]{16,}+\.[\w-]{16,}") + b")",  # SendGrid
        ),
        (
            rb"A(?=[KSBCIT])",
            _shape(rb"A", rb"(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}"),  # AWS
            _shape(rb"A", rb"Iza[\w-]{35}"),  # Google
            _shape(rb"A", rb"T[AC]TT3[\w=-]{50,}"),  # Atlassian
        ),
    )
]
# The first part of a JWT is looked for backwards from the dot after it: forwards, a run of what could begin one
# would be walked from each of them.
_JWT_HEAD = re.compile(rb"eyJ[\w-]{8,}\Z")
_MAX_JWT_HEAD = 4000
# What follows the name of an HTTP authentication scheme. Words have no digit and no capital inside; \/ is PHP's.
# A short one has a digit as well as letters.
_SCHEME = (
    rb"(?:(?=[A-Za-z.~+/\\_-]{0,100}(?:[0-9]|[a-z][A-Z]))((?:[\w.~+-]|\\*/){20,}+=*)"
    rb"|(?=[a-z.~+_-]{0,20}[0-9A-Z])((?:[\w.~+-]|\\*/){6,19}+=*+)(?![\w.~+/-]))"
)
_SCHEMES = [
    re.compile(name + _SCHEME)
    for name in (rb"B(?=e|E|a)(?:earer|EARER|asic) ", rb"b(?=earer )(?<![A-Za-z]b)earer ")
]
_LETTER_AND_DIGIT = re.compile(rb"(?=.*[0-9]).*[A-Za-z]")


def spans(raw: bytes) -> Iterator[Span]:
    """Yield where keys of known shapes stand in the text of JSON, in no order."""
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
        for match in scheme.finditer(raw):
            if match[1] is not None or _is_short_secret(match[0], match[2]):
                yield match.span(match.lastindex or 0)


def _is_short_secret(scheme: bytes, word: bytes) -> bool:
    """Say whether a word of less than 20 characters after Bearer or Basic is a secret, and no word of prose."""
    if not scheme.startswith(b"Basic"):
        return len(word) >= 8 and _LETTER_AND_DIGIT.match(word) is not None
    try:
        login = b64decode(word, validate=True)
    except ValueError:
        return False
    return b":" in login and login.isascii()
