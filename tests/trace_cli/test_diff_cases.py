"""Two runs compared: cases in which what differs is easily told wrongly."""

import json
from collections.abc import Sequence

import pytest
from test_diff import Rows, diff, ops, words_of
from traces import Told, called, event, request, response, result, said

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
