"""Subscribers: functions of the agent's that get events while it runs, each on a thread of its own."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import guard
from .decorated import is_async
from .feed import Feed
from .journal import DRAIN
from .jsonable import loads
from .wanted import Globs, Wanted

if TYPE_CHECKING:
    from .recorder import Recorder

Event = dict[str, Any]


class Subscription:
    """What `Tap.subscribe` returns: the way to end it, and what has come of it. A `with` block ends it too.

    It is the sink of a feed. An event that the function raises for is not handed over again.
    """

    direct = False
    patience: int | None = 1

    def __init__(
        self,
        recorder: "Recorder",
        function: Callable[[Event], object],
        types: Globs,
        errors: bool,
        max_queue_bytes: int,
    ) -> None:
        if not callable(function):
            raise TypeError(f"subscribe takes a function that takes an event, not {function!r}")
        if is_async(function):
            raise TypeError(
                "subscribe takes a plain function, for it is called on a thread of the tap's own: "
                "let it call asyncio.run_coroutine_threadsafe(…, loop)"
            )
        self.name = getattr(function, "__qualname__", None) or "a subscriber"
        self.calling: int | None = None
        self._choice = Wanted(types, errors)
        self.wanted: Wanted | None = self._choice
        self.delivered = 0
        self.failed = 0
        self.cancelled = False
        self.feed = Feed(self, recorder.journal, blocking=False, max_queue_bytes=max_queue_bytes, apart=True)
        self._recorder = recorder
        self._function = function

    @property
    def queued(self) -> int:
        """How many events wait to be handed over."""
        return self.feed.waiting

    @property
    def dropped(self) -> int:
        """How many events were not handed over, because too many waited."""
        return self.feed.dropped

    def cancel(self) -> None:
        """End it: from now on the function is not called, for what waits neither. It may be in a call yet."""
        self.cancelled = True
        self._recorder.unsubscribe(self)
        guard.attempt(self.feed.begin_close, time.monotonic() + DRAIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it after what was recorded so far has been handed over, in 2 seconds at most."""
        guard.attempt(self._recorder.flush, DRAIN)
        self.cancel()

    # --- as a sink -----------------------------------------------------------------------------------------------

    def write(self, line: bytes) -> None:
        if self.cancelled:
            return
        event = loads(line)
        if self.cancelled or not self._choice.type(event["type"]):  # a tap.dropped
            return
        self.calling = threading.get_ident()
        try:
            everything = threading.current_thread() is not threading.main_thread()
            failure = guard.failure(self._function, event, everything=everything)
        finally:
            self.calling = None
        if failure is None:
            self.delivered += 1
        else:
            self.failed += 1
            guard.tell(f"{self.name}/{type(failure).__name__}", f"subscriber {self.name}: {guard.told(failure)}")

    def has(self, line: bytes) -> bool:
        """Say yes: what was interrupted is not handed over again."""
        return True

    def reset(self) -> None:
        self.calling = None

    def close(self) -> None:
        pass
