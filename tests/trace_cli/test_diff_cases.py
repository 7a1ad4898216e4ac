"""Two runs compared: cases in which what differs is easily told wrongly."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from test_diff import Rows, ask, diff, ops, words_of
from traces import (
    Told,
    answering,
    asking,
    called,
    came_back,
    event,
    request,
    response,
    result,
    said,
    traced,
    use,
)

from agent_replay_trace import Debugger
from trace_cli.event import Event
from trace_cli.following import Conversations
from trace_cli.run_errors import RunErrors

END = event("run.ended", status="ok", error=None)


def verdict(rows: Rows) -> str:
    return str(rows[-1]["verdict"])


# OpenAI's responses


def responses(
    name: str, kept: bool, order: Sequence[int] = (0, 1), found: Sequence[str] = ("1", "2")
) -> list[Told]:
    """Two calls at once and what they found; `name` is in all ids, `kept`: the API kept the conversation."""
    go = said("user", "Go.")
    asked: list[Told] = [{"type": "reasoning", "id": f"rs_{name}", "summary": []}]
    for each in order:
        told = {"call_id": f"call_{name}{each}", "name": "search", "arguments": json.dumps({"query": each})}
        asked.append({"type": "function_call", "id": f"fc_{name}{each}", **told})
    brought: list[Told] = [
        {"type": "function_call_output", "call_id": f"call_{name}{each}", "output": found[each]} for each in order
    ]
    sent: Told = {"model": "g", "input": [go, {**asked[0], "content": [], "status": "done"}, *asked[1:], *brought]}
    if kept:
        reference = {"type": "item_reference", "id": f"rs_{name}"}
        sent = {"model": "g", "input": [reference, *brought], "previous_response_id": f"resp_{name}"}
    answer = {"type": "message", "id": f"msg_{name}", "role": "assistant", "content": [words_of("Done.")]}
    events = [
        request(f"1{name}", {"model": "g", "input": [go]}),
        response(f"1{name}", {"id": f"resp_{name}", "output": asked}),
    ]
    for each in order:
        events += [
            called(f"call_{name}{each}", "search", query=each),
            result(f"call_{name}{each}", "search", found[each]),
        ]
    return [
        *events,
        request(f"2{name}", sent),
        response(f"2{name}", {"id": f"resp_{name}2", "output": [answer]}),
        END,
    ]


@pytest.mark.parametrize("kept", [True, False])
def test_ids_in_the_input_of_a_response_are_no_difference(kept: bool) -> None:
    assert verdict(diff(responses("a", kept), responses("b", kept))) == "same"
    assert verdict(diff(responses("a", kept), responses("b", kept, order=(1, 0)))) == "same"
    rows = diff(responses("a", kept), responses("b", kept, found="1-"))
    assert ops(rows) == [("changed", "tool.result", "environment"), ("changed", "model.request", "environment")]
    assert [change["path"].rpartition("/")[2] for change in rows[1]["changes"]] == ["output"]


@pytest.mark.parametrize("key", ["conversation", "container", "previous_response_id"])
def test_ids_of_what_the_api_keeps_are_no_difference(key: str) -> None:
    def events(name: str, **more: Any) -> list[Told]:
        sent = {"model": "g", key: name, "input": [said("user", "Go.")], **more}
        return [request("m1", {"model": "g", "input": "Hi."}), request("m2", sent)]

    rows = diff(events("abc"), events("def"))
    assert (verdict(rows), f"/payload/body/{key}" in rows[-1]["ignored"]) == ("same", True)
    assert diff(events("abc"), events("def"), default_ignore=False)[-1]["changed"] == 1


@pytest.mark.parametrize("key", ["conversation", "container"])
def test_of_what_the_api_keeps_all_else_counts(key: str) -> None:
    def events(name: str, skill: str) -> list[Told]:
        return [
            request("m1", {"model": "g", key: {"id": name, "skills": [skill]}, "input": [said("user", "Go.")]})
        ]

    assert verdict(diff(events("abc", "x"), events("def", "x"))) == "same"
    assert ops(diff(events("abc", "x"), events("def", "y"))) == [("changed", "model.request", "input")]


# Long runs


def test_errors_that_are_left_are_looked_at_where_something_recovered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    is_left = RunErrors.is_left
    monkeypatch.setattr(RunErrors, "is_left", lambda self, key: asked.append(key) or is_left(self, key))
    failed = [result(f"t{each}", "read", None, "no such file") for each in range(50)]
    other = [result("o1", "list", None, "no"), result("o2", "list", ["x"])]
    again = [result("t50", "read", "x"), result("t51", "read", None, "no such file")]
    rows = diff(other, [*failed, *other, *again, END])
    assert [error["_src"]["line"] for error in rows[-1]["errors"]["new"]] == [54]
    assert len(asked) == 4, "at each of the three, of one run or the other, of each tool that failed"


def test_requests_that_are_never_answered_are_all_at_once() -> None:
    events = [request(f"m{each}", asking(said("user", f"Read {each}."))) for each in range(5)]
    conversations = Conversations()
    for each in traced(*events, response("m3", answering("Read.")), request("m5", asking(said("user", "Go.")))):
        conversations.answered(each) if each.type == "model.response" else conversations.request(each)
    assert conversations.concurrent == {0, 1, 2, 3, 4, 5}


def test_ids_that_begin_anew_with_each_turn_pair_no_results_of_others() -> None:
    def events(swapped: bool) -> list[Told]:
        found: list[Told] = []
        for turn in range(3):
            order = [1, 0] if swapped and turn == 2 else [0, 1]
            queries = [f"q{turn}{each}" for each in order]
            uses = [use(f"call_{place}", "search", query=query) for place, query in enumerate(queries)]
            found += ask(f"m{turn}", [said("user", f"Go {turn}.")], uses)
            found += [called(f"call_{place}", "search", query=query) for place, query in enumerate(queries)]
            found += [
                result(f"call_{place}", "search", f"{query} {turn - swapped if turn == 1 else ''}")
                for place, query in enumerate(queries)
            ]
        return found

    rows = diff(events(False), events(True))
    pairs = [(row["op"], row["a"]["call_id"], row["b"]["call_id"]) for row in rows[:-1]]
    assert pairs == [("changed", "call_0", "call_0"), ("changed", "call_1", "call_1")]


# Bodies that are none


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"input": ["one"]}, {"input": ["two"]}),
        ({"messages": [None, said("user", "Go."), 1]}, {"messages": [None, said("user", "Go."), 2]}),
        ({"messages": 1}, {"messages": 2}),
        ({"messages": {"role": "user"}}, {"messages": {"role": "system"}}),
        ({"messages": "Go."}, {"messages": "Stop."}),
    ],
)
def test_what_is_sent_instead_of_messages_counts(a: Any, b: Any) -> None:
    for one, other in ((a, b), (b, a)):
        rows = diff([request("m1", one)], [request("m1", other)])
        assert ops(rows) == [("changed", "model.request", "input")]
        assert len(rows[0]["changes"]) == 1
        assert verdict(diff([request("m1", one)], [request("m1", one)])) == "same"


# What goes on at once


def worker(name: str) -> list[Told]:
    """A sub-agent in a step of its own."""
    step = f"step-{name}"
    return [
        event("step.started", None, step, name=f"work of {name}"),
        request(f"m{name}", asking(said("user", f"You are {name}.")), step),
        event("note", None, step, text=f"{name} was asked"),
        response(f"m{name}", answering("Done."), step),
        event("step.ended", None, step, name=f"work of {name}", error=None),
    ]


def interleaved(order: str, agents: dict[str, list[Told]]) -> list[Told]:
    """Events of agents, each named by a letter, in this order."""
    left = {name: list(events) for name, events in agents.items()}
    return [event("run.started", name="r"), *(left[name].pop(0) for name in order), END]


def test_the_steps_of_agents_at_once_compare_whatever_their_order() -> None:
    agents = {name: worker(name) for name in "xyz"}
    a, b = interleaved("xxxyyyxxyyzzzzz", agents), interleaved("zzzyyyxxxxxzzyy", agents)
    assert verdict(diff(a, b)) == "same"
    other = {**agents, "y": [*agents["y"][:2], event("note", None, "step-y", text="other"), *agents["y"][3:]]}
    rows = diff(a, interleaved("zzzyyyxxxxxzzyy", other))
    assert [(row["op"], row["type"], row["a"]["seq"]) for row in rows[:-1]] == [("changed", "note", 6)]


def test_a_step_around_several_conversations_is_in_none() -> None:
    def events(order: str) -> list[Told]:
        agents = {
            name: [request(f"m{name}", asking(said("user", name)), "s"), response(f"m{name}", answering("."), "s")]
            for name in "xyz"
        }
        inner = interleaved(order, agents)[1:-1]
        return [
            event("step.started", None, "s", name="all"),
            *inner,
            event("step.ended", None, "s", name="all"),
            END,
        ]

    assert verdict(diff(events("xyzxyz"), events("zyxxyz"))) == "same"


def test_agents_that_begin_alike_are_told_apart_whatever_the_order_of_their_calls() -> None:
    def agent(name: str, queries: str) -> list[Told]:
        uses = [use(f"{name}{query}", "search", query=query) for query in queries]
        return [
            *ask(f"m{name}", [said("user", "Go.")], uses),
            *(called(f"{name}{query}", "search", query=query) for query in queries),
            *(result(f"{name}{query}", "search", f"found {query}") for query in queries),
        ]

    def events(first: str, second: str) -> list[Told]:
        one, other = agent("x", first), agent("y", second)
        return [one[0], other[0], *one[1:], *other[1:], END]

    assert verdict(diff(events("abc", "de"), events("ed", "cab"))) == "same"


@pytest.mark.parametrize("stepped", [True, False])
@pytest.mark.parametrize("order", ["xxyy", "yyxx", "yxyx", "xyyx"])
def test_the_same_calls_of_agents_at_once_with_ids_of_the_tap(order: str, stepped: bool) -> None:
    def agent(name: str) -> tuple[list[Told], list[Told]]:
        step = f"s{name}" if stepped else None
        first, uses = said("user", f"You are {name}."), [use(f"t{name}", "search", query="revenue")]
        found = [said("assistant", uses), said("user", [came_back(f"t{name}", f"for {name}")])]
        asked = [request(f"1{name}", asking(first), step), response(f"1{name}", answering(*uses), step)]
        return asked, [
            called(f"call_{ord(name):024x}", "search", step, query="revenue"),
            result(f"call_{ord(name):024x}", "search", f"for {name}", None, step),
            request(f"2{name}", asking(first, *found), step),
        ]

    def events(order: str) -> list[Told]:
        (asked_x, x), (asked_y, y) = agent("x"), agent("y")
        made = interleaved(order, {"x": x[:2], "y": y[:2]})[1:-1]
        return [asked_x[0], asked_y[0], asked_x[1], asked_y[1], *made, x[2], y[2], END]

    assert verdict(diff(events("xxyy"), events(order))) == "same"
    other = events(order)
    place = next(place for place, told in enumerate(other) if told["payload"].get("result") == "for y")
    other[place] = {**other[place], "payload": {**other[place]["payload"], "result": "nothing"}}
    assert ops(diff(events("xxyy"), other)) == [("changed", "tool.result", "environment")]


EXAMPLES = [said("user", "2 + 2"), said("assistant", "4"), said("user", "3 + 3"), said("assistant", "6")]


def questions(names: str, at_once: bool) -> list[Told]:
    """Questions, each by itself behind the same examples."""
    pairs = [ask(f"m{name}", [*EXAMPLES, said("user", name)], [words_of(f"It is {name}.")]) for name in names]
    if at_once:
        return [*(first for first, _ in pairs), *(second for _, second in pairs), END]
    return [*(each for pair in pairs for each in pair), END]


@pytest.mark.parametrize(("more", "place"), [("zabc", 0), ("azbc", 2), ("abcz", 6)])
def test_a_question_more_behind_the_same_examples_makes_no_other_differ(more: str, place: int) -> None:
    rows = diff(questions("abc", False), questions(more, False))
    assert [(row["op"], row["b"]["seq"]) for row in rows[:-1]] == [("added", place), ("added", place + 1)]


def test_questions_at_once_behind_the_same_examples_compare_whatever_their_order() -> None:
    assert verdict(diff(questions("abc", True), questions("cab", True))) == "same"
    rows = diff(questions("abc", True), questions("cxb", True))
    assert [(row["op"], row["type"]) for row in rows[:-1]] == [("changed", "model.request")]


# Calls without ids


@pytest.mark.parametrize("given", [None, ""])
def test_calls_that_have_no_ids_are_a_set_too(given: str | None) -> None:
    def events(order: Sequence[int]) -> list[Told]:
        calls = [
            {"id": given, "function": {"name": "search", "arguments": json.dumps({"query": each})}}
            for each in order
        ]
        first = said("user", "Go.")
        asked = {"role": "assistant", "content": None, "tool_calls": calls}
        found = [said("tool", f"r{each}") for each in order]
        made = [
            told
            for each in order
            for told in (
                called(f"call_{each:024x}", "search", query=each),
                result(f"call_{each:024x}", "search", f"r{each}"),
            )
        ]
        return [
            request("m1", {"messages": [first]}),
            response("m1", {"choices": [{"message": asked}]}),
            *made,
            request("m2", {"messages": [first, asked, *found]}),
            response("m2", {"choices": [{"message": said("assistant", "Done.")}]}),
        ]

    assert verdict(diff(events([0, 1, 2]), events([2, 0, 1]))) == "same"
    rows = diff(events([0, 1, 2]), events([2, 0, 7]))
    assert [(row["op"], row["type"], row["cause"]) for row in rows[:-1]] == [
        ("changed", "model.response", "decision"),
        ("changed", "tool.called", None),
        ("changed", "tool.result", None),
        ("changed", "model.request", None),
    ]


def test_a_result_of_no_call_follows_from_all_before_it() -> None:
    def events(query: str, found: str) -> list[Told]:
        return [called(None, "search", query=query), result(None, "search", found)]

    assert ops(diff(events("a", "1"), events("a", "2"))) == [("changed", "tool.result", "environment")]
    assert ops(diff(events("a", "1"), events("b", "2"))) == [
        ("changed", "tool.called", "decision"),
        ("changed", "tool.result", None),
    ]


# Where things stand, and what is asked for there


def test_the_query_of_a_plain_request_counts_but_no_id_in_it() -> None:
    def events(url: str) -> list[Told]:
        return [event("http.request", "h", method="GET", url=url)]

    first = "http://localhost:8011/files/file_0123456789?page=1"
    assert verdict(diff(events(first), events("https://api/files/file_abcdefghij?page=1"))) == "same"
    assert ops(diff(events(first), events(first[:-1] + "2"))) == [("changed", "http.request", "input")]


@pytest.mark.parametrize(
    "text",
    [
        "Cannot connect to host 127.0.0.1:{} ssl:default",
        "[Errno 111] Connect call failed ('127.0.0.1', {})",
        "http://localhost:{}/v1 refused",
        "no route to [::1]:{}",
    ],
)
def test_another_port_in_an_error_is_no_difference(text: str) -> None:
    def events(port: int, more: str = "") -> list[Told]:
        stated = {"kind": "connection", "message": text.format(port) + more}
        failed = event("model.error", "m1", status=None, body=None, error=stated)
        return [request("m1", asking(said("user", "Go."))), failed, END]

    rows = diff(events(5123), events(61000))
    assert (verdict(rows), "ports in errors" in rows[-1]["ignored"]) == ("same", True)
    assert verdict(diff(events(5123), events(5123, " again"))) == "regression"


# An event more


def test_a_turn_more_at_the_start_makes_no_other_answer_differ() -> None:
    def events(*queries: str, model: str) -> list[Told]:
        found, messages = [], [said("user", "Go.")]
        for query in queries:
            uses = [use(f"t{query}", "search", query=query)]
            found += [
                request(f"m{query}", asking(*messages)),
                response(f"m{query}", answering(*uses, model=model)),
                called(f"t{query}", "search", query=query),
                result(f"t{query}", "search", f"found {query}"),
            ]
            messages = [
                *messages,
                said("assistant", uses),
                said("user", [came_back(f"t{query}", f"found {query}")]),
            ]
        return [*found, END]

    rows = diff(events("a", "b", model="m-1"), events("z", "a", "b", model="m-1"))
    assert [row["op"] for row in rows[:-1]] == ["added"] * 4
    rows = diff(events("a", "b", model="m-1"), events("z", "a", "b", model="m-2"))
    told = [(row["op"], [change["path"] for change in row["changes"]]) for row in rows[:-1]]
    assert [each for each in told if each[0] != "added"] == [("changed", ["/payload/body/model"])]


# Words of the model


def test_an_answer_that_is_sent_back_without_the_space_around_it_is_no_input() -> None:
    def events(words: str) -> list[Told]:
        go, more = said("user", "Go."), said("user", "More.")
        return [
            *ask("m1", [go], [words_of(f"{words}\n ")]),
            *ask("m2", [go, said("assistant", words), more], []),
            END,
        ]

    assert verdict(diff(events("Good day."), events("Hello."))) == "output-drift"


def test_ids_of_a_transcript_are_no_difference() -> None:
    def events(name: str) -> list[Event]:
        ids = {"leafUuid": f"leaf-{name}", "logicalParentUuid": f"parent-{name}"}
        return [Event(b"", fields={"type": "summary", "summary": "A plan", **ids})]

    assert verdict(Debugger(events("a")).diff(Debugger(events("b")))) == "same"
