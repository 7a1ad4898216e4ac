"""Two runs compared: what counts, what is paired with what, what is blamed, what it amounts to."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import (
    Told,
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

from agent_replay_trace import Debugger
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.side import RETRIED

Rows = list[dict[str, Any]]


def diff(a: Sequence[Told], b: Sequence[Told], **options: Any) -> Rows:
    """The rows of two runs that are told."""
    return Debugger(traced(*a)).diff(Debugger(traced(*b)), **options)


def ops(rows: Rows) -> list[tuple[str, str, str | None]]:
    return [(row["op"], row["type"], row["cause"]) for row in rows[:-1]]


def ask(call: str, messages: Sequence[Told], answer: Sequence[Told], **settings: Any) -> list[Told]:
    """A request with its response."""
    return [request(call, asking(*messages, **settings)), response(call, answering(*answer))]


def turn(
    number: int, query: str, found: str, before: Sequence[Told], words: str = "I look."
) -> tuple[list[Told], list[Told]]:
    """A request, its answer, the call of a tool and its result; and the conversation by then."""
    call = f"t{number}"
    answer = [words_of(words), use(call, "search", query=query)]
    events = [
        *ask(f"m{number}", before, answer),
        called(call, "search", query=query),
        result(call, "search", found),
    ]
    return events, [*before, said("assistant", answer), said("user", [came_back(call, found)])]


def words_of(text: str) -> Told:
    return {"type": "text", "text": text}


def run(*turns: tuple[str, str], start: int = 0, end: bool = True) -> list[Told]:
    """A run that searches for this and finds that, turn by turn."""
    events: list[Told] = [event("run.started", name="report")]
    messages: list[Told] = [said("user", "Write.")]
    for number, (query, found) in enumerate(turns):
        more, messages = turn(start + number, query, found, messages)
        events += more
    events += ask(f"m{start}-last", messages, [words_of("Done.")])
    return [*events, event("run.ended", status="ok", error=None, duration_ms=5.5)] if end else events


THREE = (("a", "1"), ("b", "2"), ("c", "3"))


# What counts


def test_one_result_early_in_a_long_run_shows_in_two_events() -> None:
    turns = [(f"q{number}", f"found {number}") for number in range(400)]
    other = [*turns]
    other[5] = ("q5", "found nothing")
    rows = diff(run(*turns), run(*other))
    assert ops(rows) == [("changed", "tool.result", "environment"), ("changed", "model.request", "environment")]
    assert [row["downstream"] for row in rows[:-1]] == [False, True]
    assert rows[-1]["equal"] == 1602


def test_a_turn_more_makes_no_other_event_differ() -> None:
    rows = diff(run(*THREE), run(*THREE[:1], ("more", "9"), *THREE[1:], start=50))
    assert [(row["op"], row["type"]) for row in rows[:-1]] == [
        ("added", "model.request"),
        ("added", "model.response"),
        ("added", "tool.called"),
        ("added", "tool.result"),
    ] or [row["op"] for row in rows[:-1]] == ["added"] * 4
    assert (rows[-1]["verdict"], rows[-1]["equal"]) == ("tools-changed", 16)


def test_ids_are_no_difference_but_which_result_is_whose_is() -> None:
    asked = [use("x", "search", query="a"), use("y", "search", query="b")]
    other = [use("p", "search", query="a"), use("q", "search", query="b")]
    results = [came_back("x", "1"), came_back("y", "2")]

    def events(uses: list[Told], results: list[Told]) -> list[Told]:
        first = [said("user", "Go.")]
        return [*ask("m1", first, uses), *ask("m2", [*first, said("assistant", uses), said("user", results)], [])]

    same = events(other, [came_back("q", "2"), came_back("p", "1")])
    assert diff(events(asked, results), same)[-1]["verdict"] == "same"


@pytest.mark.parametrize("seed", range(5))
def test_parallel_calls_of_a_turn_are_a_set(seed: int) -> None:
    def events(order: Sequence[int], names: str) -> list[Told]:
        uses = [use(f"{names}{each}", "search", query=f"q{each}") for each in order]
        calls = [called(f"{names}{each}", "search", query=f"q{each}") for each in order]
        results = [result(f"{names}{each}", "search", f"r{each}") for each in order]
        Random(seed).shuffle(results)
        first = [said("user", "Go.")]
        brought = [came_back(f"{names}{each}", f"r{each}") for each in order]
        return [
            *ask("m1", first, uses),
            *calls,
            *results,
            *ask("m2", [*first, said("assistant", uses), said("user", brought)], [words_of("Done.")]),
        ]

    order = list(range(6))
    Random(seed).shuffle(order)
    assert diff(events(range(6), "a"), events(order, "b"))[-1]["verdict"] == "same"
    changed = events(order, "b")
    place = next(place for place, told in enumerate(changed) if told["type"] == "tool.result")
    changed[place]["payload"]["result"] = "something else"
    rows = diff(events(range(6), "a"), changed)
    assert ops(rows) == [("changed", "tool.result", "environment")]


def test_attempts_that_the_sdk_made_again_do_not_count() -> None:
    first = [said("user", "Go.")]
    calm = [*ask("m1", first, [words_of("Hi.")]), event("run.ended", status="ok", error=None)]
    busy = [
        request("m0", asking(*first), attempt=1),
        error("m0"),
        request("m1", asking(*first), attempt=2),
        *calm[1:],
    ]
    rows = diff(calm, busy)
    assert rows[-1]["verdict"] == "same"
    assert rows[-1]["metrics"]["retries"] == {"a": 0, "b": 1}
    assert RETRIED in rows[-1]["ignored"]
    assert diff(calm, [request("m1", asking(*first)), error("m1"), calm[-1]])[-1]["verdict"] == "regression"


@pytest.mark.parametrize("seed", range(4))
def test_sub_agents_at_the_same_time_compare_whatever_their_order(seed: int) -> None:
    def agent(name: str) -> list[Told]:
        messages = [said("user", f"You are {name}. Go.")]
        answer = [use(f"t{name}", "search", query="revenue")]
        return [
            *ask(f"1{name}", messages, answer),
            called(f"t{name}", "search", query="revenue"),
            result(f"t{name}", "search", f"found by {name}"),
            *ask(
                f"2{name}", [*messages, said("assistant", answer), said("user", [came_back(f"t{name}", "x")])], []
            ),
        ]

    def interleaved(random: Random) -> list[Told]:
        agents = [agent(name) for name in ("one", "two", "three")]
        events = [each.pop(0) for each in agents]  # all are in flight
        while left := [each for each in agents if each]:
            events.append(random.choice(left).pop(0))
        return [event("run.started", name="r"), *events, event("run.ended", status="ok", error=None)]

    a, b = interleaved(Random(seed)), interleaved(Random(seed + 100))
    assert diff(a, b)[-1]["verdict"] == "same"
    place = next(place for place, told in enumerate(b) if told["type"] == "tool.result")
    b[place]["payload"]["result"] = "another"
    rows = diff(a, b)
    assert ops(rows) == [("changed", "tool.result", "environment")]
    assert rows[0]["a"]["call_id"] == rows[0]["b"]["call_id"]


def test_what_is_ignored_is_told_and_can_be_more_or_nothing() -> None:
    a = [called("x", "search", query="a", at="2026-01-01"), event("note", host="h1", size=1)]
    b = [called("y", "search", query="a", at="2026-01-02"), event("note", host="h2", size=1)]
    rows = diff(a, b)
    assert [each["path"] for each in rows[0]["changes"]] == ["/payload/args/at"], "what a tool takes counts"
    assert "/payload/host" in rows[-1]["ignored"]
    rows = diff(a, b, ignore=["/payload/args/at"])
    assert (rows[-1]["verdict"], "/payload/args/at" in rows[-1]["ignored"]) == ("same", True)
    rows = diff(a, b, ignore=["/payload/*/at"])
    assert rows[-1]["verdict"] == "same"
    assert [row["op"] for row in diff(a, b, default_ignore=False)[:-1]] == ["changed", "changed"]


def test_levels_say_what_makes_runs_differ() -> None:
    a = turn(1, "q", "r", [said("user", "Go.")], "I look.")[0]
    words = turn(1, "q", "r", [said("user", "Go.")], "Let me see.")[0]
    args = turn(1, "other", "r", [said("user", "Go.")], "I look.")[0]
    known = {
        (level, name): (rows[-1]["differ"], rows[-1]["verdict"], rows[-1]["drifted"])
        for level in ("structure", "args", "text")
        for name, b in (("words", words), ("args", args))
        for rows in [diff(a, b, level=level)]
    }
    assert known == {
        ("structure", "words"): (False, "output-drift", 1),
        ("args", "words"): (False, "output-drift", 1),
        ("text", "words"): (True, "output-drift", 0),
        ("structure", "args"): (False, "args-changed", 2),
        ("args", "args"): (True, "args-changed", 0),
        ("text", "args"): (True, "args-changed", 0),
    }


@pytest.mark.parametrize(
    "pointer", ["/payload", "/payload/body", "/payload/args", "/payload/result", "/*", "/payload/*/*"]
)
def test_any_part_can_be_ignored(pointer: str) -> None:
    other = run(*THREE)
    in_body(1, system="Be long.")(other)
    in_body(2, content=[words_of("Done.")])(other)
    changed(3, args={"query": "z"})(other)
    changed(4, result="9")(other)
    plain, narrowed = diff(run(*THREE), other)[-1], diff(run(*THREE), other, ignore=[pointer])[-1]
    assert narrowed["changed"] < plain["changed"]
    assert set(narrowed["ignored"]) > set()
    assert diff(run(*THREE), other, ignore=["/payload"])[-1]["verdict"] == "same"


def test_what_is_no_level_or_pointer_is_told() -> None:
    with pytest.raises(ValueError, match="'words' is no level: structure, args, text"):
        diff([], [], level="words")
    with pytest.raises(ValueError, match="'payload' is no JSON pointer"):
        diff([], [], ignore=["payload"])


def test_a_model_that_the_api_replaced_is_told_once() -> None:
    a, b = run(*THREE), run(*THREE)
    for place in (2, 6, 10, 14):
        in_body(place, model="m-2026-05")(a)
        in_body(place, model="m-2026-06")(b)
    rows = diff(a, b)
    assert [(row["type"], row["a"]["seq"], row["changes"][0]["path"]) for row in rows[:-1]] == [
        ("model.response", 2, "/payload/body/model")
    ]
    assert rows[-1]["verdict"] == "events-changed"


def test_what_server_tools_returned_is_no_prose() -> None:
    def events(found: str) -> list[Told]:
        blocks = [
            {"type": "server_tool_use", "id": f"s{found}", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": f"s{found}", "content": [{"title": found}]},
        ]
        return ask("m1", [said("user", "Go.")], blocks)

    assert diff(events("one"), events("two"))[-1]["differ"]
    assert not diff(events("one"), events("one"))[-1]["differ"]


def test_another_exception_with_the_same_text_is_a_difference() -> None:
    a, b = ([result("x", "read", None, "'rows'")] for _ in range(2))
    a[0]["payload"]["exception"] = {"type": "KeyError", "traceback": "at line 3"}
    b[0]["payload"]["exception"] = {"type": "KeyError", "traceback": "at line 4"}
    assert diff(a, b)[-1]["verdict"] == "same"
    b[0]["payload"]["exception"]["type"] = "ValueError"
    (row, _) = diff(a, b)
    assert [change["path"] for change in row["changes"]] == ["/payload/exception/type"]


def test_calls_with_ids_of_the_tap_belong_to_the_answer_that_asked_for_them() -> None:
    def events(order: Sequence[int]) -> list[Told]:
        uses = [use(f"toolu_{each}", "search", query=f"q{each}") for each in order]
        made = [(f"call_{each:024x}", each) for each in order]
        return [
            *ask("m1", [said("user", "Go.")], uses),
            *(called(call, "search", query=f"q{each}") for call, each in made),
            *(result(call, "search", f"r{each}") for call, each in made),
        ]

    assert diff(events([1, 2, 3]), events([3, 1, 2]))[-1]["verdict"] == "same"


def test_results_in_a_message_of_a_transcript_come_from_the_environment() -> None:
    def events(found: str) -> list[Event]:
        message = said("user", [came_back("t", found)])
        return [Event(b"", fields={"type": "user", "message": message, "n": 1})]

    rows = Debugger(events("one")).diff(Debugger(events("two")))
    assert (rows[0]["cause"], rows[-1]["verdict"]) == ("environment", "results-changed")
    assert rows[-1]["first_divergence"]["reason"] == "what a tool returned differs"


# Who is to blame


def changed(at: int, **payload: Any) -> Callable[[list[Told]], None]:
    def change(events: list[Told]) -> None:
        events[at] = {**events[at], "payload": {**events[at]["payload"], **payload}}

    return change


def in_body(at: int, **parts: Any) -> Callable[[list[Told]], None]:
    def change(events: list[Told]) -> None:
        body = {**events[at]["payload"]["body"], **parts}
        events[at] = {**events[at], "payload": {**events[at]["payload"], "body": body}}

    return change


def without(*places: int) -> Callable[[list[Told]], None]:
    def change(events: list[Told]) -> None:
        for place in sorted(places, reverse=True):
            del events[place]

    return change


FIRST: dict[str, tuple[Callable[[list[Told]], None], str, str, str]] = {
    "the prompt": (in_body(1, system="Be long."), "model.request", "input", "the system prompt differs"),
    "the model": (in_body(1, model="n"), "model.request", "input", "the model (m → n) differs"),
    "a setting": (in_body(1, temperature=1), "model.request", "input", "temperature differs"),
    "the tools": (in_body(1, tools=[{"name": "x"}]), "model.request", "input", "the tools differ"),
    "a message": (in_body(1, messages=[said("user", "Read.")]), "model.request", "input", "message 0 differs"),
    "the start": (
        changed(0, metadata={"v": 2}),
        "run.started",
        "input",
        "the runs began in different ways: metadata",
    ),
    "a result": (
        changed(4, result="9"),
        "tool.result",
        "environment",
        "search returned something else to the same call",
    ),
    "a failure": (
        changed(4, result=None, error="no"),
        "tool.result",
        "environment",
        "search returned something else to the same call",
    ),
    "an answer": (
        in_body(2, content=[use("t0", "read", path="x")]),
        "model.response",
        "decision",
        "the model called read, not search",
    ),
    "no call": (
        in_body(2, content=[words_of("Done.")]),
        "model.response",
        "decision",
        "the model called nothing, not search",
    ),
    "other arguments": (
        in_body(2, content=[use("t0", "search", query="z")]),
        "model.response",
        "decision",
        "the model called search with other arguments",
    ),
    "the agent's call": (
        changed(3, args={"query": "z"}),
        "tool.called",
        "decision",
        "search was called with other arguments",
    ),
    "no end": (without(*range(8, 16)), "tool.result", "environment", "B breaks off here, without an end"),
    "a call left out": (without(3, 4), "tool.called", "decision", "only A called search here"),
    "the end": (
        changed(-1, status="error", error="boom"),
        "run.ended",
        "decision",
        "the run ended in another way",
    ),
}


@pytest.mark.parametrize("what", FIRST)
def test_the_first_divergence_is_blamed(what: str) -> None:
    change, kind, cause, reason = FIRST[what]
    other = run(*THREE)
    change(other)
    rows = diff(run(*THREE), other)
    first = rows[-1]["first_divergence"]
    assert (first["type"], first["cause"], first["reason"]) == (kind, cause, reason)
    assert [row["downstream"] for row in rows[:-1]] == [False] + [True] * (len(rows) - 2)
    assert (rows[0]["a"], rows[0]["b"]) == (first["a"], first["b"])


SENT: dict[str, tuple[list[Told], list[Told], str, str]] = {
    "a system message": (
        [said("system", "x"), said("user", "u")],
        [said("system", "y"), said("user", "u")],
        "input",
        "the system prompt differs",
    ),
    "a message of the user": ([said("user", "x")], [said("user", "y")], "input", "message 0 differs"),
    "a result": (
        [said("user", [came_back("t", "x")])],
        [said("user", [came_back("t", "y")])],
        "environment",
        "message 0 differs",
    ),
    "one that failed": (
        [said("user", [came_back("t", "x")])],
        [said("user", [came_back("t", "x", is_error=True)])],
        "environment",
        "message 0 differs",
    ),
    "a result of OpenAI's": (
        [{"role": "tool", "tool_call_id": "t", "content": "x"}],
        [{"role": "tool", "tool_call_id": "t", "content": "y"}],
        "environment",
        "message 0 differs",
    ),
    "one of its responses": (
        [{"type": "function_call_output", "call_id": "t", "output": "x"}],
        [{"type": "function_call_output", "call_id": "t", "output": "y"}],
        "environment",
        "message 0 differs",
    ),
    "the model's": (
        [said("user", "u"), said("assistant", "x")],
        [said("user", "u"), said("assistant", "y")],
        "decision",
        "message 1 differs",
    ),
    "one more": (
        [said("user", "u")],
        [said("user", "u"), said("user", [came_back("t", "y")])],
        "environment",
        "message 1 differs",
    ),
}


@pytest.mark.parametrize("what", SENT)
def test_a_request_is_blamed_by_what_differs_in_it(what: str) -> None:
    a, b, cause, reason = SENT[what]
    rows = diff([request("c", {"messages": a})], [request("c", {"messages": b})])
    first = rows[-1]["first_divergence"]
    assert (first["cause"], first["reason"], rows[-1]["changed"]) == (cause, reason, 1)


def test_where_the_api_stands_does_not_count_but_what_it_is_asked_for() -> None:
    def events(url: str) -> list[Told]:
        return [request("c", asking(said("user", "u")), url=url)]

    assert diff(events("http://a:1/v1/messages"), events("https://b/v1/messages"))[-1]["verdict"] == "same"
    (row, _) = diff(events("http://a/v1/messages"), events("http://a/v1/models/x"))
    assert row["changes"][0]["path"] == "/payload/url"


def test_messages_that_were_dropped_are_told() -> None:
    messages = [said("user", "u"), said("assistant", "a"), said("user", "v"), said("assistant", "b")]
    first = ask("c1", messages[:3], [words_of("b")])
    (row, _) = diff([*first, request("c2", asking(*messages))], [*first, request("c2", asking(*messages[2:]))])
    assert row["changes"] == [
        {"op": "changed", "path": "/payload/body/messages", "a": {"dropped": 0}, "b": {"dropped": 2}}
    ]


def test_a_call_that_the_run_died_in_is_a_regression() -> None:
    rows = diff(run(*THREE), run(*THREE)[:8])
    assert (rows[-1]["verdict"], rows[-1]["errors"]["new"][0]["kind"]) == ("regression", "orphan")


def test_below_the_level_is_no_same_context() -> None:
    other = run(*THREE)
    changed(3, args={"query": "z"})(other)
    changed(4, result=None, error="no")(other)
    rows = diff(run(*THREE), other, level="structure")
    first = rows[-1]["first_divergence"]
    assert (first["type"], first["cause"], first["reason"]) == (
        "tool.result",
        None,
        "search returned something else",
    )


def test_words_that_drifted_before_are_the_same_context() -> None:
    other = run(*THREE)
    in_body(2, content=[words_of("Hm."), use("t0", "search", query="a")])(other)
    in_body(6, content=[use("t1", "read", path="x")])(other)
    first = diff(run(*THREE), other)[-1]["first_divergence"]
    assert (first["a"]["seq"], first["cause"]) == (6, "decision")


def test_what_follows_has_a_cause_of_its_own_only_where_one_can_be_told() -> None:
    other = run(*THREE)
    in_body(1, system="Be long.")(other)
    in_body(2, content=[use("t0", "search", query="z")])(other)
    changed(3, args={"query": "z"})(other)
    changed(4, result="9")(other)
    changed(8, result="8")(other)
    causes = {(row["type"], row["a"]["seq"]): row["cause"] for row in diff(run(*THREE), other)[:-1]}
    assert causes == {
        ("model.request", 1): "input",
        ("model.response", 2): None,
        ("tool.called", 3): None,
        ("tool.result", 4): None,
        ("tool.result", 8): "environment",
    }


# What it amounts to


def graver(change: Callable[[list[Told]], None]) -> str:
    other = run(*THREE)
    change(other)
    return str(diff(run(*THREE), other)[-1]["verdict"])


def test_verdicts() -> None:
    assert graver(lambda events: None) == "same"
    assert graver(in_body(2, content=[words_of("Hm."), use("t0", "search", query="a")])) == "output-drift"
    assert graver(in_body(1, system="Be long.")) == "input-changed"
    assert graver(changed(4, result="9")) == "results-changed"
    assert graver(lambda events: events.insert(5, event("note", n=1))) == "events-changed"
    assert graver(changed(3, args={"query": "z"})) == "args-changed"
    assert (
        graver(lambda events: events.__setitem__(slice(3, 9), [*events[7:9], *events[5:7], *events[3:5]]))
        == "tools-reordered"
    )
    assert graver(without(3, 4)) == "tools-changed"
    assert graver(changed(12, result=None, error="no")) == "regression"


def test_an_error_that_both_runs_have_is_no_regression() -> None:
    failed = run(*THREE)
    changed(12, result=None, error="no rows in 0x7f12 after 31 ms")(failed)
    again = run(*THREE)
    changed(12, result=None, error="no rows in 0x8a33 after 29 ms")(again)
    assert diff(failed, again)[-1]["verdict"] == "results-changed"
    rows = diff(failed, run(*THREE))
    assert [each["message"] for each in rows[-1]["errors"]["gone"]] == ["no rows in 0x7f12 after 31 ms"]


def test_ids_in_the_text_of_an_error_do_not_count() -> None:
    def events(number: str) -> list[Told]:
        text = f"404, request_id: req_011CXu6jLjqh{number}, in 0197000{number}-7c50-7445-89a7-69a36d920a3f"
        failed = error("m1")
        failed["payload"]["error"]["message"] = text
        return [
            request("m1", asking(said("user", "Go."))),
            failed,
            called("t", "search"),
            result("t", "search", None, text),
            event("run.ended", status="error", error=text),
        ]

    rows = diff(events("1"), events("2"))
    assert (rows[-1]["verdict"], "ids in errors" in rows[-1]["ignored"]) == ("same", True)
    assert diff(events("1"), events("2"), default_ignore=False)[-1]["changed"] == 3


def test_an_error_that_recovered_is_no_regression() -> None:
    other = run(*THREE)
    changed(4, result=None, error="no")(other)  # the same tool works later on
    assert diff(run(*THREE), other)[-1]["verdict"] == "results-changed"


# What is paired with what


def parallel(*calls: tuple[str, str, str]) -> list[Told]:
    """An answer that asks for calls at once: id, query and what is found."""
    uses = [use(call, "search", query=query) for call, query, _ in calls]
    made = [called(call, "search", query=query) for call, query, _ in calls]
    return [
        *ask("m1", [said("user", "Go.")], uses),
        *made,
        *(result(call, "search", found) for call, _, found in calls),
    ]


def pairs(rows: Rows) -> set[tuple[str, str]]:
    """The ids of calls that are partners, of events that differ."""
    return {(row["a"]["call_id"], row["b"]["call_id"]) for row in rows[:-1] if row["op"] == "changed"}


def test_of_calls_at_once_the_most_alike_are_partners() -> None:
    a = parallel(("a1", "revenue in north", "1"), ("a2", "same", "2"), ("a3", "costs of the south", "3"))
    b = parallel(("b3", "costs of all the south", "3"), ("b2", "same", "2"), ("b1", "revenue up north", "1"))
    rows = diff(a, b)
    assert pairs(rows) == {("m1", "m1"), ("a1", "b1"), ("a3", "b3")}
    assert (rows[-1]["changed"], rows[-1]["added"], rows[-1]["removed"]) == (3, 0, 0)


def test_of_very_many_calls_at_once_order_counts() -> None:
    count = 40  # more pairs than are looked at
    a = parallel(*((f"a{each}", f"query {each:02}", "x") for each in range(count)))
    b = parallel(*((f"b{each}", f"query {each:02} more", "x") for each in range(count)))
    rows = diff(a, b)
    assert (rows[-1]["changed"], rows[-1]["added"], rows[-1]["removed"]) == (1 + count, 0, 0)


def test_results_go_with_their_calls() -> None:
    a = parallel(("a1", "revenue in north", "one two three"), ("a2", "costs of the south", "four five six"))
    b = parallel(("b1", "revenue up north", "four five 6"), ("b2", "costs of all the south", "one two 3"))
    assert pairs(diff(a, b)) == {("m1", "m1"), ("a1", "b1"), ("a2", "b2")}


@pytest.mark.parametrize("place", [0, 1])
def test_of_events_in_a_row_the_most_alike_are_partners(place: int) -> None:
    a = [event("note", text="nothing at all"), event("note", text="nothing at all")]
    a[place] = event("note", text="revenue of the north was 31 M")
    rows = diff(a, [event("note", text="revenue of the north was 32 M")])
    assert {row["op"]: row["a"]["seq"] for row in rows[:-1]} == {"changed": place, "removed": 1 - place}


def test_at_level_text_the_same_words_are_partners() -> None:
    a = [response("c1", answering("One.")), response("c2", answering("Two."))]
    (row, _) = diff(a, [response("c3", answering("Two."))], level="text")
    assert (row["op"], row["a"]["call_id"]) == ("removed", "c1")
    (row, _) = diff(a, [response("c3", answering("One."))], level="text")
    assert (row["op"], row["a"]["call_id"]) == ("removed", "c2")


def test_agents_that_begin_alike_are_told_apart_by_what_they_did() -> None:
    def agent(name: str, found: str) -> list[Told]:
        messages = [said("user", "Find the revenue.")]
        return [
            request(f"1{name}", asking(*messages)),
            response(f"1{name}", answering(use(f"t{name}", "search", q="revenue"))),
            called(f"t{name}", "search", q="revenue"),
            result(f"t{name}", "search", found),
        ]

    one, two = agent("one", "31 M"), agent("two", "none")
    a = [one[0], two[0], *one[1:], *two[1:]]
    b = [two[0], one[0], *one[1:], *two[1:]]
    assert diff(a, b, level="text")[-1]["verdict"] == "same"


def test_what_is_in_no_conversation_any_more_still_has_a_partner() -> None:
    one, two = ([request(f"c{n}", asking(said("user", f"You are {n}.")))] for n in "12")
    asked = response("c1", answering(use("t1", "search", q="x")))
    rest = [called("t1", "search", q="x"), result("t1", "search", "found"), response("c2", answering("Done."))]
    rows = diff([*one, *two, asked, *rest], [*one, *two, *rest])
    assert [(row["op"], row["type"]) for row in rows[:-1]] == [("removed", "model.response")]


def test_agents_at_once_are_known_again_with_another_prompt() -> None:
    def events(system: str, together: bool) -> list[Told]:
        sent = [request(f"c{n}", asking(said("user", f"Task {n}."), system=system)) for n in "12"]
        answers = [response(f"c{n}", answering(f"Answer {n}.")) for n in "12"]
        return [*sent, *answers] if together else [sent[0], answers[0], sent[1], answers[1]]

    for together in (True, False):
        rows = diff(events("Be brief.", together), events("Be long.", not together))
        assert [(row["op"], row["type"], row["cause"]) for row in rows[:-1]] == [
            ("changed", "model.request", "input")
        ] * 2
        assert all(row["a"]["call_id"] == row["b"]["call_id"] for row in rows[:-1])


def test_calls_that_changed_places_are_reordered() -> None:
    x, y, anchor = (called("x", "read", path="x"), called("y", "read", path="y"), [event("note", n=1)] * 2)
    rows = diff([x, *anchor, y], [y, *anchor, x])
    assert (rows[-1]["verdict"], rows[-1]["changed"]) == ("tools-reordered", 2)
    other = called("z", "search", q="z")
    end = event("run.ended", status="ok", error=None)
    rows = diff([called("s", "search", q="s"), x, end], [x, other, end])
    assert (rows[-1]["verdict"], rows[-1]["equal"]) == ("tools-reordered", 2)


def test_only_a_run_that_ended_shows_that_the_other_broke_off() -> None:
    rows = diff(run(*THREE, end=False), run(*THREE, end=False)[:-2])
    assert rows[-1]["first_divergence"]["reason"] == "only A asked the model here"


def test_the_end_of_a_run_follows_from_all_before_it() -> None:
    other = run(*THREE)
    changed(12, result="9")(other)
    changed(-1, status="error", error="boom")(other)
    rows = diff(run(*THREE), other)
    assert (rows[-2]["type"], rows[-2]["cause"], rows[-2]["downstream"]) == ("run.ended", None, True)


# What is said of a pair


def test_places_are_pointers_into_the_line() -> None:
    other = run(*THREE)
    in_body(1, system="Be brief and polite, and never say more than what is asked of you by us.")(other)
    a, b = traced(*run(*THREE)), traced(*other)
    (row, _) = Debugger(a).diff(Debugger(b))
    (change,) = row["changes"]
    assert change["path"] == "/payload/body/system"
    assert (change["a"], change["b"]) == (at(a[1], change["path"]), at(b[1], change["path"]))
    assert change["words"] == [
        {"before": "Be brief", "a": "", "b": change["b"][8:-1], "after": "."},
    ]


def test_messages_are_numbered_as_they_stand_in_the_request() -> None:
    other = run(*THREE)
    for place in (9, 13):
        messages = [*other[place]["payload"]["body"]["messages"]]
        messages[4] = said("user", [came_back("t1", "another")])
        in_body(place, messages=messages)(other)
    a, b = traced(*run(*THREE)), traced(*other)
    rows = Debugger(a).diff(Debugger(b))
    (change,) = rows[0]["changes"]
    assert (len(rows), change["path"]) == (2, "/payload/body/messages/4/content/0/content")
    assert (change["a"], change["b"]) == (at(a[9], change["path"]), at(b[9], change["path"]))


def at(told: Event, pointer: str) -> Any:
    value: Any = told.fields
    for token in pointer.split("/")[1:]:
        value = value[int(token)] if isinstance(value, list) else value[token]
    return value


def test_a_row_is_an_anchor() -> None:
    rows = diff(run(*THREE), run(*THREE[:2], start=9))
    for row in rows:
        place = row["first_divergence"] if row["op"] == "summary" else row
        side = place["b"] or place["a"]
        assert (row["run_id"], row["seq"], row["_src"]) == (side["run_id"], side["seq"], side["_src"])


def test_equal_events_around() -> None:
    other = run(*THREE)
    changed(4, result="9")(other)
    rows = diff(run(*THREE), other, around=2)
    assert [row["op"] for row in rows] == ["equal"] * 2 + ["changed"] + ["equal"] * 2 + ["summary"]
    assert [row["a"]["seq"] for row in rows[:-1]] == [2, 3, 4, 5, 6]


# Which runs


def test_of_several_runs_one_has_to_be_named() -> None:
    events = [
        Event(
            json.dumps({"type": "t", "run_id": name, "n": name}).encode(),
            fields={"type": "t", "run_id": name, "n": name},
        )
        for name in "pq"
    ]
    both = Debugger(events)
    with pytest.raises(TraceError, match=r"this trace: holds 2 runs(.|\n)*say which one with run_a"):
        both.diff(both)
    with pytest.raises(TraceError, match="the other trace: no run is 'z'"):
        both.diff(both, run_a="p", run_b="z")
    assert both.diff(both, run_a="p", run_b="q")[-1]["changed"] == 1


# Promises that hold for any runs


@st.composite
def runs(draw: st.DrawFn) -> list[Told]:
    """Some turns, each with calls of a tool or two, custom events, failures; prompts of one or two agents."""
    texts = st.sampled_from(["a", "b", "c", "no rows\nat all", "é\u202e"])
    events: list[Told] = [event("run.started", name=draw(texts))]
    messages: list[Told] = [said("user", draw(texts))]
    for number in range(draw(st.integers(0, 6))):
        calls = [
            use(f"t{number}.{each}", draw(st.sampled_from(["search", "read"])), q=draw(texts))
            for each in range(draw(st.integers(0, 3)))
        ]
        answer = [words_of(draw(texts)), *calls]
        if draw(st.booleans()):
            events += [event("note", text=draw(texts))]
        events += ask(f"m{number}", messages, answer, **({"temperature": 1} if draw(st.booleans()) else {}))
        results = []
        for each in calls:
            failed = draw(st.sampled_from([None, None, "failed"]))
            found = draw(texts)
            events += [
                called(each["id"], each["name"], **each["input"]),
                result(each["id"], each["name"], found, failed),
            ]
            results.append(came_back(each["id"], found))
        messages = [*messages, said("assistant", answer), said("user", results)]
    return events if draw(st.booleans()) else [*events, event("run.ended", status="ok", error=None)]


LEVEL = st.sampled_from(["structure", "args", "text"])


@given(runs(), LEVEL)
def test_a_run_is_the_same_as_itself(told: list[Told], level: str) -> None:
    rows = diff(told, told, level=level)
    assert (len(rows), rows[0]["verdict"], rows[0]["equal"]) == (1, "same", len(told))


@given(runs(), runs(), LEVEL)
def test_swapping_the_runs_swaps_what_is_added_and_removed(a: list[Told], b: list[Told], level: str) -> None:
    there, back = diff(a, b, level=level), diff(b, a, level=level)
    one, other = there[-1], back[-1]
    assert (one["added"], one["removed"]) == (other["removed"], other["added"])
    assert (one["equal"], one["changed"], one["drifted"]) == (other["equal"], other["changed"], other["drifted"])
    pairs = {(row["a"] and row["a"]["seq"], row["b"] and row["b"]["seq"]) for row in there[:-1]}
    assert pairs == {(row["b"] and row["b"]["seq"], row["a"] and row["a"]["seq"]) for row in back[:-1]}


@given(runs(), runs(), LEVEL)
def test_every_event_is_told_once(a: list[Told], b: list[Told], level: str) -> None:
    rows = diff(a, b, level=level, around=len(a) + len(b))
    if len(rows) == 1:  # there is nothing for equal events to be around
        return
    for side, told in (("a", a), ("b", b)):
        assert sorted(row[side]["seq"] for row in rows[:-1] if row[side]) == list(range(len(told)))
    counts = [sum(row["op"] == op for row in rows) for op in ("equal", "changed", "added", "removed")]
    assert counts == [rows[-1][op] for op in ("equal", "changed", "added", "removed")]
    assert (rows[-1]["verdict"] == "same") <= (len(a) == len(b))


@given(runs(), st.integers(0, 2**32))
def test_ids_clocks_white_space_and_the_order_of_keys_change_nothing(told: list[Told], seed: int) -> None:
    random = Random(seed)
    text = json.dumps(told)
    for name in {each["call_id"] for each in told if each["call_id"]}:
        text = text.replace(f'"{name}"', f'"id{random.random()}"')
    other = [_disguised(each, random) for each in traced(*json.loads(text))]
    rows = Debugger(traced(*told)).diff(Debugger(other), level="text")
    assert (len(rows), rows[0]["verdict"]) == (1, "same")


def _disguised(told: Event, random: Random) -> Event:
    """An event of another run, at another time, with its keys in another order and spaces between them."""
    fields = {**told.fields, "run_id": "another", "timestamp": f"2027-05-24T03:17:{random.randint(10, 59)}Z"}
    raw = json.dumps(_shuffled(fields, random), indent=random.choice([None, 1])).replace("\n", " ").encode()
    return Event(raw, None, json.loads(raw), "t.jsonl", told.line, 0, told.index)


def _shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key], random) for key in random.sample(list(value), len(value))}
    return [_shuffled(each, random) for each in value] if isinstance(value, list) else value


NAMES = [
    "body",
    "messages",
    "content",
    "role",
    "type",
    "tool_use",
    "tool_result",
    "id",
    "tool_use_id",
    "name",
    "input",
    "function",
    "arguments",
    "choices",
    "message",
    "tool_calls",
    "output",
    "function_call_output",
    "function_call",
    "call_id",
    "error",
    "system",
    "tools",
    "model",
    "usage",
    "user",
    "assistant",
]
KNOWN = st.sampled_from([*NAMES, "tool", None, 0, True, ""])
JSON = st.recursive(
    KNOWN | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
KINDS = [
    "model.request",
    "model.response",
    "model.error",
    "tool.called",
    "tool.result",
    "run.ended",
    "step.ended",
    "note",
]


@st.composite
def odd(draw: st.DrawFn) -> list[Told]:
    """Events of known types, with anything in them."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        payload = draw(
            st.dictionaries(st.sampled_from(["body", "tool_name", "args", "result", "error", "name", "url"]), JSON)
        )
        found.append(
            {**event(draw(st.sampled_from(KINDS)), draw(st.sampled_from(["c1", "c2", None]))), "payload": payload}
        )
    return found


@given(odd(), odd(), LEVEL)
def test_nothing_that_stands_in_a_payload_is_too_odd(a: list[Told], b: list[Told], level: str) -> None:
    assert diff(a, a, level=level)[-1]["verdict"] == "same"
    there, back = diff(a, b, level=level)[-1], diff(b, a, level=level)[-1]
    assert (there["added"], there["removed"], there["equal"]) == (back["removed"], back["added"], back["equal"])


@given(
    st.lists(st.dictionaries(st.sampled_from(["type", "role", "message", "tool_name", "error", "content"]), JSON))
)
def test_no_foreign_line_is_too_odd(told: list[Told]) -> None:
    events = [Event(json.dumps(each).encode(), fields=each, index=number) for number, each in enumerate(told)]
    rows = Debugger(events).diff(Debugger(events[::-1]))
    assert rows[-1]["equal"] + rows[-1]["changed"] + rows[-1]["removed"] == len(told)
