"""Redaction once more, slow and plain: what `agenttap.redact.default` has to hide, told on parsed JSON.

Every string is looked at by itself, as the text that it means, and a string that is JSON is parsed and walked in
turn.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

GONE = "[redacted]"
Span = tuple[int, int]

# Each as a whole key. `sk-` has a word of at least ten with a digit in it.
SHAPES = {
    "Anthropic": r"sk-ant-[\w-]{8,}",
    "OpenAI": r"sk-(?:proj-|svcacct-|or-v1-|)(?=[A-Za-z]{0,9}[0-9])[A-Za-z0-9]{10}[\w-]{7,}",
    "Cerebras": r"csk-[a-z0-9]{40,}",
    "GitLab": r"gl(?:pat|ptt|cbt|dt|rt|ft)-[\w.-]{20,}",
    "Slack": r"xox[a-z]-[A-Za-z0-9-]{15,}",
    "Slack app": r"xapp-[A-Za-z0-9-]{15,}",
    "Google client": r"GOCSPX-[\w-]{20,}",
    "xAI": r"xai-[A-Za-z0-9]{20,}",
    "Perplexity": r"pplx-[A-Za-z0-9]{20,}",
    "NVIDIA": r"nvapi-[\w-]{20,}",
    "Tavily": r"tvly-[\w-]{20,}",
    "PyPI": r"pypi-[\w-]{40,}",
    "Mailgun": r"key-[0-9a-f]{32}(?![\w-])",
    "Postman": r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}",
    "New Relic": r"NRAK-[A-Z0-9]{27}",
    "Pulumi": r"pul-[0-9a-f]{40}",
    "Brevo": r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",
    "age": r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "Square": r"sq0(?:atp|csp)-[\w-]{22,}",
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{30,}",
    "GitHub fine-grained": r"github_pat_[A-Za-z0-9]\w{21,}",
    "Stripe": r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "webhook": r"whsec_[A-Za-z0-9]{20,}",
    "Hugging Face": r"hf_[A-Za-z0-9]{20,}",
    "Fireworks": r"fw_[A-Za-z0-9]{20,}",
    "Groq": r"gsk_[A-Za-z0-9]{20,}",
    "npm": r"npm_[A-Za-z0-9]{30,}",
    "Replicate": r"r8_[A-Za-z0-9]{30,}",
    "DigitalOcean": r"do[por]_v1_[a-f0-9]{40,}",
    "Shopify": r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "Linear": r"lin_api_[A-Za-z0-9]{32,}",
    "Notion": r"ntn_[A-Za-z0-9]{40,}",
    "Notion, before": r"secret_[A-Za-z0-9]{43}(?![\w-])",
    "Supabase": r"sb[pv]_[a-f0-9]{40}",
    "Figma": r"figd_[A-Za-z0-9][\w-]{39,}",
    "Grafana": r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
    "Docker": r"dckr_pat_[A-Za-z0-9][\w-]{26,}",
    "Sentry": r"sntryu_[a-f0-9]{64}",
    "RubyGems": r"rubygems_[a-f0-9]{48}",
    "PlanetScale": r"pscale_(?:tkn|oat|pw)_[A-Za-z0-9]{16}[\w.=-]{16,}",
    "LangSmith": r"lsv2_(?:pt|sk)_[a-f0-9]{32}\w*",
    "E2B": r"e2b_[a-f0-9]{40}",
    "Together": r"tgp_v1_[A-Za-z0-9][\w-]{39,}",
    "PostHog": r"phx_[A-Za-z0-9]{40,}",
    "Netlify": r"nfp_[A-Za-z0-9]{36,}",
    "Apify": r"apify_api_[A-Za-z0-9]{36}",
    "Jina": r"jina_[a-f0-9]{32}[\w-]{28,}",
    "CircleCI": r"CCIPAT_[A-Za-z0-9]{22}_[a-f0-9]{40}",
    "JWT": r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",
    "Google access": r"ya29\.[\w-][\w.-]{19,}",
    "Vault": r"hv[sb]\.[\w-]{24,}",
    "Doppler": r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9]{40,}",
    "SendGrid": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "AWS": r"A(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}",
    "Google": r"AIza[\w-]{35}",
    "Atlassian": r"AT[AC]TT3[\w=-]{50,}",
}


NAMES = (
    *("authorization_token", "access_token", "refreshToken", "session-token", "csrf_token", "bearerToken"),
    *("client_secret", "appSecret", "webhook-secret", "AWS_SECRET_ACCESS_KEY", "secretKey", "password", "passwd"),
    *("api_key", "apiKey", "X-Api-Key", "private_key", "account-key", "ENCRYPTION_KEY", "db.password"),
    *("DB_PASSWORD", "passphrase", "Authorization", "proxy-authorization", "cookie", "Set-Cookie", "credential"),
    *("my_secret", "id_token", "userIdToken", "slack_bot_token", "auth_token"),
)
_NAME = re.compile(
    r"(?:[\w.-]*[_.-])?(?:id|bot|auth|api)[_-]?token|[\w.-]*[a-z0-9](?-i:Id|Bot|Auth|Api)[_-]?token"
    r"|[\w.-]*(?:(?:authorization|access|refresh|session|bearer|security|csrf)[_-]?token"
    r"|(?:client|app|api|consumer|webhook|shared|signing)[_-]?secret|secret[_-]?(?:access[_-]?)?key"
    r"|(?:api|access|private|account|subscription|encryption)[_-]?key"
    r"|(?<!forgot)(?<!forgot[_-])passw(?:or)?d|passphrase|authorization|cookie|credential|secret)",
    re.IGNORECASE | re.ASCII,
)


# A key does not begin in the middle of a word; what %20 ends with is no part of one.
_BEGIN = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9a-fA-F]{2}))"
# Where the text breaks off in a value, that is all there is of it.
_QUOTED = r"""(?P<quote>["'])(?P<secret>(?:[^"'\\]|\\.)*)(?:(?P=quote)|\Z)"""
# Twenty characters that are no word: with a digit, or a capital inside.
_LONG = r"(?P<secret>(?=[A-Za-z.~+/_-]*(?:[0-9]|[a-z][A-Z]))[\w.~+/-]{20,}=*)"
# Each hides its group `secret`; where it has a group `name`, if that is the name of a credential.
_RULES = [
    *(re.compile(rf"{_BEGIN}(?P<secret>{shape})", re.ASCII) for shape in SHAPES.values()),
    re.compile(r"(?P<secret>sk-ant-[\w-]{8,})", re.ASCII),
    re.compile(rf"(?:Bearer|bearer|BEARER|Basic) {_LONG}", re.ASCII),
    # As Python shows a dict, or JSON in the middle of a text; and as Python shows a call.
    re.compile(r"""["'](?P<name>[\w.-]+)["']\s*:\s*""" + _QUOTED, re.ASCII),
    re.compile(rf"(?<![\w.-])(?P<name>[\w.-]+)={_QUOTED}", re.ASCII),
    # A variable of the environment, or an option.
    re.compile(
        r"""(?<![\w.?&;${(,-])(?P<name>[A-Z0-9_]+|--[\w-]+)=(?P<secret>(?![$<{(\[`%*=])[^\s"'\\]+)""", re.ASCII
    ),
    re.compile(
        r"(?P<secret>-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----.*?(?:-----END (?P=kind)-----|\Z))",
        re.DOTALL,
    ),
    re.compile(r"""://(?P<secret>[^/?#\s"\\@:]*:[^/?#\s"\\@]+)@"""),
]
_URL = re.compile(r"""https?://[^\s"'<>(){}|\\]+""")
_PARAMETER = re.compile(
    r"[?&](?:[\w.~-]*(?:token|secret|passw(?:or)?d|signature|credential|api[-_]?key|access[-_]?key|auth)"
    r"|key|sig|pwd|jwt|code)=(?P<secret>[^&;#]{3,})",
    re.IGNORECASE | re.ASCII,
)


class _Digits:
    """A number, as it was written."""

    def __init__(self, digits: str) -> None:
        self.digits = digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Digits) and other.digits == self.digits

    def __repr__(self) -> str:
        return self.digits


def is_name(word: str) -> bool:
    """Say whether a key of this name holds a credential."""
    return _NAME.fullmatch(word) is not None


def parsed(text: str | bytes) -> Any:
    """Parse JSON, with the digits of each number in place of it. Raises ValueError."""
    return json.loads(text, parse_int=_Digits, parse_float=_Digits)


def opened(value: Any) -> Any:
    """Return parsed JSON with every string that is JSON in turn as ("json", what it holds)."""
    if isinstance(value, str):
        inner = _parsed(value)
        return value if inner is None else ("json", opened(inner))
    if isinstance(value, list):
        return [opened(item) for item in value]
    if isinstance(value, dict):
        return {key: opened(item) for key, item in value.items()}
    return value


def hide(value: Any, named: bool = False) -> Any:
    """Return `opened(value)` with each secret replaced; `named` is for the value of a credential's key."""
    if isinstance(value, str):
        if named:
            return GONE if value else value
        inner = _parsed(value)
        return _text(value) if inner is None else ("json", hide(inner))
    if isinstance(value, list):
        return [hide(item, named and isinstance(item, str)) for item in value]
    if isinstance(value, dict):
        beside = any(is_name(str(item)) for key, item in value.items() if key.lower() in ("name", "key"))
        return {
            _text(key): hide(item, is_name(key) or (beside and key.lower() == "value"))
            for key, item in value.items()
        }
    return value


def _parsed(text: str) -> Any:
    """Return what the text holds if it is a JSON object or array, else None."""
    try:
        value = parsed(text)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def _text(text: str) -> str:
    pieces, at = list[str](), 0
    for start, end in sorted(spans(text)):
        if start >= at and start < end:
            pieces += [text[at:start], GONE]
        at = max(at, end)
    return "".join([*pieces, text[at:]])


def spans(text: str) -> Iterator[Span]:
    """Yield where the secrets of a text that is no JSON are."""
    for rule in _RULES:
        for match in rule.finditer(text):
            if "name" not in rule.groupindex or is_name(match["name"]) or match["name"].endswith("_TOKEN"):
                yield match.span("secret")
    for url in _URL.finditer(text):
        for match in _PARAMETER.finditer(text, *url.span()):
            yield match.span("secret")
