"""`Tap(raw_streams=True)`: the chunks of a stream, equal to what came, and no way out for a secret."""

import gzip
import json
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from agenttap import Tap
from agenttap.exchange import Exchange, result
from agenttap.jsonable import dumps
from agenttap.redact import default
from fakeapi import MESSAGE, STREAM, Server, plain, sse, stream
from hypothesis import given
from hypothesis import strategies as st
from traced import Trace

KEY = "sk-ant-api03-" + "A1b2C3d4" * 8
ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
EVENTS = {"content-type": "text/event-stream"}
BODY = b"".join(map(sse, STREAM))
library = pytest.importorskip("httpx2" if anthropic.__version__ >= "1" else "httpx")


@pytest.fixture
def tap(trace: Trace) -> Iterator[Tap]:
    with Tap(trace.path, raw_streams=True) as tap:
        yield tap


@pytest.fixture
def client(server: Server, tap: Tap) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0) as client:
        yield tap.wrap(client)


def delta(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def told(
    chunks: list[bytes], headers: dict[str, str] = EVENTS, hide: Any = default, room: int = 1 << 20, **more: Any
) -> dict[str, Any]:
    """The payload of an exchange whose body came in these chunks, a second apart."""
    times = [float(number) for number in range(1, len(chunks) + 1)]
    exchange = Exchange("model", "anthropic", started=0.0, status=200, headers=headers, chunks=chunks, times=times)
    exchange.size = exchange.kept = sum(map(len, chunks))
    exchange.end()
    for key, value in more.items():
        setattr(exchange, key, value)
    payload: dict[str, Any] = json.loads(dumps(result(exchange, hide, room)[1]))
    return payload


def text_of(payload: dict[str, Any]) -> str:
    return "".join(text for _, text in payload["chunks"])


def test_chunks_and_when_they_came(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
    with client.messages.stream(**ASK) as events:
        for _ in events.text_stream:
            gate.set()
    assert tap.flush()
    payload = trace.one("model.response")
    assert payload["body"] == MESSAGE
    assert text_of(payload) == BODY.decode()
    times = [ms for ms, _ in payload["chunks"]]
    assert len(times) > 1  # the gate stood between two
    assert times == sorted(times)
    assert payload["ttft_ms"] == times[0]
    assert times[-1] <= payload["duration_ms"]


def test_only_when_asked_and_only_for_streams(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    client.messages.create(**ASK)
    tap.close()
    server.replies.append(stream(*STREAM))
    with Tap(trace.path) as other, other.wrap(client).messages.stream(**ASK) as events:
        events.until_done()
    assert [("chunks" in e["payload"]) for e in trace.events("model.response")] == [False, False]


def test_what_had_come_of_a_stream_that_broke(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    server.replies.append(stream(*STREAM[:4], end="reset"))
    with pytest.raises(Exception, match=r"."), client.messages.stream(**ASK) as events:
        events.until_done()
    tap.flush()
    got = text_of(trace.one("model.error"))
    assert got
    assert b"".join(map(sse, STREAM[:4])).startswith(got.encode())


def test_a_response_that_was_read_before(tap: Tap, trace: Trace) -> None:
    answer = library.MockTransport(lambda request: library.Response(200, content=BODY, headers=EVENTS))
    with tap.wrap(library.Client(transport=answer)) as http:
        http.post("http://test/v1/messages", json=ASK)
    tap.flush()
    assert text_of(trace.one("model.response")) == BODY.decode()


def test_a_text_in_each_line(server: Server, tap: Tap, trace: Trace) -> None:
    lines = b"".join(json.dumps({"message": {"content": c}}).encode() + b"\n" for c in "Hé")
    server.replies.append(plain(lines, kind="application/x-ndjson"))
    with tap.wrap(library.Client()) as http:
        http.post(f"{server.url}/api/chat", json=ASK)
    tap.flush()
    payload = trace.one("model.response")
    assert payload["body"] == text_of(payload) == lines.decode()
    assert payload["stream"] is False


# --- joined, they are the body ----------------------------------------------------------------------------------

ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "identity": lambda body: body,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, deflate": lambda body: zlib.compress(gzip.compress(body)),
}


@given(
    st.sampled_from(sorted(ENCODINGS)),
    st.lists(st.sampled_from([*STREAM, delta("Grüße"), delta("😀")]), min_size=1).map(
        lambda events: "".join(f"data: {json.dumps(e, ensure_ascii=False)}\n\n" for e in events)
    ),
    st.integers(1, 60),
)
def test_joined_they_are_the_body(encoding: str, text: str, size: int) -> None:
    wire = ENCODINGS[encoding](text.encode())
    chunks = [wire[at : at + size] for at in range(0, len(wire), size)]
    payload = told(chunks, EVENTS | {"content-encoding": encoding})
    assert text_of(payload) == text
    assert [ms for ms, _ in payload["chunks"]] == [1000.0 * n for n in range(1, len(chunks) + 1)]
    assert payload["body"] == told([text.encode()])["body"]


@pytest.mark.parametrize("encoding", ["zstd"])
def test_another_compression(encoding: str) -> None:
    zstd: Any = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    wire = zstd.compress(BODY)
    payload = told([wire[:9], wire[9:50], wire[50:]], EVENTS | {"content-encoding": encoding})
    assert text_of(payload) == BODY.decode()
    assert payload["body"] == MESSAGE


def test_deflate_without_its_header() -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    wire = packer.compress(BODY) + packer.flush()
    assert text_of(told([wire[:5], wire[5:]], EVENTS | {"content-encoding": "deflate"})) == BODY.decode()


def test_a_character_over_two_chunks_and_one_that_was_cut_off() -> None:
    wire = "data: é\n\ndata: é".encode()
    payload = told([wire[:7], wire[7:-1]])
    assert payload["chunks"] == [[1000.0, "data: "], [2000.0, "é\n\ndata: "]]


def test_no_text_and_no_room() -> None:
    assert told([b"data: \xff\n\n"])["chunks"] == {"left_out": "these are not text"}
    payload = told([BODY])
    whole, own = len(dumps(payload)), len(dumps(payload["chunks"]))
    assert told([BODY], room=whole + 9)["chunks"] == payload["chunks"]
    squeezed = told([BODY], room=whole - 30)  # durations have up to three decimals, more or less
    assert squeezed["chunks"] == {"left_out": "there is no room for them", "bytes": own}
    assert squeezed["body"] == payload["body"]


def test_what_cannot_be_decompressed_has_no_chunks() -> None:
    payload = told([b"\xff\xfe"], EVENTS | {"content-encoding": "lzw"})
    assert "chunks" not in payload
    assert payload["body"]["encoding"] == "lzw"


def test_memory_is_bound(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    """Times count as well, and chunks without room are left out at the end, both in the list and in the body."""
    asked: list[int] = []
    tap.recorder.journal.hold, hold = (
        (lambda size: not asked.append(size) and len(asked) < 3),
        tap.recorder.journal.hold,
    )  # type: ignore[method-assign, func-returns-value]
    gates = [threading.Event() for _ in STREAM]
    server.replies.append(stream(*(step for pair in zip(STREAM, gates, strict=True) for step in pair)))
    with client.messages.create(**ASK, stream=True) as events:
        for gate in gates[:2]:
            gate.set()
        for number, _ in enumerate(events):
            for gate in gates[: number + 4]:
                gate.set()
    tap.recorder.journal.hold = hold  # type: ignore[method-assign]
    assert tap.flush()
    payload = trace.one("model.response")
    kept = payload["chunks"]
    assert len(kept) == 2
    assert BODY.decode().startswith(text_of(payload))
    assert payload["body_bytes_left_out"] == len(BODY) - len(text_of(payload))
    assert asked[0] > len(kept[0][1].encode())


# --- secrets ----------------------------------------------------------------------------------------------------


def tool_input(*parts: str) -> bytes:
    block = {"type": "tool_use", "id": "toolu_1", "name": "login", "input": {}}
    return b"".join(
        map(
            sse,
            [
                STREAM[0],
                {"type": "content_block_start", "index": 0, "content_block": block},
                *(
                    {
                        "type": "content_block_delta",
                        "index": 0,
                        "delta": {"type": "input_json_delta", "partial_json": part},
                    }
                    for part in parts
                ),
                *STREAM[5:],
            ],
        )
    )


def data(*events: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


SECRETS: dict[str, bytes] = {
    "over several deltas": b"".join(map(sse, [*STREAM[:3], delta(KEY[:9]), delta(KEY[9:]), *STREAM[5:]])),
    "whole in one event": b"".join(map(sse, [*STREAM[:3], delta(KEY), *STREAM[5:]])),
    "the value of a key, over several deltas": tool_input('{"pass', 'word": "A1b2', 'C3d4"}'),
    "in an event of no message": b"".join(map(sse, [*STREAM[:-1], {"type": "new", "text": KEY}, STREAM[-1]])),
    "over events of no message": BODY + data({"x": KEY[:20]}, {"x": KEY[20:]}),
    "in a stream that is not put together": data({"candidates": KEY[:20]}, {"candidates": KEY[20:]}),
    "the value of a key in an event": BODY + data({"type": "new", "api_key": "A1b2C3d4"}),
    "in a comment": b": " + KEY.encode() + b"\n\n" + BODY,
}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("size", [7, 64, 100_000])
def test_a_secret_does_not_get_out(name: str, size: int) -> None:
    wire = SECRETS[name]
    payload = told([wire[at : at + size] for at in range(0, len(wire), size)])
    assert payload["chunks"] == {"left_out": "there is a secret in this stream"}
    assert b"C3d4" not in default(dumps(payload))


def test_a_secret_over_lines_does_not_get_out() -> None:
    wire = b"".join(json.dumps({"response": part}).encode() + b"\n" for part in (KEY[:20], KEY[20:]))
    payload = told([wire], {"content-type": "application/x-ndjson"})
    assert payload["chunks"] == {"left_out": "there is a secret in this stream"}
    assert "secret" in payload["body"]["left_out"]
    items = json.dumps([{"candidates": part} for part in (KEY[:20], KEY[20:])]).encode()
    assert "secret" in told([items], {"content-type": "application/json"}, times=None)["body"]["left_out"]


def test_a_redaction_of_ones_own() -> None:
    def rewrite(raw: bytes) -> bytes:
        return json.dumps(json.loads(raw)).encode()  # the same, in other bytes

    def names(raw: bytes) -> bytes:
        return raw.replace(b"Hello", b"-----")

    def fail(raw: bytes) -> bytes:
        raise ValueError("no")

    assert text_of(told([BODY], hide=rewrite)) == BODY.decode()
    assert text_of(told([BODY], hide=None)) == BODY.decode()
    for hide in (names, fail):
        assert told([BODY], hide=hide)["chunks"] == {"left_out": "there is a secret in this stream"}


def test_a_body_that_is_one_thing_is_not_asked_about_twice() -> None:
    asked: list[bytes] = []

    def hide(raw: bytes) -> bytes:
        asked.append(raw)
        return raw

    assert told([b'{"a":1}'], {"content-type": "application/json"}, hide, times=None)["body"] == {"a": 1}
    assert asked == []
