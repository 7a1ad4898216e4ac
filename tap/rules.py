"""An agent's own redaction rules: patterns and functions, asked about every string of an event."""

import json
import re
from collections.abc import Callable
from typing import Any

import orjson

from .jsonable import loads

Text = Callable[[str], str]
Rule = str | re.Pattern[str] | re.Pattern[bytes] | Text

# In valid JSON every quote outside a string begins one. What follows tells whether it is a key.
_STRING = re.compile(rb'("(?:[^"\\]|\\.)*+")(:?)')
# What trace-events(5) calls the parts of a payload, for whoever reads the trace: no rule is asked about these.
OWN_KEYS = frozenset(
    b'"%b"' % key
    for key in (
        b"args attempt attributes body body_bytes_left_out bytes chunks complete count dropped duration_ms "
        b"encoding error events exception from_seq headers hostname kind left_out message metadata method name "
        b"original other_events other_runs parent_run_id pid provider reason request_id result sha256 status "
        b"stream to_seq tool_name traceback truncated ttft_ms type url versions"
    ).split()
)


def functions(rules: list[Rule] | tuple[Rule, ...], replacement: str) -> list[Text]:
    """Return each rule as a function from text to text; what a pattern matches becomes `replacement`.

    A pattern of bytes sees the text as UTF-8. Raises TypeError or ValueError for what is no rule.
    """
    return [_function(rule, replacement) for rule in rules]


def apply(functions: list[Text], raw: bytes) -> bytes:
    """Return the JSON `raw` with every string passed through the functions in order; keys too, but for OWN_KEYS.

    A string that they leave as it is keeps its bytes, and so does all that is no string. What they raise passes;
    TypeError for a function that returns something else than text.
    """

    def passed(match: re.Match[bytes]) -> bytes:
        if match[2] and match[1] in OWN_KEYS:
            return match[0]
        before = text = loads(match[1])
        for function in functions:
            text = function(text)
            if not isinstance(text, str):
                raise TypeError("a function in redact=[…] did not return text")
        return match[0] if text == before else _string(text) + match[2]

    return _STRING.sub(passed, raw)


def _function(rule: Any, replacement: str) -> Text:
    if isinstance(rule, str):
        try:
            rule = re.compile(rule)
        except re.error as exc:
            raise ValueError(f"Tap(redact=[…]): {rule!r} is no regular expression: {exc}") from None
    if not isinstance(rule, re.Pattern):
        if callable(rule) and not isinstance(rule, type):
            return rule  # type: ignore[no-any-return]  # what it returns is looked at when it does
        raise TypeError(
            f"Tap(redact=[…]) takes regular expressions and functions from str to str, not {type(rule).__name__}"
        )
    if isinstance(rule.pattern, bytes):
        return _on_bytes(rule, replacement.encode())
    # A match of nothing hides nothing.
    return lambda text: rule.sub(lambda match: replacement if match[0] else "", text)


def _on_bytes(pattern: re.Pattern[bytes], replacement: bytes) -> Text:
    def function(text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        done = pattern.sub(lambda match: replacement if match[0] else b"", raw)
        # A pattern may cut a character in two.
        return text if done == raw else done.decode("utf-8", "replace")

    return function


def _string(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # a lone surrogate
        return json.dumps(text).encode()
