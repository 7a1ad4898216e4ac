"""From event to event by the index: other halves where ids repeat, and over the borders of runs."""

from typing import Any

from trace_cli import line, links
from trace_cli.event import Event
from trace_cli.index import Index


def index_of(*events: dict[str, Any]) -> Index:
    index = Index(keep=True)
    for number, fields in enumerate(events):
        index.add(Event(line.dump(fields), fields=fields, index=number))
    index.close()
    return index


def half(kind: str, call_id: str, run_id: str = "r") -> dict[str, Any]:
    return {"type": f"tool.{kind}", "run_id": run_id, "call_id": call_id, "payload": {"tool_name": "t"}}


def partners(index: Index) -> list[int | None]:
    return [links.partner(index, number) for number in range(len(index))]


def test_where_an_id_comes_again_the_nearest_half_is_the_other() -> None:
    again = index_of(half("called", "x"), half("result", "x"), half("called", "x"), half("result", "x"))
    assert partners(again) == [1, 0, 3, 2]


def test_a_result_before_its_call_is_found_too() -> None:
    assert partners(index_of(half("result", "x"), half("called", "x"))) == [1, 0]


def test_another_run_has_other_calls() -> None:
    index = index_of(half("called", "x", "a"), half("called", "x", "b"), half("result", "x", "a"))
    assert partners(index) == [2, None, 0]


def test_without_an_id_there_is_no_other_half() -> None:
    assert partners(index_of({"type": "tool.called"}, {"type": "tool.result", "call_id": "y"})) == [None, None]


def test_far_halves_are_found() -> None:
    between = [half("called", f"other{number}") for number in range(40_000)]
    index = index_of(half("called", "x"), *between, half("result", "x"))
    assert links.partner(index, 0) == 40_001
    assert links.partner(index, 40_001) == 0


def test_turns_are_requests_and_in_a_transcript_what_the_user_says() -> None:
    index = index_of(*({"type": kind} for kind in ("model.request", "user", "model.request", "note")))
    assert (links.turn(index, 0, 1), links.turn(index, 3, -1), links.turn(index, 2, 1)) == (2, 2, None)
    transcript = index_of(*({"type": kind} for kind in ("user", "assistant", "user")))
    assert (links.turn(transcript, 0, 1), links.turn(transcript, 2, -1)) == (2, 0)
