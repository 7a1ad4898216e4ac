"""What bodies say: the parts of a request, tokens, costs, calls; and nothing where their shape is not known."""

from typing import Any

import pytest

from trace_cli import message
from trace_cli.message import Parts, Tokens

USER = {"role": "user", "content": "Hello"}


def test_parts_of_an_anthropic_request() -> None:
    tools = [{"name": "search"}]
    body = {"model": "m", "max_tokens": 9, "system": "Be brief.", "tools": tools, "messages": [USER]}
    assert message.parts(body) == Parts("Be brief.", tools, [USER], {"model": "m", "max_tokens": 9})


def test_parts_of_openai_requests() -> None:
    prompt, later = {"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Now in French."}
    assert message.parts({"messages": [prompt, USER, later]}) == Parts("Be brief.", [], [USER, later], {})
    assert message.parts({"input": "Hello", "instructions": "Be brief."}) == Parts("Be brief.", [], [USER], {})
    both = message.parts({"instructions": "Be brief.", "input": [later, USER]})
    assert (both.system, both.messages) == (["Be brief.", "Now in French."], [USER])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None, "tools": None, "system": None},
        {"messages": 7, "tools": "all"},
        {"messages": {"role": "user"}, "tools": {}},
        {"messages": [None, 7, "text", ["x"]]},
        {"input": None, "instructions": None},
    ],
)
def test_parts_of_what_is_no_request(body: dict[str, Any]) -> None:
    assert message.parts(body) == Parts(None, [], [], {})


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 10, "output_tokens": 2}, Tokens(10, 2)),
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 3,
                "output_tokens": 2,
            },
            Tokens(18, 2, 5, 3),
        ),
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": None,
                "cache_creation_input_tokens": None,
                "output_tokens": 0,
            },
            Tokens(10, 0),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}},
            Tokens(10, 2, 8),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": None}, Tokens(10, 2)),
        ({"input_tokens": 10, "output_tokens": 2, "input_tokens_details": {"cached_tokens": "8"}}, Tokens(10, 2)),
    ],
)
def test_tokens(usage: dict[str, Any], expected: Tokens) -> None:
    assert message.tokens({"usage": usage}) == expected


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "12",
        [],
        {},
        {"input_tokens": 10},
        {"output_tokens": 2},
        {"input_tokens": None, "output_tokens": 2},
        {"input_tokens": "10", "output_tokens": 2},
        {"input_tokens": 10, "output_tokens": True},
        {"input_tokens": 10, "output_tokens": -2},
        {"input_tokens": 10, "output_tokens": 1 << 60},
        {"input_tokens": "10", "cache_read_input_tokens": 5, "output_tokens": 2},
        {"input_tokens": None, "cache_read_input_tokens": 5, "output_tokens": 2},
    ],
)
def test_tokens_that_are_not_told_are_unknown(usage: Any) -> None:
    assert message.tokens({"usage": usage}) is None
    assert message.usage({"usage": usage}) == ""


def test_cost() -> None:
    assert message.cost({"body": {"usage": {"cost": 0.25}}}) == 0.25
    assert message.cost({"total_cost_usd": 1, "body": None}) == 1
    assert message.cost({"total_cost_usd": "1", "costUSD": 0.5}) == 0.5
    for told in (None, "0.1", True, float("nan"), float("inf"), [], {}):
        assert message.cost({"costUSD": told, "body": {"usage": {"cost": told}}}) is None
    for body in (None, "text", [], {"usage": None}, {"usage": 7}):
        assert message.cost({"body": body}) is None


def test_tool_calls_in_every_shape() -> None:
    sent: list[dict[str, Any]] = [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": "search", "input": {"q": 1}}],
        },
        {"type": "function_call", "call_id": "call_2", "name": "write", "arguments": '{"path":"a"}'},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_3", "type": "function", "function": {"name": "read", "arguments": "{}"}}],
        },
    ]
    assert list(message.identified_tool_calls(sent)) == [
        ("toolu_1", "search", {"q": 1}),
        ("call_2", "write", '{"path":"a"}'),
        ("call_3", "read", "{}"),
    ]
    assert message.tool_names(sent) == {"toolu_1": "search", "call_2": "write", "call_3": "read"}


@pytest.mark.parametrize(
    "odd",
    [
        {"content": [{"type": "tool_result", "id": "x", "name": "search"}]},
        {"content": "tool_use"},
        {"tool_calls": "search"},
        {"tool_calls": 7},
        {"tool_calls": [None, "x", {"id": "call_1"}, {"id": "call_1", "function": None}]},
        {"type": ["function_call"]},
    ],
)
def test_no_tool_calls_in_what_has_none(odd: dict[str, Any]) -> None:
    assert list(message.identified_tool_calls([odd])) == []


TRACEBACK = """Traceback (most recent call last):
  File "/app/agent.py", line 9, in main
    run()
  File "/app/tools/pdf.py", line 41, in extract
    return rows[0]
IndexError: list index out of range
"""


def test_where_an_exception_was_raised() -> None:
    assert message.raised_in({"type": "IndexError", "traceback": TRACEBACK}) == "extract, /app/tools/pdf.py:41"
    for odd in (None, "text", [], {}, {"traceback": None}, {"traceback": "no frames"}, {"traceback": 7}):
        assert message.raised_in(odd) is None
