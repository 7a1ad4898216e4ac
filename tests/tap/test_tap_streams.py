"""Streams and bodies that are odd: errors inside, cut off, no text, no stream at all."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from agenttap import sse
from agenttap.assembly import assemble
from agenttap.exchange import Exchange, result
from agenttap.jsonable import dumps
from fakeapi import STREAM
from fakeapi import sse as write
from hypothesis import given
from hypothesis import strategies as st
from openai_events import HELLO, HELLO_WHOLE, RESPONDING, call, chunk, data, token


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


CALLING = [
    chunk({"role": "assistant", "content": "Hello"}, choice={"logprobs": {"content": [token("Hello")]}}),
    chunk({"content": [{"type": "text", "text": " there"}]}, choice={"logprobs": {"content": [token(" there")]}}),
    chunk(call(0, '{"q":', "call_1", "search")),
    chunk(call(0, ' "x"}')),
    chunk(finish="tool_calls"),
]
WRONG = [
    None,
    True,
    0,
    -1,
    1.5,
    "",
    "text",
    [],
    [None],
    [[]],
    ["text"],
    {},
    {"index": -1},
    {"type": 5},
    {"error": {}},
]


def mutated(value: Any, seeded: random.Random) -> Any:
    """A copy of a JSON value in which some values are something else, and some keys are not there."""
    if seeded.random() < 0.05:
        return seeded.choice(WRONG)
    if isinstance(value, dict):
        return {key: mutated(one, seeded) for key, one in value.items() if seeded.random() > 0.02}
    return [mutated(one, seeded) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("events", [STREAM, CALLING, RESPONDING])
def test_no_event_of_a_wrong_shape_raises(events: list[dict[str, Any]]) -> None:
    for seed in range(1000):
        seeded = random.Random(seed)
        stream = b"".join(data(mutated(event, seeded)) for event in events)
        try:
            dumps(assemble(stream).body)
        except Exception as exc:
            raise AssertionError(f"seed {seed}: {stream!r}") from exc


@pytest.mark.parametrize("choices", [True, 5, "text", {"index": 0}])
def test_choices_that_are_no_list_are_kept_beside_the_message(choices: Any) -> None:
    wrong = {**HELLO[0], "choices": choices}
    done = assemble(b"".join(map(data, [wrong, *HELLO[:2], wrong, *HELLO[2:]])))
    assert (done.body, done.other) == (HELLO_WHOLE, [wrong, wrong])


@pytest.mark.parametrize(
    ("deltas", "whole"),
    [
        ([{"extra": "a"}, {"extra": {"b": "c"}}], {"extra": {"b": "c"}}),
        ([{"parts": [["a"]]}, {"parts": [{"index": -1, "b": "c"}]}], {"parts": [["a"], {"index": -1, "b": "c"}]}),
    ],
)
def test_deltas_that_change_their_shape(deltas: list[dict[str, Any]], whole: dict[str, Any]) -> None:
    done = assemble(b"".join(data(chunk(delta)) for delta in deltas))
    assert done.body["choices"][0]["message"] == whole


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
