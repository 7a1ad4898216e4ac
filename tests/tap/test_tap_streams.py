"""Streams put together: what comes out equals what the SDK itself accumulates."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest
from agenttap import sse
from agenttap.assembly import assemble
from agenttap.exchange import Exchange, result
from agenttap.jsonable import dumps
from fakeapi import MESSAGE, STREAM
from fakeapi import sse as write
from hypothesis import given
from hypothesis import strategies as st

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "sse"
library = pytest.importorskip("httpx2" if anthropic.__version__ >= "1" else "httpx")


def body(events: list[dict[str, Any]]) -> Any:
    return json.loads(dumps(assemble(b"".join(map(write, events))).body))


def block(start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a message with one content block."""
    return [
        STREAM[0],
        {"type": "content_block_start", "index": 0, "content_block": start},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        *STREAM[-2:],
    ]


def of_the_sdk(events: list[dict[str, Any]], beta: bool) -> Any:
    """What the SDK makes of a stream."""
    data = b"".join(map(write, events))
    answer = library.MockTransport(
        lambda request: library.Response(200, content=data, headers={"content-type": "text/event-stream"})
    )
    with library.Client(transport=answer) as http:
        client = anthropic.Anthropic(api_key="k", base_url="http://test", http_client=http)
        messages: Any = client.beta.messages if beta else client.messages
        with messages.stream(model="m", max_tokens=1, messages=[]) as stream:
            return json.loads(stream.get_final_message().to_json())


def assert_within(found: Any, expected: Any, at: str = "") -> None:
    """Everything the SDK has must be in ours, equal; nulls and `parsed_output` are the SDK's own additions."""
    if isinstance(expected, dict):
        assert isinstance(found, dict), at
        for key, value in expected.items():
            if key != "parsed_output" and not (value is None and key not in found):
                assert key in found, f"{at}.{key} is missing"
                assert_within(found[key], value, f"{at}.{key}")
    elif isinstance(expected, list):
        assert isinstance(found, list), at
        assert len(found) == len(expected), at
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_within(one, other, f"{at}[{number}]")
    else:
        assert found == expected, at


@pytest.mark.parametrize(
    "path",
    sorted(RECORDED.glob("anthropic-*.txt")) or [pytest.param(None, marks=pytest.mark.skip("no recordings here"))],
)
def test_recorded_streams(path: Path) -> None:
    events = [json.loads(line) for line in path.read_text().splitlines()]
    done = assemble(b"".join(map(write, events)))
    assert (done.complete, done.error, done.other) == (True, None, [])
    assert_within(json.loads(dumps(done.body)), of_the_sdk(events, beta=True))


SEARCHED = [
    {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e", "page_age": None},
]
CASES: dict[str, list[dict[str, Any]]] = {
    "text": STREAM,
    "thinking": block(
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Let me "},
        {"type": "thinking_delta", "thinking": "see."},
        {"type": "signature_delta", "signature": "c2ln"},
    ),
    "redacted thinking": block({"type": "redacted_thinking", "data": "abc"}),
    "tool": block(
        {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"q": "a'},
        {"type": "input_json_delta", "partial_json": 'b", "n": 1.5}'},
    ),
    "tool without arguments": block(
        {"type": "tool_use", "id": "toolu_1", "name": "now", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
    ),
    "citations": block(
        {"type": "text", "text": "", "citations": []},
        {"type": "text_delta", "text": "So."},
        {
            "type": "citations_delta",
            "citation": {
                "type": "char_location",
                "cited_text": "x",
                "document_index": 0,
                "document_title": None,
                "start_char_index": 0,
                "end_char_index": 1,
            },
        },
    ),
    "whole server result": block(
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": SEARCHED}
    ),
    "usage told again": [
        {
            "type": "message_start",
            "message": {**MESSAGE, "content": [], "usage": {**MESSAGE["usage"], "cache_read_input_tokens": 3}},
        },
        *STREAM[1:6],
        {
            "type": "message_delta",
            "delta": {"stop_reason": "max_tokens", "stop_sequence": None},
            "usage": {"input_tokens": 99, "output_tokens": 7, "cache_read_input_tokens": None},
        },
        STREAM[-1],
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_the_sdk_accumulates_the_same(name: str) -> None:
    assert_within(body(CASES[name]), of_the_sdk(CASES[name], beta=False))


def test_what_the_sdk_does_not_keep() -> None:
    cut = block(
        {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"q": "a'},
    )
    assert body(cut)["content"][0] == {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "search",
        "input": {},
        "partial_json": '{"q": "a',
    }
    digits = block(
        {"type": "tool_use", "id": "toolu_1", "name": "search", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"n": 12345678901234567890123,\n"x": 1.10}'},
    )
    assert b'{"n": 12345678901234567890123, "x": 1.10}' in dumps(assemble(b"".join(map(write, digits))).body)
    surrogates = block(
        {"type": "text", "text": ""}, *({"type": "text_delta", "text": c} for c in ("\ud83d", "\ude00"))
    )
    assert body(surrogates)["content"] == [{"type": "text", "text": "😀"}]


def test_a_second_start_voids_the_first() -> None:
    more = {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "void"}}
    assert body([*STREAM[:5], more, *STREAM]) == MESSAGE


def test_unknown_events_are_kept() -> None:
    unknown = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "x": 1}},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "nowhere"}},
        {"type": "new_event", "y": 2},
    ]
    done = assemble(b"".join(map(write, [*STREAM[:5], *unknown, *STREAM[5:]])) + b"data: no json\n\n")
    assert done.other == [*unknown, "no json"]
    assert done.body == MESSAGE


@pytest.mark.parametrize(
    ("stream", "error"),
    [
        (
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}',
            {"message": "m"},
        ),
        (b"event: error\ndata: upstream went away\n\n", "upstream went away"),
        (b'data: {"error":{"message":"m","code":429}}\n\ndata: [DONE]\n\n', {"message": "m"}),
    ],
)
def test_error_events(stream: bytes, error: Any) -> None:
    found = assemble(stream).error
    assert found == error if isinstance(error, str) else found["message"] == error["message"]


def test_events_as_the_standard_has_them() -> None:
    stream = b"\xef\xbb\xbf: comment\r\nevent: a\rdata:x\ndata:  y \n\nid: 1\n\ndata\n\nevent: b\ndata: cut off"
    assert list(sse.events(stream)) == [("a", "x\n y "), ("", ""), ("b", "cut off")]


@given(st.binary() | st.lists(st.sampled_from([write(event) for event in STREAM])).map(b"".join))
def test_nothing_in_a_stream_raises(stream: bytes) -> None:
    dumps(assemble(stream).body)
    assemble(stream[: len(stream) // 2])


def answered(edit: Callable[[Exchange], None]) -> tuple[str, dict[str, Any]]:
    exchange = Exchange("model", "anthropic", status=200)
    edit(exchange)
    exchange.size = exchange.kept = sum(map(len, exchange.chunks))
    exchange.end(exchange.failure)
    return result(exchange, None)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (429, b'{"type":"error","error":{"type":"rate_limit_error","message":"m"}}', "rate_limit_error", "m"),
        (
            400,
            b'{"error":{"message":"m","type":"invalid_request_error","param":null,"code":null}}',
            "invalid_request_error",
            "m",
        ),
        (400, b'{"error":{"code":400,"message":"m","status":"INVALID_ARGUMENT"}}', "INVALID_ARGUMENT", "m"),
        (400, b'{"code":"bad","error":"m"}', None, "m"),
        (422, b'{"detail":"m"}', None, "m"),
        (403, b'{"message":"m"}', None, "m"),
        (502, b"<html>Bad gateway</html>", None, "<html>Bad gateway</html>"),
        (503, b"", None, "HTTP 503 Service Unavailable"),
        (599, b"\xff", None, "�"),
        (500, b"[]", None, "HTTP 500 Internal Server Error"),
    ],
)
def test_error_shapes(status: int, body: bytes, kind: str | None, message: str) -> None:
    def edit(exchange: Exchange) -> None:
        exchange.status, exchange.chunks = status, [body]

    type, payload = answered(edit)
    assert type == "model.error"
    assert payload["error"] == {"kind": "http", "type": kind, "message": message}


def test_a_body_that_is_no_text() -> None:
    def edit(exchange: Exchange) -> None:
        exchange.chunks = [b"\xff\xd8"]

    _, payload = answered(edit)
    assert payload["body"]["bytes"] == 2
    assert len(payload["body"]["sha256"]) == 64


def test_a_body_whose_compression_is_unknown() -> None:
    def edit(exchange: Exchange) -> None:
        exchange.headers, exchange.chunks = {"content-encoding": "lzw"}, [b"\xff\xd8"]

    _, payload = answered(edit)
    assert payload["body"]["encoding"] == "lzw"
