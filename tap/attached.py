"""Attached state: what a function of the agent's gives at the moment of an event, as a part of that event.

The agent waits for it, so it gets little time and room; of what is slow, large or raises, that is told instead.
"""

import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar, copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import orjson

from . import guard
from .decorated import is_async
from .event import safe
from .jsonable import dumps, dumps_within
from .lock import Lock, holding
from .run import Run, told
from .wanted import Globs, Matching

if TYPE_CHECKING:
    from .recorder import Recorder

LATE, REST = 3, 10.0  # answers in a row that came too late, and seconds for which it is then left alone
_START_WAIT = 0.02  # seconds for another thread to start the function's own
_TOLD = 64  # bytes of what is said beside values that were kept
SMALL = 4096  # bytes; what is kept of an object that is too large


class Answers(dict["Attachment", bytes]):
    """What was answered, as JSON."""


# Set while a function is asked: what it records itself has nothing attached.
_asking: ContextVar[bool] = ContextVar("agenttap_asking", default=False)
# What the async functions have answered for the event that comes next in this task.
_awaited: ContextVar[Answers | None] = ContextVar("agenttap_awaited", default=None)


class Attachment:
    """What `Tap.attach` returns: a function, the events that its value goes into, and the way to end that."""

    def __init__(
        self,
        recorder: "Recorder",
        run: Run | None,
        name: str,
        function: Callable[[], Any],
        on: Globs,
        timeout: float | None,
        max_bytes: int,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f'attach takes a name, such as "citations", not {name!r}')
        if not callable(function):
            raise TypeError(f"attach takes a function that gives the state, not {function!r}")
        if timeout is not None and (not isinstance(timeout, int | float) or isinstance(timeout, bool)):
            raise TypeError(f"timeout= takes seconds, such as 0.1, or None, not {timeout!r}")
        if timeout is not None and not 0 < timeout <= threading.TIMEOUT_MAX:
            raise ValueError(f"timeout= takes seconds, such as 0.1, or None, not {timeout!r}")
        self.name = name
        self.run = run  # the run whose events it is for; None: any
        self.function = function
        self.timeout = timeout
        self.types = Matching("on", on)
        self.is_async = is_async(function)
        self._max_bytes = max_bytes
        self._recorder = recorder
        self.reset()

    def reset(self) -> None:
        """Start afresh in a forked child, which has no threads."""
        self._thread: threading.Thread | None = None
        self._starting = Lock()
        self._over = False
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._began: float | None = None  # when the call began that is being made
        self._hanging: float | None = None  # the same of a call that was waited for in vain
        self._late = 0  # answers in a row that did not come in time
        self._rests = 0.0  # until then it is left alone

    def cancel(self) -> None:
        """Attach it no longer."""
        self._recorder.detach(self)
        self.end()

    def end(self) -> None:
        """Let its thread end. Who waits for an answer just now gets one."""
        self._over = True
        self._questions.put(None)

    def prepare(self) -> None:
        """Start its thread now, as at the end of the program there may be no more threads."""
        if self.timeout is not None and self._recorder.recording:
            self._start()

    def answer(self) -> bytes:
        """Return the value, as JSON, or what is to be told instead. Takes `timeout` seconds at most."""
        if self.timeout is None:
            return self._value(everything=False)
        if (reason := self._resting()) is not None:
            return reason
        began = self._began
        if began is not None and (began == self._hanging or time.monotonic() - began > self.timeout):
            return left_out("the call before has not returned yet")
        if not self._start():
            return left_out("there can be no more threads")
        question = _Question(copy_context())
        self._questions.put(question)
        if self._over:
            return left_out("it is attached no longer")
        try:
            answer = question.answer.get(timeout=self.timeout)
            self._late = 0
            return answer
        except Empty:
            self._hanging = self._began
            return self._missed()
        finally:
            question.over = True

    async def awaited(self) -> bytes:
        """Return the same for an async function, in the event loop that this is awaited in."""
        if (reason := self._resting()) is not None:
            return reason
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_run():
            with trio.move_on_after(float("inf") if self.timeout is None else self.timeout):
                answer = await self._async_value()
                self._late = 0
                return answer
            return self._missed()
        import asyncio  # the agent has

        # A task of its own: one that does not heed its cancellation keeps nobody waiting.
        task = asyncio.get_running_loop().create_task(self._async_value())
        try:
            await asyncio.wait({task}, timeout=self.timeout)
        finally:
            if not task.done():
                task.cancel()
        if not task.done():
            return self._missed()
        self._late = 0
        return left_out("it was cancelled") if task.cancelled() else task.result()

    async def _async_value(self) -> bytes:
        token = _asking.set(True)
        try:
            return self._written(await self.function())
        except BaseException as exc:
            # Whatever the agent's own function raises is recorded, but for what its event loop has to know.
            if isinstance(exc, KeyboardInterrupt) or type(exc).__name__ in ("CancelledError", "Cancelled"):
                raise
            return _raised(exc)
        finally:
            _asking.reset(token)

    def _value(self, *, everything: bool) -> bytes:
        token = _asking.set(True)
        try:
            value = self.function()
            if inspect.isawaitable(value):
                value = _run(value)
            return self._written(value)
        except BaseException as exc:
            if isinstance(exc, KeyboardInterrupt) and not everything:
                raise
            return _raised(exc)
        finally:
            _asking.reset(token)

    def _missed(self) -> bytes:
        self._late += 1
        if self._late >= LATE:
            self._rests = time.monotonic() + REST
            guard.tell(f"late {self.name}", f"what is attached as {self.name} is too slow, and is asked rarely")
        return left_out(f"no answer within {self.timeout:g} s")

    def _resting(self) -> bytes | None:
        """Return what is to be told while it is left alone."""
        if self._late >= LATE and time.monotonic() < self._rests:
            return left_out(f"it was late {self._late} times in a row, and is left alone for {REST:g} s")
        return None

    def _written(self, value: object) -> bytes:
        room = self._max_bytes
        raw = dumps_within(value, room, min(SMALL, room)) if isinstance(value, dict) else dumps(value)
        return raw if len(raw) <= room + _TOLD else dumps({"truncated": True, "bytes": len(raw)})

    def _start(self) -> bool:
        return bool(holding(self._starting, _START_WAIT, self._started, default=True))

    def _started(self) -> bool:
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=self._work, name="agenttap", daemon=True)
            self._thread = thread
            if guard.failure(thread.start) is not None:
                self._thread = None
        return self._thread is not None

    def _work(self) -> None:
        questions = self._questions
        while (question := questions.get()) is not None:
            if question.over:
                continue
            self._began = time.monotonic()
            question.answer.put(question.context.run(self._value, everything=True))
            self._began = None
        while not questions.empty():  # who came just before the end
            if (left := questions.get()) is not None:
                left.answer.put(left_out("it is attached no longer"))


class _Question:
    """One call of a function on its thread, in the context of who asks."""

    __slots__ = ("answer", "context", "over")

    def __init__(self, context: Context) -> None:
        self.context = context
        self.answer: SimpleQueue[bytes] = SimpleQueue()
        self.over = False  # nobody waits any more


def fill(answers: Answers, wanted: Iterable[Attachment]) -> None:
    """Ask these, one after the other, and put what they answer into `answers`.

    An async one has been asked before (`Asking`), or is run in a loop of its own where this thread has none.
    """
    known: Answers | dict[Attachment, bytes] = _awaited.get() or {}
    finalising = _generator_is_closed()
    for attachment in wanted:
        if finalising:  # perhaps by the garbage collection, inside of whatever code, with whatever locks held
            answers[attachment] = left_out("it was recorded while a generator was closed")
        elif attachment in known:
            answers[attachment] = known[attachment]
        elif attachment.is_async and _in_event_loop():
            answers[attachment] = left_out("it is async, and the event came from code that is not")
        else:
            answers[attachment] = attachment.answer()


class Asking:
    """What async functions say of the moment of an event: first `ask`, then record it in this `with` block."""

    def __init__(self, wanted: Iterable[Attachment]) -> None:
        self._wanted = [attachment for attachment in wanted if attachment.is_async]
        self._answers = Answers()

    async def ask(self) -> None:
        for attachment in self._wanted:
            try:
                self._answers[attachment] = await attachment.awaited()
            except Exception as exc:  # noqa: BLE001 - a guard: what this depends on is the agent's event loop
                self._answers[attachment] = left_out(f"it could not be awaited ({guard.told(exc)})")

    def __enter__(self) -> None:
        self._token = _awaited.set(self._answers)

    def __exit__(self, *error: object) -> None:
        _awaited.reset(self._token)


def asked() -> bool:
    """Say whether this is code that a function runs which is being asked."""
    return _asking.get()


def put_in(payload: dict[str, Any], answers: Answers, type: str) -> dict[str, Any]:
    """Return the payload of an event of this type, with what was answered for it as `attached`.

    An `attached` of the agent's own stays: what has another name comes beside it.
    """
    type = safe(type)
    values = {one.name: orjson.Fragment(raw) for one, raw in answers.items() if one.types[type]}
    own = payload.get("attached", {})
    if not values or not isinstance(own, dict):
        return payload
    return payload | {"attached": values | own}


def left_out(reason: str) -> bytes:
    """Return what stands in the place of a value, as JSON."""
    return dumps({"left_out": reason})


def _raised(error: BaseException) -> bytes:
    return dumps({"left_out": "it raised", **told(error)})


def _run(value: Any) -> Any:
    """Return what an awaitable gives, in an event loop of its own; the thread's is left alone."""
    import asyncio

    async def waiting() -> Any:
        return await value

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(waiting())
    finally:
        loop.close()


def _generator_is_closed() -> bool:
    error = sys.exception()
    while error is not None:
        if isinstance(error, GeneratorExit):
            return True
        error = error.__context__
    return False


def _in_event_loop() -> bool:
    loops, trio = sys.modules.get("asyncio.events"), sys.modules.get("trio")
    if loops is not None and loops._get_running_loop() is not None:
        return True
    return trio is not None and bool(trio.lowlevel.in_trio_run())
