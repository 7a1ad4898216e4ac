"""The transports that an HTTP client has while it is replayed: they answer from the trace, in the place of an API.

Requests and responses are of the client's own library, httpx or httpx2, which is imported nowhere here.
"""

import functools
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from agenttap.transport import AsyncTransport, Before, SyncTransport, library

from .answer import Answer
from .nearest import Miss

if TYPE_CHECKING:
    from .replay import Replay

_PATIENCE = 1.0  # seconds that a client may take longer than then to give up


class SyncReplay(Before):  # type: ignore[misc]  # mypy does not see agenttap
    """Stands before a client's transport. With `everything` no request of that client goes to the network."""

    def __init__(self, replay: "Replay", inner: Any, everything: bool, order: int) -> None:
        self._replay = replay
        self._inner = inner
        self._everything = everything
        self._order = order  # the later goes before the earlier

    def handle_request(self, request: Any) -> Any:
        __tracebackhide__ = True
        replay = self._replay
        if replay.closed or not (self._everything or replay.may_answer(request.method, request.url.path)):
            return self._inner.handle_request(request)
        body = request.read()
        if not (self._everything or replay.is_asked(request.method, request.url.path, body)):
            return self._inner.handle_request(request)
        found = replay.answer(request.method, str(request.url), body)
        if found is None:
            return SyncTransport(replay.recorder, self._inner).handle_request(request)
        pause = Pause(found, replay.pace)
        if found.status is None:
            wait(pause.until(found.took))
            raise _error(request, found)
        return _response(request, found, "SyncByteStream", _sync_body(request, found, pause))

    def __enter__(self) -> Any:
        self._inner.__enter__()
        return self

    def __exit__(self, *args: Any) -> Any:
        return self._inner.__exit__(*args)


class AsyncReplay(Before):  # type: ignore[misc]  # as above
    """The same for an async client."""

    def __init__(self, replay: "Replay", inner: Any, everything: bool, order: int) -> None:
        self._replay = replay
        self._inner = inner
        self._everything = everything
        self._order = order  # the later goes before the earlier

    async def handle_async_request(self, request: Any) -> Any:
        __tracebackhide__ = True
        replay = self._replay
        if replay.closed or not (self._everything or replay.may_answer(request.method, request.url.path)):
            return await self._inner.handle_async_request(request)
        body = await request.aread()
        if not (self._everything or replay.is_asked(request.method, request.url.path, body)):
            return await self._inner.handle_async_request(request)
        found = replay.answer(request.method, str(request.url), body)
        if found is None:
            return await AsyncTransport(replay.recorder, self._inner).handle_async_request(request)
        pause = Pause(found, replay.pace)
        if found.status is None:
            await _sleep(pause.until(found.took))
            if _is_left(found):  # whoever waited gave up at some time: let that happen again
                await _sleep(found.took + _PATIENCE)
            raise _error(request, found)
        return _response(request, found, "AsyncByteStream", _async_body(request, found, pause))

    async def __aenter__(self) -> Any:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *args: Any) -> Any:
        return await self._inner.__aexit__(*args)


class Pause:
    """How long to wait for the recorded moments of an answer, if it is to have the recorded pace."""

    def __init__(self, answer: Answer, pace: bool) -> None:
        self._start = time.perf_counter()
        self._pace = pace

    def until(self, moment: float) -> float:
        """Seconds from now."""
        return max(0.0, self._start + moment - time.perf_counter()) if self._pace else 0.0


def wait(seconds: float) -> None:
    """Sleep so long, in code that is not async."""
    if seconds > 0:  # else it would take a tenth of a millisecond all the same
        time.sleep(seconds)


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        import anyio  # httpx needs it for its async clients

        await anyio.sleep(seconds)


def _response(request: Any, answer: Answer, base: str, body: Any) -> Any:
    module = sys.modules[library(request)]
    stream = _stream_class(getattr(module, base))(body)
    headers = [(name.encode("ascii", "replace"), value.encode()) for name, value in answer.headers]
    extensions = {"http_version": b"HTTP/1.1"}
    return module.Response(answer.status, headers=headers, stream=stream, request=request, extensions=extensions)


@functools.cache
def _stream_class(base: Any) -> Any:
    """A stream of the library that checks its base."""
    return type("Replayed", (_Body, base), {})


class _Body:
    """The body of a response, for the library's own base class of streams."""

    def __init__(self, pieces: Any) -> None:
        self._pieces = pieces

    def __iter__(self) -> Any:
        return self._pieces

    def __aiter__(self) -> Any:
        return self._pieces

    async def aclose(self) -> None:
        await self._pieces.aclose()


def _sync_body(request: Any, answer: Answer, pause: Pause) -> Iterator[bytes]:
    for moment, piece in answer.pieces:
        wait(pause.until(moment))
        yield piece
    wait(pause.until(answer.took))
    if answer.breaks:
        raise _error(request, answer)


async def _async_body(request: Any, answer: Answer, pause: Pause) -> AsyncIterator[bytes]:
    for moment, piece in answer.pieces:
        await _sleep(pause.until(moment))
        yield piece
    await _sleep(pause.until(answer.took))
    if _is_left(answer):  # whoever read on gave up at some time: let that happen again
        await _sleep(answer.took + _PATIENCE)
    if answer.breaks:
        raise _error(request, answer)


def _is_left(answer: Answer) -> bool:
    return answer.failure is not None and answer.failure[0] == "cancelled"


def _error(request: Any, answer: Answer) -> BaseException:
    """What the client's library raised then; what there was of it."""
    assert answer.failure is not None
    kind, name, message = answer.failure
    if kind == "cancelled":
        got = f"after {len(answer.body)} bytes of the answer" if answer.pieces else "before an answer came"
        return Miss(
            f"the recorded client left {got} ({name}: {message}): what would have come then is not recorded"
        )
    module = sys.modules[library(request)]
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, module.TransportError)):
        before = answer.status is None
        found = module.ReadTimeout if kind == "timeout" else module.ConnectError if before else module.ReadError
    return found("" if message == name else message, request=request)  # type: ignore[no-any-return]  # a class of the library's
