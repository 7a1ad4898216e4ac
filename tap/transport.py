"""The transports that an HTTP client gets while it is wrapped: they pass everything on and listen.

This is the only code between the agent and the network. Chunks go to the agent as they come; what is kept is a
reference to each. Nothing is read that the agent does not read.
"""

import functools
import sys
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Any

from . import attached, event, guard, hooks
from .endpoints import classify
from .exchange import Exchange, body_value, request_payload, result
from .run import error_text

if TYPE_CHECKING:
    from .recorder import Recorder

LIBRARIES = ("httpx", "httpx2")
TIMED = 64  # bytes that the time of a chunk counts for, with its place in a list
_CANCELLED = {"CancelledError", "Cancelled", "GeneratorExit", "KeyboardInterrupt", "SystemExit"}
_TIMEOUT = {"TimeoutException", "TimeoutError"}


class Flight:
    """One exchange while it happens, and the tap that records it."""

    def __init__(
        self, recorder: "Recorder", request: Any, body: bytes | None, family: str, provider: str | None
    ) -> None:
        self._recorder = recorder
        self.journal = recorder.journal  # that of its request, also where the recorder has another by the end
        self._run = recorder.current_run()
        self._place = recorder.current_place()
        self._call_id = event.new_id(family)
        self._held = 0
        self.exchange = Exchange(family, provider)
        self._request: Any = (request, body)

    def start(self) -> None:
        """Record the request."""
        request, body = self._request
        self._request = None
        exchange = self.exchange
        value = body_value(body) if body is not None else _streamed(request)
        payload = request_payload(exchange, request.method, str(request.url), request.headers, value)
        self._recorder.put(self._run, f"{exchange.family}.request", payload, self._call_id, self._place)
        exchange.started = event.clock()  # what recording took is no part of it
        self._recorder.in_flight[self._call_id] = self

    def asking(self, *kinds: str) -> attached.Asking:
        """Return what to ask async functions at an event of one of these kinds."""
        if kinds == ENDS and self._call_id not in self._recorder.in_flight:
            return attached.Asking(())  # it has ended
        return self._recorder.asking(self._run, *(f"{self.exchange.family}.{kind}" for kind in kinds))

    def answered(self, response: Any) -> bool:
        """Note the response's head; False if its body is here already, so that the exchange can end."""
        exchange = self.exchange
        exchange.status = response.status_code
        exchange.headers = dict(response.headers)
        if self._recorder.raw_streams and exchange.pieced:
            exchange.times = []
        content = getattr(response, "_content", None)
        if content is None:
            # The end may come in a finaliser, which must not start threads.
            self._recorder.start_threads(self.journal)
            return True
        exchange.decoded = True
        self.chunk(content)
        return False

    def chunk(self, data: bytes) -> None:
        """Keep a piece of the body, if there is room and the exchange has not ended: it is recorded once."""
        if self._call_id not in self._recorder.in_flight:
            return
        exchange = self.exchange
        size = len(data)
        times = exchange.times
        now = event.clock() if times is not None or exchange.first is None else 0.0
        if exchange.first is None:
            exchange.first = now
        exchange.size += size
        if exchange.kept < exchange.size - size or exchange.size > self._recorder.max_event_bytes:
            return  # what is kept is the beginning, without holes
        held = size if times is None else size + TIMED
        if self.journal.hold(held):
            self._held += held
            exchange.kept += size
            exchange.chunks.append(data)
            if times is not None:
                times.append(now)

    def end(self, failure: tuple[str, str, str] | None) -> None:
        """Record how the exchange ended, the first time this is called.

        With a `failure` this may run in a finaliser, inside any code of this very thread: then it takes no locks.
        """
        recorder = self._recorder
        recorder.under_way(self, True)  # before it is not in flight any more: who closes the tap waits for either
        try:
            if recorder.in_flight.pop(self._call_id, None) is not None:
                self._end(failure)
        finally:
            recorder.under_way(self, False)

    def _end(self, failure: tuple[str, str, str] | None) -> None:
        exchange = self.exchange
        exchange.end(failure)
        if failure is None:
            hooks.goes_on("model.response")
        answers = attached.Answers()
        try:
            self._ask(answers, failure)
        finally:
            self._record(failure, answers)

    def _ask(self, answers: attached.Answers, failure: tuple[str, str, str] | None) -> None:
        """Ask for what is attached to the end of this exchange; but not in a finaliser."""
        wanted = self._recorder.attached_to(self._run, *(f"{self.exchange.family}.{kind}" for kind in ENDS))
        if failure is not None and (failure is DROPPED or failure[1] == "GeneratorExit"):
            for each in wanted:
                answers[each] = attached.left_out("the agent has dropped the response")
        elif wanted:
            attached.fill(answers, wanted)

    def _record(self, failure: tuple[str, str, str] | None, answers: attached.Answers) -> None:
        if failure is not None or self.exchange.heavy:
            self._recorder.put_later(
                self.journal, self._run, self._call_id, self._place, self._result, self._held, answers
            )
            return
        kind, payload = self._result()
        self.journal.release(self._held)
        self._recorder.put(
            self._run, kind, payload, self._call_id, self._place, journal=self.journal, answers=answers
        )

    def _result(self) -> tuple[str, dict[str, Any]]:
        done = result(self.exchange, self._recorder.redact, self._recorder.max_event_bytes)
        self.exchange.chunks = []
        return done


def failure(error: BaseException) -> tuple[str, str, str]:
    """Return kind, class name and text of what ended an exchange."""
    names = {kind.__name__ for kind in type(error).__mro__}
    kind = "cancelled" if names & _CANCELLED else "timeout" if names & _TIMEOUT else "connection"
    return kind, type(error).__name__, error_text(error)


DROPPED = ("cancelled", "Dropped", "the client dropped the response before its end")
ENDS = ("response", "error")
CLOSED = ("cancelled", "Closed", "the client closed the response before its end")


def _seen(recorder: "Recorder", request: Any, sure: bool) -> Flight | None:
    """Return the exchange that this request is to start; None if it may be anybody's, and is not recorded."""
    body = _request_body(request)
    family, provider = classify(request.method, request.url.path, body, sure=sure)
    return None if sure and family != "model" else Flight(recorder, request, body, family, provider)


def _request_body(request: Any) -> bytes | None:
    """Return the body's bytes, or None if it is only known while it is sent."""
    content: bytes | None = getattr(request, "_content", None)
    if content is None:
        module = sys.modules[library(request)]
        if isinstance(request.stream, module.ByteStream):  # bytes in memory, as after a redirect
            content = b"".join(request.stream)
    return content


def _streamed(request: Any) -> dict[str, object]:
    length = request.headers.get("content-length", "")
    return {"streamed": True, "bytes": int(length) if length.isdecimal() else None}


def library(thing: Any) -> str:
    """Return the name of the HTTP library that a request or response comes from, also when it is subclassed."""
    for kind in type(thing).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in LIBRARIES:
            return name
    raise TypeError(f"not from {' or '.join(LIBRARIES)}: {type(thing).__module__}.{type(thing).__qualname__}")


class Before:
    """Stands before something of the agent's, `_inner`: what it does not do itself is that one's own."""

    _inner: Any

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # while it is copied
            raise AttributeError(name)
        return getattr(self._inner, name)


class SyncTransport(Before):
    """Stands before a client's transport for one request, or for good; everything else is the transport's own.

    If it must be `sure`, it records only what is known to go to a generation endpoint.
    """

    def __init__(self, recorder: "Recorder", inner: Any, sure: bool = False) -> None:
        self._recorder = recorder
        self._inner = inner
        self._sure = sure

    def handle_request(self, request: Any) -> Any:
        flight = guard.attempt(_seen, self._recorder, request, self._sure) if self._recorder.recording else None
        if flight is None:
            return self._inner.handle_request(request)
        guard.attempt(flight.start)
        try:
            response = self._inner.handle_request(request)
        except BaseException as exc:
            guard.attempt(flight.end, failure(exc))
            raise
        if not guard.attempt(_listen, flight, response, "SyncByteStream", default=True):
            guard.attempt(flight.end, None)
        return response

    def __enter__(self) -> Any:
        self._inner.__enter__()
        return self

    def __exit__(self, *args: Any) -> Any:
        return self._inner.__exit__(*args)


class AsyncTransport(Before):
    """The same for an async client."""

    def __init__(self, recorder: "Recorder", inner: Any, sure: bool = False) -> None:
        self._recorder = recorder
        self._inner = inner
        self._sure = sure

    async def handle_async_request(self, request: Any) -> Any:
        flight = guard.attempt(_seen, self._recorder, request, self._sure) if self._recorder.recording else None
        if flight is None:
            return await self._inner.handle_async_request(request)
        try:
            asking = flight.asking("request")
            await asking.ask()
            with asking:
                guard.attempt(flight.start)
            response = await self._inner.handle_async_request(request)
        except BaseException as exc:
            await _ended(flight, failure(exc))
            raise
        if not guard.attempt(_listen, flight, response, "AsyncByteStream", default=True):
            await _ended(flight, None)
        return response

    async def __aenter__(self) -> Any:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *args: Any) -> Any:
        return await self._inner.__aexit__(*args)


async def _ended(flight: Flight, failure: tuple[str, str, str] | None) -> None:
    """Record how an exchange ended, in async code: after awaiting what async functions say of the moment."""
    if failure is not None and failure[0] == "cancelled" and failure is not CLOSED:  # there is no time for that
        guard.attempt(flight.end, failure)
        return
    asking = flight.asking(*ENDS)
    try:
        await asking.ask()
    finally:
        with asking:
            guard.attempt(flight.end, failure)


def _listen(flight: Flight, response: Any, base: str) -> bool:
    """Listen to the body of a response that is still to come; False if it is here."""
    if not flight.answered(response):
        return False
    response.stream = _tee(_base(response, base))(response.stream, flight)
    return True


def _base(response: Any, name: str) -> Any:
    """Return the library's own base class of this response's stream; the library may have been imported twice."""
    for kind in type(response.stream).__mro__:
        if kind.__name__ == name and kind.__module__.partition(".")[0] in LIBRARIES:
            return kind
    return getattr(sys.modules[library(response)], name)


@functools.cache
def _tee(base: Any) -> Any:
    """Return the stream class that passes a body on and listens, made for the library that will check its base."""
    tee = _SyncTee if base.__name__ == "SyncByteStream" else _AsyncTee
    return type(tee.__name__.lstrip("_"), (tee, base), {})


class _Tee(Before):
    def __init__(self, inner: Any, flight: Flight) -> None:
        self._inner = inner
        self._flight = flight

    def __del__(self) -> None:
        guard.attempt(self._flight.end, DROPPED)


class _SyncTee(_Tee):
    def __iter__(self) -> Iterator[bytes]:
        flight = self._flight
        try:
            for chunk in self._inner:
                guard.attempt(flight.chunk, chunk)
                yield chunk
        except BaseException as exc:
            guard.attempt(flight.end, failure(exc))
            raise
        guard.attempt(flight.end, None)

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            guard.attempt(self._flight.end, CLOSED)


class _AsyncTee(_Tee):
    _begun = False

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        # An SDK that has the last event reads on to free the connection; what goes wrong there it passes over.
        again, self._begun = self._begun, True
        return _AsyncBody(aiter(self._inner), self._flight, again)

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            await _ended(self._flight, CLOSED)


class _AsyncBody(AsyncGenerator[bytes, None]):
    """The chunks of an async body. It has what a generator has, for httpx2 closes nothing else.

    It is none: event loops keep account of those, and would complain of one more where an agent left a stream.
    """

    def __init__(self, inner: Any, flight: Flight, again: bool) -> None:
        self._inner = inner
        self._flight = flight
        self._again = again

    async def __anext__(self) -> bytes:
        try:
            chunk: bytes = await anext(self._inner)
        except StopAsyncIteration:
            await _ended(self._flight, None)
            raise
        except BaseException as exc:
            await _ended(self._flight, CLOSED if self._again else failure(exc))
            raise
        guard.attempt(self._flight.chunk, chunk)
        return chunk

    async def asend(self, value: None) -> bytes:
        return await anext(self)

    async def athrow(self, *error: Any) -> Any:
        return await self._inner.athrow(*error)

    async def aclose(self) -> None:
        try:
            if isinstance(self._inner, AsyncGenerator):
                await self._inner.aclose()
        finally:
            await _ended(self._flight, CLOSED)

    def __del__(self) -> None:
        guard.attempt(self._flight.end, DROPPED)
