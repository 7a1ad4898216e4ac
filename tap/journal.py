"""The order of events: each gets the next number of its run, the same in every sink."""

import threading
import time
from collections import deque
from collections.abc import Iterable

from . import event, guard
from .backlog import Record
from .feed import LOCK_WAIT, Feed
from .lock import Lock, holding
from .sink import Sink

DRAIN = 2.0  # seconds that closing may take


class Journal:
    """Numbers events and hands them to the feeds of all sinks, which write them in that order.

    A sink that fails, hangs or is full has its own queue and its own gaps: no other sink is touched by it.
    """

    def __init__(self, sinks: Iterable[Sink], *, blocking: bool = True, max_queue_bytes: int = 64 << 20) -> None:
        self.longest_wait = 0.0  # seconds
        self._max_bytes = max_queue_bytes
        self._begin()
        self.feeds = [Feed(sink, self, blocking=blocking, max_queue_bytes=max_queue_bytes) for sink in sinks]
        self.direct = any(feed.direct for feed in self.feeds)  # whether any is written to by the agent's threads
        self._callbacks = [feed for feed in self.feeds if not feed.sink.direct]

    def _begin(self) -> None:
        self._lock = Lock()  # around numbering
        self._counting = Lock()  # around `_held`
        self._intake: deque[Record] = deque()  # no number yet
        self._held = 0

    def reset(self) -> None:
        """Start afresh, as a forked child must: what is queued is its parent's, locks may be held."""
        self._begin()
        for feed in self.feeds:
            feed.reset()

    def put(self, record: Record) -> None:
        """Number the event and write it to every sink, or leave that to the threads; subscribers' always.

        Takes LOCK_WAIT for the number, and for each sink what `Feed.catch_up` may take.
        """
        came = time.monotonic()
        for feed in self._callbacks:
            if feed.sink.calling == threading.get_ident():  # or it would never end
                feed.dropped += 1
                guard.tell(f"inside {id(feed)}", f"what {feed.sink.name} itself records is lost")
                return
        if record not in self._intake:  # a run's start, whose first putting an exception of a handler's broke off
            self._intake.append(record)
        self.number()
        for feed in self.feeds:
            feed.catch_up(record)
        for feed in record.audience:
            feed.catch_up(record)
        took = time.monotonic() - came
        if took > self.longest_wait:
            self.longest_wait = took

    def put_from_finaliser(self, record: Record) -> None:
        """Leave the event to the threads, without taking any lock. `start` must have been called before."""
        self._intake.append(record)
        for feed in (*self.feeds, *record.audience):
            feed.wake()

    def number(self, timeout: float = LOCK_WAIT) -> None:
        """Give what came in its number. What is left for want of the lock, a thread does."""
        holding(self._lock, timeout, self._number, default=None)

    def hold(self, size: int) -> bool:
        """Count bytes of a body that is kept for later; False if there is no room for them."""
        # The sink that has most room decides: none that hangs takes anything from the others.
        if min(feed.queued_bytes for feed in self.feeds) + self._held + size > self._max_bytes:
            return False
        self._count(size)
        return True

    def release(self, size: int) -> None:
        """Count bytes no longer."""
        self._count(-size)

    def held(self) -> int:
        """Return the bytes of bodies that are kept for later."""
        return self._held

    def has_most_room(self, queued: int) -> bool:
        """Say whether no sink has fewer bytes queued."""
        return queued <= min(feed.queued_bytes for feed in self.feeds)

    def resize(self, record: Record, size: int) -> None:
        """Count an event that was made with the bytes it takes now, in every queue that holds it."""
        # As with `_count`: a sum may go wrong once in a long while.
        if not holding(self._lock, LOCK_WAIT, self._resize, record, size, default=False):
            self._resize(record, size)

    def start(self) -> None:
        """Make sure that the writer threads run, where this process can have any."""
        for feed in self.feeds:
            feed.start()

    def flush(self, timeout: float = DRAIN) -> bool:
        """Wait until what came before is written everywhere; False if that took longer than `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self.number(timeout)
        marks = [feed.mark(deadline) for feed in self.feeds]
        return all(mark is None or mark.wait(max(0.0, deadline - time.monotonic())) for mark in marks)

    def begin_close(self, deadline: float) -> None:
        """Let the threads write what is queued, until `deadline`, and end."""
        self.number(max(0.0, deadline - time.monotonic()))
        for feed in self.feeds:
            feed.begin_close(deadline)

    def close(self, timeout: float = DRAIN) -> None:
        """Write what is queued, for `timeout` seconds at most; count and report the rest. Closes the sinks."""
        deadline = time.monotonic() + timeout
        self.begin_close(deadline)  # all at once: one that hangs takes no time from the others
        for feed in self.feeds:
            feed.close(deadline)

    def _number(self) -> None:
        """Do it. A signal handler's exception may end this anywhere: whatever is done twice must not show."""
        while self._intake:
            record = self._intake[0]
            if record.seq is None:
                record.timestamp = record.timestamp or event.now()
                # No call in between, so no handler runs there: both are done or neither.
                run = record.run
                record.seq = run.seq
                run.seq = record.seq + 1
            for feed in self.feeds:
                feed.take(record)
            for feed in record.audience:
                feed.take(record)
            if record.held:  # from now on the feeds count it
                held, record.held = record.held, 0
                self.release(held)
            self._intake.popleft()

    def _count(self, size: int) -> None:
        # Without the lock a sum may go wrong once in a long while; waiting for it would be worse.
        if not holding(self._counting, LOCK_WAIT, self._add, size, default=False):
            self._add(size)

    def _resize(self, record: Record, size: int) -> bool:
        more, record.size = size - record.size, size
        for queue in record.queues:
            queue.grow(more)
        record.queues = ()
        return True

    def _add(self, size: int) -> bool:
        self._held += size
        return True
