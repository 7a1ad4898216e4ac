"""Secrets planted anywhere never get out, and nothing else changes."""

import json
import string
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from agenttap import Tap, credentials, redact, urls
from agenttap.prefilter import Prefilter
from hypothesis import example, given
from hypothesis import strategies as st
from traced import Trace

GONE = redact.REPLACEMENT
WORD = string.ascii_letters + string.digits


@pytest.fixture(autouse=True, scope="module", params=["prefiltered", "alone"])
def prefilter(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test here with hyperscan and without it."""
    if request.param == "prefiltered":
        if find_spec("hyperscan") is None:
            pytest.skip("hyperscan is not installed")
        redact.PREFILTER.load()
        yield
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(redact, "PREFILTER", NOT_LOADED)
            yield


NOT_LOADED = Prefilter(redact.PREFILTER.signs)
NOT_LOADED.load = lambda: None  # type: ignore[method-assign]


def text(size: int, alphabet: str = WORD) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=size, max_size=size)


SHAPES = st.one_of(
    text(90, WORD + "-_").map(lambda tail: f"sk-ant-api03-{tail}"),
    text(45).map(lambda tail: f"sk-proj-1{tail}"),
    text(16, string.ascii_uppercase + string.digits).map(lambda tail: f"AKIA{tail}"),
    text(36).map(lambda tail: f"ghp_{tail}"),
    text(24, string.digits + "-").map(lambda tail: f"xoxb-{tail}"),
    text(35, WORD + "-_").map(lambda tail: f"AIza{tail}"),
    text(30).map(lambda tail: f"hf_{tail}"),
    text(40).map(lambda tail: f"npm_{tail}"),
    st.tuples(text(20), text(30), text(40)).map(lambda parts: f"eyJ{parts[0]}.eyJ{parts[1]}.{parts[2]}"),
)
# What may stand around a secret without being part of it, escapes of JSON included.
BESIDE = st.text(st.sampled_from(" \t\n\r\f\b\"'\\/,;:()[]{}<>=&?!*é世😀\x00\x1f\u2028|#"), max_size=6)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(' abcdef\n"\\é/:', max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_", max_size=5), inner, max_size=4),
    max_leaves=10,
)


def plant(value: Any, planted: str, at: int) -> tuple[Any, int]:
    """Put `planted` in place of the string number `at` of `value`; return the value and what is left of `at`."""
    if isinstance(value, str):
        return (planted if at == 0 else value), at - 1
    if isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        done = {}
        for key, item in items:
            done[key], at = plant(item, planted, at)
        return (done if isinstance(value, dict) else list(done.values())), at
    return value, at


@given(PLAIN, SHAPES, BESIDE, BESIDE, st.integers(0, 5), st.booleans())
@example([""], "npm_" + "a1" * 18, "\n", "", 0, False)
@example([""], "sk-ant-api03-" + "a" * 90, "\n", '"', 0, False)
@example([""], "npm_" + "a1" * 18, "\\", "", 0, False)
def test_a_key_shape_anywhere(value: Any, secret: str, before: str, after: str, at: int, ascii_only: bool) -> None:
    # Behind a backslash that may be the letter of an escape, in JSON that is inside this string.
    gone = f"{secret[0]}{GONE}" if before.endswith("\\") and secret[0] == "n" else GONE
    planted, left = plant({"args": value, "last": ""}, f"{before}{secret}{after}", at)
    expected, _ = plant({"args": value, "last": ""}, f"{before}{gone}{after}", at)
    if left >= 0:  # fewer strings than that
        planted, expected = {"only": f"{before}{secret}{after}"}, {"only": f"{before}{gone}{after}"}
    raw = json.dumps(planted, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    assert json.loads(redact.default(raw)) == expected


@given(SHAPES, BESIDE, BESIDE)
def test_a_key_shape_inside_json_inside_a_string(secret: str, before: str, after: str) -> None:
    value = json.dumps({"arguments": json.dumps({"q": f"{before}{secret}{after}"})})
    hidden = redact.default(value.encode())
    gone = f"{secret[0]}{GONE}" if before.endswith("\\") and secret[0] == "n" else GONE
    assert json.loads(json.loads(hidden)["arguments"]) == {"q": f"{before}{gone}{after}"}


@given(SHAPES, st.data())
def test_a_key_spelled_with_escapes(secret: str, data: st.DataObject) -> None:
    spelled = "".join(f"\\u{ord(c):04x}" if data.draw(st.booleans()) else c for c in secret)
    before, after = '{"a":"x \\u00e9 ', ' y","b":"\\u0041bc"}'
    assert redact.default(f"{before}{spelled}{after}".encode()).decode() == f"{before}{GONE}{after}"


NAMES = st.sampled_from(
    [
        *("authorization_token", "access_token", "refresh_token", "client_secret", "password", "api_key"),
        *("apiKey", "accessToken", "X-Api-Key", "ANTHROPIC_API_KEY", "db_password", "aws_secret_access_key"),
        *("Authorization", "cookie", "passwd", "secretKey", "clientSecret", "private_key"),
    ]
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])


@given(NAMES, st.text(min_size=1, max_size=40), PLAIN, SEPARATORS, st.booleans(), st.integers(0, 3))
@example("password", 'a"b\\', None, (",", ":"), True, 1)
@example("password", 'a"b\\', None, (",", ":"), True, 2)
def test_the_value_of_a_key_named_for_a_credential(
    name: str, secret: str, beside: Any, separators: tuple[str, str], ascii_only: bool, depth: int
) -> None:
    """At the top, and inside JSON that is a string inside JSON, and so on."""
    secret = secret.encode("utf-8", "replace").decode()
    value, expected = ({"x": beside, name: text, "y": "end"} for text in (secret, GONE))
    for _ in range(depth):
        value = {"arguments": json.dumps(value, ensure_ascii=ascii_only, separators=separators)}
    raw = json.dumps(value, ensure_ascii=ascii_only, separators=separators)
    found = json.loads(redact.default(raw.encode()))
    for _ in range(depth):
        found = json.loads(found["arguments"])
    assert found == expected


@pytest.mark.parametrize(
    "line",
    [
        {"input_schema": {"properties": {"api_key": {"type": "string"}}, "required": ["api_key"]}},
        {"logprobs": [{"token": "Hello"}], "max_tokens": 5, "next_page_token": "abc", "password": None},
        {"text": "the risk-free task-force-on-long-words-1 and disk-usage-monitoring-service-2"},
        {
            "text": 'set "password" here: no value',
            "id": "toolu_01A09q90qw90lq917835lq9",
            "uuid": "0197f2a0-1d2c-7abc",
        },
        {
            "image": "iVBORw0KGgoAAAANSUhEUgAA" * 2000,
            "sha": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f0",
        },
        {"text": "the end of a line\npm_a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 is not npm_ and so on"},
        {"text": "see https://example.com/@user and me@example.com, or https://a.example/x:y@z"},
    ],
)
def test_what_is_no_secret_stays(line: dict[str, Any]) -> None:
    raw = json.dumps(line).encode()
    assert redact.default(raw) == raw


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("curl -H 'Authorization: Bearer abcdefghijklmnop1234'", f"curl -H 'Authorization: Bearer {GONE}'"),
        ("bearer abc+def/ghi~klm.nop_qrs-tuv0==", f"bearer {GONE}"),
        ("postgres://app:hunter2@db.example/x failed", f"postgres://{GONE}@db.example/x failed"),
        ("?q=%20sk-proj-1234567890abcdefghij", f"?q=%20{GONE}"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\nxyz\n-----END RSA PRIVATE KEY-----\nThanks for reading",
            f"{GONE}\nThanks for reading",
        ),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk", GONE),
        (
            '-----BEGIN PGP PRIVATE KEY BLOCK-----\nComment: Jane "J" <jane@example.com>\n\nlQOYBGSE\n=abcd\n'
            "-----END PGP PRIVATE KEY BLOCK-----\nBye",
            f"{GONE}\nBye",
        ),
        ("postgres://bob:p@ssw0rd-rest@db/x?a=b@c", f"postgres://{GONE}@db/x?a=b@c"),
        ("redis://:p@@ss@db", f"redis://{GONE}@db"),
        ("https://u:s3cr/et@h/ and me@example.com", f"https://{GONE}@h/ and me@example.com"),
        ("postgres://u:pässword@h", f"postgres://{GONE}@h"),
        ("https://h:8080/x/@me and https://h:80", "https://h:8080/x/@me and https://h:80"),
        ("Basic dXNlcjpwYXNz/d29yZDEyMw==", f"Basic {GONE}"),
        ("Conf(api_key='hunter2', url='x')", f"Conf(api_key='{GONE}', url='x')"),
        ("Conf(password='it\\'s', n=1)", f"Conf(password='{GONE}', n=1)"),
        ('Conf(db_password="it\'s", n=1)', f'Conf(db_password="{GONE}", n=1)'),
        ("{'password': 'hunter2', 'a': 'b'}", f"{{'password': '{GONE}', 'a': 'b'}}"),
        ("GET /v1?api_key=abcdef&n=2 failed", f"GET /v1?api_key={GONE}&n=2 failed"),
        ("?api_key=abcdef", f"?api_key={GONE}"),
        (
            "Location: https://a.example/?state=1&code=a%2Fb#x",
            f"Location: https://a.example/?state=1&code={GONE}#x",
        ),
        ("grant_type=x&client_secret=abcdef", f"grant_type=x&client_secret={GONE}"),
    ],
)
def test_in_running_text(said: str, kept: str) -> None:
    for around in ({"error": said}, {"nested": json.dumps({"error": said})}):
        hidden = json.loads(redact.default(json.dumps(around).encode()))
        assert hidden.get("error", None) == kept or json.loads(hidden["nested"])["error"] == kept


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (rb'{"h":"Basic dXNlcjpwYXNz\/d29yZDEyMw=="}', rb'{"h":"Basic [redacted]"}'),
        (
            rb'{"u":"https:\/\/a.example\/x?token=abc\/def&n=1"}',
            rb'{"u":"https:\/\/a.example\/x?token=[redacted]&n=1"}',
        ),
        (
            rb'{"u":"https://a/?n=1\u0026token=abcdef\u0026m=2"}',
            rb'{"u":"https://a/?n=1\u0026token=[redacted]\u0026m=2"}',
        ),
    ],
)
def test_in_the_spelling_of_other_writers(raw: bytes, kept: bytes) -> None:
    assert redact.default(raw) == kept


HARMLESS = {
    "words": "Basic internationalization of src. Basic src/components/Button/index.tsx uses bearer "
    "authentication-and-authorization. See sk-learn-classification-tutorial-2024, sk-learn-notes-20240101-draft.",
    "ids": "toolu_01A09q90qw90lq917835lq9 msg_01XFDUDYJgAACzvnptvVoYEL req_011CSHoEeqs5C35K2UUqR7Fy "
    "call_abc123DEF456ghi789JKL chatcmpl-9nYyR3r8Zt0bM2xW7qLk1 0197f2a0-1d2c-7abc-8def-0123456789ab "
    "9fceb02d0ae598e95dc970b74767f19372d61af8 batch_67a8f1c2d3e4 resp_0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "paths": "/usr/lib/python3.11/site-packages/sk_learn/_tokens_/access_token.py C:\\Users\\me\\secret.txt "
    "s3://bucket/api_key/2024 ./node_modules/@scope/auth-token/index.js https://example.com/a:b/@me?page_token=",
    "image": "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAA+AKIA/eyJ/gh0sk+9Bearer" * 40 + "==",
    "python": "def login(password: str, token=None):\n    api_key = os.environ['API_KEY']\n"
    "    client = Client(api_key=api_key, password=password, secret=secret or '')\n"
    "    if a and token == b or x['token']: return headers['Authorization']\n"
    "    @property\n    def secret(self): ...",
    "javascript": "const {apiKey, password} = opts; if (a && token=b) { x ? key=1 : sig=2 } "
    "fetch(`${u}?id=${id}`);"
    "form.password=form.elements.password; a=b&&token=cdefgh;let t=e?key=abcd:f;"
    "var s={password:e,secret:t,api_key:n};",
    "css": ".bearer-token::before{content:'';--sk-color-12:#fff}a{background:url(/img/key=2.png)}"
    "input[type=password]{}",
    "sql": "SELECT password, secret FROM users WHERE token = ? AND api_key = :api_key -- PRIVATE KEY",
    "config": 'host: "a"\npassword: ${DB_PASSWORD}\nkey=value\nid_token: {}\n'
    '{"a": {"password": 5, "secret": null}}',
    "mail": "From: me@example.com <a@b.example>, ssh://git@github.com:22/x and http://localhost:3000/@a?b=c@d",
}


@pytest.mark.parametrize("harmless", HARMLESS.values(), ids=HARMLESS)
def test_harmless_text_stays(harmless: str) -> None:
    counts = {"input_tokens": 5, "max_tokens": 1, "token": "Hello", "cache_read_input_tokens": 0}
    keys = {
        "valid_token": "yes",
        "grid_token": "x",
        "robot-token": "x",
        "forgot_password": "Forgot?",
        "monkey": "x",
    }
    value = {"text": harmless, "usage": counts, **keys}
    for body in (value, {"nested": json.dumps(value)}, {"twice": json.dumps([json.dumps(value)])}):
        for ascii_only in (True, False):
            raw = json.dumps(body, ensure_ascii=ascii_only).encode()
            assert redact.default(raw) == raw


@pytest.mark.parametrize(
    "name", ["id_token", "userIdToken", "ID_TOKEN", "bot_token", "slack-bot-token", "idToken"]
)
def test_a_short_word_in_a_name_begins_where_a_word_begins(name: str) -> None:
    assert json.loads(redact.default(json.dumps({name: "hunter2"}).encode())) == {name: GONE}


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: json.dumps(json.loads(raw), indent=1).encode(),
        lambda raw: raw.replace(b'"', b"'"),
        lambda raw: b"[]",
        lambda raw: b"{}{}",
        lambda raw: b'{"a":1},{"b":2}',
        lambda raw: raw[:-1],
        lambda raw: raw + b"\n",
        lambda raw: raw.decode(),
        lambda raw: None,
    ],
)
def test_a_redaction_that_damages_its_line_has_failed(damage: Any) -> None:
    assert redact.checked(damage, b'{"a":"b"}') is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"password": ["hunter2", "", "b"], "n": 1}, {"password": [GONE, "", GONE], "n": 1}),
        ({"set-cookie": ["a=b", "c=d"], "b": ["c"]}, {"set-cookie": [GONE, GONE], "b": ["c"]}),
        ([{"name": "x-api-key", "value": "hunter2"}, 1], [{"name": "x-api-key", "value": GONE}, 1]),
        (
            {"key": "DB_PASSWORD", "type": "text", "value": "a"},
            {"key": "DB_PASSWORD", "type": "text", "value": GONE},
        ),
        ({"value": "hunter2", "Name": "Authorization"}, {"value": GONE, "Name": "Authorization"}),
        ({"name": "password", "value": ["a", "b"]}, {"name": "password", "value": [GONE, GONE]}),
        ({"name": "host", "value": "example.com"}, None),
        ({"name": "password", "title": "Log in", "value": "x", "name2": "password"}, None),
        ({"required": ["password", "email"], "value": "x"}, None),
    ],
)
def test_lists_and_pairs(value: Any, kept: Any) -> None:
    kept = value if kept is None else kept
    for _ in range(3):
        assert json.loads(redact.default(json.dumps(value).encode())) == kept
        value, kept = {"inside": json.dumps(value)}, {"inside": json.dumps(kept)}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("export ANTHROPIC_API_KEY=hunter2\nA=b", f"export ANTHROPIC_API_KEY={GONE}\nA=b"),
        ("A=b\nDB_PASSWORD=p;a(s)s&w\n", f"A=b\nDB_PASSWORD={GONE}\n"),
        ("docker run -e HF_TOKEN=hunter22 img", f"docker run -e HF_TOKEN={GONE} img"),
        ("sh -c 'API_KEY=hunter2 run'", f"sh -c 'API_KEY={GONE} run'"),
        ("run --api-key=hunter2 --n=1", f"run --api-key={GONE} --n=1"),
        ("SECRET_KEY='hunter2'", f"SECRET_KEY='{GONE}'"),
        ("API_KEY=$KEY API_KEY=${A} API_KEY=$(cat a) API_KEY=<key> f(API_KEY=None)", None),
        ("PRIMARY_KEY=abcdef SORT_KEY=abcdef max_tokens=100 password=secret or", None),
    ],
)
def test_variables_of_the_environment(said: str, kept: str | None) -> None:
    value, kept_value = [said], [said if kept is None else kept]
    for _ in range(3):
        assert json.loads(redact.default(json.dumps(value).encode())) == kept_value
        value, kept_value = [json.dumps(value)], [json.dumps(kept_value)]


@pytest.mark.parametrize("secret", ["sk-proj-" + "a1B2" * 9, '{"password": "hunter2"}'])
def test_a_secret_spelled_token_by_token(secret: str) -> None:
    def token(text: str) -> dict[str, Any]:
        return {"token": text, "logprob": -0.1, "bytes": list(text.encode()), "top_logprobs": [{"token": text}]}

    def body(text: str) -> bytes:
        tokens = [text[at : at + 3] for at in range(0, len(text), 3)]
        chat = {"content": [token(t) for t in tokens], "refusal": None}
        return json.dumps({"a": {"logprobs": chat, "n": 1}, "b": {"logprobs": {"tokens": tokens}}}).encode()

    assert redact.default(body("nothing to hide, {max_tokens}")) == body("nothing to hide, {max_tokens}")
    hidden = json.loads(redact.default(body(f"The key: {secret} there")))
    assert hidden == {"a": {"logprobs": GONE, "n": 1}, "b": {"logprobs": GONE}}


SECRET = "sk-ant-api03-" + "x9Y8" * 20


def test_no_secret_is_in_the_file_wherever_it_stood(trace: Trace) -> None:
    """Planted in many places and spellings, and all the rest of the file is what it is without secrets."""

    def recorded(path: Path, secret: str, password: str) -> list[Any]:
        with Tap(path) as tap:
            value = {"text": f"a {secret}\n", secret: [1, f"'{secret}'"], "password": password, "n": 10**30}
            for depth in range(4):
                tap.record("note", depth=depth, inside=value, shown=repr(value))
                value = {"json": json.dumps(value)}
            tap.record_tool_call(
                "run", {"url": f"https://u:{password}@h/?q={secret}", "env": f"API_KEY={password}"}
            )
            try:
                raise ValueError(f"401 for {secret}")
            except ValueError as exc:
                tap.record_tool_result("run", error=exc)
            pem = f"-----BEGIN PRIVATE KEY-----\n{password}{secret}\n-----END PRIVATE KEY-----"
            tap.record("note", pem=pem, inside=json.dumps({"pem": pem}))
        return [event["payload"] for event in Trace(path).events("note", "tool.called")]

    hidden = recorded(trace.path, SECRET, "hunter2hunter2")
    assert b"x9Y8" not in trace.raw
    assert b"hunter2" not in trace.raw
    assert hidden == recorded(trace.path.with_name("other"), GONE, GONE)


HEX = "0123456789abcdef" * 10
WORDY = "a1B2c3D4e5F6g7H8i9J0" * 10
KEYS = {
    "sk-or-v1-": HEX[:64],
    "csk-": "a1" * 24,
    "gldt-": WORDY[:20],
    "glptt-": WORDY[:40],
    "key-": HEX[:32],
    "PMAK-": f"{HEX[:24]}-{HEX[:34]}",
    "NRAK-": "A1" * 13 + "B",
    "pul-": HEX[:40],
    "xkeysib-": f"{HEX[:64]}-{WORDY[:16]}",
    "AGE-SECRET-KEY-": "1" + "Q2" * 29,
    "sq0atp-": WORDY[:22],
    "dor_v1_": HEX[:64],
    "lin_api_": WORDY[:40],
    "ntn_": WORDY[:46],
    "secret_": WORDY[:43],
    "sbp_": HEX[:40],
    "figd_": WORDY[:43],
    "glsa_": f"{WORDY[:32]}_{HEX[:8]}",
    "dckr_pat_": WORDY[:27],
    "sntryu_": HEX[:64],
    "rubygems_": HEX[:48],
    "pscale_tkn_": WORDY[:43],
    "pscale_pw_": WORDY[:43],
    "lsv2_pt_": f"{HEX[:32]}_{HEX[:10]}",
    "e2b_": HEX[:40],
    "tgp_v1_": WORDY[:43],
    "phx_": WORDY[:43],
    "nfp_": WORDY[:36],
    "apify_api_": WORDY[:36],
    "jina_": HEX[:32] + WORDY[:28],
    "CCIPAT_": f"{WORDY[:22]}_{HEX[:40]}",
    "hvs.": WORDY[:90],
    "dp.pt.": WORDY[:43],
    "ATATT3": WORDY[:180] + "=1A2B",
}


@pytest.mark.parametrize("prefix", KEYS)
def test_a_key_by_its_prefix(prefix: str) -> None:
    key = prefix + KEYS[prefix]
    for text, kept in ((f"x\n{key}", f"x\n{GONE}"), (f"({key})", f"({GONE})"), (f"x{key}", None)):
        for value in ({"a": text}, {"a": json.dumps({"b": text})}, {text: 1}):
            raw = json.dumps(value).encode()
            if kept is None:  # the middle of another word
                assert prefix.startswith("sk") or redact.default(raw) == raw
            else:
                assert json.loads(redact.default(raw)) == json.loads(raw.replace(key.encode(), GONE.encode()))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Authorization: Bearer abc12345", f"Authorization: Bearer {GONE}"),
        ("Basic dXNlcjpwYXNz", f"Basic {GONE}"),
        ("-u 'Basic YTpi'", "-u 'Basic YTpi'"),
        ("Bearer tokenization, Bearer RFC6750, Basic Python311 course, Basic internals", None),
    ],
)
def test_a_short_token_after_its_scheme(said: str, kept: str | None) -> None:
    assert json.loads(redact.default(json.dumps([said]).encode())) == [said if kept is None else kept]


def test_a_redaction_that_keeps_its_line_whole() -> None:
    assert redact.checked(lambda raw: raw.replace(b"b", b"c"), b'{"a":"b"}') == b'{"a":"c"}'
    assert redact.checked(redact.default, b'{"password":"b"}') == b'{"password":"[redacted]"}'


def test_a_redaction_that_records_is_not_asked_about_that() -> None:
    asked = []

    def own(raw: bytes) -> bytes:
        asked.append(raw)
        inner = redact.checked(own, b'{"password":"b"}')
        assert inner == b'{"password":"[redacted]"}'
        return raw

    assert redact.checked(own, b"{}") == b"{}"
    assert redact.checked(own, b"{}") == b"{}"
    assert asked == [b"{}", b"{}"]


def test_among_many_long_words() -> None:
    words = ["a" * 30] * 500
    secret = "sk-ant-api03-" + "b" * 50
    raw = json.dumps({"text": " ".join([*words, secret, "Bearer " + "c1" * 15, *words])}).encode()
    kept = json.loads(redact.default(raw))["text"].split()
    assert kept[500:503] == [GONE, "Bearer", GONE]
    assert kept[:500] == kept[503:] == words


def test_headers() -> None:
    kept = {
        "content-type": "x",
        "idempotency-key": "i",
        "anthropic-ratelimit-tokens-remaining": "9",
        "retry-after": "1",
    }
    gone = (
        "authorization",
        "x-api-key",
        "api-key",
        "cookie",
        "set-cookie",
        "x-amz-security-token",
        "x-goog-api-key",
    )
    gone += ("x-functions-key", "dd-application-key", "x-portkey-virtual-key", "openai-key", "x-rapidapi-key")
    gone += ("proxy-authorization", "X-Auth-Token", "ocp-apim-subscription-key")
    assert credentials.headers(kept | dict.fromkeys(gone, "s")) == kept | dict.fromkeys(gone, GONE)


def test_urls() -> None:
    url = "https://u:p@h.example/v1/x?key=abc&alt=sse&access_token=def&page_tokens=3&X-Amz-Signature=9#f"
    assert urls.url(url) == (
        f"https://{GONE}@h.example/v1/x?key={GONE}&alt=sse&access_token={GONE}&page_tokens=3&X-Amz-Signature={GONE}#f"
    )


@pytest.mark.parametrize("tail", ["", "\\", "x\\\\", "\\n", 'q\\"'])
def test_json_inside_a_string_that_was_cut_off(tail: str) -> None:
    cut = '{"password":"hunter2' + tail
    hidden = json.loads(redact.default(json.dumps({"arguments": cut, "z": 1}).encode()))
    assert hidden == {"arguments": f'{{"password":"{GONE}', "z": 1}


# What is repeated here is what a pattern begins, ends or repeats with, so that it could be tried again from every
# place of it.
HOSTILE = {
    **{
        f"only {piece!r}": piece
        for piece in ("\\", '"', "@", "/", "-", "_", ".", "=", "x", "A", "9", " ", ":", "\n")
    },
    **{
        f"many {piece!r}": piece
        for piece in ("sk-", "eyJ.", "-eyJaaaaaaaa", "eyJaaaaaaaa.", "-SG.aaaaaaaaaaaaaaaa")
    },
    **{
        f"many {piece!r}": piece
        for piece in ("sk-ant-", "sk-ant-aaaaaaa", "-AKIA", "ghp_", "-github_pat_", "xoxb-")
    },
    **{f"many {piece!r}": piece for piece in ("Bearer ", "Basic ", "Bearer aaaaaaaaaaaaaaaaaaaaaaaa=", "BEARER/")},
    **{
        f"many {piece!r}": piece
        for piece in ("://", "://a:", "://a:b@", "a@b", "?key=", "&token", "?token=&", ";")
    },
    **{f"many {piece!r}": piece for piece in ("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "PRIVATE KEY")},
    **{
        f"many {piece!r}": piece
        for piece in ("-----BEGIN PRIVATE KEY----- <", "-----END ", "-----BEGIN A PRIVATE KEY")
    },
    **{
        f"many {piece!r}": piece
        for piece in ('password":"', '"password":"', '{"password":"x\\', "password='", "token=")
    },
    **{
        f"many {piece!r}": piece
        for piece in ('{"password":', '\\"', '\\\\"', '"name":"password","value":"', "password")
    },
    **{
        f"many {piece!r}": piece
        for piece in ('{\\"password\\":\\"', '\\\\\\"password\\\\\\":\\\\\\"', "\\u0041", "\\u00")
    },
    **{
        f"many {piece!r}": piece
        for piece in (
            "A_TOKEN=",
            '"name":"password",',
            '"logprobs":[',
            'password":["a",',
            '"value":"a",',
            "--secret=",
        )
    },
    **{
        f"many {piece!r}": piece
        for piece in ("id_token", 'id_token":', "password = '\\'", '["password",', "sk-a1-")
    },
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize(
    "before", ["", '{"password":"', "-----BEGIN PRIVATE KEY-----", "://u:", "password='", "sk-"]
)
def test_four_times_the_text_is_about_four_times_the_work(piece: str, before: str) -> None:
    """Sixteen times would be the sign of a pattern that walks the same text from each of its places."""
    repeated = before + piece * (32_000 // len(piece))
    inside = json.dumps({"a": repeated}).encode()
    nested = json.dumps({"a": json.dumps({"b": repeated})}).encode()
    bare = repeated.encode()  # a body that is no JSON at all must not hang either

    def spent(raw: bytes) -> float:
        begun = time.thread_time()
        redact.default(raw)
        return time.thread_time() - begun

    for raw in (inside, nested, bare):
        # What is faster than this is no danger, and too short to compare.
        if spent(raw) > 0.02:
            ratios = (spent(raw) / spent(raw[: len(raw) // 4]) for _ in range(5))
            assert any(ratio < 9 for ratio in ratios)


@pytest.mark.parametrize("end", ["", "\\", "\\\\", 'x\\"', '"', '\\"x'])
def test_a_value_in_single_quotes_leaves_the_json_around_it_whole(end: str) -> None:
    """Its text may break off at a backslash, which is two in JSON and belongs to neither quote."""
    raw = json.dumps({"text": f"Config(password='hunter2{end}", "after": 1}).encode()
    redacted = json.loads(redact.default(raw))
    assert "hunter2" not in redacted["text"]
    assert redacted["after"] == 1


W, DEEP = WORDY[:40], json.dumps([{"key": "password", "type": "text", "value": "hunter2"}])
for _ in range(5):
    DEEP = json.dumps([DEEP])


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        # Cut off, and the quote that ends it is that of a text around it.
        (rb'{"a":"[\"sent: {\\\"secret\\\": \\\"hunter2\"]"}', rb'{"a":"[\"sent: {\\\"secret\\\": \\\"GONE\"]"}'),
        # What is no string stands in the list, or the name behind it.
        (b'{"password":[5,"hunter2",null,"hunter3"]}', b'{"password":[5,"GONE",null,"GONE"]}'),
        (b'{"value":["hunter2","hunter3"],"name":"password"}', b'{"value":["GONE","GONE"],"name":"password"}'),
        (DEEP.encode(), DEEP.replace("hunter2", "GONE").encode()),
        # A value in single quotes with a quote of JSON in it.
        (
            json.dumps([repr({"password": 'a"b', "n": 1})]).encode(),
            json.dumps([repr({"password": "GONE", "n": 1})]).encode(),
        ),
        (
            json.dumps([repr({"password": 'a"b"', "n": 1})]).encode(),
            json.dumps([repr({"password": "GONE", "n": 1})]).encode(),
        ),
        (
            json.dumps([repr({"password": 'a\\"b', "n": 1})]).encode(),
            json.dumps([repr({"password": "GONE", "n": 1})]).encode(),
        ),
        (rb'{"a":"x\nbearer a1b2c3d4e5f6g7h8i9j0k1"}', rb'{"a":"x\nbearer GONE"}'),
        (rb'{"u":"postgres:\/\/app:hunter2@db"}', rb'{"u":"postgres:\/\/GONE@db"}'),
        (b'{"t":"cd x;HF_TOKEN=hunter22 run"}', b'{"t":"cd x;HF_TOKEN=GONE run"}'),
        (
            b'{"t":"Server=tcp:h;User ID=app;Password=hunter22;Encrypt=yes"}',
            b'{"t":"Server=tcp:h;User ID=app;Password=GONE;Encrypt=yes"}',
        ),
        (
            f'{{"t":"AccountName=x;AccountKey={W}==;EndpointSuffix=y"}}'.encode(),
            b'{"t":"AccountName=x;AccountKey=GONE;EndpointSuffix=y"}',
        ),
        (
            b"{\"t\":\"-H 'x-api-key: hunter22' -H 'X-Auth-Token:hunter22'\"}",
            b"{\"t\":\"-H 'x-api-key: GONE' -H 'X-Auth-Token:GONE'\"}",
        ),
        (
            f'{{"t":"dckr_pat_-{W} figd_-{W}ab pscale_tkn_a.b={W} github_pat__{W} ya29..{W}"}}'.encode(),
            b'{"t":"GONE GONE GONE GONE GONE"}',
        ),
        (b'{"k":"sk-ant-Gew0LLH1n70GVUJG4ZgOQ.vW02BCxyz"}', b'{"k":"GONE"}'),
        (f'{{"k":"123456789:AA{W[:33]}"}}'.encode(), b'{"k":"1GONE"}'),
        (f'{{"k":"eyJ{W}..{W[:16]}.{W}.{W[:22]}"}}'.encode(), b'{"k":"GONE"}'),  # a JWT that is encrypted
        # Each of these was taken for a secret, or the JSON around it damaged.
        (rb'{"a":"{\"x\": \"password=\",\"y\":1}"}', None),
        (b'{"a":"x=1;password=document.y"}', None),
        (b'{"a":"token: str, api_key: string, auth-token: <token>, x-api-key: $KEY"}', None),
        (rb'{"a":"Basic internationalization\nAuthorization"}', None),
        (
            rb'{"a":"[\"-----BEGIN PRIVATE KEY-----\",\"-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----\"]"}',
            rb'{"a":"[\"GONE\",\"GONE\"]"}',
        ),
        (
            rb'{"a":"[\"-----BEGIN PRIVATE KEY-----x\",\"-----END PRIVATE KEY-----\"]"}',
            rb'{"a":"[\"GONE\",\"-----END PRIVATE KEY-----\"]"}',
        ),
        (f'{{"a":"{{\\"b\\":\\"\\\\npm_{W}\\"}}"}}'.encode(), rb'{"a":"{\"b\":\"\\nGONE\"}"}'),
    ],
)
def test_what_once_was_missed_or_mistaken(raw: bytes, kept: bytes | None) -> None:
    json.loads(raw)
    assert redact.default(raw) == (raw if kept is None else kept.replace(b"GONE", GONE.encode()))
