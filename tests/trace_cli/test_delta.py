"""What is new in a conversation: which request was before, and what changed since."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from traces import (
    Told,
    Walk,
    answering,
    asking,
    called,
    came_back,
    error,
    request,
    response,
    result,
    said,
    traced,
    use,
)

from trace_cli import conversation, conversation_card, delta, line, message
from trace_cli.event import Event

HELLO = said("user", "Write the report.")
CALL = said("assistant", [use("toolu_1", "search", q="Q1")])
BACK = said("user", [came_back("toolu_1", "31 M")])
FIRST = asking(HELLO)
SECOND = asking(HELLO, CALL, BACK)
ANSWERED = [request("c1", FIRST), response("c1", answering(*CALL["content"]))]


def before(*told: Told) -> Event | None:
    """The request before the last of these events."""
    events = traced(*told)
    return delta.previous(events[-1], Walk(events, -2))


def call_before(*told: Told) -> str | None:
    found = before(*told)
    return None if found is None else found.call_id


def changes(a: Any, b: Any) -> list[tuple[str, str]]:
    """The changes between two bodies, without what changed."""
    return [(each["op"], each["path"]) for each in changed(a, b)]


def changed(a: Any, b: Any) -> list[dict[str, Any]]:
    was, now = traced(request("c1", a), request("c2", b))
    context = conversation.at(iter([now]))
    assert context is not None
    return delta.changes(context, was)


# Which request was before


def test_of_the_first_request_all_is_new() -> None:
    assert before(request("c1", FIRST)) is None
    context = conversation.at(Walk(traced(request("c1", asking(HELLO, tools=[{"name": "search"}])))))
    assert context is not None
    assert delta.changes(context, None) == [
        {"op": "added", "path": "/system", "b": "Be brief."},
        {"op": "added", "path": "/tools/0", "b": {"name": "search"}},
        {"op": "added", "path": "/settings/model", "b": "m"},
        {"op": "added", "path": "/messages/0", "b": HELLO},
    ]


def test_it_is_the_one_whose_answer_comes_next() -> None:
    assert call_before(*ANSWERED, request("c2", SECOND)) == "c1"


def test_another_attempt_looks_past_the_first() -> None:
    again = [request("c2", SECOND), error("c2"), request("c3", SECOND, attempt=2), error("c3")]
    assert call_before(*ANSWERED, *again, request("c4", SECOND, attempt=3)) == "c1"
    assert before(request("c1", FIRST), error("c1"), request("c2", FIRST, attempt=2)) is None


def test_a_request_that_failed_is_the_one_before_when_the_conversation_goes_on_from_it() -> None:
    more = asking(HELLO, CALL, BACK, said("user", "Go on."))
    assert call_before(*ANSWERED, request("c2", SECOND), error("c2"), request("c3", more)) == "c2"


def test_another_attempt_with_other_settings_is_a_change() -> None:
    for again in (asking(HELLO, max_tokens=9), {**FIRST, "system": "Be long."}):
        assert call_before(request("c1", FIRST), error("c1"), request("c2", again)) == "c1"


def test_a_conversation_whose_system_prompt_changed_is_the_same() -> None:
    assert call_before(*ANSWERED, request("c2", {**SECOND, "system": "Be long."})) == "c1"
    assert call_before(*ANSWERED, request("c2", {**asking(HELLO, HELLO), "system": "Be long."})) == "c1"


def twins(first: Told = HELLO) -> list[Told]:
    """Two conversations with the same system prompt and the same first message."""
    return [
        request("a1", asking(first)),
        request("b1", asking(first)),
        response("b1", answering(use("toolu_b", "search", q="Q1"))),
        response("a1", answering(use("toolu_a", "search", q="Q1"))),
    ]


def turn(id: str, first: Told = HELLO) -> Told:
    block = use(id, "search", q="Q1")
    return asking(first, said("assistant", [block]), said("user", [came_back(id, "31 M")]))


def test_parallel_conversations_never_get_each_others_request() -> None:
    assert call_before(*twins(), request("a2", turn("toolu_a"))) == "a1"
    assert call_before(*twins(), request("b2", turn("toolu_b"))) == "b1"
    assert call_before(*twins(), request("a2", turn("toolu_a")), request("b2", turn("toolu_b"))) == "b1"


def test_a_conversation_that_starts_later_with_the_same_words_has_none_before() -> None:
    assert before(*ANSWERED, request("c2", SECOND), request("d1", FIRST)) is None
    other = asking(said("user", "Something else."))
    assert before(*ANSWERED, request("c2", SECOND), request("d1", other)) is None


def test_a_conversation_that_is_still_unanswered_is_not_before_one_that_was_answered() -> None:
    shots = [HELLO, said("assistant", "Yes."), said("user", "Now this.")]
    told = [request("a1", asking(*shots)), response("a1", answering("Of a.")), request("b1", asking(*shots))]
    assert call_before(*told, request("a2", asking(*shots, said("assistant", "Of a."), HELLO))) == "a1"
    assert (
        call_before(*told, error("b1"), request("a2", asking(*shots, said("assistant", "Of a."), HELLO))) == "a1"
    )


def test_calls_without_ids_are_known_by_what_they_call() -> None:
    def chat(query: str) -> Told:
        called = [{"function": {"name": "search", "arguments": {"q": query}}}]
        return {"role": "assistant", "content": "", "tool_calls": called}

    told = [
        request("a1", {"messages": [HELLO]}),
        response("a1", {"choices": [{"message": chat("of a")}]}),
        request("b1", {"messages": [HELLO], "temperature": 1}),
        response("b1", {"choices": [{"message": chat("of b")}]}),
    ]
    for query, expected in (("of a", "a1"), ("of b", "b1")):
        back = {"role": "tool", "content": "31 M"}
        assert call_before(*told, request("next", {"messages": [HELLO, chat(query), back]})) == expected


def test_an_answer_that_says_nothing_is_not_what_comes_next() -> None:
    thinking = {"type": "thinking", "thinking": "Hm."}
    told = [
        request("a1", asking(HELLO)),
        response("a1", answering(thinking)),
        request("b1", asking(HELLO, temperature=1)),
        response("b1", answering()),
    ]
    assert call_before(*told, request("a2", asking(HELLO, said("assistant", [thinking]), BACK))) == "a1"


def test_the_same_words_in_answer_to_more_are_not_what_comes_next() -> None:
    told = [
        request("a1", asking(HELLO)),
        response("a1", answering("OK.")),
        request("b2", asking(HELLO, said("user", "More."))),
        response("b2", answering("OK.")),
    ]
    assert call_before(*told, request("a2", asking(HELLO, said("assistant", "OK."), BACK))) == "a1"


def test_what_was_thought_before_a_call_tells_parallel_conversations_apart() -> None:
    def items(name: str) -> list[Told]:
        call = {"type": "function_call", "call_id": name, "name": "search", "arguments": "{}"}
        return [{"type": "reasoning", "id": f"rs_{name}", "summary": []}, call]

    told = [
        request("a1", {"input": [HELLO]}),
        request("b1", {"input": [HELLO]}),
        response("a1", {"output": items("a")}),
        response("b1", {"output": items("b")}),
    ]
    for name in ("a", "b"):
        output = {"type": "function_call_output", "call_id": name, "output": "31 M"}
        assert call_before(*told, request("next", {"input": [HELLO, *items(name), output]})) == f"{name}1"


def kept(call: str, id: str, sent: Any, previous: str | None = None) -> list[Told]:
    """A turn of OpenAI's responses API, whose conversation is in the API."""
    body = {"input": sent, "previous_response_id": previous}
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"{id} is said"}]}
    return [request(call, body), response(call, {"id": id, "output": [item]})]


def test_what_the_api_kept_is_not_new() -> None:
    told = [
        *kept("c1", "resp_1", [said("developer", "Be brief."), HELLO]),
        *kept("other", "resp_x", [said("developer", "Be brief."), HELLO]),
        *kept("c2", "resp_2", "two", "resp_1"),
        *kept("c3", "resp_3", "three", "resp_2"),
    ]
    events = traced(*told)
    for last, expected, new in ((4, 0, ["resp_1 is said", "two"]), (6, 4, ["resp_2 is said", "three"])):
        context = conversation.at(Walk(events, last))
        was = delta.previous(events[last], Walk(events, last - 1))
        assert context is not None
        assert was is not None
        assert was.index == expected
        added = [each for each in delta.changes(context, was) if "previous_response_id" not in each["path"]]
        assert [message.text_of(each["b"]["content"]) for each in added] == new
    assert call_before(*told[2:], request("c4", {"input": "four", "previous_response_id": "resp_1"})) is None


def test_a_conversation_cut_back_to_an_earlier_turn_follows_the_one_that_went_on() -> None:
    third = asking(HELLO, CALL, BACK, said("assistant", "I am done."), said("user", "No."))
    told = [*ANSWERED, request("c2", SECOND), response("c2", answering("I am done.")), request("c3", third)]
    cut = asking(HELLO, CALL, BACK, said("user", "Once more."))
    assert call_before(*told, response("c3", answering("Sorry.")), request("c4", cut)) == "c3"
    told[3] = error("c2")
    assert call_before(*told, response("c3", answering("Sorry.")), request("c4", cut)) == "c3"


@pytest.mark.parametrize("other", [[], [response("b2", answering("Of b."))]], ids=["open", "answered"])
def test_a_fork_that_shares_less_is_not_before(other: list[Told]) -> None:
    fork = [*SECOND["messages"], said("user", "Once more.")]
    told = [request("a2", asking(*fork)), response("a2", answering("Of a.")), request("b2", SECOND), *other]
    assert call_before(*told, request("a3", asking(*fork, said("assistant", "Of a."), HELLO))) == "a2"


SUMMARY = "The user wants a report of the first quarter; revenue was 31 M; the report is in q1.md."


@pytest.mark.parametrize("tools", [[{"name": "search"}], []])
def test_a_conversation_that_was_compacted_follows_the_one_that_was_summed_up(tools: list[Any]) -> None:
    told = [
        request("c1", asking(HELLO, CALL, BACK, tools=[{"name": "search"}])),
        response("c1", answering("I go on.")),
        request("sum", asking(HELLO, CALL, BACK, said("user", "Sum up."), tools=tools)),
        response("sum", answering(SUMMARY)),
        request("c2", asking(said("user", f"Continue:\n{SUMMARY}\nGo on."), tools=[{"name": "search"}])),
    ]
    assert call_before(*told) == ("sum" if tools else "c1")


def test_a_window_that_slides_follows_the_one_before() -> None:
    every = [said("user" if number % 2 == 0 else "assistant", f"message {number}") for number in range(9)]
    told = [
        request("c1", asking(*every[:5])),
        response("c1", answering("message 5")),
        request("other", asking(said("user", "a sub-agent"))),
        response("other", answering("message 6")),
    ]
    assert call_before(*told, request("c2", asking(*every[2:7]))) == "c1"


def test_marks_for_caching_hide_no_request() -> None:
    def marked(text: str, **more: Any) -> list[Any]:
        return [{"type": "text", "text": text, **more}]

    cache = {"cache_control": {"type": "ephemeral"}}
    told = [
        request(
            "c1", {"system": marked("Be brief.", **cache), "messages": [said("user", marked("Go.", **cache))]}
        ),
        response("c1", answering(SUMMARY)),
        request("c2", {"system": marked("Be brief."), "messages": [said("user", f"Continue. {SUMMARY}")]}),
    ]
    assert call_before(*told) == "c1"


@pytest.mark.parametrize("body", ["POST", None, {}, {"model": "m"}, {"messages": 7}])
def test_a_body_that_cannot_be_read_is_before_none_and_behind_none(body: Any) -> None:
    (anchor,) = traced(request("c2", body))
    walk = Walk(traced(*ANSWERED))
    assert (delta.previous(anchor, walk), walk.read) == (None, 0)
    assert (
        before(
            request("c0", body),
            response("c0", answering(SUMMARY)),
            request("c1", {"messages": [said("user", SUMMARY)]}),
        )
        is None
    )
    assert call_before(*ANSWERED, request("c2", body), request("c3", SECOND)) == "c1"


def test_in_the_ordinary_case_a_handful_of_events_is_read() -> None:
    told: list[Told] = []
    messages: list[Told] = [HELLO]
    for number in range(100):
        block = use(f"toolu_{number}", "search", q=number)
        told += [request(f"c{number}", asking(*messages)), response(f"c{number}", answering(block))]
        told += [called(f"toolu_{number}", "search", q=number), result(f"toolu_{number}", "search", "31 M")]
        messages += [said("assistant", [block]), said("user", [came_back(f"toolu_{number}", "31 M")])]
    walk = Walk(traced(*told))
    (anchor,) = traced(request("next", asking(*messages)))
    found = delta.previous(anchor, walk)
    assert found is not None
    assert (found.call_id, walk.read) == ("c99", 4)
    messages = [HELLO, CALL, BACK, said("user", "Go on.")]
    (anchor,) = traced(request("next", asking(*messages, said("user", "Now!"))))
    walk = Walk(traced(*told, request("failed", asking(*messages)), error("failed")))
    found = delta.previous(anchor, walk)
    assert found is not None
    assert (found.call_id, walk.read) == ("failed", 2)
    (stranger,) = traced(request("next", asking(said("user", "nobody knows this"), system="New.")))
    walk = Walk(traced(*told))
    assert delta.previous(stranger, walk) is None
    assert walk.read <= 4 * conversation.REACH


# What changed


def test_a_conversation_that_grew_has_what_was_added() -> None:
    assert changed(FIRST, SECOND) == [
        {"op": "added", "path": "/messages/1", "b": CALL},
        {"op": "added", "path": "/messages/2", "b": BACK},
    ]


def test_a_message_that_was_edited_is_changed() -> None:
    edited = said("user", [came_back("toolu_1", "[old tool result cleared]")])
    assert changed(SECOND, asking(HELLO, CALL, edited)) == [
        {"op": "changed", "path": "/messages/2", "a": BACK, "b": edited}
    ]
    longer = said("user", "Write the report, please.")
    assert changes(FIRST, asking(longer)) == [("changed", "/messages/0")]
    assert changes(FIRST, asking(said("assistant", "Write the report."))) == [
        ("removed", "/messages/0"),
        ("added", "/messages/0"),
    ]


def test_a_message_is_changed_when_it_is_of_the_same_call_or_half_of_it_is_as_before() -> None:
    long = said("user", [came_back("toolu_1", "rows " * 100)])
    assert changes(asking(long), asking(said("user", [came_back("toolu_1", "[gone]")]))) == [
        ("changed", "/messages/0")
    ]
    replaced = [("removed", "/messages/0"), ("added", "/messages/0")]
    assert changes(asking(long), asking(said("user", [came_back("toolu_2", "[gone]")]))) == replaced
    for same, expected in ((30, replaced), (60, [("changed", "/messages/0")])):
        a, b = (said("user", "a" * same + other * (100 - same)) for other in "bc")
        assert changes(asking(a), asking(b)) == expected
        assert changes(asking(a), asking(said("user", [{"type": "text", "text": b["content"]}]))) == expected


def test_what_was_removed_counts_in_the_request_before() -> None:
    assert changes(SECOND, asking(BACK)) == [("removed", "/messages/0"), ("removed", "/messages/1")]


def test_a_summary_stands_in_the_place_of_what_it_sums_up() -> None:
    found = changes(SECOND, asking(said("user", SUMMARY)))
    assert found == [("removed", f"/messages/{number}") for number in range(3)] + [("added", "/messages/0")]


def test_system_tools_and_settings() -> None:
    a = asking(HELLO, tools=[{"name": "search"}, {"name": "write"}], max_tokens=9, stop=None)
    b = asking(
        HELLO, tools=[{"name": "write", "strict": True}, {"name": "read"}], **{"a/b~c": 1, "temperature": 0}
    )
    b["system"] = "Be long."
    assert changed(a, b) == [
        {"op": "changed", "path": "/system", "a": "Be brief.", "b": "Be long."},
        {"op": "changed", "path": "/tools/0", "a": {"name": "write"}, "b": {"name": "write", "strict": True}},
        {"op": "added", "path": "/tools/1", "b": {"name": "read"}},
        {"op": "removed", "path": "/tools/0", "a": {"name": "search"}},
        {"op": "removed", "path": "/settings/max_tokens", "a": 9},
        {"op": "added", "path": "/settings/a~1b~0c", "b": 1},
        {"op": "added", "path": "/settings/temperature", "b": 0},
    ]


def test_tools_of_one_name_are_told_one_by_one() -> None:
    twice = asking(HELLO, tools=[{"name": "search", "v": 1}, {"name": "search", "v": 2}])
    assert changes(twice, twice) == []
    assert changes(twice, asking(HELLO)) == [("removed", "/tools/0"), ("removed", "/tools/1")]
    assert changes(asking(HELLO), twice) == [("added", "/tools/0"), ("added", "/tools/1")]


CACHED = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (asking(HELLO), asking(said("user", [{"type": "text", "text": "Write the report.", **CACHED}]))),
        (asking(HELLO), asking(HELLO, system=[{"type": "text", "text": "Be brief.", **CACHED}])),
        (asking(HELLO, tools=[{"name": "x"}]), asking(HELLO, tools=[{"name": "x", **CACHED}])),
        (asking(HELLO), asking(HELLO, stop_sequences=[], metadata=None)),
        (asking(BACK), asking(said("user", [came_back("toolu_1", [{"type": "text", "text": "31 M"}], **CACHED)]))),
    ],
)
def test_what_says_the_same_to_the_model_is_no_change(a: Told, b: Told) -> None:
    b = {**a, **b}
    assert changes(a, b) == changes(b, a) == []


# Properties

TEXT = st.sampled_from(["a", "b", "Write the report.", "Write a report.", SUMMARY, "", "x" * 60])
BLOCK = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT),
    st.builds(lambda id, q: use(id, "search", q=q), st.sampled_from("pq"), TEXT),
    st.builds(came_back, st.sampled_from("pq"), TEXT),
)
MESSAGE = st.builds(said, st.sampled_from(["user", "assistant"]), TEXT | st.lists(BLOCK, max_size=3))
MESSAGES = st.lists(MESSAGE, max_size=8)


def applied(was: Sequence[Any], found: Sequence[dict[str, Any]]) -> list[Any]:
    """The old messages with the changes made in them."""
    removed = {int(each["path"].split("/")[2]) for each in found if each["op"] == "removed"}
    placed = {int(each["path"].split("/")[2]): each for each in found if each["op"] != "removed"}
    left = iter([each for number, each in enumerate(was) if number not in removed])
    now: list[Any] = []
    for place in range(len(was) - len(removed) + sum(each["op"] == "added" for each in found)):
        change = placed.get(place, {"op": "same"})
        if change["op"] == "changed":
            assert next(left) == change["a"]
        now.append(next(left) if change["op"] == "same" else change["b"])
    assert next(left, None) is None
    return now


@given(MESSAGES, MESSAGES)
def test_applying_the_changes_to_the_old_messages_gives_the_new(was: list[Told], now: list[Told]) -> None:
    found = changed(asking(*was), asking(*now))
    for each in found:
        if each["op"] == "removed":
            assert was[int(each["path"].split("/")[2])] == each["a"]
    assert [delta.key(each) for each in applied(was, found)] == [delta.key(each) for each in now]


@given(MESSAGES, MESSAGES)
def test_a_conversation_that_only_grows_has_only_added_rows_in_order(was: list[Told], more: list[Told]) -> None:
    found = changed(asking(*was), asking(*was, *more))
    assert found == [
        {"op": "added", "path": f"/messages/{len(was) + number}", "b": each} for number, each in enumerate(more)
    ]


WORDS = """
messages input system instructions tools role content type text id name tool_calls function arguments tool_use
tool_result function_call call_id output choices message usage previous_response_id user assistant tool_use_id
tool_call_id conversation is_error error reasoning summary source image_url
"""
WORD = st.sampled_from(WORDS.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORD | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORD, inner, max_size=5),
    max_leaves=25,
)


def nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


@given(JSON, JSON, JSON, JSON)
@example({"messages": [{"content": [{"id": {}}]}]}, None, None, {"messages": [{"content": [{"id": []}]}]})
@example({"messages": [{"tool_call_id": {}}]}, None, None, {"messages": [{"tool_call_id": {}, "x": 1}]})
def test_any_body_is_taken(asked: Any, answer: Any, value: Any, again: Any) -> None:
    look_at_all(asked, answer, value, again)


@pytest.mark.parametrize("depth", [50, 300, 900])
def test_what_is_nested_deeply_is_taken(depth: int) -> None:
    calls = use("p", "search", q=nested(depth)), use("other", "search", q=nested(depth))
    asked = asking(
        said("assistant", [calls[0]]), system=nested(depth), tools=[nested(depth)], metadata=nested(depth)
    )
    edited = {**asked, "messages": [said("assistant", list(calls))]}
    look_at_all(asked, answering(*calls), nested(depth), edited)


def look_at_all(asked: Any, answer: Any, value: Any, again: Any) -> None:
    """The conversation, its changes and its cards at each event of a run with these bodies."""
    told = [request("c1", asked), response("c1", answer)]
    for id in ("p", "q"):
        told += [called(id, "search", q=value), result(id, "search", value)]
    events = traced(*told, request("c2", again), response("c2", asked))
    for last in range(len(events)):
        context = conversation.at(Walk(events, last))
        assert context is not None
        number = context.request.index
        was = delta.previous(context.request, Walk(events, number - 1) if number else [])
        assert list(conversation_card.lines(context, full=True))
        assert list(conversation_card.changed_lines(context, was))
        assert line.dump(delta.changes(context, was))
    spent = conversation.spent(events)
    assert all(isinstance(each, int) and each >= 0 for each in spent.values())
