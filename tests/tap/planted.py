"""Secrets of every kind, and the texts that they are planted in."""

import json
import re
import string
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st
from reference import NAMES, SHAPES

WORD = string.ascii_letters + string.digits


def _no_word(text: str) -> str:
    """A text without ten characters of a name: Hypothesis tries names as it finds them in the code."""
    return "7".join(text[at : at + 5] for at in range(0, len(text), 5))


# A value that only its place tells to be a secret. No part of any text that it is planted in.
PASSWORDS = st.text(WORD, min_size=8, max_size=24).map(lambda text: f"Zq{_no_word(text)}")
KEYS = st.sampled_from(sorted(SHAPES)).flatmap(
    lambda kind: st.from_regex(re.compile(SHAPES[kind], re.ASCII), fullmatch=True)
)
# What may stand around a secret without being part of it, all of JSON's escapes among it.
BESIDE = st.text(st.sampled_from(" \t\n\r\f\b\"'\\;:)[]}>!*é世😀\x00\x1f\u2028|#"), max_size=4)


def _pem(kind: str, body: str) -> str:
    lines = "\n".join(body[at : at + 16] for at in range(0, len(body), 16))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


PEMS = st.builds(
    _pem,
    st.sampled_from(["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]),
    st.text(WORD + "+/", min_size=20, max_size=60).map(lambda text: f"MIIB{_no_word(text)}=="),
)
TOKENS = st.text(WORD + "+/.~-", min_size=22, max_size=40).map(lambda text: f"a1{_no_word(text)}")
BASIC = PASSWORDS.map(lambda text: b64encode(f"user:{text}".encode()).decode())

# A text with a secret in it: what it says, the secret, and how to say it with something else in its place.
FORMS: dict[str, tuple[str, st.SearchStrategy[str]]] = {
    "a key": ("{}", KEYS),
    "a key in single quotes": ("it's '{}'", KEYS),
    "a key, percent before it": ("?q=%20{}", KEYS),
    "a private key": ("{}", PEMS),
    "Bearer": ("Authorization: Bearer {}", TOKENS),
    "bearer": ("said bearer {}", TOKENS),
    "Basic": ("Basic {}", BASIC),
    "a dict": ("{{'n': 1, 'password': '{}'}}", PASSWORDS),
    "a call": ("Config(url='x', api_key='{}', n=1)", PASSWORDS),
    "a call, double quotes": ('Config(client_secret="{}")', PASSWORDS),
    "JSON in a text": ('sent: {{"n": 1, "refresh_token": "{}"}} and went', PASSWORDS),
    "a variable": ("export A_B=1 DB_PASSWORD={}\nC=2", PASSWORDS),
    "a token variable": ("-e HF_TOKEN={} run", PASSWORDS),
    "a quoted variable": ("SECRET_KEY='{}'", PASSWORDS),
    "an option": ("run --api-key={} --n=1", PASSWORDS),
    "a parameter": ("GET https://a.example/v1?n=1&api_key={}&m=2", PASSWORDS),
    "a code": ("https://a.example/callback?code={}#top", PASSWORDS),
    "a login": ("postgres://{}@db.example/x", PASSWORDS.map(lambda text: f"app:{text}")),
}


@dataclass(frozen=True)
class Spelling:
    """One of the ways to write the same JSON."""

    separators: tuple[str, str] = (",", ":")
    ascii_only: bool = True
    slashes: bool = False  # `\\/`, as PHP writes it
    escaped: int = 0  # every how many characters one has an escape that it does not need; 0 for none

    def dump(self, value: Any) -> str:
        """Return the JSON of `value`."""
        plain = json.dumps(value, ensure_ascii=self.ascii_only, separators=self.separators)
        return _STRING.sub(lambda string: _CHARACTER.sub(self._spelled, string[0]), plain)

    def _spelled(self, character: re.Match[str]) -> str:
        if character[0] == "/" and self.slashes:
            return "\\/"
        if (
            self.escaped
            and len(character[0]) == 1
            and character[0] != '"'
            and character.start() % self.escaped == 0
        ):
            return f"\\u{ord(character[0]):04x}"
        return character[0]


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
# An escape is one character, and so is one of JSON inside this.
_CHARACTER = re.compile(r"\\+u....|\\+.|[ -~]")
SPELLINGS = st.builds(
    Spelling,
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    st.booleans(),
    escaped=st.sampled_from([0, 0, 1, 2, 3, 7]),
)


def nested(value: Any, spellings: list[Spelling]) -> str:
    """Return the value as JSON, that as a string in JSON, and so on: a spelling for each, the innermost first."""
    for spelling in spellings[:-1]:
        value = {"arguments": spelling.dump(value)}
    return spellings[-1].dump(value)


@st.composite
def spelled(draw: st.DrawFn, most: int = 4, plain_slashes: bool = False) -> list[Spelling]:
    """Return spellings for JSON in JSON and so on, `most` at most, one with escapes that it does not need."""
    slashes = draw(st.booleans()) and not plain_slashes
    plain = [replace(draw(SPELLINGS), escaped=0, slashes=slashes) for _ in range(draw(st.integers(1, most)))]
    odd = draw(st.integers(0, len(plain) - 1))
    plain[odd] = replace(plain[odd], escaped=draw(st.sampled_from([0, 1, 2, 3, 7])))
    return plain


# --- whole events ------------------------------------------------------------------------------------------------

SAID = st.sampled_from(sorted(FORMS)).flatmap(lambda form: FORMS[form][1].map(FORMS[form][0].format))
# Nothing to hide, however near it comes to a secret.
DECOYS = st.sampled_from(
    [
        *(
            "sk-learn-tutorial-for-beginners",
            "risk-free task-force-on-long-words-1",
            "npm_",
            "eyJhbGciOiJub25lIn0.",
        ),
        *(
            "the key- and the sk- of it",
            "Bearer of bad news",
            "Basic internationalization of it",
            "token=None",
            "AKIA",
        ),
        *("toolu_01A09q90qw90lq917835lq9", "req_011CSHoEeqs5C35K2UUqR7Fy", "0197f2a0-1d2c-7abc-8def-0123456789ab"),
        *("me@example.com", "https://example.com:8080/a:b/@me?n=1", "ssh://git@github.com:22/x", "{}", "[1.10]"),
        *(
            "SELECT password FROM users",
            "os.environ['API_KEY']",
            "PRIMARY_KEY=abc",
            "def f(password: str)",
            "a && b",
        ),
        *("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "C:\\new\\true", "{'max_tokens': 'x'}"),
        *("Client(api_key=api_key)", "PASSWORD=$PASSWORD", '{"a": "b"}', "\\", '"', "'", "/", "é世😀", "\x00", ""),
    ]
)
# The end of a text that breaks off in a secret.
CUT = st.sampled_from(["{{'n': 1, 'password': '{}", "Config(api_key='{}"]).flatmap(
    lambda form: PASSWORDS.map(form.format)
)
TEXTS = st.builds(
    lambda pieces, last, between: between.join([*pieces, last]),
    st.lists(st.one_of(SAID, DECOYS, DECOYS), max_size=4),
    st.one_of(SAID, DECOYS, DECOYS, CUT),
    st.sampled_from([" ", "\n", " | ", "\t"]),
)
_PLAIN_NAMES = [
    "text",
    "content",
    "max_tokens",
    "valid_token",
    "forgot_password",
    "tokens",
    "monkey",
    "a",
    "id",
    "é",
]
_NAMES = st.sampled_from(_PLAIN_NAMES) | st.sampled_from(NAMES)
_PAIRS = st.builds(
    lambda key, name, value, turned: dict(
        [("value", value), (key, name)] if turned else [(key, name), ("value", value)]
    ),
    st.sampled_from(["name", "key", "Name"]),
    _NAMES,
    TEXTS,
    st.booleans(),
)
_INNER = st.builds(
    lambda value, spelling: spelling.dump(value), st.dictionaries(_NAMES, TEXTS, max_size=3), SPELLINGS
)
VALUES = st.recursive(
    st.one_of(TEXTS, TEXTS, _INNER, st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.just(0.5)),
    lambda inner: st.one_of(
        st.lists(inner.filter(lambda value: not isinstance(value, str)), max_size=3),
        st.lists(TEXTS, max_size=3),
        st.dictionaries(_NAMES, inner, max_size=4),
        st.lists(_PAIRS, max_size=2),
    ),
    max_leaves=8,
)
