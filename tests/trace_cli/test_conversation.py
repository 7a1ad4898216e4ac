"""The conversation at a moment: whose it is, what is added to it, what is said to be missing, how far is read."""

import json
from typing import Any

import pytest
from traces import (
    Told,
    Walk,
    answering,
    asking,
    called,
    came_back,
    error,
    event,
    request,
    response,
    result,
    said,
    traced,
    use,
)

from trace_cli import conversation
from trace_cli.conversation import Context

HELLO = said("user", "Write the report.")
SEARCHING = ["I search.", use("toolu_1", "search", q="Q1"), use("toolu_2", "search", q="Q2")]


def at(*told: Told, last: int = -1) -> Context:
    """The conversation at the last of these events, or at another."""
    found = conversation.at(Walk(traced(*told), last))
    assert found is not None
    return found


TURN = [
    event("run.started"),
    request("c1", asking(HELLO, max_tokens=9, tools=[{"name": "search"}])),
    response("c1", answering(*SEARCHING)),
    called("toolu_1", "search", q="Q1"),
    result("toolu_1", "search", ["31 M"]),
    called("toolu_2", "search", q="Q2"),
    result("toolu_2", "search", None, "TimeoutError: 30 s"),
    event("note", text="what now"),
]
ANSWER = {"role": "assistant", "content": answering(*SEARCHING)["content"]}


def test_at_a_request_it_is_that_request() -> None:
    found = at(*TURN, last=1)
    assert (found.system, found.tools, found.messages) == ("Be brief.", [{"name": "search"}], [HELLO])
    assert found.settings == {"model": "m", "max_tokens": 9}
    assert (found.request.index, found.inferred, found.answer, found.usage, found.missing) == (
        1,
        False,
        *[None] * 3,
    )


@pytest.mark.parametrize(
    ("last", "results"),
    [
        (2, []),
        (3, []),
        (4, [came_back("toolu_1", '["31 M"]')]),
        (5, [came_back("toolu_1", '["31 M"]')]),
        (6, [came_back("toolu_1", '["31 M"]'), came_back("toolu_2", "TimeoutError: 30 s", is_error=True)]),
        (7, [came_back("toolu_1", '["31 M"]'), came_back("toolu_2", "TimeoutError: 30 s", is_error=True)]),
    ],
)
def test_behind_a_request_what_is_known_by_then_is_added(last: int, results: list[Told]) -> None:
    found = at(*TURN, last=last)
    assert found.messages == [HELLO, ANSWER, *([said("user", results)] if results else [])]
    assert (found.request.index, found.inferred) == (1, True)
    assert found.answer is not None
    assert (found.answer.index, found.usage) == (2, {"input_tokens": 10, "output_tokens": 2})


def chat(*calls: tuple[str, str, str], text: str | None = None) -> Told:
    told = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": args}} for id, name, args in calls
    ]
    return {"choices": [{"message": {"role": "assistant", "content": text, "tool_calls": told}}]}


def test_results_in_the_shape_of_openai_chat() -> None:
    answer = chat(("call_a", "search", '{"q":"Q1"}'), ("call_b", "search", "{}"))
    found = at(
        request("c1", {"messages": [said("system", "Be brief."), HELLO]}),
        response("c1", answer),
        result("call_b", "search", None, "ValueError: no q"),
        result("call_a", "search", "31 M"),
    )
    assert found.system == "Be brief."
    assert found.messages == [
        HELLO,
        answer["choices"][0]["message"],
        {"role": "tool", "tool_call_id": "call_a", "content": "31 M"},
        {"role": "tool", "tool_call_id": "call_b", "content": "ValueError: no q"},
    ]


def call_item(id: str, name: str, args: str) -> Told:
    return {"type": "function_call", "call_id": id, "name": name, "arguments": args}


def test_results_in_the_shape_of_openai_responses() -> None:
    items = [{"type": "reasoning", "summary": []}, call_item("call_a", "search", '{"q":"Q1"}')]
    found = at(
        request("c1", {"input": "Write.", "instructions": "Be brief."}),
        response("c1", {"id": "resp_1", "output": items}),
        result("call_a", "search", {"rows": 3}),
    )
    output = {"type": "function_call_output", "call_id": "call_a", "output": '{"rows":3}'}
    assert found.messages == [said("user", "Write."), *items, output]


@pytest.mark.parametrize(
    "nothing",
    [
        error("c1"),
        response("c1", {"error": {"message": "provider returned error"}}),
        response("c1", {"type": "error", "error": {"message": "overloaded"}, "content": "no"}),
        response("c1", "<html>"),
        response("c1", None),
        response("c2", answering("of another call")),
        event("model.response", "c1", status=200, body=answering("cut o"), complete=False),
    ],
)
def test_what_is_no_answer_adds_nothing(nothing: Told) -> None:
    found = at(request("c1", asking(HELLO)), nothing, event("note"))
    assert (found.messages, found.inferred, found.usage) == ([HELLO], False, None)


def test_there_is_none_before_the_first_request() -> None:
    assert conversation.at(iter([])) is None
    assert conversation.at(Walk(traced(event("run.started"), event("note")))) is None
    assert conversation.at(Walk(traced(called("toolu_1", "search")))) is None
    assert conversation.at(Walk(traced(*TURN), 0)) is None


# Several conversations in one run

U = said("user", "Same words.")
TWINS = [
    request("a", asking(U), step="left"),
    request("b", asking(U), step="right"),
    response("b", answering(use("toolu_b", "search", q="Q1")), step="right"),
    response("a", answering(use("toolu_a", "search", q="Q1")), step="left"),
    called("toolu_b", "search", q="Q1"),
    called("toolu_a", "search", q="Q1"),
    result("toolu_b", "search", "of b"),
    result("toolu_a", "search", "of a"),
    event("note", step="right"),
    event("note", step="left"),
    event("note"),
]


@pytest.mark.parametrize("last", range(len(TWINS)))
def test_parallel_conversations_are_kept_apart(last: int) -> None:
    calls = {"a": (0, 3, 5, 7, 9), "b": (1, 2, 4, 6, 8, 10)}
    expected = next(call for call, numbers in calls.items() if last in numbers)
    assert at(*TWINS, last=last).request.call_id == expected


def test_the_id_of_a_tool_call_counts_more_than_its_arguments() -> None:
    events = traced(*[{**each, "step_id": None} for each in TWINS])
    for number, answer in ((4, 2), (5, 3), (6, 2), (7, 3)):
        found = conversation.asked_by(Walk(events, number))
        assert found is not None
        assert found.index == answer


def test_a_result_goes_to_the_call_with_its_id_only() -> None:
    two = answering(use("toolu_1", "search", q="Q1"), use("toolu_2", "search", q="Q1"))
    found = at(
        request("c1", asking(HELLO)),
        response("c1", two),
        called("toolu_1", "search", q="Q1"),
        called("toolu_2", "search", q="Q1"),
        result("toolu_2", "search", "second"),
    )
    assert found.messages[2:] == [said("user", [came_back("toolu_2", "second")])]


def test_a_result_of_another_conversation_is_not_taken() -> None:
    found = at(*TWINS[:7], called("toolu_c", "read"), response("a", answering()), last=5)
    assert found.request.call_id == "a"
    found = at(*[{**each, "step_id": None} for each in TWINS[:7]], response("a", answering()), last=7)
    assert found.request.call_id == "a"
    assert len(found.messages) == 2


def tap_id(number: int) -> str:
    """An id as the tap gives where the agent gave none."""
    return f"call_{number:024x}"


def test_a_tool_call_with_an_id_of_its_own_is_known_by_name_and_arguments() -> None:
    told = [
        request("a", asking(U)),
        response("a", answering(use("toolu_a", "search", q="A"))),
        request("b", {"messages": [U]}),
        response("b", chat(("call_b", "search", '{"q": "B"}'))),
        called(tap_id(1), "search", q="A"),
        called(tap_id(2), "search", q="B"),
        result(tap_id(2), "search", "of b"),
        result(tap_id(1), "search", "of a"),
    ]
    for last, call in ((4, "a"), (5, "b"), (6, "b"), (7, "a")):
        assert at(*told, last=last).request.call_id == call
    assert at(*told, last=6).messages[-1] == {"role": "tool", "tool_call_id": "call_b", "content": "of b"}
    assert at(*told, last=7).messages[-1] == said("user", [came_back("toolu_a", "of a")])


def test_calls_alike_have_their_results_in_order() -> None:
    two = answering(use("toolu_1", "search", q="Q1"), use("toolu_2", "search", q="Q1"))
    calls = [called(tap_id(1), "search", q="Q1"), called(tap_id(2), "search", q="Q1")]
    results = [result(tap_id(1), "search", "first"), result(tap_id(2), "search", "second")]
    found = at(request("c1", asking(HELLO)), response("c1", two), *calls, *results)
    assert found.messages[-1] == said("user", [came_back("toolu_1", "first"), came_back("toolu_2", "second")])


def test_a_tool_call_with_other_arguments_is_known_by_its_name() -> None:
    told = [
        request("a", asking(U)),
        response("a", answering(use("toolu_a", "search", q="A"))),
        request("b", asking(HELLO)),
        response("b", answering(use("toolu_b", "write", path="b"))),
        called(tap_id(1), "search", q="A", limit=10),
    ]
    assert at(*told).request.call_id == "a"


def test_a_tool_with_an_agent_inside_belongs_to_the_outer_conversation() -> None:
    told = [
        request("outer", asking(U)),
        response("outer", answering(use("toolu_1", "task", goal="sum up"))),
        called("toolu_1", "task", goal="sum up"),
        request("inner", asking(said("user", "sum up"))),
        response("inner", answering("Done.")),
        result("toolu_1", "task", "Done."),
    ]
    assert at(*told, last=4).request.call_id == "inner"
    assert at(*told).messages[-1] == said("user", [came_back("toolu_1", "Done.")])


def test_an_event_in_a_step_without_requests_belongs_to_the_request_around_the_step() -> None:
    told = [
        request("c1", asking(U)),
        event("step.started", step="parsing"),
        request("other", asking(HELLO), step="elsewhere"),
        event("note", step="parsing"),
        event("step.started", step="next"),
    ]
    assert at(*told, last=3).request.call_id == "c1"
    assert at(*told).request.call_id == "other"


# What the API kept


def kept(call: str, id: str, text: Any, previous: str | None = None, **more: Any) -> list[Told]:
    """A turn of OpenAI's responses API, whose conversation is in the API."""
    body = {"model": "m", "input": text, "previous_response_id": previous, **more}
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"to {text}"}]}]
    return [request(call, body), response(call, {"id": id, "output": output})]


def texts(context: Context) -> list[str]:
    contents = [each["content"] for each in context.messages]
    return [each if isinstance(each, str) else each[0]["text"] for each in contents]


def test_a_conversation_that_the_api_kept_is_put_together() -> None:
    told = [
        *kept("c1", "resp_1", "one"),
        *kept("other", "resp_x", "elsewhere"),
        *kept("c2", "resp_2", "two", "resp_1"),
        request("c3", {"model": "m", "input": "three", "previous_response_id": "resp_2"}),
    ]
    found = at(*told)
    assert texts(found) == ["one", "to one", "two", "to two", "three"]
    assert (found.inferred, found.missing) == (True, None)


def test_the_developers_prompt_of_its_first_request_is_kept_too() -> None:
    first = [said("developer", "Be brief."), HELLO]
    told = [*kept("c1", "resp_1", first), *kept("c2", "resp_2", "two", "resp_1")]
    found = at(*told, last=2)
    assert found.system == "Be brief."
    assert [found.messages[0], found.messages[-1]] == [HELLO, said("user", "two")]


@pytest.mark.parametrize("odd", [called(tap_id(1), "log"), event("note", step="nowhere")], ids=["tool", "step"])
def test_what_is_read_in_vain_does_not_hide_what_the_api_kept(odd: Told) -> None:
    found = at(*kept("c1", "resp_1", "one"), *kept("c2", "resp_2", "two", "resp_1"), odd)
    assert (texts(found), found.missing) == (["one", "to one", "two", "to two"], None)


@pytest.mark.parametrize("before", [[], [response("c1", {"id": "resp_1", "output": []})]])
def test_what_the_api_kept_and_the_trace_lacks_is_missing(before: list[Told]) -> None:
    found = at(*before, request("c2", {"input": "two", "previous_response_id": "resp_1"}))
    assert texts(found) == ["two"]
    assert found.missing == "the conversation before resp_1 is kept by the API, and not in this trace"
    assert found.inferred is False


def test_the_id_that_is_not_found_is_the_one_that_is_said() -> None:
    found = at(*kept("c2", "resp_2", "two", "resp_1"), *kept("c3", "resp_3", "three", "resp_2"), last=2)
    assert texts(found) == ["two", "to two", "three"]
    assert found.missing == "the conversation before resp_1 is kept by the API, and not in this trace"
    assert found.inferred is True


@pytest.mark.parametrize("kept_as", ["conv_1", {"id": "conv_1"}])
def test_a_conversation_that_is_an_object_of_the_api_is_missing(kept_as: Any) -> None:
    found = at(request("c2", {"input": "two", "conversation": kept_as}))
    assert found.missing == "the conversation before this request is kept by the API"


def test_what_was_cut_out_of_the_kept_part_is_missing() -> None:
    turn = kept("c1", "resp_1", "one")
    turn[0]["payload"] = {"truncated": True}
    found = at(*turn, *kept("c2", "resp_2", "two", "resp_1"), last=2)
    assert texts(found) == ["to one", "two"]
    assert (
        found.missing == "of the conversation before resp_1, the body of the request is too large to be recorded"
    )


@pytest.mark.parametrize("id", [None, 7, [], True])
def test_an_id_that_is_no_text_names_nothing(id: Any) -> None:
    assert at(request("c1", {"input": "one", "previous_response_id": id})).missing is None


# What cannot be read


@pytest.mark.parametrize(
    ("payload", "missing"),
    [
        ({"body": "POST"}, "the body of the request is no JSON object"),
        ({"body": None}, "the body of the request is no JSON object"),
        ({"body": [1]}, "the body of the request is no JSON object"),
        ({}, "the body of the request is no JSON object"),
        ({"truncated": True, "size": 50_000_000}, "the body of the request is too large to be recorded"),
    ],
)
def test_a_body_that_cannot_be_read_is_said(payload: Told, missing: str) -> None:
    broken = {"type": "model.request", "call_id": "c1", "step_id": None, "payload": payload}
    found = at(broken, response("c1", answering("All the same.")))
    assert found.missing == missing
    assert found.messages == [said("assistant", [{"type": "text", "text": "All the same."}])]


def test_events_of_other_formats_have_a_conversation_too() -> None:
    plain = [request(None, asking(HELLO)), response(None, answering("Yes."))]
    found = at(*plain, request(None, asking(U)), response(None, answering("No.")), last=3)
    assert found.messages == [U, said("assistant", [{"type": "text", "text": "No."}])]


# What was spent


def test_usage_that_is_no_object_is_none() -> None:
    assert at(request("c1", asking(HELLO)), response("c1", answering("a", usage="much"))).usage is None


def test_each_call_is_counted_once_and_unknown_is_not_nought() -> None:
    answered = [
        response("c1", answering("a")),
        response("c1", answering("a")),
        response("c2", answering("b", usage={"input_tokens": None, "output_tokens": 7})),
        response("c3", answering("c", usage={"input_tokens": "7", "output_tokens": True})),
        response("c4", None),
        response(
            None, answering("d", usage={"input_tokens": 1, "cache_read_input_tokens": 5, "output_tokens": 1})
        ),
        response(None, answering("e")),
    ]
    spent = conversation.spent(traced(*answered))
    assert spent == {
        "requests": 3,
        "input_tokens": 26,
        "output_tokens": 5,
        "cache_read_tokens": 5,
        "cache_write_tokens": 0,
    }


# How far is read


def turns(count: int) -> list[Told]:
    """A long run: a request with all that was said, its answer, and a tool call, again and again."""
    messages: list[Told] = [HELLO]
    told: list[Told] = []
    for number in range(count):
        block = use(f"toolu_{number}", "search", q=number)
        told += [request(f"c{number}", asking(*messages)), response(f"c{number}", answering(block))]
        told += [called(f"toolu_{number}", "search", q=number), result(f"toolu_{number}", "search", "31 M")]
        messages += [said("assistant", [block]), said("user", [came_back(f"toolu_{number}", "31 M")])]
    return told


@pytest.mark.parametrize(("last", "read"), [(-1, 4), (-2, 3), (-3, 2), (-4, 1)])
def test_only_what_the_answer_needs_is_read(last: int, read: int) -> None:
    walk = Walk(traced(*turns(50)), last)
    assert conversation.at(walk) is not None
    assert walk.read == read


def test_ids_that_the_tap_gave_do_not_make_it_read_more() -> None:
    walk = Walk(traced(*turns(50), called(tap_id(1), "search", q=49)))
    assert conversation.at(walk) is not None
    assert walk.read == 5


@pytest.mark.parametrize(
    "odd",
    [
        called("toolu_of_nobody", "unknown"),
        result(tap_id(3), "search", 1),
        event("note", step="nowhere"),
        response("nowhere", answering("x")),
    ],
    ids=str,
)
def test_where_nothing_fits_it_gives_up_in_the_end(odd: Told) -> None:
    walk = Walk(traced(*turns(100), odd))
    found = conversation.at(walk)
    assert found is not None
    assert found.request.call_id == "c99"
    assert walk.read <= 4 * conversation.REACH + 1


def test_messages_are_as_they_were_sent() -> None:
    body = asking(
        {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
    )
    assert json.dumps(at(request("c1", body)).messages) == json.dumps(body["messages"])
