"""Model calls through the real SDK and a real socket: the agent sees no difference, the trace holds it all."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import pytest
from agenttap import Tap
from fakeapi import MESSAGE, STREAM, Server, plain, stream
from traced import Trace

KEY = "sk-ant-api03-" + "A1b2C3d4" * 8
ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
library = pytest.importorskip("httpx2" if anthropic.__version__ >= "1" else "httpx")


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0) as client:
        yield client


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


def test_two_taps_on_one_client(server: Server, client: anthropic.Anthropic, tap: Tap, trace: Trace) -> None:
    lines: list[bytes] = []
    with Tap(writer=lines.append) as other:
        tap.wrap(other.wrap(client)).messages.create(**ASK)
    client.messages.create(**ASK)  # `other` is closed by now
    assert trace.types().count("model.response") == 2
    assert sum(b'"type":"model.response"' in line for line in lines) == 1


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
    assert tap.stats()["queued_bytes"] == 0
    client.messages.create(**ASK)
    assert trace.types()[-1] == "run.ended"


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


@pytest.mark.parametrize(("before", "told"), [("<p>bad gateway " * 60, "gateway …"), ("x" * 990, "…")])
def test_half_a_secret_is_not_told(server: Server, tap: Tap, trace: Trace, before: str, told: str) -> None:
    """A long error page is cut between two words: what was cut in two is known to no pattern."""
    secret = "sk-ant-api03-" + "x1Y2" * 30
    server.replies.append(plain(f"{before}{secret} ".encode(), status=502, kind="text/html"))
    with (
        tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0)) as client,
        pytest.raises(anthropic.InternalServerError),
    ):
        client.messages.create(model="m", max_tokens=1, messages=[])
    (event,) = trace.events("model.error")
    assert event["payload"]["error"]["message"].endswith(told)
    assert "sk-ant" not in event["payload"]["error"]["message"]
    assert b"x1Y2" not in trace.raw
