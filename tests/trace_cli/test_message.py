"""What bodies say: the parts of a request, tokens, costs, calls; and nothing where their shape is not known."""

from typing import Any

import pytest

from trace_cli import message
from trace_cli.message import Parts

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
