"""Model calls through the real SDK and a real socket: the agent sees no difference, the trace holds it all."""

import asyncio
import gc
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anthropic
import pytest
from agenttap import Tap
from fakeapi import MESSAGE, STREAM, Server, error, plain, sse, stream
from traced import Trace

KEY = "sk-ant-api03-" + "A1b2C3d4" * 8
ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
library = pytest.importorskip("httpx2" if anthropic.__version__ >= "1" else "httpx")


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0) as client:
        yield client


def run_async(server: Server, tap: Tap, work: Callable[[anthropic.AsyncAnthropic], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url, max_retries=0) as client:
            return await work(tap.wrap(client))

    return asyncio.run(main())


def test_a_plain_call(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    assert tap.wrap(client) is client
    assert client.messages.create(**ASK).content[0].text == "Hello there"
    # Not flushed: both events are in the file before the call returns.
    assert trace.types() == ["run.started", "model.request", "model.response"]
    _, request, response = trace.events()
    assert request["call_id"] == response["call_id"]
    assert request["payload"]["body"] == json.loads(server.seen[0].body) == ASK
    told = {key: request["payload"][key] for key in ("provider", "method", "url", "attempt")}
    assert told == {"provider": "anthropic", "method": "POST", "url": f"{server.url}/v1/messages", "attempt": 1}
    payload = response["payload"]
    assert payload["body"] == MESSAGE
    assert (payload["status"], payload["stream"], payload["complete"]) == (200, False, True)
    assert payload["request_id"] == "req_1"
    assert 0 < payload["ttft_ms"] <= payload["duration_ms"]


def test_the_request_is_written_before_it_is_sent(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    found: list[list[str]] = []
    server.replies.append(lambda wire: (found.append(trace.types()), plain()(wire))[1])
    tap.wrap(client).messages.create(**ASK)
    assert found == [["run.started", "model.request"]]


def test_the_key_is_nowhere(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    server.replies.append(plain({**MESSAGE, "echo": KEY}, headers=[("set-cookie", "id=hidden-cookie")]))
    tap.wrap(client).messages.create(**ASK | {"system": f"the key is {KEY}"})
    sent = server.seen[0].headers
    assert KEY in (sent.get("x-api-key") or sent["authorization"])  # the agent's own request is unchanged
    assert KEY.encode() in server.seen[0].body
    assert b"A1b2C3d4" not in trace.raw
    assert b"hidden-cookie" not in trace.raw
    assert trace.one("model.request")["body"]["system"] == "the key is [redacted]"


def test_the_body_goes_in_as_it_came(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    body = b'{"type":"message","role":"assistant","content":[],\n"big":12345678901234567890123,"x":1.10}'
    server.replies.append(plain(body))
    tap.wrap(client).messages.create(**ASK)
    assert body.replace(b"\n", b" ") in trace.raw


def test_a_stream_helper(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    server.replies.append(stream(*STREAM))
    with tap.wrap(client).messages.stream(**ASK) as streamed:
        assert "".join(streamed.text_stream) == "Hello there"
        final = streamed.get_final_message()
    assert tap.flush()
    payload = trace.one("model.response")
    assert payload["body"] == MESSAGE
    assert final.usage.output_tokens == payload["body"]["usage"]["output_tokens"]
    assert (payload["stream"], payload["complete"]) == (True, True)
    assert "other_events" not in payload


@pytest.mark.parametrize("wrapped", [False, True])
def test_chunks_arrive_when_they_are_sent(
    server: Server, client: anthropic.Anthropic, tap: Tap, wrapped: bool
) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
    if wrapped:
        tap.wrap(client)
    with client.messages.create(**ASK, stream=True) as events:
        for event in events:
            if event.type == "content_block_delta" and event.delta.text == "Hello":
                assert not gate.is_set()
                gate.set()  # the rest is only sent now: a tap that waited for the whole body would never get here


def test_an_async_stream(server: Server, tap: Tap, trace: Trace) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))

    async def work(client: anthropic.AsyncAnthropic) -> str:
        async with client.messages.stream(**ASK) as streamed:
            text = ""
            async for piece in streamed.text_stream:
                gate.set()
                text += piece
            return text

    assert run_async(server, tap, work) == "Hello there"
    assert tap.flush()
    assert trace.one("model.response")["body"] == MESSAGE


def test_async_plain(server: Server, tap: Tap, trace: Trace) -> None:
    message = run_async(server, tap, lambda client: client.messages.create(**ASK))
    assert message.content[0].text == "Hello there"
    assert trace.one("model.response")["body"] == MESSAGE


def test_every_way_of_calling_passes_the_same_place(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    tap.wrap(client)
    raw = client.messages.with_raw_response.create(**ASK)
    assert raw.headers["request-id"] == "req_1"
    assert raw.parse().content[0].text == "Hello there"
    with client.messages.with_streaming_response.create(**ASK) as response:
        assert json.loads(b"".join(response.iter_bytes())) == MESSAGE
    client.beta.messages.create(**ASK, betas=["x-2025-01-01"])
    server.replies.append(plain({"input_tokens": 3}))
    assert client.messages.count_tokens(model="m", messages=ASK["messages"]).input_tokens == 3
    server.replies.append(plain({"data": [], "has_more": False}))
    client.models.list()
    tap.flush()
    assert trace.types()[1:] == ["model.request", "model.response"] * 3 + ["http.request", "http.response"] * 2
    assert [event["seq"] for event in trace.events()] == list(range(11))


def test_clones_made_before_and_after(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    before = client.with_options(timeout=5)
    kind = type(client._client)
    tap.wrap(client)
    tap.wrap(client)
    tap.wrap(before)
    assert isinstance(client._client, kind)
    assert type(client._client).__name__ == kind.__name__
    after = client.with_options(timeout=6)
    for clone in (client, before, after):
        clone.messages.create(**ASK)
    assert trace.types().count("model.request") == 3


def test_two_taps_on_one_client(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    lines: list[bytes] = []
    with Tap(writer=lines.append) as other:
        tap.wrap(other.wrap(client)).messages.create(**ASK)
    client.messages.create(**ASK)  # `other` is closed by now
    assert trace.types().count("model.response") == 2
    assert sum(b'"type":"model.response"' in line for line in lines) == 1


def test_each_attempt_is_a_call_of_its_own(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    server.replies.append(error(429, "rate_limit_error", "slow down", [("retry-after-ms", "1")]))
    message = tap.wrap(client).with_options(max_retries=2).messages.create(**ASK)
    assert message.content[0].text == "Hello there"
    tap.flush()
    first, failed, second, answered = trace.events()[1:]
    assert [e["type"] for e in (first, failed, second, answered)] == [
        "model.request",
        "model.error",
        "model.request",
        "model.response",
    ]
    assert first["call_id"] == failed["call_id"] != second["call_id"] == answered["call_id"]
    assert (first["payload"]["attempt"], second["payload"]["attempt"]) == (1, 2)
    assert failed["payload"]["status"] == 429
    assert failed["payload"]["error"]["kind"] == "http"


@pytest.mark.parametrize(
    ("status", "kind", "raised"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (529, "overloaded_error", anthropic.APIStatusError),
    ],
)
def test_a_refused_call(
    server: Server,
    client: anthropic.Anthropic,
    tap: Tap,
    trace: Trace,
    status: int,
    kind: str,
    raised: type[Exception],
) -> None:
    server.replies.append(error(status, kind, "no, sorry"))
    with pytest.raises(raised, match="no, sorry"):
        tap.wrap(client).messages.create(**ASK)
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"] == {"kind": "http", "type": kind, "message": "no, sorry"}
    assert payload["body"]["error"]["type"] == kind


def test_a_refused_stream_is_recorded_without_reading_it(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    server.replies += [error(529, "overloaded_error", "busy", [("retry-after-ms", "1")]), stream(*STREAM)]
    with tap.wrap(client).with_options(max_retries=1).messages.create(**ASK, stream=True) as events:
        assert list(events)[-1].type == "message_stop"
    tap.flush()
    assert trace.types()[1:] == ["model.request", "model.error", "model.request", "model.response"]
    assert trace.one("model.error")["error"]["kind"] == "http"


def test_no_connection(client: anthropic.Anthropic, server: Server, tap: Tap, trace: Trace) -> None:
    server.close()
    with pytest.raises(anthropic.APIConnectionError):
        tap.wrap(client).with_options(base_url="http://127.0.0.1:9").messages.create(**ASK)
    tap.flush()
    payload = trace.one("model.error")
    assert (payload["status"], payload["error"]["kind"], payload["error"]["type"]) == (
        None,
        "connection",
        "ConnectError",
    )


def test_a_read_timeout(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate))
    with (
        pytest.raises((anthropic.APITimeoutError, library.ReadTimeout)),
        tap.wrap(client).messages.stream(**ASK, timeout=0.2) as streamed,
    ):
        streamed.until_done()
    gate.set()
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"]["kind"] == "timeout"
    assert payload["body"]["content"] == [{"type": "text", "text": "Hello"}]
    assert payload["complete"] is False


@pytest.mark.parametrize("end", ["reset", "cut"])
def test_a_connection_dropped_inside_the_body(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace, end: str
) -> None:
    server.replies.append(stream(*STREAM[:4], end=end))
    with pytest.raises(Exception, match=r"."), tap.wrap(client).messages.stream(**ASK) as streamed:
        streamed.until_done()
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"]["kind"] == "connection"
    assert payload["error"]["type"] in ("ReadError", "RemoteProtocolError")
    assert payload["body"]["id"] == "msg_01"


def test_a_truncated_stream(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    server.replies.append(stream(*STREAM[:5]))
    with tap.wrap(client).messages.create(**ASK, stream=True) as events:
        assert len(list(events)) == 4  # the SDK takes the end of the body for the end of the message
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"]["kind"] == "stream"
    assert payload["complete"] is False
    assert payload["body"]["content"] == [{"type": "text", "text": "Hello there"}]


def test_an_error_event_inside_a_stream(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    failing = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    server.replies.append(stream(*STREAM[:4], failing))
    with pytest.raises(anthropic.APIStatusError), tap.wrap(client).messages.stream(**ASK) as streamed:
        streamed.until_done()
    tap.flush()
    payload = trace.one("model.error")
    assert payload["status"] == 200
    assert payload["error"] == {"kind": "stream", "type": "overloaded_error", "message": "Overloaded"}
    assert payload["body"]["content"] == [{"type": "text", "text": "Hello"}]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_compressed_body(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace, streamed: bool
) -> None:
    zipped = [("content-encoding", "gzip")]
    if streamed:
        body = gzip.compress(b"".join(map(sse, STREAM)))
        server.replies.append(stream(body[:20], body[20:], headers=zipped))
        with tap.wrap(client).messages.stream(**ASK) as events:
            events.until_done()
    else:
        server.replies.append(plain(gzip.compress(json.dumps(MESSAGE).encode()), headers=zipped))
        assert tap.wrap(client).messages.create(**ASK).content[0].text == "Hello there"
    tap.flush()
    assert trace.one("model.response")["body"] == MESSAGE


def test_what_follows_a_stream_stands_after_it(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    """The stream is put together on another thread, but nothing overtakes it."""
    tap.wrap(client)
    for _ in range(20):
        server.replies.append(stream(*STREAM))
        with client.messages.stream(**ASK) as events:
            events.until_done()
        tap.record_tool_call("next")
    tap.flush()
    assert trace.types()[1:] == ["model.request", "model.response", "tool.called"] * 20
    assert [event["seq"] for event in trace.events()] == list(range(61))


def test_a_cancelled_async_call(server: Server, tap: Tap, trace: Trace) -> None:
    gate = threading.Event()
    reached = threading.Event()

    def hang(wire: Any) -> None:
        reached.set()
        gate.wait(20)

    server.replies.append(hang)

    async def work(client: anthropic.AsyncAnthropic) -> None:
        call = asyncio.create_task(client.messages.create(**ASK))
        await asyncio.to_thread(reached.wait, 20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    run_async(server, tap, work)
    gate.set()
    tap.flush()
    assert trace.one("model.error")["error"]["kind"] == "cancelled"


def test_leaving_a_stream_early(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate))
    with tap.wrap(client).messages.create(**ASK, stream=True) as events:
        for event in events:
            if event.type == "content_block_delta":
                break
    gate.set()
    del event, events
    gc.collect()
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"]["kind"] == "cancelled"
    assert payload["body"]["content"] == [{"type": "text", "text": "Hello"}]


def test_a_stream_that_there_was_no_room_for(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies.append(stream(*STREAM))
    with monkeypatch.context() as patch, tap.wrap(client).messages.stream(**ASK) as streamed:
        patch.setattr(tap.recorder.journal, "hold", lambda size: False)
        assert streamed.get_final_text() == "Hello there"
    assert tap.flush()
    payload = trace.one("model.response")
    assert (payload["complete"], payload["body"]) == (None, None)
    assert payload["body_bytes_left_out"] > 100


def test_a_response_that_nobody_reads_or_closes(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate))
    http = tap.wrap(client)._client
    response = http.send(http.build_request("POST", f"{server.url}/v1/messages", json=ASK), stream=True)
    response.stream = None  # as when the last reference to it goes
    gc.collect()
    gate.set()
    assert tap.flush()
    assert trace.one("model.error")["error"]["type"] == "Dropped"
    assert not tap.recorder.in_flight


def test_an_async_stream_left_early(server: Server, tap: Tap, trace: Trace) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate))

    async def work(client: anthropic.AsyncAnthropic) -> None:
        async with client.messages.stream(**ASK) as events:
            async for event in events:
                if event.type == "content_block_delta":
                    break

    run_async(server, tap, work)
    gate.set()
    tap.flush()
    assert trace.one("model.error")["error"]["kind"] == "cancelled"


def test_closing_an_async_body_closes_what_is_inside(tap: Tap) -> None:
    closed: list[str] = []

    class Body(library.AsyncByteStream):  # type: ignore[misc, name-defined]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                yield b"a"
                yield b"b"
            finally:
                closed.append("iterator")

        async def aclose(self) -> None:
            closed.append("stream")

    class Transport(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            return library.Response(200, stream=Body())

    async def main() -> None:
        async with tap.wrap(library.AsyncClient(transport=Transport())) as http:
            transport = http._transport_for_url(library.URL("http://test"))
            response = await transport.handle_async_request(library.Request("GET", "http://test"))
            body = aiter(response.stream)
            assert await anext(body) == b"a"
            await body.aclose()
            assert closed == ["iterator"]
            await response.stream.aclose()
            assert closed == ["iterator", "stream"]

    asyncio.run(main())


def test_a_stream_collected_in_the_middle_of_a_write(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    """A finaliser can run anywhere, also where this very thread holds every lock of the tap's."""
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate))
    events = iter(tap.wrap(client).messages.create(**ASK, stream=True))
    next(events)
    (flight,) = tap.recorder.in_flight.values()
    done = threading.Event()

    def collect() -> None:
        with tap.recorder.journal._lock, tap.recorder.journal._counting, tap.recorder.journal.feeds[0]._lock:
            flight.end(("cancelled", "GeneratorExit", "collected"))
        done.set()

    threading.Thread(target=collect, daemon=True).start()
    assert done.wait(5), "ending an exchange waits for a lock"
    gate.set()
    events.close()
    tap.flush()
    assert trace.one("model.error")["error"]["kind"] == "cancelled"


def test_a_stream_still_open_when_the_tap_closes(
    server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace
) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
    with tap.wrap(client).messages.create(**ASK, stream=True) as events:
        next(iter(events))
        tap.close()
        assert trace.types()[-2:] == ["model.error", "run.ended"]
        gate.set()
        assert [event.type for event in events][-1] == "message_stop"  # the agent's stream goes on
    client.messages.create(**ASK)
    assert trace.types()[-1] == "run.ended"


@pytest.mark.parametrize("zipped", [False, True])
def test_a_mock_transport(tap: Tap, trace: Trace, zipped: bool) -> None:
    """Its responses have been read before the tap sees them, and decompressed; their stream is never iterated."""
    body = json.dumps(MESSAGE).encode()
    headers = {"content-type": "application/json"} | ({"content-encoding": "gzip"} if zipped else {})
    content = gzip.compress(body) if zipped else body
    answer = library.MockTransport(lambda request: library.Response(200, content=content, headers=headers))
    with library.Client(transport=answer) as http:
        client = tap.wrap(anthropic.Anthropic(api_key=KEY, base_url="http://test", http_client=http))
        assert client.messages.create(**ASK).content[0].text == "Hello there"
    assert trace.one("model.response")["body"] == MESSAGE


def test_a_bare_http_client_and_a_body_that_is_not_in_memory(server: Server, tap: Tap, trace: Trace) -> None:
    with tap.wrap(library.Client()) as http:
        assert http.post(f"{server.url}/v1/files", content=iter([b"ab", b"c"])).status_code == 200
        assert http.get(f"{server.url}/?key=hidden-one&q=1").status_code == 200
    assert server.seen[0].body == b"abc"
    first, second = (event["payload"] for event in trace.events("http.request"))
    assert first["body"] == {"streamed": True, "bytes": None}
    assert second["url"] == f"{server.url}/?key=[redacted]&q=1"
    assert second["body"] is None


def test_a_class_that_refuses_to_be_swapped(server: Server, tap: Tap, trace: Trace) -> None:
    class Strict(library.Client):  # type: ignore[misc, name-defined]
        def __init_subclass__(cls, *, colour: str) -> None:
            super().__init_subclass__()

    with Strict() as http:
        assert tap.wrap(tap.wrap(http)) is http
        assert type(http) is Strict
        assert http.post(f"{server.url}/v1/messages", json=ASK).json() == MESSAGE
    assert trace.types() == ["run.started", "model.request", "model.response"]


@pytest.mark.parametrize("thing", [None, "client", object(), anthropic.Anthropic])
def test_what_is_no_client(tap: Tap, thing: object) -> None:
    with pytest.raises(TypeError, match=r"Tap\.wrap takes a client"):
        tap.wrap(thing)


def test_the_openai_wire_format(server: Server, tap: Tap, trace: Trace) -> None:
    answer = {"id": "chatcmpl-1", "choices": [{"message": {"role": "assistant", "content": "Hi"}}]}
    server.replies += [
        plain(answer),
        stream(b'data: {"choices":[{"delta":{"content":"H"}}]}\n\n', b"data: [DONE]\n\n"),
        stream(b'data: {"error":{"message":"no room","type":"server_error"}}\n\n'),
    ]
    with tap.wrap(library.Client()) as http:
        for _ in range(3):
            http.post(f"{server.url}/v1/chat/completions", json={"model": "m"})
    tap.flush()
    assert [e["payload"]["provider"] for e in trace.events("model.request")] == ["openai"] * 3
    whole, streamed = (event["payload"] for event in trace.events("model.response"))
    assert whole["body"] == answer
    assert streamed["complete"] is True
    assert trace.one("model.error")["error"] == {"kind": "stream", "type": "server_error", "message": "no room"}


CHILD = """
import os, signal, sys, time
import anthropic
from agenttap import Tap
tap = Tap(sys.argv[1])
client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=sys.argv[2], max_retries=0))
ask = dict(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}])
"""


def child(text: str, server: Server, trace: Trace) -> int:
    """Run a program of its own with a wrapped client; return its exit status."""
    arguments = [sys.executable, "-c", CHILD + text, str(trace.path), server.url]
    return subprocess.run(arguments, timeout=60).returncode


def test_killed_straight_after_a_response(server: Server, trace: Trace) -> None:
    server.replies += [plain({**MESSAGE, "content": [{"type": "text", "text": "x" * 256_000}]})] * 5
    text = "for _ in range(5): client.messages.create(**ask)\nos.kill(os.getpid(), signal.SIGKILL)"
    assert child(text, server, trace) == -signal.SIGKILL
    assert trace.types() == ["run.started", *["model.request", "model.response"] * 5]


def test_killed_while_waiting_for_a_response(server: Server, trace: Trace) -> None:
    server.replies.append(lambda wire: os.kill(int(wire.request.headers["x-pid"]), signal.SIGKILL))
    assert child("client.messages.create(**ask, extra_headers={'x-pid': str(os.getpid())})", server, trace) == -9
    assert trace.types() == ["run.started", "model.request"]


def test_killed_soon_after_a_stream(server: Server, trace: Trace) -> None:
    server.replies.append(stream(*STREAM))
    text = """
with client.messages.stream(**ask) as events: events.until_done()
time.sleep(0.2)  # what the writer thread is allowed
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert child(text, server, trace) == -signal.SIGKILL
    assert trace.one("model.response")["body"] == MESSAGE


def test_exit_with_a_stream_half_read(server: Server, trace: Trace) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate))
    assert child("events = client.messages.create(**ask, stream=True); next(iter(events))", server, trace) == 0
    gate.set()
    assert trace.types()[-2:] == ["model.error", "run.ended"]
    assert trace.one("model.error")["error"]["kind"] == "cancelled"


def test_a_stream_of_its_parent_is_not_the_childs(server: Server, trace: Trace) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
    text = """
events = client.messages.create(**ask, stream=True)
next(iter(events))
if (pid := os.fork()) == 0:
    sys.exit(0)
os.waitpid(pid, 0)
"""
    assert child(text, server, trace) == 0
    gate.set()
    assert trace.types() == ["run.started", "model.request", "model.error", "run.ended"]


def test_a_secret_split_over_chunks(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    def delta(text: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}

    server.replies.append(stream(*STREAM[:3], delta(KEY[:9]), delta(KEY[9:30]), delta(KEY[30:]), *STREAM[5:]))
    with tap.wrap(client).messages.stream(**ASK) as events:
        assert events.get_final_text() == KEY
    unknown = [{"type": "later_event", "text": part} for part in (KEY[:20], KEY[20:])]
    server.replies.append(stream(*STREAM[:-1], *unknown, STREAM[-1]))
    with tap.wrap(client).messages.stream(**ASK) as events:
        events.until_done()
    unread = [json.dumps({"candidates": [{"content": part}]}) for part in (KEY[:20], KEY[20:])]
    server.replies.append(stream(*(f"data: {event}\n\n".encode() for event in unread), b"data: [DONE]\n\n"))
    with tap.wrap(library.Client()) as http:
        http.post(f"{server.url}/v1/chat/completions", json={"model": "m"})
    tap.flush()
    assert b"A1b2C3" not in trace.raw
    first, second, third = (event["payload"] for event in trace.events("model.response"))
    assert first["body"]["content"] == [{"type": "text", "text": "[redacted]"}]
    assert "secret" in second["other_events"]["left_out"]
    assert "secret" in third["body"]["left_out"]
