"""Rules of the agent's own: inside strings only, and nothing else changes."""

import json
import re
import string
from typing import Any

import pytest
from agenttap import Tap, redact, rules
from hypothesis import assume, given
from hypothesis import strategies as st
from traced import Trace

GONE = redact.REPLACEMENT


def own(*rules: Any) -> Any:
    return redact.chosen(list(rules))


@pytest.mark.parametrize(
    "rule",
    [
        r"EMP-\d+",
        re.compile(r"emp-\d+", re.I),
        re.compile(rb"EMP-\d+"),
        lambda text: re.sub(r"EMP-\d+", GONE, text),
    ],
    ids=["text", "str pattern", "bytes pattern", "function"],
)
def test_a_rule_beside_the_default_ones(trace: Trace, rule: Any) -> None:
    with Tap(trace.path, redact=[rule]) as tap:
        tap.record("note", who="EMP-17, é, EMP-18", **{"EMP-19": [{"password": "hunter2"}]})
    assert trace.one("note") == {"who": f"{GONE}, é, {GONE}", GONE: [{"password": GONE}]}


def test_all_that_is_no_match_keeps_its_bytes() -> None:
    raw = (
        rb'{"n":12345678901234567890123,"x":1.10,"e":1E400,"nan": NaN,"x":-0,  "17":17,"s":"\u0041\/\ud83d\ude00'
        rb' \ud800","t":"id 17","17":[ 17 , "\"17\\" ]}'
    )
    kept = raw.replace(b'"17":', b'"[redacted]":').replace(b"id 17", b"id [redacted]")
    assert own("17")(raw) == kept.replace(rb'"\"17\\"', rb'"\"[redacted]\\"')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.text(string.ascii_letters + '"\\ é\n', min_size=1, max_size=8), st.booleans())
def test_a_word_is_gone_from_every_string(value: Any, word: str, ascii_only: bool) -> None:
    def expected(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(word, GONE)
        if isinstance(value, list):
            return [expected(item) for item in value]
        if isinstance(value, dict):
            return [(expected(key), expected(item)) for key, item in value.items()]
        return value

    assume(f'"{word}"'.encode() not in rules.OWN_KEYS)
    raw = json.dumps({word: value, "x": f"a{word}b"}, ensure_ascii=ascii_only).encode()
    # `default` may have its own say first.
    before = json.loads(redact.default(raw))
    done = json.loads(own(re.escape(word))(raw), object_pairs_hook=list)
    assert json.dumps(done) == json.dumps(expected(before))


def test_rules_go_in_order_and_a_match_of_nothing_hides_nothing() -> None:
    assert own("a", lambda text: text + "!", "x*")(b'["abc"]') == b'["[redacted]bc!"]'


@pytest.mark.parametrize(
    ("text", "pattern", "kept"),
    [("caf\u00e9", rb"\xa9", "caf\ufffd"[:4] + GONE), ("\ud800 Ada", rb"Ada", f"\ufffd\ufffd\ufffd {GONE}")],
)
def test_a_pattern_of_bytes_that_meets_half_a_character(text: str, pattern: bytes, kept: str) -> None:
    (done,) = json.loads(own(re.compile(pattern))(json.dumps([text]).encode()))
    assert GONE in done
    assert done.replace("\ufffd", "") == kept.replace("\ufffd", "")


def test_a_lone_surrogate_stays_an_escape() -> None:
    assert own("Ada")(rb'["\ud800 Ada"]') == rb'["\ud800 [redacted]"]'


@pytest.mark.parametrize("failing", [lambda text: text[99], lambda text: None, lambda text: text.encode()])
def test_a_function_that_fails_lets_nothing_out(
    trace: Trace, failing: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with Tap(trace.path, redact=[lambda text: failing(text) if "planted" in text else text]) as tap:
        tap.record("note", text="planted")
    assert trace.one("note") == {"left_out": "redaction failed", "bytes": 18}
    assert "planted" not in capfd.readouterr().err


def test_a_function_that_records(trace: Trace) -> None:
    def rule(text: str) -> str:
        tap.record("redacting", password="hunter2")
        return text

    with Tap(trace.path, redact=[rule]) as tap:
        tap.record("note", a="b")
    assert {"note", "redacting"} < set(trace.types())
    assert b"hunter2" not in trace.raw


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (["a(b"], ValueError, "'a(b' is no regular expression: missing ), unterminated subpattern at position 1"),
        ([7], TypeError, "takes regular expressions and functions from str to str, not int"),
        ([b"abc"], TypeError, "not bytes"),
        ([str], TypeError, "not type"),
        ("abc", TypeError, "takes a list of regular expressions and functions, .* not str"),
        (7, TypeError, "not int"),
        ({"a": "b"}, TypeError, "not dict"),
    ],
)
def test_a_rule_that_is_none_is_a_mistake_of_wiring(trace: Trace, wrong: Any, error: Any, said: str) -> None:
    with pytest.raises(error) as raised:
        Tap(trace.path, redact=wrong)
    assert re.search(said if "*" in said else re.escape(said), str(raised.value))
    assert "\n" not in str(raised.value)
    assert not trace.path.exists()


def test_an_empty_list_is_the_default() -> None:
    assert redact.chosen([]) is redact.default
    assert redact.chosen(None) is None
