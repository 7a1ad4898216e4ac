"""What a line means: the time, the run, the tool, whoever wrote it and however."""

import json
from typing import Any

import pytest

from trace_cli import line, lines
from trace_cli.event import Event, seconds

NOON = 1779624000.0  # 2026-05-24T12:00:00Z


def event(**fields: Any) -> Event:
    raw = json.dumps(fields).encode()
    return Event(raw, None, line.parse(raw), file="a.jsonl")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-05-24T12:00:00Z", NOON),
        ("2026-05-24T12:00:00.250000Z", NOON + 0.25),
        ("2026-05-24T14:00:00+02:00", NOON),
        ("2026-05-24 12:00:00", NOON),
        ("1779624000", NOON),
        ("1779624000.5", NOON + 0.5),
        ("1779624000250", NOON + 0.25),
        ("1779624000250000", NOON + 0.25),
        ("1779624000250000000", NOON + 0.25),
        ("1712123112345", 1712123112.345),  # a date of the year 1712, by another reading
        ("1.779624e9", NOON),
        ("soon", None),
        ("", None),
        ("NaN", None),
        ("1e999", None),
        ("9" * 400, None),
        (None, None),
    ],
)
def test_a_time_is_read_as_it_is_written(written: str | None, meant: float | None) -> None:
    assert seconds(written) == (None if meant is None else pytest.approx(meant, abs=1e-5))


@pytest.mark.parametrize("key", ["type", "event_type", "kind", "event"])
def test_the_type_is_where_loggers_put_it(key: str) -> None:
    assert event(**{key: "tool.called"}).type == "tool.called"


@pytest.mark.parametrize("key", ["timestamp", "ts", "time", "@timestamp"])
@pytest.mark.parametrize("value", ["2026-05-24T12:00:00Z", 1779624000, 1779624000000])
def test_the_time_is_where_loggers_put_it(key: str, value: object) -> None:
    assert event(**{key: value}).time == NOON


def test_runs_without_an_id_are_told_apart_by_file() -> None:
    assert event(run_id="r").run == event(run_id="r", n=2).run
    assert event().run == event(n=2).run
    assert event().run != Event(b"{}", None, {}, file="b.jsonl").run
    assert event(run_id="a.jsonl").run != event().run


def test_a_foreign_payload_is_all_that_is_no_head() -> None:
    found = event(event="reply", ts=1, run_id="r", tool="search", args={"q": 1}, error="no")
    assert found.payload == {"tool": "search", "args": {"q": 1}, "error": "no"}
    assert (found.tool_name, found.args, found.error) == ("search", {"q": 1}, "no")


def test_what_a_line_lacks_is_none() -> None:
    found = event()
    assert found.type == ""
    assert (found.timestamp, found.time, found.run_id, found.seq, found.call_id) == (None,) * 5
    assert (found.tool_name, found.args, found.result, found.error, found.content) == (None, None, None, None, "")


def test_a_carried_src_is_kept_and_one_in_the_payload_is_none() -> None:
    here = {"file": "a.jsonl", "line": 1, "offset": 0}
    there = {"file": "b.jsonl", "line": 7, "offset": 99}
    assert event(a=1, _src=there).src == there
    assert event(payload={"_src": there}).src == here
    assert event(_src="b.jsonl").src == here


@pytest.mark.parametrize(
    ("kind", "body", "content"),
    [
        ("model.response", {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ("model.response", {"choices": [{"message": {"content": "hello"}}]}, "hello"),
        ("model.response", {"output": [{"content": [{"type": "output_text", "text": "hello"}]}]}, "hello"),
        ("model.request", {"messages": [{"content": "one"}, {"content": "two"}]}, "two"),
        ("model.request", {"input": "hello"}, "hello"),
        ("model.request", {"messages": []}, ""),
        ("model.response", "plain text", "plain text"),
        ("model.response", None, ""),
    ],
)
def test_content_is_the_text_of_the_message(kind: str, body: Any, content: str) -> None:
    assert event(type=kind, payload={"body": body}).content == content


def test_a_summary_is_one_line_that_can_be_printed() -> None:
    found = event(type="note", payload={"text": "a\nb\x1b[31m\x9b\u202e" + "long " * 100}).summary()
    assert "\n" not in found
    assert found.isprintable()
    assert found.startswith("a b\\x1b[31m\\x9b\\u202e")
    assert len(found) < 250


def test_a_line_damaged_behind_its_head_is_what_its_head_says() -> None:
    raw = b'{"v":1,"type":"note","timestamp":"t","run_id":"r","seq":3,"call_id":"c","payload":{"a":\x01}}'
    told = []
    found = Event(raw, lines.head_of(raw), damaged=lambda event, bad: told.append(bad.reason))
    assert (found.payload, found.seq, found.call_id) == ({}, 3, "c")
    assert (found.payload, len(told)) == ({}, 1)
