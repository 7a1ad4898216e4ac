"""An SDK's client, sync or async, on whichever back end, as one thing that a scenario can use.

A scenario is written once, as a coroutine. For a sync client nothing in it ever waits, and no event loop is there.
"""

import asyncio
import gc
import importlib
import json
import re
import sys
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from fakeapi import MESSAGE, STREAM, Reply, Server, plain, sse

KEY = "sk-ant-api03-" + "A1b2C3d4" * 8
HI = [{"role": "user", "content": "Hi"}]


@contextmanager
def quick(no_certificates: Path) -> Iterator[None]:
    """Collecting garbage looks at what is new only, and no client reads certificates: the folder has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(no_certificates))
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()


# --- the APIs --------------------------------------------------------------------------------------------------

CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-test"}
COMPLETION: dict[str, Any] = {
    **CHUNK,
    "object": "chat.completion",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Hello there"}, "finish_reason": "stop"},
    ],
}


def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    made = {**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: %b\n\n" % json.dumps(made).encode()


@dataclass(frozen=True, kw_only=True)
class Api:
    """What one API is asked and answers. The answer is "Hello there", its stream has that in two pieces."""

    name: str  # of the SDK
    path: str
    create: str  # the method of the client
    helper: str  # the method that puts a stream together
    beta: str
    upload: str
    final: str  # the method of the helper's stream that gives the whole message
    so_far: str  # its attribute for what has come
    ask: dict[str, Any]
    answer: dict[str, Any]
    events: list[bytes]
    begun: int  # how many events there are up to the piece "Hello"
    terminal: int  # how many make the stream complete
    failing: bytes  # an event that tells of an error, "no room"
    text: Callable[[Any], str | None]  # the piece of text in an event that the SDK gave, if there is one
    file: dict[str, Any]


ANTHROPIC = Api(
    name="anthropic",
    path="/v1/messages",
    create="messages.create",
    helper="messages.stream",
    beta="beta.messages.create",
    upload="beta.files.upload",
    final="get_final_message",
    so_far="current_message_snapshot",
    ask={"model": "claude-test", "max_tokens": 64, "messages": HI},
    answer=MESSAGE,
    events=[sse(event) for event in STREAM],
    begun=4,
    terminal=len(STREAM),
    failing=sse({"type": "error", "error": {"type": "overloaded_error", "message": "no room"}}),
    text=lambda event: getattr(getattr(event, "delta", None), "text", None),
    file={"type": "file", "id": "file_1", "created_at": "2026-05-24T00:00:00Z", "filename": "a", "mime_type": "b"},
)
OPENAI = Api(
    name="openai",
    path="/v1/chat/completions",
    create="chat.completions.create",
    helper="beta.chat.completions.stream",
    beta="beta.chat.completions.parse",
    upload="files.create",
    final="get_final_completion",
    so_far="current_completion_snapshot",
    ask={"model": "gpt-test", "messages": HI},
    answer=COMPLETION,
    events=[
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hello"}),
        chunk({"content": " there"}),
        chunk({}, "stop"),
        b"data: [DONE]\n\n",
    ],
    begun=2,
    terminal=4,
    failing=b'data: {"error":{"message":"no room","type":"overloaded_error"}}\n\n',
    text=lambda event: event.choices[0].delta.content if getattr(event, "choices", None) else None,
    file={"object": "file", "id": "file_1", "created_at": 1, "filename": "a", "purpose": "batch", "bytes": 1},
)


def answered(api: Api, status: int = 200, **headers: str) -> Reply:
    """A reply with the API's whole answer, or for a status above 399 its error of the kind "no, sorry"."""
    refused = {"type": "error", "error": {"type": "refused_error", "message": "no, sorry", "code": None}}
    told = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return plain(api.answer if status < 400 else refused, status, told)


# --- the ways to call them -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """An API through its SDK, on one back end: "sync", "async", "trio" or "aiohttp"."""

    api: Api
    backend: str

    def __str__(self) -> str:
        return f"{self.api.name}-{self.backend}"

    @property
    def concurrent(self) -> bool:
        return self.backend != "sync"

    @property
    def sdk(self) -> Any:
        return importlib.import_module(self.api.name)

    @property
    def library(self) -> Any:
        """The HTTP library that the SDK is built on."""
        kind = self.sdk.DefaultHttpxClient.__mro__[-3]
        return importlib.import_module(kind.__module__.partition(".")[0])

    def http(self, **options: Any) -> Any:
        """A bare HTTP client."""
        if self.backend == "aiohttp":
            return self.sdk.DefaultAioHttpClient(**options)
        return (self.library.AsyncClient if self.concurrent else self.library.Client)(**options)

    def client(self, url: str, **options: Any) -> Any:
        """The SDK's client."""
        name = "Anthropic" if self.api is ANTHROPIC else "OpenAI"
        if self.backend == "aiohttp" and "http_client" not in options:
            options["http_client"] = self.http()
        base = url if self.api is ANTHROPIC else f"{url}/v1"
        kind = getattr(self.sdk, f"Async{name}" if self.concurrent else name)
        return kind(**{"api_key": KEY, "base_url": base, "max_retries": 0} | options)

    def has(self, path: str) -> bool:
        """Whether the client has a method."""
        return _has(self.api.name, path)

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]], troubles: list[Any]) -> Any:
        """Return what `work` returns. What an event loop complains of goes to `troubles`."""
        if self.backend == "trio":
            import trio

            return trio.run(work)
        if self.concurrent:
            return asyncio.run(_complaining(work, troubles))
        try:
            work().send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("something waited, though the client is sync")


@cache
def _has(sdk: str, path: str) -> bool:
    client = Way({api.name: api for api in (ANTHROPIC, OPENAI)}[sdk], "sync").client("http://nowhere.test")
    try:
        attrgetter(path)(client)
    except AttributeError:
        return False
    finally:
        client.close()
    return True


async def _complaining(work: Callable[[], Awaitable[Any]], troubles: list[Any]) -> Any:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, told: troubles.append(f"the loop: {told['message']}"))
    return await work()


def ways() -> list[Way]:
    """Every way that this environment has."""
    found = []
    for api in (ANTHROPIC, OPENAI):
        found += [Way(api, "sync"), Way(api, "async")]
        if hasattr(found[-1].sdk, "DefaultAioHttpClient"):  # those before it knew asyncio only
            found.append(Way(api, "trio"))
            found += [Way(api, "aiohttp")] if find_spec("aiohttp") else []
    return found


# --- the agent -------------------------------------------------------------------------------------------------


@dataclass
class Agent:
    """Somebody who uses a client against a server, and notes whatever can be seen of it."""

    way: Way
    server: Server
    wrap: Callable[[Any], Any]  # the tap's, or nothing
    seen: list[Any] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)  # let go of when the event loop is closed
    _open: list[Any] = field(default_factory=list)

    @property
    def api(self) -> Api:
        return self.way.api

    def client(self, **options: Any) -> Any:
        """An SDK's client, wrapped."""
        return self.wrap(self.unwrapped(**options))

    def unwrapped(self, **options: Any) -> Any:
        self._open.append(self.way.client(self.server.url, **options))
        return self._open[-1]

    def http(self, **options: Any) -> Any:
        """A bare HTTP client, wrapped."""
        self._open.append(self.way.http(**options))
        return self.wrap(self._open[-1])

    async def close(self) -> None:
        """Close every client that was made."""
        while self._open:
            client = self._open.pop()
            await done(client.aclose() if hasattr(client, "aclose") else client.close())

    def call(self, client: Any, method: str = "", **more: Any) -> Any:
        """Ask the API, by default with `create`; for an async client this is to be awaited or entered."""
        return attrgetter(method or self.api.create)(client)(**self.api.ask | more)

    def raw(self, response: Any) -> Any:
        """The bytes of an HTTP client's response as they come."""
        return response.aiter_raw() if self.way.concurrent else response.iter_raw()

    def saw(self, *things: Any) -> None:
        self.seen += [self._shown(thing) for thing in things]

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Note the exception that the block ends in, or that it ends in none."""
        try:
            yield
        except Exception as exc:  # noqa: BLE001 - which ones come is what is compared
            self.saw(exc)
        else:
            self.saw("no exception")

    def _shown(self, thing: Any) -> Any:
        """A value with its type, as something that can be compared and holds on to nothing."""
        kind = _name(type(thing))
        if isinstance(thing, BaseException):
            behind = thing.__cause__ or thing.__context__
            return {
                "raised": kind,
                "text": self._plain(str(thing)),
                "status": getattr(thing, "status_code", None),
                "body": getattr(thing, "body", None),
                "behind": behind and (_name(type(behind)), self._plain(str(behind))),
            }
        if isinstance(thing, type):
            return _name(thing)
        if hasattr(thing, "model_dump"):
            return kind, thing.model_dump(mode="json", warnings=False)
        if isinstance(thing, self.way.library.Response):
            extensions = sorted(thing.extensions)
            return kind, thing.status_code, dict(thing.headers), str(thing.reason_phrase), extensions
        if isinstance(thing, str):
            return self._plain(thing)
        assert isinstance(thing, bytes | int | float | None | list | tuple | dict), thing
        return thing

    def _plain(self, text: str) -> str:
        address, port = self.server.url.removeprefix("http://"), self.server.url.rpartition(":")[2]
        return re.sub(
            r"<async_generator .*?>|0x[0-9a-f]+|fd=\d+|laddr=\S+ \S+|raddr=\S+ \S+",
            "?",
            text.replace(address, "server").replace(port, "?"),
        )


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


async def done(value: Any) -> Any:
    """What a call returned, or for an async client what it comes to."""
    return await value if hasattr(value, "__await__") else value


class Entered:
    """`async with` for a context manager of either kind."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    async def __aenter__(self) -> Any:
        manager = self._manager
        return await manager.__aenter__() if hasattr(manager, "__aenter__") else manager.__enter__()

    async def __aexit__(self, *failure: Any) -> Any:
        manager = self._manager
        left = manager.__aexit__ if hasattr(manager, "__aexit__") else manager.__exit__
        return await done(left(*failure))


class Each:
    """`async for` over an iterable of either kind."""

    def __init__(self, iterable: Any) -> None:
        self._iterator = aiter(iterable) if hasattr(iterable, "__aiter__") else iter(iterable)

    def __aiter__(self) -> "Each":
        return self

    async def __anext__(self) -> Any:
        if hasattr(self._iterator, "__anext__"):
            return await anext(self._iterator)
        try:
            return next(self._iterator)
        except StopIteration:
            raise StopAsyncIteration from None


# --- a play ----------------------------------------------------------------------------------------------------

Scenario = Callable[[Agent], Coroutine[Any, Any, Any]]


def play(scenario: Scenario, way: Way, wrap: Callable[[Any], Any]) -> tuple[Agent, Any]:
    """Play a scenario against a server of its own; return the agent, with what it saw, and what is to be recorded.

    Warnings, what an event loop complains of, and exceptions that Python could raise nowhere are seen, too.
    """
    server = Server(answered(way.api))
    agent = Agent(way, server, wrap)
    troubles: list[Any] = []

    async def work() -> Any:
        try:
            return await scenario(agent)
        finally:
            await agent.close()

    before = sys.unraisablehook
    gc.disable()  # what is left in a cycle goes when it is collected below, not now in this play and then in that
    sys.unraisablehook = lambda told: troubles.append(f"unraisable: {told.exc_type.__name__}")
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            calls = way.run(work, troubles)
            agent.kept.clear()
            gc.collect()
    finally:
        gc.enable()
        sys.unraisablehook = before
        server.close()
    said = [f"{told.category.__name__}: {told.message}" for told in warned]
    # trio tells of async generators that were left, now of these and now of those.
    # Which generators are closed in what order when a loop ends is another each time.
    # aiohttp tells of a connection that is collected before its body has ended: a matter of when the end comes.
    troubles = [text for text in troubles if "asynchronous generator" not in text]
    said = [text for text in said if "surround" not in text.lower()]
    agent.saw(*(text for text in (*troubles, *said) if "unclosed connection" not in text.lower()))
    return agent, calls
