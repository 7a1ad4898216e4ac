"""The envelope: ids, time, and the bytes of a line."""

import json
import re
import uuid
from datetime import UTC, datetime

from agenttap import event
from hypothesis import given
from hypothesis import strategies as st


def test_a_line_has_its_keys_in_order() -> None:
    line = event.line("tool.called", "2026-05-24T03:17:04.123456Z", "r", 7, "c", event.Place("s"), b'{"a":1}')
    assert line == (
        b'{"v":1,"type":"tool.called","timestamp":"2026-05-24T03:17:04.123456Z","run_id":"r","seq":7,'
        b'"call_id":"c","step_id":"s","payload":{"a":1}}\n'
    )


def test_only_calls_have_a_call_id() -> None:
    assert b'"seq":0,"call_id":null,"payload"' in event.line(
        "model.error", "t", "r", 0, None, event.NOWHERE, b"{}"
    )
    assert b'"seq":0,"payload"' in event.line("run.started", "t", "r", 0, None, event.NOWHERE, b"{}")


@given(st.text())
def test_a_safe_text_needs_no_escapes(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._:-]+", event.safe(text))
    assert event.safe(event.safe(text)) == event.safe(text)


@given(st.text(), st.text(), st.text(), st.text())
def test_every_line_is_json(type: str, run_id: str, call_id: str, step_id: str) -> None:
    ids = [event.safe(each) for each in (type, run_id, call_id, step_id)]
    line = event.line(ids[0], event.now(), ids[1], 0, ids[2], event.Place(ids[3]), b"{}")
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["type"] == ids[0]


def test_run_ids_sort_by_time() -> None:
    first = event.new_run_id()
    parsed = uuid.UUID(first)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert abs((parsed.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 60
    assert len({event.new_run_id() for _ in range(1000)}) == 1000


def test_the_time_has_microseconds_always() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event.now())
