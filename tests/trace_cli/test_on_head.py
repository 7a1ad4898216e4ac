"""What the head of a line answers is what JMESPath finds in the parsed line."""

import json
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trace_cli import expression, lines, on_head
from trace_cli.event import Event

HEAD = {"v": 1, "type": "tool.called", "timestamp": "2026-05-24T03:17:04Z", "run_id": "r1", "seq": 7}
IDS = [{}, {"call_id": None}, {"call_id": "c1"}, {"step_id": "s1"}, {"call_id": "c1", "step_id": None}]
IDS.append({"step_id": "s1", "trace_id": "0af7" * 8, "span_id": "b7ad" * 4})
VALUES = [
    "`0`",
    "`1`",
    "`7`",
    "`7.0`",
    "`true`",
    "`false`",
    "`null`",
    "''",
    "'r1'",
    "'tool.called'",
    "'2026'",
    "`[]`",
]
LEAVES = st.sampled_from(
    ["v", "type", "timestamp", "run_id", "seq", "call_id", "step_id", "trace_id", "span_id", *VALUES]
)
OPERATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "&&", "||"])
CALLS = st.sampled_from(
    ["starts_with(%s, %s)", "contains(%s, %s)", "not_null(%s, %s)", "to_array(not_null(%s, %s))"]
)


def _grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, parts, OPERATORS, parts),
        st.builds("!{}".format, parts),
        st.builds(lambda call, one, other: call % (one, other), CALLS, parts, parts),
    )


def event(ids: dict[str, Any]) -> Event:
    raw = json.dumps({**HEAD, **ids, "payload": {"a": 1}}, separators=(",", ":")).encode()
    found = Event(raw, lines.head_of(raw))
    assert found.head
    return found


@given(text=st.recursive(LEAVES, _grown, max_leaves=6), ids=st.sampled_from(IDS))
def test_a_head_answers_as_the_line_does(text: str, ids: dict[str, Any]) -> None:
    parsed = jmespath.compile(text).parsed
    answer = on_head.answer(parsed)
    assert answer
    try:
        expected = jmespath.search(text, event(ids).fields)
    except (jmespath.exceptions.JMESPathError, TypeError):
        expected = None
    field, seen = expression.Field(parsed), event(ids)
    assert repr(field(seen)) == repr(expected)
    assert seen.head
    assert field.may_hold(seen.head) or not field.holds(seen)


@pytest.mark.parametrize(
    "text", ["payload.a", "@", "keys(@)", "[seq, v]", "{a: seq}", "_src", "level", "type.x", "max_by(@, &v)"]
)
def test_what_is_not_in_the_head_is_not_answered(text: str) -> None:
    assert on_head.answer(jmespath.compile(text).parsed) is None


@pytest.mark.parametrize("text", ["seq < `9`", "run_id == 'r1' && type != 'x'", "call_id == 'c1'"])
def test_the_payload_is_not_parsed(text: str) -> None:
    raw = event({"call_id": "c1"}).raw.replace(b'{"a":1}', b'{"a":broken}')
    found = Event(raw, lines.head_of(raw))
    assert expression.compile(text).holds(found)
    assert "fields" not in vars(found)
