"""What counts as an error of a run, and what recovers it: by example, where a golden run would be clumsy."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trace_cli import line, lines, run_errors, verdicts
from trace_cli.event import Event
from trace_cli.verdicts import first_errors, with_errors

ASK = {"messages": [{"role": "user", "content": "hello"}]}


def trace(*rows: tuple[str, str | None, dict[str, Any]], run_id: str = "r", start: int = 0) -> list[Event]:
    """The events of one run, from (type, call_id, payload)."""
    events = []
    for seq, (kind, call_id, payload) in enumerate(rows):
        fields = {"v": 1, "type": kind, "timestamp": "2026-05-24T03:17:04Z", "run_id": run_id, "seq": seq}
        fields |= {"call_id": call_id, "payload": payload}
        raw = json.dumps(fields, separators=(",", ":")).encode()
        events.append(Event(raw, lines.head_of(raw), line.parse(raw), index=start + seq))
    return events


def asks(call: str, attempt: int = 1, body: Any = ASK) -> tuple[str, str, dict[str, Any]]:
    return "model.request", call, {"url": "https://api.example.com", "body": body, "attempt": attempt}


def fails(call: str, status: int | None = 429, kind: str = "http") -> tuple[str, str, dict[str, Any]]:
    return "model.error", call, {"status": status, "error": {"kind": kind, "message": f"failed {call}"}}


def answers(call: str, body: Any = None) -> tuple[str, str, dict[str, Any]]:
    return "model.response", call, {"status": 200, "body": body or {"content": []}}


def calls(call: str, tool: str = "search") -> tuple[str, str, dict[str, Any]]:
    return "tool.called", call, {"tool_name": tool, "args": {}}


def returns(call: str, tool: str = "search", error: str | None = None) -> tuple[str, str, dict[str, Any]]:
    return "tool.result", call, {"tool_name": tool, "result": None, "error": error}


END = ("run.ended", None, {"status": "ok", "error": None})


def first(*rows: tuple[str, str | None, dict[str, Any]], **options: Any) -> tuple[int, str, bool | None] | None:
    """(seq, kind, recovered) of the run's first error."""
    found = [(error.event.index, error.kind, error.recovered) for error in first_errors(trace(*rows), **options)]
    assert len(found) <= 1
    return found[0] if found else None


def in_file_order(*rows: tuple[str, str | None, dict[str, Any]]) -> list[int]:
    return [event.index for event, error in with_errors(trace(*rows), others=False) if error]


# Attempts that the SDK made again


@pytest.mark.parametrize("failure", [(429, "http"), (529, "http"), (None, "timeout"), (None, "connection")])
def test_an_attempt_that_was_made_again_with_success_is_none(failure: tuple[int | None, str]) -> None:
    rows = asks("a"), fails("a", *failure), asks("b", 2), answers("b"), END
    assert first(*rows) is None
    assert in_file_order(*rows) == []
    assert first(*rows, every=True) is not None


def test_attempts_are_errors_when_the_last_one_fails() -> None:
    rows = asks("a"), fails("a"), asks("b", 2), fails("b"), END
    assert first(*rows) == (1, "http", False)
    assert in_file_order(*rows) == [1, 3]


def test_attempts_are_errors_when_the_run_breaks_off_among_them() -> None:
    rows = asks("a"), fails("a")
    assert first(*rows) == (1, "http", False)
    assert in_file_order(*rows) == [1]


def test_what_no_sdk_sends_again_is_an_error_at_once() -> None:
    assert in_file_order(asks("a"), fails("a", 400), END) == [1]


def test_another_request_is_no_retry() -> None:
    other = {"messages": [{"role": "user", "content": "something else"}]}
    assert first(asks("a"), fails("a"), asks("b", 1, other), answers("b"), END) == (1, "http", False)


def test_the_same_request_made_again_by_the_agent_recovers_it() -> None:
    rows = asks("a"), fails("a", 400), asks("b"), answers("b"), END
    assert first(*rows) == (1, "http", True)
    assert first(*rows, unrecovered=True) is None


# Tools


def test_a_tool_recovers_when_it_later_works_with_whatever_arguments() -> None:
    rows = calls("1"), returns("1", error="no"), calls("2"), returns("2"), END
    assert first(*rows) == (1, "tool", True)
    assert first(*rows, unrecovered=True) is None


def test_another_tool_recovers_nothing() -> None:
    rows = calls("1"), returns("1", error="no"), calls("2", "read"), returns("2", "read"), END
    assert first(*rows) == (1, "tool", False)


def test_unrecovered_passes_over_what_recovered() -> None:
    rows = returns("1", error="no"), returns("2"), returns("3", "write", "full"), returns("4", error="again"), END
    assert first(*rows, unrecovered=True) == (2, "tool", False)


def test_an_empty_text_for_an_error_is_an_error() -> None:
    assert first(returns("1", error=""), END) == (0, "tool", False)


def sends(*results: tuple[str, str, bool | None]) -> dict[str, Any]:
    """A request's body that brings (tool_use_id, tool, is_error)."""
    uses = [{"type": "tool_use", "id": use, "name": tool, "input": {}} for use, tool, _ in results]
    blocks = [
        {"type": "tool_result", "tool_use_id": use, "content": "text", "is_error": e} for use, _, e in results
    ]
    said = [{"role": "assistant", "content": uses}, {"role": "user", "content": blocks}]
    return {"messages": [*ASK["messages"], *said]}


def test_a_failed_result_that_is_sent_counts_once() -> None:
    body = sends(("toolu_1", "search", True))
    assert first(asks("a", body=body), answers("a")) == (0, "tool_result", False)
    assert in_file_order(asks("a", body=body), answers("a"), asks("b", body=body), answers("b")) == [0]


def test_a_failed_result_that_is_sent_is_not_told_again() -> None:
    body = sends(("toolu_1", "search", True))
    rows = calls("toolu_1"), returns("toolu_1", error="no"), asks("a", body=body), answers("a"), END
    assert in_file_order(*rows) == [1]


def test_a_failed_result_of_another_call_is_told() -> None:
    body = sends(("toolu_2", "write", True))
    rows = calls("toolu_1"), returns("toolu_1", error="no"), asks("a", body=body), answers("a"), END
    assert in_file_order(*rows) == [1, 2]


def test_no_is_error_is_neither_a_failure_nor_a_success() -> None:
    failed, unknown, good = (sends((use, "search", e)) for use, e in (("1", True), ("2", None), ("3", False)))
    rows = asks("a", body=failed), answers("a"), asks("b", body=unknown), answers("b")
    assert first(*rows, END) == (0, "tool_result", False)
    assert first(*rows, asks("c", body=good), answers("c"), END) == (0, "tool_result", True)


# Calls without an answer


def test_a_run_died_in_its_last_open_call() -> None:
    assert first(asks("a"), answers("a"), calls("1"), calls("2")) == (3, "orphan", False)


def test_an_earlier_error_comes_before_the_orphan() -> None:
    assert first(returns("1", error="no"), calls("2")) == (0, "tool", False)
    assert first(returns("1", error="no"), returns("2"), calls("3"), unrecovered=True) == (2, "orphan", False)


def test_an_ended_run_has_no_orphan() -> None:
    assert first(calls("1"), END) is None


def test_a_run_that_was_not_read_whole_has_no_orphan() -> None:
    assert list(first_errors(trace(END, asks("a"), calls("1"))[1:])) == []


def test_a_run_that_broke_off_between_its_calls_is_told_of() -> None:
    unended: list[run_errors.RunErrors] = []
    events = trace(("run.started", None, {"name": "report"}), calls("1"), returns("1"))
    assert list(first_errors(events, unended=unended.append)) == []
    assert [run.name for run in unended] == ["report"]
    list(first_errors(events[1:], unended=unended.append))  # not read from its start
    list(first_errors(trace(calls("1"), returns("1"), END), unended=unended.append))
    assert len(unended) == 1


def test_an_open_call_does_not_hide_what_failed_inside_it() -> None:
    assert first(calls("1", "research"), calls("2"), returns("2", error="boom")) == (2, "tool", False)


def test_calls_with_the_same_request_are_retried_side_by_side() -> None:
    rows = [asks("a1"), asks("b1"), fails("a1"), fails("b1"), asks("a2", 2), fails("a2"), asks("b2", 2)]
    assert first(*rows, asks("a3", 3), answers("a3"), answers("b2"), END) is None


def test_an_sdk_that_is_told_not_to_try_again_does_not() -> None:
    kind, call, payload = fails("a", 529)
    rows = asks("a"), (kind, call, payload | {"headers": {"x-should-retry": "false"}}), ("note", None, {})
    assert [event.index for event, _ in islice(with_errors(trace(*rows), others=False), 1)] == [1]


@pytest.mark.parametrize(
    ("headers", "seconds"), [({}, 12), ({"retry-after": "30"}, 34), ({"retry-after": "3"}, 12)]
)
def test_a_retry_is_awaited_as_long_as_sdks_wait(headers: dict[str, str], seconds: float) -> None:
    kind, call, payload = fails("a")
    late = trace(asks("a"), (kind, call, payload | {"headers": headers}), ("note", None, {}), ("note", None, {}))
    late[2].time = (late[1].time or 0) + seconds - 1
    late[3].time = (late[1].time or 0) + seconds + 1
    assert list(with_errors(late[:3], others=True))[2][1] is None
    awaited = with_errors(iter_then_fail(late), others=False)
    assert next(iter(awaited))[0].index == 1


def iter_then_fail(events: list[Event]) -> Iterator[Event]:
    yield from events
    raise AssertionError("the error was to come before the end")


def test_a_server_tool_recovers_when_it_later_works() -> None:
    use = {"type": "server_tool_use", "id": "s", "name": "web_search"}
    failed = {
        "type": "web_search_tool_result",
        "tool_use_id": "s",
        "content": {"type": "web_search_tool_result_error"},
    }
    worked = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    rows = answers("a", {"content": [use, failed]}), answers("b", {"content": [use, worked]}), END
    assert first(*rows) == (0, "response", True)


def test_an_error_for_a_body_recovers_nothing() -> None:
    rows = asks("a"), fails("a", 400), asks("b"), answers("b", {"type": "error", "error": {"message": "no"}}), END
    assert first(*rows) == (1, "http", False)


def test_what_a_thread_adds_behind_the_end_counts() -> None:
    assert first(calls("1"), END, returns("1", error="late")) == (2, "tool", False)


def test_a_judgement_in_the_line_stays() -> None:
    [event] = trace(returns("1", error="no"))
    raw = line.splice(
        event.raw, _error={"kind": "tool", "message": "no", "tool_name": "search", "recovered": True}
    )
    assert list(first_errors([Event(raw, lines.head_of(raw))], unrecovered=True)) == []


def test_what_a_run_broke_off_in_is_no_error_among_all() -> None:
    assert in_file_order(asks("a"), answers("a"), calls("1")) == []


# What events of other types say of themselves


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"error": "boom"}, "error"),
        ({"error": {"message": "boom"}}, "error"),
        ({"is_error": True}, "error"),
        ({"level": "ERROR", "message": "boom"}, "log"),
        ({"error": 0.03}, None),  # a rate
        ({"error": None, "level": "info"}, None),
        ({"text": '"error": "boom"'}, None),
    ],
)
def test_an_event_of_a_type_of_the_agents_own(payload: dict[str, Any], kind: str | None) -> None:
    found = first(("agent.note", None, payload), END)
    assert (found and found[1]) == kind


def test_a_failed_tool_result_in_a_transcript() -> None:
    message = {"role": "user", "content": [{"type": "tool_result", "is_error": True, "content": "no such file"}]}
    raw = json.dumps({"type": "user", "message": message}).encode()
    [error] = first_errors([Event(raw, None, line.parse(raw))])
    assert (error.kind, error.message) == ("tool_result", "no such file")


def test_an_exception_is_told_with_its_type() -> None:
    rows = ("tool.result", "1", {"tool_name": "a", "error": "'x'", "exception": {"type": "KeyError"}}), END
    [error] = first_errors(trace(*rows))
    assert error.message == "KeyError: 'x'"


def test_other_calls_of_the_sdk_fail_and_are_retried_as_well() -> None:
    failed = [(kind.replace("model", "http"), call, payload) for kind, call, payload in (asks("a"), fails("a"))]
    retried = [
        (kind.replace("model", "http"), call, payload) for kind, call, payload in (asks("b", 2), answers("b"))
    ]
    assert first(*failed, END) == (1, "http", False)
    assert first(*failed, *retried, END) is None


# Runs, and selections


def test_interleaved_runs_are_judged_each_by_itself() -> None:
    left = trace(calls("1"), returns("1", error="no"), END, run_id="left")
    right = trace(calls("1"), returns("1"), END, run_id="right", start=10)
    mixed = [event for pair in zip(left, right, strict=True) for event in pair]
    assert [(error.event.run_id, error.recovered) for error in first_errors(mixed)] == [("left", False)]


def test_wanted_narrows_the_errors_but_not_the_judgement() -> None:
    rows = returns("1", error="no"), returns("2", "write", "full"), returns("3", "write"), END
    found = list(first_errors(trace(*rows), wanted=lambda event: event.tool_name == "write"))
    assert [(error.event.index, error.recovered) for error in found] == [(1, True)]


def test_others_keep_their_place_while_a_retry_is_awaited() -> None:
    rows = asks("a"), fails("a"), ("note", None, {}), asks("b", 2), ("note", None, {}), answers("b"), END
    assert [event.index for event, _ in with_errors(trace(*rows), others=True)] == list(range(7))


def test_what_is_held_back_for_a_retry_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "HELD", 1000)
    rows = [asks("a"), fails("a"), *[("note", None, {"text": "x" * 100})] * 30, asks("b", 2), answers("b")]
    seen = 0

    def read() -> Any:
        nonlocal seen
        for event in trace(*rows):
            seen += 1
            yield event

    judged = with_errors(read(), others=True)
    assert next(judged)[0].index == 0
    event, error = next(judged)
    assert (event.index, bool(error)) == (1, True)
    assert seen < 12


# Whatever a payload holds

KEY_NAMES = (
    "body error status content type id name tool_use_id is_error messages input output role tool_calls function"
    " arguments choices message usage input_tokens output_tokens stop_reason attempt url method tool_name args"
    " result duration_ms metadata level severity msg _error _src recovered file line offset kind text"
)
KEYS = st.sampled_from(KEY_NAMES.split())
BLOCK_TYPES = "tool_use tool_result server_tool_use mcp_tool_use error x_error user assistant function_call text"
WORDS = st.sampled_from([*BLOCK_TYPES.split(), "cut\ud83d", "\x1b[31m", ""])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.sampled_from([10**400, -1, "x" * 500])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
BLOCKS = st.lists(st.dictionaries(KEYS, VALUES, max_size=5), max_size=3)
MESSAGES = st.lists(st.builds(lambda role, blocks: {"role": role, "content": blocks}, WORDS, BLOCKS), max_size=3)
BODIES = st.builds(
    lambda messages, blocks, more: {**more, "messages": messages, "content": blocks, "choices": messages},
    MESSAGES,
    BLOCKS,
    st.dictionaries(KEYS, VALUES, max_size=3),
)
PAYLOADS = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=6),
    st.builds(lambda body, more: {**more, "body": body}, BODIES, st.dictionaries(KEYS, VALUES, max_size=4)),
)
TYPES = st.sampled_from(["run.started", "http.request", "other", *run_errors._JUDGES])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.tuples(TYPES, st.sampled_from(["a", "b", None]), PAYLOADS), max_size=4),
    more=st.dictionaries(KEYS, VALUES, max_size=2),
)
def test_no_payload_breaks_the_judgement_or_the_summary(rows: list[Any], more: dict[str, Any]) -> None:
    events = trace(*rows)
    raw = json.dumps({"type": "other", **more}).encode()
    events.append(Event(raw, None, line.parse(raw), index=len(rows)))
    for error in [*first_errors(events), *first_errors(events, unrecovered=True, every=True)]:
        line.splice(error.event.raw, _error=error.row())
    assert [event.index for event, _ in with_errors(events, others=True)] == list(range(len(events)))
    for event in events:
        summary = event.summary()
        assert summary.isprintable() or not summary
        assert len(summary) < 5000
        assert isinstance(event.content, str)
        assert event.src["file"]
