"""The card of an event: what it says of each kind, and what it leaves out."""

from typing import Any

import pytest

from trace_cli import card, line, pane
from trace_cli.event import Event
from trace_cli.index import Index


def lines_of(*events: tuple[str, dict[str, Any]], number: int = 0, full: bool = False) -> list[str]:
    """The card of one of some events, which are one call."""
    index = Index(keep=True)
    for place, (kind, payload) in enumerate(events):
        head = {"v": 1, "type": kind, "timestamp": "2026-05-24T03:17:00Z", "run_id": "r", "seq": place}
        fields = {**head, "call_id": "c", "payload": payload}
        index.add(Event(line.dump(fields), fields=fields, index=place))
    index.close()
    other = 1 - number if len(events) > 1 else None
    return [each.plain for each in card.lines(pane.shown(index, number, other), full)]


def asked(count: int) -> dict[str, Any]:
    return {"body": {"messages": [{"role": "user", "content": f"text {number}"} for number in range(count)]}}


def test_of_a_request_the_last_messages_are_shown() -> None:
    shown = lines_of(("model.request", asked(5)))
    assert "messages  5 · the last 2" in shown
    assert [text for text in shown if text.startswith("text")] == ["text 3", "text 4"]
    assert "text 0" in lines_of(("model.request", asked(5)), full=True)
    assert "messages  2" in lines_of(("model.request", asked(2)))


def test_the_half_that_was_asked_for_comes_first() -> None:
    call = ("model.request", asked(1)), ("model.response", {"status": 200, "body": {"content": "done"}})
    for number, first in ((0, "request"), (1, "response")):
        shown = lines_of(*call, number=number)
        headings = [text.split()[0] for text in shown if text.startswith(("request", "response"))]
        assert headings[0] == first
        assert len(headings) == 2


def test_timing_is_said_and_the_first_token_only_of_a_stream() -> None:
    def took(**more: Any) -> str:
        payload = {"status": 200, "body": {"content": "x"}, "duration_ms": 2000.2, "ttft_ms": 300.1, **more}
        return next(text for text in lines_of(("model.response", payload)) if text.startswith("response"))

    assert took(stream=True) == "response  status 200 · first token after 300.1 ms, 2.00 s"
    assert took(stream=False) == "response  status 200 · 2.00 s"
    assert took(duration_ms="long", stream=True, ttft_ms=None) == "response  status 200"
    assert took(complete=False) == "response  status 200 · 2.00 s · cut off"


def test_of_a_broken_stream_what_had_arrived_is_shown() -> None:
    error = {"kind": "stream", "type": "ReadError", "message": "cut"}
    body = {"role": "assistant", "content": [{"type": "text", "text": "half an ans"}]}
    shown = lines_of(("model.error", {"status": 200, "error": error, "body": body}))
    assert shown[shown.index("what had arrived") + 1] == "half an ans"
    assert "✗ cut" in shown


def test_the_body_of_a_refusal_is_not_said_twice() -> None:
    error = {"kind": "http", "type": "overloaded_error", "message": "Overloaded"}
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    shown = lines_of(("model.error", {"status": 529, "error": error, "body": body}))
    assert sum("overloaded_error" in text for text in shown) == 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"truncated": True, "bytes": 99}, "(too large to be recorded)"),
        ({"body": "plain text"}, "plain text"),
        ({"body": None}, None),
    ],
)
def test_a_body_that_is_none_is_told(payload: dict[str, Any], said: str | None) -> None:
    assert (said in lines_of(("model.request", payload))) == (said is not None)


def test_other_exchanges_show_their_body_as_it_is() -> None:
    shown = lines_of(("http.request", {"method": "POST", "url": "https://x/v1/files", "body": {"messages": [1]}}))
    assert "messages: [1]" in shown
    assert not any("the last" in text for text in shown)


def test_what_is_not_to_come_is_told_from_what_may_come() -> None:
    assert "result  none: the run ends without one" in lines_of(("tool.called", {"tool_name": "t", "args": {}}))
    called = {"v": 1, "type": "tool.called", "run_id": "r", "call_id": "c", "payload": {"tool_name": "t"}}
    index = Index(keep=True)
    index.add(Event(line.dump(called), fields=called))
    assert "result  none yet" in [each.plain for each in card.lines(pane.shown(index, 0, None))]
    result = {**called, "type": "tool.result"}
    index.add(Event(line.dump(result), fields=result, index=1))
    assert "call  not in this trace" in [each.plain for each in card.lines(pane.shown(index, 1, None))]
