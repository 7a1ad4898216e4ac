"""Streams made of messages: they come to the same message again, for the tap's assembly and for the SDKs."""

import json
from pathlib import Path
from typing import Any

import openai_events
import pytest
from agenttap.assembly import assemble
from agenttap.jsonable import dumps
from fakeapi import STREAM, sse
from hypothesis import given
from hypothesis import strategies as st
from recorded import client, gpt, request, response

from agent_replay_trace import Replay
from tracereplay import streamed

DATA = Path(__file__).parents[3] / "shared" / "data" / "sse"
STREAMS: dict[str, list[bytes]] = {"message": [sse(each) for each in STREAM]} | {
    name: [openai_events.data(each) for each in getattr(openai_events, name)]
    for name in dir(openai_events)
    if name.isupper() and isinstance(getattr(openai_events, name), list)
}
if DATA.is_dir():
    for path in sorted(DATA.glob("*.txt")):
        STREAMS[path.stem] = [sse(json.loads(each)) for each in path.read_text().splitlines()]


def again(body: Any, whole: bool) -> Any:
    """What the stream that is made of a message comes to."""
    pieces = streamed.stream(body, json.dumps(body), whole)
    assert pieces is not None
    return assemble(b"".join(pieces))


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_anywhere_comes_to_the_same_again(name: str) -> None:
    events = STREAMS[name]
    for end in sorted({*range(1, min(40, len(events))), len(events)}):
        found = assemble(b"".join(events[:end]))
        if found.body is None or found.error is not None:
            continue
        body = json.loads(dumps(found.body))
        made = again(body, found.complete)
        assert json.loads(dumps(made.body)) == body, end
        assert made.complete == found.complete, end


texts = st.text(max_size=80)
inputs = st.dictionaries(st.text(max_size=5), st.integers() | texts | st.lists(texts), max_size=3)
blocks = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
    st.fixed_dictionaries({"type": st.just("text"), "text": texts, "citations": st.lists(inputs, max_size=2)}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": texts, "signature": texts}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": texts}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": texts, "name": texts, "input": inputs}),
    st.fixed_dictionaries({"type": st.just("server_tool_use"), "id": texts, "name": texts, "input": inputs}),
    st.fixed_dictionaries({"type": st.just("web_search_tool_result"), "content": st.lists(inputs, max_size=2)}),
)


@given(st.lists(blocks, max_size=4), st.sampled_from(["end_turn", "tool_use", "refusal"]))
def test_messages(content: list[Any], reason: str) -> None:
    body = {"type": "message", "id": "m", "content": content, "stop_reason": reason, "usage": {"output_tokens": 5}}
    made = again(body, True)
    assert json.loads(dumps(made.body)) == body
    assert made.complete


calls = st.fixed_dictionaries(
    {
        "index": st.just(0),
        "id": st.just("c"),
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": st.just("f"), "arguments": texts}),
    }
)


@given(texts | st.none(), st.lists(calls, max_size=1), st.sampled_from(["stop", "tool_calls"]))
def test_completions(content: str | None, tool_calls: list[Any], reason: str) -> None:
    message = {"role": "assistant", "content": content} | ({"tool_calls": tool_calls} if tool_calls else {})
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    body |= {"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": {"total_tokens": 3}}
    made = again(body, True)
    assert json.loads(dumps(made.body)) == body
    assert made.complete


def test_numbers_in_the_input_of_a_tool_keep_their_digits() -> None:
    given = '{"n":1.10,"b":12345678901234567890123}'
    text = '{"type":"message","content":[{"type":"tool_use","id":"t","input":%s}]}' % given  # noqa: UP031
    pieces = streamed.stream(json.loads(text), text, True)
    assert pieces is not None
    said = "".join(
        json.loads(each.split(b"data: ")[1])["delta"]["partial_json"] for each in pieces if b"partial_json" in each
    )
    assert said == given


ERRORS = {
    "anthropic": (
        {"type": "message", "content": [{"type": "text", "text": "Hel"}]},
        {"kind": "stream", "type": "overloaded_error", "message": "no room"},
    ),
    "completion": (
        {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "Hel"}}]},
        {"kind": "stream", "type": "server_error", "message": "no room"},
    ),
    "response": (
        {"object": "response", "output": []},
        {"kind": "stream", "type": "server_error", "message": "no room"},
    ),
    "failed response": (
        {
            "object": "response",
            "status": "failed",
            "output": [],
            "error": {"code": "server_error", "message": "no room"},
        },
        {"kind": "stream", "type": "server_error", "message": "no room"},
    ),
    "without a type": (
        {"object": "response", "output": []},
        {"kind": "stream", "type": None, "message": "no room"},
    ),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_in_a_stream_is_told_as_one(kind: str) -> None:
    body, error = ERRORS[kind]
    pieces = streamed.stream(body, json.dumps(body), False, error)
    assert pieces is not None
    found = assemble(b"".join(pieces))
    assert found.error["message"] == "no room"


def test_the_sdks_build_the_same_messages(tmp_path: Path) -> None:
    refused = {
        "type": "message", "id": "m", "role": "assistant", "model": "x",
        "content": [{"type": "text", "text": "I " * 50}],
        "stop_reason": "refusal", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip
    tokens = {"content": [openai_events.token("Hi"), openai_events.token(" there")], "refusal": None}
    message = {"role": "assistant", "content": "Hi there", "refusal": None}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": tokens}
    chosen = {"id": "c", "object": "chat.completion", "created": 1, "model": "x", "choices": [choice]}
    ask: dict[str, Any] = {"model": "x", "messages": [{"role": "user", "content": "Hi"}]}
    trace = tmp_path / "run.jsonl"
    trace.write_bytes(
        request(0, "a", "", body={**ask, "max_tokens": 9, "stream": True})
        + response(1, "a", "", body=refused, stream=True)
        + request(2, "b", "", body={**ask, "stream": True}, url="https://x.test/v1/chat/completions")
        + response(3, "b", "", body=chosen, stream=True)
    )
    with Replay.load(trace, ignore=["/payload/body/stream_options"]) as replay:
        claude = replay.wrap(client())
        with claude.messages.stream(max_tokens=9, **ask) as stream:
            final = stream.get_final_message().model_dump(exclude_none=True)
        assert {key: final.get(key) for key in refused if refused[key] is not None} == {
            key: value for key, value in refused.items() if value is not None
        }
        asking = replay.wrap(gpt())
        with asking.chat.completions.stream(**ask) as told:
            completion = told.get_final_completion()
        assert completion.choices[0].message.content == "Hi there"
        assert completion.choices[0].logprobs is not None
        assert [each.token for each in completion.choices[0].logprobs.content or []] == ["Hi", " there"]
