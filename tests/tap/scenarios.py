"""What agents do with their clients, and what goes wrong: each as one function, for every SDK and back end.

A scenario gets an agent, tells its server what to answer, and uses the client as an agent would. It notes what can
be seen of that, and returns the calls that a tap has to record. It is played without a tap and with one.

Where it matters when something arrives, the server waits at a gate until the agent has what was sent before.
"""

import asyncio
import gc
import gzip
import json
import signal
import socket
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from agents import Agent, Each, Entered, Scenario, Way, answered, done
from fakeapi import Wire, head, plain, stream


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP attempt, as a trace tells it. `body` is that of the answer; None in it counts as left out."""

    body: Any = None
    status: int | None = 200
    error: str | tuple[str, ...] | None = None  # its kind; several where the time decides
    type: str | None = None  # of the error; not looked at if None
    says: str = ""  # what the error's message contains
    attempt: int = 1
    streamed: bool = False
    complete: bool | None = None  # if None: whether there is no error but a status
    family: str = "model"


SCENARIOS: dict[str, tuple[Scenario, Callable[[Way], bool]]] = {}


def scenario(
    *backends: str, api: str | None = None, needs: str = "", when: Callable[[Way], bool] = lambda way: True
) -> Callable[[Scenario], Scenario]:
    """Put a function into the table, for some back ends or all, an API or all, and clients that have a method."""

    def fits(way: Way) -> bool:
        called = needs and getattr(way.api, needs, needs)
        return (
            (not backends or way.backend in backends)
            and api in (None, way.api.name)
            and (not called or way.has(called))
            and when(way)
        )

    def add(function: Scenario) -> Scenario:
        SCENARIOS[function.__name__] = (function, fits)
        return function

    return add


def begun(agent: Agent, *gates: threading.Event, end: str = "reset") -> None:
    """Let the server answer with the beginning of a stream, wait at the gates, and go no further."""
    api = agent.api
    agent.server.replies.append(stream(*api.events[: api.begun], *gates, end=end))


async def until_begun(agent: Agent, events: Any) -> None:
    """Read a stream of the SDK's up to the first piece of text."""
    async for event in events:
        agent.saw(event)
        if agent.api.text(event):
            return


# --- plain calls -----------------------------------------------------------------------------------------------


@scenario()
async def plain_call(agent: Agent) -> list[Call]:
    agent.saw(await done(agent.call(agent.client())))
    return [Call(body=agent.api.answer)]


@scenario()
async def raw_response(agent: Agent) -> list[Call]:
    method = agent.api.create.replace("create", "with_raw_response.create")
    raw = await done(agent.call(agent.client(), method))
    agent.saw(raw.status_code, dict(raw.headers), raw.http_response, type(raw), await done(raw.parse()))
    return [Call(body=agent.api.answer)]


@scenario(needs="beta")
async def beta(agent: Agent) -> list[Call]:
    betas = {"betas": ["x-2025-01-01"]} if agent.api.name == "anthropic" else {}
    agent.saw(await done(agent.call(agent.client(), agent.api.beta, **betas)))
    return [Call(body=agent.api.answer)]


@scenario()
async def connection_kept(agent: Agent) -> list[Call]:
    """The second call goes over the same connection as the first."""
    client = agent.client()
    ports = []

    def reply(wire: Wire) -> None:
        ports.append(wire.socket.getpeername()[1])
        answered(agent.api)(wire)

    agent.server.replies += [reply, reply]
    for _ in range(2):
        await done(agent.call(client))
    agent.saw(len(set(ports)))
    return [Call(body=agent.api.answer)] * 2


# --- streaming responses ---------------------------------------------------------------------------------------


@scenario()
async def streaming_response_read(agent: Agent) -> list[Call]:
    method = agent.api.create.replace("create", "with_streaming_response.create")
    async with Entered(agent.call(agent.client(), method)) as response:
        agent.saw(type(response), await done(response.read()), await done(response.parse()))
    return [Call(body=agent.api.answer)]


@scenario()
async def streaming_response_iterated(agent: Agent) -> list[Call]:
    gate = threading.Event()

    def reply(wire: Wire) -> None:
        wire.send(head(200, [("content-type", "application/json"), ("transfer-encoding", "chunked")]))
        wire.chunk(body[:20])
        assert gate.wait(20)
        wire.chunk(body[20:])
        wire.send(b"0\r\n\r\n")

    body = json.dumps(agent.api.answer).encode()
    agent.server.replies.append(reply)
    method = agent.api.create.replace("create", "with_streaming_response.create")
    async with Entered(agent.call(agent.client(), method)) as response:
        async for chunk in Each(response.iter_bytes()):
            agent.saw(chunk, gate.is_set())
            gate.set()
    return [Call(body=agent.api.answer)]


@scenario()
async def streaming_response_left_early(agent: Agent) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate)
    method = agent.api.create.replace("create", "with_streaming_response.create")
    async with Entered(agent.call(agent.client(), method, stream=True)) as response:
        async for line in Each(response.iter_lines()):
            agent.saw(line)
            if "Hello" in line:
                break
    gate.set()
    return [Call(streamed=True, error="cancelled", body="Hello")]


# --- streams ---------------------------------------------------------------------------------------------------


@scenario(needs="helper")
async def stream_helper(agent: Agent) -> list[Call]:
    api = agent.api
    agent.server.replies.append(stream(*api.events))
    async with Entered(agent.call(agent.client(), api.helper)) as streamed:
        agent.saw(type(streamed))
        async for event in Each(streamed):
            agent.saw(type(event))
        final = await done(getattr(streamed, api.final)())
        agent.saw(final)
    return [Call(streamed=True, body=final)]


@scenario()
async def stream_events(agent: Agent) -> list[Call]:
    """Each event is there when it was sent: the next is sent when the agent has it."""
    api, gate = agent.api, threading.Event()
    agent.server.replies.append(stream(*api.events[: api.begun], gate, *api.events[api.begun :]))
    events = await done(agent.call(agent.client(), stream=True))
    agent.saw(type(events), events.response)
    async for event in Each(events):
        agent.saw(event, gate.is_set())
        if api.text(event):
            gate.set()
    return [Call(streamed=True, body=api.answer)]


@scenario()
async def stream_that_is_not_read(agent: Agent) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate)
    events = await done(agent.call(agent.client(), stream=True))
    await done(events.close())
    gate.set()
    agent.saw(events.response.is_closed, events.response.is_stream_consumed)
    return [Call(streamed=True, error="cancelled", complete=False)]


@scenario()
async def stream_left_early(agent: Agent) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate)
    async with Entered(await done(agent.call(agent.client(), stream=True))) as events:
        await until_begun(agent, Each(events))
    gate.set()
    return [Call(streamed=True, error="cancelled", body="Hello")]


@scenario(needs="helper")
async def stream_helper_left_early(agent: Agent) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate)
    async with Entered(agent.call(agent.client(), agent.api.helper)) as streamed:
        async for event in Each(streamed):
            agent.saw(type(event))
            if b"Hello" in repr(event).encode():
                break
        so_far = getattr(streamed, agent.api.so_far)
        agent.saw(so_far)
    gate.set()
    return [Call(streamed=True, error="cancelled", body=so_far)]


@scenario()
async def stream_dropped_and_collected(agent: Agent) -> list[Call]:
    """The agent forgets the stream: nothing closes it but Python."""
    gate = threading.Event()
    begun(agent, gate)
    events = await done(agent.call(agent.client(), stream=True))
    await until_begun(agent, Each(events))
    del events
    gc.collect()
    if agent.way.concurrent:
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
    gc.collect()
    gate.set()
    return [Call(streamed=True, error="cancelled", body="Hello")]


@scenario()
async def stream_dropped_after_the_loop(agent: Agent) -> list[Call]:
    """The stream is still held when the event loop, and the client, are gone."""
    gate = threading.Event()
    begun(agent, gate)
    events = await done(agent.call(agent.client(), stream=True))
    each = Each(events)
    await until_begun(agent, each)
    agent.kept += [events, each]
    gate.set()
    return [Call(streamed=True, error=("cancelled", "connection"), body="Hello")]


@scenario()
async def client_closed_in_a_stream(agent: Agent) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate)
    client = agent.client()
    events = await done(agent.call(client, stream=True))
    each = Each(events)
    await until_begun(agent, each)
    await done(client.close())
    gate.set()
    with agent.failing():
        await anext(each)
    await done(events.close())
    return [Call(streamed=True, error=("cancelled", "connection"), body="Hello")]


@scenario()
async def two_streams_at_once(agent: Agent) -> list[Call]:
    """The streams of one client take turns, and keep apart."""
    api, client = agent.api, agent.client()
    gates = threading.Event(), threading.Event()
    for gate in gates:
        agent.server.replies.append(stream(*api.events[: api.begun], gate, *api.events[api.begun :]))
    first, second = [Each(await done(agent.call(client, stream=True))) for _ in gates]
    await until_begun(agent, first)
    await until_begun(agent, second)
    for each, gate in ((second, gates[1]), (first, gates[0])):
        gate.set()
        async for event in each:
            agent.saw(event)
    return [Call(streamed=True, body=api.answer)] * 2


# --- what servers refuse ---------------------------------------------------------------------------------------


@scenario()
async def busy_then_answered(agent: Agent) -> list[Call]:
    agent.server.replies += [answered(agent.api, 429, retry_after_ms="1"), answered(agent.api)]
    agent.saw(await done(agent.call(agent.client(max_retries=2))))
    refused = Call(status=429, error="http", type="refused_error", says="no, sorry", body="no, sorry")
    return [refused, Call(attempt=2, body=agent.api.answer)]


@scenario()
async def busy_then_streamed(agent: Agent) -> list[Call]:
    """Of an answer to a stream's request that is refused, the SDK reads no body: the tap does not either."""
    agent.server.replies += [answered(agent.api, 429, retry_after_ms="1"), stream(*agent.api.events)]
    async for event in Each(await done(agent.call(agent.client(max_retries=2), stream=True))):
        agent.saw(event)
    return [Call(status=429, error="http", complete=False), Call(attempt=2, streamed=True, body=agent.api.answer)]


@scenario()
async def busy_for_good(agent: Agent) -> list[Call]:
    agent.server.replies += [answered(agent.api, 529, retry_after_ms="1")] * 2
    with agent.failing():
        await done(agent.call(agent.client(max_retries=1)))
    return [Call(status=529, error="http", says="no, sorry", attempt=n) for n in (1, 2)]


@scenario()
async def bad_request(agent: Agent) -> list[Call]:
    agent.server.replies.append(answered(agent.api, 400))
    with agent.failing():
        await done(agent.call(agent.client()))
    return [Call(status=400, error="http", type="refused_error", says="no, sorry", body="no, sorry")]


@scenario()
async def bad_request_for_a_stream(agent: Agent) -> list[Call]:
    agent.server.replies.append(answered(agent.api, 400))
    with agent.failing():
        await done(agent.call(agent.client(), stream=True))
    return [Call(status=400, error="http", says="no, sorry", body="no, sorry")]


@scenario()
async def refusal_that_breaks_off(agent: Agent) -> list[Call]:
    def reply(wire: Wire) -> None:
        wire.send(head(400, [("content-type", "text/plain"), ("content-length", "100")]) + b"no, sor")
        wire.close()

    agent.server.replies.append(reply)
    with agent.failing():
        await done(agent.call(agent.client()))
    return [Call(status=400, error="http", says="no, sor", complete=False)]


@scenario()
async def refusal_that_breaks_off_at_once(agent: Agent) -> list[Call]:
    """What the agent sees is the broken connection, so the trace says that too."""

    def reply(wire: Wire) -> None:
        wire.send(head(400, [("content-type", "text/plain"), ("content-length", "100")]))
        wire.close()

    agent.server.replies.append(reply)
    with agent.failing():
        await done(agent.call(agent.client()))
    broken = "ReadError" if agent.way.backend == "aiohttp" else "RemoteProtocolError"
    return [Call(status=400, error="http", says=broken, complete=False)]


@scenario()
async def error_in_a_stream(agent: Agent) -> list[Call]:
    api = agent.api
    agent.server.replies.append(stream(*api.events[: api.begun], api.failing))
    with agent.failing():
        async for event in Each(await done(agent.call(agent.client(), stream=True))):
            agent.saw(event)
    return [Call(streamed=True, error="stream", type="overloaded_error", says="no room", body="Hello")]


# --- what breaks -----------------------------------------------------------------------------------------------


@contextmanager
def full() -> Iterator[str]:
    """The URL of a server whose queue of connections is full: nobody gets through."""
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@scenario()
async def connect_timeout(agent: Agent) -> list[Call]:
    with full() as url:
        client = agent.client(base_url=url, timeout=agent.way.library.Timeout(20, connect=0.1))
        try:
            await done(agent.call(client))
        except agent.way.sdk.APITimeoutError as exc:
            agent.saw(type(exc), str(exc), type(exc.__cause__))  # the address is another one each time
    return [Call(status=None, error="timeout", complete=False)]


@scenario()
async def no_connection(agent: Agent) -> list[Call]:
    client = agent.client()
    agent.server.close()
    with agent.failing():
        await done(agent.call(client))
    # The aiohttp back end names it a ConnectTimeout in some versions.
    kind = ("connection", "timeout") if agent.way.backend == "aiohttp" else "connection"
    return [Call(status=None, error=kind, complete=False)]


@scenario()
async def read_timeout(agent: Agent) -> list[Call]:
    gate = threading.Event()
    agent.server.replies.append(lambda wire: gate.wait(20))
    with agent.failing():
        await done(agent.call(agent.client(timeout=agent.way.library.Timeout(20, read=0.1))))
    gate.set()
    return [Call(status=None, error="timeout", complete=False)]


@scenario()
async def read_timeout_in_a_stream(agent: Agent) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate)
    events = await done(agent.call(agent.client(timeout=agent.way.library.Timeout(20, read=0.3)), stream=True))
    each = Each(events)
    await until_begun(agent, each)
    with agent.failing():
        await anext(each)
    gate.set()
    return [Call(streamed=True, error="timeout", body="Hello")]


@scenario("sync", "async")  # for the SDK waits half a second
async def dropped_before_the_answer(agent: Agent) -> list[Call]:
    agent.server.replies += [Wire.reset, answered(agent.api)]
    agent.saw(await done(agent.call(agent.client(max_retries=1))))
    broken = ("timeout", "connection")  # httpx-aiohttp takes some for a ConnectTimeout
    return [Call(status=None, error=broken, complete=False), Call(attempt=2, body=agent.api.answer)]


@scenario()
async def dropped_before_the_answer_for_good(agent: Agent) -> list[Call]:
    agent.server.replies += [Wire.close]
    with agent.failing():
        await done(agent.call(agent.client()))
    return [Call(status=None, error=("timeout", "connection"), complete=False)]


@scenario()
async def dropped_in_the_body(agent: Agent) -> list[Call]:
    def reply(wire: Wire) -> None:
        wire.send(head(200, [("content-type", "application/json"), ("content-length", "1000")]) + b'{"id":"msg')
        wire.close()

    agent.server.replies.append(reply)
    with agent.failing():
        await done(agent.call(agent.client()))
    return [Call(error="connection", body='{"id":"msg')]


async def _dropped_in_a_stream(agent: Agent, end: str) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate, end=end)
    each = Each(await done(agent.call(agent.client(), stream=True)))
    await until_begun(agent, each)
    gate.set()
    with agent.failing():
        await anext(each)
    return [Call(streamed=True, error="connection", body="Hello")]


@scenario()
async def reset_in_a_stream(agent: Agent) -> list[Call]:
    return await _dropped_in_a_stream(agent, "reset")


@scenario()
async def cut_in_a_stream(agent: Agent) -> list[Call]:
    return await _dropped_in_a_stream(agent, "cut")


@scenario()
async def stream_that_just_ends(agent: Agent) -> list[Call]:
    begun(agent, end="end")
    with agent.failing():
        async for event in Each(await done(agent.call(agent.client(), stream=True))):
            agent.saw(event)
    return [Call(streamed=True, error="stream", body="Hello")]


async def _cut_after(agent: Agent, events: list[bytes]) -> list[Call]:
    """The message is whole, but the agent may get an exception all the same."""
    gate, raised = threading.Event(), None
    agent.server.replies.append(stream(*events, gate, end="cut"))
    try:
        async for event in Each(await done(agent.call(agent.client(), stream=True))):
            agent.saw(event)
            if agent.api.text(event):
                gate.set()
    except Exception as exc:  # noqa: BLE001 - which one comes, if any, is what is compared
        raised = type(exc).__name__
        agent.saw(exc)
    return [Call(streamed=True, error=raised and "connection", complete=True, body=agent.api.answer)]


@scenario()
async def cut_after_the_last_event(agent: Agent) -> list[Call]:
    return await _cut_after(agent, agent.api.events[: agent.api.terminal])


@scenario()
async def cut_after_the_very_last_event(agent: Agent) -> list[Call]:
    """Some SDKs read on after it, to free the connection, and pass over what goes wrong there."""
    return await _cut_after(agent, agent.api.events)


# --- who goes away ---------------------------------------------------------------------------------------------


async def _cancelled(agent: Agent, work: Callable[[], Any], reached: threading.Event) -> None:
    """Cancel `work` when `reached` is set."""

    async def noted() -> None:
        try:
            await work()
        except BaseException as exc:
            agent.saw(type(exc))
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(noted)
        await anyio.to_thread.run_sync(reached.wait, 20)
        tasks.cancel_scope.cancel()


@scenario("async", "trio", "aiohttp")
async def cancelled_call(agent: Agent) -> list[Call]:
    gate, reached = threading.Event(), threading.Event()
    agent.server.replies.append(lambda wire: (reached.set(), gate.wait(20)))
    client = agent.client()
    await _cancelled(agent, lambda: agent.call(client), reached)
    gate.set()
    agent.saw(await done(agent.call(client)))
    return [Call(status=None, error="cancelled", complete=False), Call(body=agent.api.answer)]


@scenario("async", "trio", "aiohttp")
async def cancelled_stream(agent: Agent) -> list[Call]:
    gate, reached = threading.Event(), threading.Event()
    begun(agent, gate)
    client = agent.client()

    async def read() -> None:
        each = Each(await agent.call(client, stream=True))
        await until_begun(agent, each)
        reached.set()
        await anext(each)

    await _cancelled(agent, read, reached)
    gate.set()
    agent.saw(await done(agent.call(client)))
    return [Call(streamed=True, error="cancelled", body="Hello"), Call(body=agent.api.answer)]


@scenario("async", "aiohttp")
async def call_that_takes_too_long(agent: Agent) -> list[Call]:
    gate = threading.Event()
    agent.server.replies.append(lambda wire: gate.wait(20))
    with agent.failing():
        async with asyncio.timeout(0.1):
            await agent.call(agent.client())
    gate.set()
    return [Call(status=None, error="cancelled", complete=False)]


@scenario("sync")
async def interrupted_call(agent: Agent) -> list[Call]:
    """Ctrl-C while the agent waits."""
    gate = threading.Event()

    def reply(wire: Wire) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        gate.wait(20)

    agent.server.replies.append(reply)
    try:
        agent.call(agent.client())
    except KeyboardInterrupt as exc:
        agent.saw(exc)
    gate.set()
    return [Call(status=None, error="cancelled", type="KeyboardInterrupt", complete=False)]


# --- compressed bodies -----------------------------------------------------------------------------------------


def brotli(body: bytes) -> bytes:
    import brotli

    return brotli.compress(body)


def zstd(body: bytes) -> bytes:
    try:
        from backports.zstd import compress
    except ImportError:
        from zstandard import compress
    return compress(body)


def deflate_without_header(body: bytes) -> bytes:
    return zlib.compress(body, wbits=-zlib.MAX_WBITS)


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", deflate_without_header),
    "br": ("br", brotli),
    "zstd": ("zstd", zstd),
    "twice": ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
}


def encodings(way: Way) -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    """What the client offers to decode."""
    offered = way.library._client.ACCEPT_ENCODING.split(", ")
    for encoding, compress in ENCODINGS.values():
        if encoding.split(", ")[0] in offered:
            yield encoding, compress


@scenario()
async def compressed_answers(agent: Agent) -> list[Call]:
    body, client, calls = json.dumps(agent.api.answer).encode(), agent.client(), []
    for encoding, compress in encodings(agent.way):
        agent.server.replies.append(plain(compress(body), headers=[("content-encoding", encoding)]))
        agent.saw(encoding, await done(agent.call(client)))
        calls.append(Call(body=agent.api.answer))
    return calls


@scenario()
async def compressed_streams(agent: Agent) -> list[Call]:
    body, client, calls = b"".join(agent.api.events), agent.client(), []
    for encoding, compress in encodings(agent.way):
        packed = compress(body)
        agent.server.replies.append(stream(packed[:20], packed[20:], headers=[("content-encoding", encoding)]))
        async for event in Each(await done(agent.call(client, stream=True))):
            agent.saw(event)
        calls.append(Call(streamed=True, body=agent.api.answer))
    return calls


@scenario(when=lambda way: "zstd" in way.library._client.ACCEPT_ENCODING)
async def zstd_in_several_frames(agent: Agent) -> list[Call]:
    body = json.dumps(agent.api.answer).encode()
    packed = b"".join(map(zstd, (body[:50], body[50:90], body[90:])))
    agent.server.replies.append(plain(packed, headers=[("content-encoding", "zstd")]))
    agent.saw(await done(agent.call(agent.client())))
    return [Call(body=agent.api.answer)]


@scenario()
async def encoding_that_is_none(agent: Agent) -> list[Call]:
    """Clients leave alone what they do not know; here it is readable as it is."""
    agent.server.replies.append(answered(agent.api, content_encoding="utf-8"))
    agent.saw(await done(agent.call(agent.client())))
    return [Call(body=agent.api.answer)]


@scenario()
async def encoding_that_nobody_knows(agent: Agent) -> list[Call]:
    packed = b"\x93\xff" * 20
    agent.server.replies.append(plain(packed, headers=[("content-encoding", "x-packed")], kind="image/png"))
    response = await done(agent.http().post(f"{agent.server.url}{agent.api.path}", json={}))
    agent.saw(response, response.content)
    return [Call(body={"bytes": 40, "encoding": "x-packed", "sha256": ...})]


@scenario()
async def gzip_that_is_none(agent: Agent) -> list[Call]:
    agent.server.replies.append(answered(agent.api, content_encoding="gzip"))
    with agent.failing():
        await done(agent.call(agent.client()))
    return [Call(error="cancelled", body={"bytes": ..., "encoding": "gzip", "sha256": ...})]


# --- other endpoints -------------------------------------------------------------------------------------------


@scenario(needs="messages.count_tokens")
async def tokens_counted(agent: Agent) -> list[Call]:
    agent.server.replies.append(plain({"input_tokens": 3}))
    client = agent.client()
    agent.saw(await done(client.messages.count_tokens(model="m", messages=agent.api.ask["messages"])))
    return [Call(family="http", body={"input_tokens": 3})]


@scenario(needs="messages.batches.results")
async def anthropic_batch(agent: Agent) -> list[Call]:
    batch = {
        "id": "b1",
        "type": "message_batch",
        "processing_status": "ended",
        "results_url": f"{agent.server.url}/v1/messages/batches/b1/results",
        "request_counts": {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0},
    }
    line = {"custom_id": "c1", "result": {"type": "succeeded", "message": agent.api.answer}}
    lines = json.dumps(line).encode() + b"\n"
    agent.server.replies += [plain(batch), plain(batch), plain(lines * 2, kind="application/x-jsonl")]
    batches = agent.client().messages.batches
    created = await done(batches.create(requests=[{"custom_id": "c1", "params": agent.api.ask}]))
    agent.saw(type(created), created.id)
    async for result in Each(await done(batches.results("b1"))):
        agent.saw(result)
    return [Call(family="http", body=batch)] * 2 + [Call(family="http", body=(lines * 2).decode())]


@scenario(api="openai", needs="batches.create")
async def openai_batch(agent: Agent) -> list[Call]:
    batch = {"id": "b1", "object": "batch", "status": "validating"}
    agent.server.replies += [plain(batch), plain(b"\x89PNG\xff", kind="application/octet-stream")]
    client = agent.client()
    how = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
    agent.saw(await done(client.batches.create(input_file_id="file_1", **how)))
    content = await done(client.files.content("file_2"))
    agent.saw(type(content), content.content)
    return [Call(family="http", body=batch), Call(family="http", body={"bytes": 5, "sha256": ...})]


@scenario(needs="upload")
async def file_upload(agent: Agent) -> list[Call]:
    agent.server.replies.append(plain(agent.api.file))
    client = agent.client()
    if agent.api.name == "anthropic":
        agent.saw(await done(client.beta.files.upload(file=("a", b"\x00\xff" * 1000, "b"))))
    else:
        agent.saw(await done(client.files.create(file=("a", b"\x00\xff" * 1000), purpose="batch")))
    return [Call(family="http", body=agent.api.file)]


@scenario()
async def list_of_models(agent: Agent) -> list[Call]:
    model = {"id": "m", "object": "model", "created": 1, "owned_by": "o"}
    page = {"object": "list", "data": [model], "has_more": False}
    agent.server.replies.append(plain(page))
    response = await done(agent.client().get("/v1/models", cast_to=agent.way.library.Response))
    agent.saw(response, response.content)
    return [Call(family="http", body=page)]


# --- clients of all kinds --------------------------------------------------------------------------------------


@scenario()
async def clones_before_and_after(agent: Agent) -> list[Call]:
    before = agent.unwrapped()
    clone = before.with_options(timeout=5)
    http = before._client
    kind = type(http)
    client = agent.wrap(before)
    agent.saw(client is before, client._client is http, isinstance(http, kind), type(http), type(http).__name__)
    for one in (clone, client, client.with_options(timeout=6), client.copy(max_retries=1)):
        agent.saw(type(one), await done(agent.call(one)))
    return [Call(body=agent.api.answer)] * 4


@scenario()
async def wrapped_twice(agent: Agent) -> list[Call]:
    client = agent.wrap(agent.wrap(agent.client()))
    agent.wrap(client.with_options(timeout=5))
    agent.wrap(client._client)
    agent.saw(await done(agent.call(client)))
    return [Call(body=agent.api.answer)]


@scenario()
async def wrapped_in_a_stream(agent: Agent) -> list[Call]:
    """What was under way before goes on, unseen."""
    api, gate = agent.api, threading.Event()
    agent.server.replies.append(stream(*api.events[: api.begun], gate, *api.events[api.begun :]))
    client = agent.unwrapped()
    each = Each(await done(agent.call(client, stream=True)))
    await until_begun(agent, each)
    agent.wrap(client)
    gate.set()
    async for event in each:
        agent.saw(event)
    agent.saw(await done(agent.call(client)))
    return [None, Call(body=api.answer)]


@scenario()
async def subclasses(agent: Agent) -> list[Call]:
    """Of the SDK's client and of the HTTP client, each with something of its own."""
    way = agent.way
    asked: list[str] = []

    class Http(type(way.http())):  # type: ignore[misc]
        __slots__ = ("mark",)

        def _transport_for_url(self, url: Any) -> Any:
            asked.append(url.path)
            return super()._transport_for_url(url)

    class Client(type(agent.unwrapped())):  # type: ignore[misc]
        @property
        def user_agent(self) -> str:
            return "Mine"

    http = Http()
    http.mark = "mine"
    base = agent.server.url + agent.api.path.partition("/v1")[0] + ("" if agent.api.name == "anthropic" else "/v1")
    client = agent.wrap(Client(api_key="k", base_url=base, http_client=http, max_retries=0))
    agent.saw(type(client), type(http), isinstance(http, Http), http.mark)
    async with Entered(client):
        agent.saw(await done(agent.call(client)))
    agent.saw(asked, http.is_closed)
    return [Call(body=agent.api.answer)]


@scenario()
async def client_that_goes(agent: Agent) -> list[Call]:
    """Nothing of the tap's keeps a client alive."""
    client = agent.wrap(agent.way.client(agent.server.url))
    agent.saw(await done(agent.call(client)))
    gone = [weakref.ref(client), weakref.ref(client._client)]
    await done(client.close())
    del client
    gc.collect()
    agent.saw([ref() is None for ref in gone])
    return [Call(body=agent.api.answer)]


def _mocked(agent: Agent, reply: Callable[[Any], Any]) -> Any:
    http = agent.http(transport=agent.way.library.MockTransport(reply))
    return agent.client(http_client=http)


@scenario("sync", "async", "trio")
async def mock_transport(agent: Agent) -> list[Call]:
    """Its responses are read before the tap sees them, and decompressed; the same one may come again."""
    library, packed = agent.way.library, gzip.compress(json.dumps(agent.api.answer).encode())
    again = library.Response(200, json=agent.api.answer)
    told = {"content-type": "application/json", "content-encoding": "gzip"}
    replies = iter([again, again, library.Response(200, content=packed, headers=told)])
    client = _mocked(agent, lambda request: next(replies))
    for _ in range(3):
        agent.saw(await done(agent.call(client)))
    return [Call(body=agent.api.answer)] * 3


@scenario("sync", "async", "trio")
async def mock_transport_with_a_stream(agent: Agent) -> list[Call]:
    library = agent.way.library
    text = b"".join(agent.api.events)

    def read() -> Iterator[bytes]:
        yield text[:30]
        yield text[30:]

    async def awaited() -> Any:
        for part in read():
            yield part

    def reply(request: Any) -> Any:
        content = awaited() if agent.way.concurrent else read()
        return library.Response(200, content=content, headers={"content-type": "text/event-stream"})

    async for event in Each(await done(agent.call(_mocked(agent, reply), stream=True))):
        agent.saw(event)
    return [Call(streamed=True, body=agent.api.answer)]


@scenario("sync", "async", "trio")
async def mock_transport_that_raises(agent: Agent) -> list[Call]:
    def reply(request: Any) -> Any:
        raise ZeroDivisionError("a bug of the agent's own")

    with agent.failing():
        await done(agent.call(_mocked(agent, reply)))
    return [Call(status=None, error="connection", type="ZeroDivisionError", complete=False)]


# --- bare HTTP clients -----------------------------------------------------------------------------------------


@scenario()
async def bare_client(agent: Agent) -> list[Call]:
    http, url = agent.http(), agent.server.url + agent.api.path
    agent.server.replies += [plain(agent.api.answer), plain(b"", 204), plain(b"hello", kind="text/plain")]
    for method, asked in (("POST", agent.api.ask), ("DELETE", None), ("GET", None)):
        response = await done(http.request(method, url, json=asked))
        agent.saw(response, response.content, type(response.stream), response.elapsed.total_seconds() > 0)
    others = [Call(family="http", status=204), Call(family="http", body="hello")]
    return [Call(body=agent.api.answer), *others]


@scenario()
async def every_chunk_when_it_comes(agent: Agent) -> list[Call]:
    """The same bytes in the same pieces: the server sends the next when the agent has the last."""
    api = agent.api
    gates = [threading.Event() for _ in api.events]
    steps = [step for pair in zip(api.events, gates, strict=True) for step in pair]
    agent.server.replies.append(stream(*steps))
    pieces = []
    async with Entered(agent.http().stream("POST", agent.server.url + api.path, json=api.ask)) as response:
        agent.saw(response)
        async for piece in Each(agent.raw(response)):
            pieces.append(piece)
            agent.saw(response.num_bytes_downloaded)
            if b"".join(pieces) == b"".join(api.events[: len(b"".join(pieces).split(b"\n\n")) - 1]):
                gates[b"".join(pieces).count(b"\n\n") - 1].set()
        agent.saw(response.is_stream_consumed, response.is_closed)
    agent.saw(pieces)
    return [Call(streamed=True, body=api.answer)]


@scenario()
async def response_that_nobody_reads_or_closes(agent: Agent) -> list[Call]:
    gate = threading.Event()
    begun(agent, gate)
    http = agent.http()
    request = http.build_request("POST", agent.server.url + agent.api.path, json=agent.api.ask)
    response = await done(http.send(request, stream=True))
    agent.saw(response)
    response.stream = None  # as when the last reference to it goes
    gc.collect()
    gate.set()
    return [Call(streamed=True, error="cancelled", type="Dropped", complete=False)]


@scenario()
async def head_that_is_enough(agent: Agent) -> list[Call]:
    """The agent asks for the head alone, or leaves a response that has no body."""
    http = agent.http()
    empty = head(204, [])
    agent.server.replies += [lambda wire: wire.send(empty), lambda wire: wire.send(head(200, [("x", "y")]))]
    async with Entered(http.stream("POST", agent.server.url + agent.api.path, json={})) as response:
        agent.saw(response.status_code)
    return [Call(status=204)]


@scenario()
async def redirect_with_a_body(agent: Agent) -> list[Call]:
    agent.server.replies += [
        plain(b"", 307, [("location", f"{agent.api.path}?again")]),
        plain(b"", 308, [("location", f"{agent.server.url.replace('127.0.0.1', 'localhost')}{agent.api.path}")]),
        answered(agent.api),
    ]
    agent.saw(await done(agent.call(agent.client())))
    return [Call(status=307), Call(status=308), Call(body=agent.api.answer)]


@scenario()
async def redirect_that_drops_the_body(agent: Agent) -> list[Call]:
    agent.server.replies += [plain(b"", 303, [("location", "/elsewhere")]), answered(agent.api)]
    agent.saw(await done(agent.call(agent.client())))
    return [Call(status=303), Call(family="http", body=agent.api.answer)]


@scenario()
async def redirects_without_end(agent: Agent) -> list[Call]:
    agent.server.replies += [plain(b"", 307, [("location", agent.api.path)])] * 3
    http = agent.http(follow_redirects=True, max_redirects=2)
    with agent.failing():
        await done(http.post(agent.server.url + agent.api.path, json=agent.api.ask))
    return [Call(status=307)] * 3


@scenario()
async def redirect_not_followed(agent: Agent) -> list[Call]:
    agent.server.replies += [plain(b"moved", 307, [("location", agent.api.path)], kind="text/plain")]
    http = agent.http(follow_redirects=False)
    response = await done(http.post(agent.server.url + agent.api.path, json=agent.api.ask))
    agent.saw(response, response.content, response.next_request.url.path)
    return [Call(status=307, body="moved")]


def _parts() -> Iterator[bytes]:
    yield b'{"a":'
    yield b"1}"


async def _parts_later() -> Any:
    for part in _parts():
        yield part


@scenario()
async def body_made_while_sending(agent: Agent) -> list[Call]:
    """It can be sent only once: a redirect fails, as without a tap."""
    http, url = agent.http(follow_redirects=True), agent.server.url + agent.api.path
    agent.server.replies += [answered(agent.api), plain(b"", 307, [("location", agent.api.path)])]
    for _ in range(2):
        with agent.failing():
            response = await done(http.post(url, content=_parts_later() if agent.way.concurrent else _parts()))
            agent.saw(response.content)
    again = Call(status=None, error=("connection", "timeout"), complete=False)
    return [Call(body=agent.api.answer), Call(status=307), again]


@scenario()
async def through_a_proxy(agent: Agent) -> list[Call]:
    agent.server.replies.append(answered(agent.api))
    http = agent.http(proxy=agent.server.url)
    response = await done(http.post(f"http://api.test{agent.api.path}", json=agent.api.ask))
    agent.saw(response, response.content)
    return [Call(body=agent.api.answer)]


@scenario("sync", "async", "trio")
async def mounted_transport(agent: Agent) -> list[Call]:
    library = agent.way.library
    mock = library.MockTransport(lambda request: library.Response(200, json={"mounted": request.url.host}))
    http = agent.http(mounts={"all://mounted.test": mock})
    for url in (agent.server.url, "http://mounted.test"):
        response = await done(http.post(url + agent.api.path, json={}))
        agent.saw(response.content)
    return [Call(body=agent.api.answer), Call(body={"mounted": "mounted.test"})]


@scenario()
async def hooks_and_auth(agent: Agent) -> list[Call]:
    """The client's own hooks and two-step authentication go on as before; each step is a call."""

    class Twice(agent.way.library.Auth):  # type: ignore[misc, name-defined]
        requires_response_body = True

        def auth_flow(self, request: Any) -> Any:
            response = yield request
            agent.saw(response.content)
            request.headers["x-token"] = "abc"
            yield request

    async def noted_later(thing: Any) -> None:
        agent.saw(type(thing))

    def noted(thing: Any) -> None:
        agent.saw(type(thing))

    hook = noted_later if agent.way.concurrent else noted
    agent.server.replies += [plain(b"who?", 401, kind="text/plain"), answered(agent.api)]
    http = agent.http(auth=Twice(), event_hooks={"request": [hook], "response": [hook]})
    response = await done(http.post(agent.server.url + agent.api.path, json=agent.api.ask))
    agent.saw(response, response.content)
    return [Call(status=401, error="http", says="who?", body="who?"), Call(body=agent.api.answer)]
