"""The way of numbered events to one sink: written at once by who caused them, or by the sink's writer thread.

Every event goes through the queue. Whoever holds the lock writes what is first in it, so the order in the sink is
the order in which events were numbered; an agent's thread writes on until its own event is written.
"""

import threading
import time
from queue import Empty, SimpleQueue
from typing import Protocol

from . import guard
from .backlog import Backlog, Gap, Item, Record
from .lock import Lock, holding
from .sink import Sink

# Seconds that an agent's thread waits for its turn, at most. Whoever has written needs the interpreter's lock back
# before it can let go, and a neighbour that computes gives that up every 5 ms only: a few of those turns.
LOCK_WAIT = 0.02
SLOW_WRITE = 0.05  # seconds after which a write is called slow
SLOW_WRITES = 2  # in a row, after which the thread takes over: for one alone the machine may have stood still
HELP, HELP_TIME = 16, 0.02  # queued events that an agent's thread writes before its own, and seconds for them
MAKE = 64 << 10  # bytes of a body that an agent's thread puts together when its own event stands behind it
RETRY_FIRST, RETRY_LAST = 0.05, 2.0  # seconds between attempts to write
TRIES = 3  # for an event that fails for another reason than the operating system's


class _Journal(Protocol):
    def number(self) -> None: ...

    def held(self) -> int: ...

    def has_most_room(self, queued: int) -> bool: ...

    def resize(self, record: Record, size: int) -> None: ...


class Feed:
    """One sink, its queue, its lock and its thread."""

    def __init__(
        self,
        sink: Sink,
        journal: _Journal,
        *,
        blocking: bool = True,
        max_queue_bytes: int = 64 << 20,
        apart: bool = False,
    ) -> None:
        self.sink = sink
        self._apart = apart  # of a subscriber: it bears only its own load, and no thread of the agent's bears it
        self.direct = blocking and sink.direct
        self.written = 0
        self.dropped = 0
        self._journal = journal
        self._max_bytes = max_queue_bytes
        self.reset()

    def reset(self) -> None:
        """Start afresh, as a forked child must: its parent's queue is its parent's, its locks may be held."""
        self._lock = Lock()  # around writing
        self._starting = Lock()  # around starting the thread
        self._draining = Lock()  # around draining
        self._queue = Backlog(self._max_bytes, _nothing if self._apart else self._journal.held)
        self._lost: dict[str, int] = {}  # by run_id, how many of its events were dropped
        self._thread: threading.Thread | None = None
        self._wake: SimpleQueue[None] = SimpleQueue()  # putting into it takes no lock
        self._slow = 0  # writes that were slow, in a row; from SLOW_WRITES on only the thread writes
        self._began: float | None = None  # when the write began that somebody is in
        self._hanging: float | None = None  # the same of a write that was waited for in vain
        self._pending: tuple[Record | Gap, bytes] | None = None  # what is being written
        self._deadline: float | None = None  # when the thread has to give up
        self._closed = False
        self._failing = ""  # what was said of the last write that failed
        guard.attempt(self.sink.reset)

    # --- from the journal --------------------------------------------------------------------------------------

    def take(self, record: Record) -> None:
        """Queue the next event, or note its loss. Twice the same is once. The journal's lock is held."""
        if self._queue.last is record or (self.sink.wanted is not None and not self.sink.wanted(record)):
            return
        if self._closed:
            self.dropped += 1
        elif self._queue.has_room(record.size - (0 if self._apart else record.held)) or (
            # where its bytes were held
            record.held and not self._apart and self._journal.has_most_room(self.queued_bytes)
        ):
            self._queue.put(record)
            if self._apart:  # whoever numbers it may be another journal's thread, which does not know of this one
                self.wake()
        else:
            reason = "the queue is full"
            self._queue.drop(record, reason)
            self._count_lost(record)
            guard.tell(f"drop {self.sink.name}", f"events are being dropped: {reason} ({self.sink.name})")

    def catch_up(self, record: Record) -> None:
        """Write what is queued up to this event, unless that takes long: then the thread does.

        Takes LOCK_WAIT, HELP_TIME, what is made of MAKE bytes, and one write, at most.
        """
        if self.sink.wanted is not None and record.seq is not None and not self._queue.items and not self._closed:
            return
        if self.direct and self._slow < SLOW_WRITES and record.seq is not None:
            began = self._began
            # Only the first waits, however long ago the write began: it may wait for the interpreter by now.
            wait = 0.0 if began is not None and began == self._hanging else LOCK_WAIT
            done = holding(self._lock, wait, self._write_up_to, record, default=_BUSY)
            if done is _BUSY and began is not None and began == self._began:
                self._hanging = began
        if self._queue.items or record.seq is None:
            self.wake()
            if not self.start():
                self._drain_here(time.monotonic() + LOCK_WAIT)
        if self._closed:
            self._abandon()

    def wake(self) -> None:
        """Let the thread look for work. Takes no locks."""
        # It takes what is in there before it looks: if there is something, it has not looked yet.
        if self._wake.empty():
            self._wake.put(None)

    def start(self) -> bool:
        """Make sure that the writer thread runs; False if this process cannot have one."""
        if self._thread is not None and self._thread.is_alive():
            return True
        # If the lock does not come, somebody is starting it: another thread, or what this one has interrupted.
        return bool(holding(self._starting, LOCK_WAIT, self._start, default=True))

    def mark(self, deadline: float) -> threading.Event | None:
        """Return what is set when all that is queued is written; None if that is so already."""
        if not self._queue.items:
            return None
        reached = threading.Event()
        self._queue.append(reached)
        self.wake()
        if not self.start():
            self._drain_here(deadline)
        return reached

    def begin_close(self, deadline: float) -> None:
        """Let the thread write what is queued, until `deadline`, and end."""
        self._deadline = deadline
        self.wake()

    def close(self, deadline: float) -> None:
        """Wait for the thread, then count and report what is left, and close the sink."""
        if self._queue.items and not self.start():
            self._drain_here(deadline)
        self.wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            guard.failure(thread.join, max(0.0, deadline - time.monotonic()))
            if self._queue.items and not thread.is_alive():  # what came when it was just leaving
                self._drain_here(deadline)
                if self._apart and self.start() and self._thread is not None:
                    guard.failure(self._thread.join, max(0.0, deadline - time.monotonic()))
        wait = max(0.0, deadline - time.monotonic()) + LOCK_WAIT
        if not holding(self._lock, wait, self._end, default=False):
            # Somebody hangs in a write, and closes the sink after it; or is just leaving.
            self._closed = True
            holding(self._lock, LOCK_WAIT, self._end, default=False)
        self._abandon()

    @property
    def queued_bytes(self) -> int:
        return self._queue.size

    @property
    def waiting(self) -> int:
        """How many events are queued."""
        return len(self._queue.items)

    def _start(self) -> bool:
        if self._thread is not None and self._thread.is_alive():
            return True
        thread = threading.Thread(target=self._work, name="agenttap", daemon=True)
        self._thread = thread
        if guard.failure(thread.start) is not None:  # no more threads, or the interpreter is going down
            self._thread = None
            return False
        return True

    def _drain_here(self, deadline: float) -> None:
        """Do the thread's work on this one, when there can be no thread."""
        if self._apart:
            return
        holding(self._draining, 0.0, self._drain, deadline, default=None)

    def _abandon(self) -> None:
        """Count and report what is queued after the end."""
        left, writing = 0, self._pending
        while (item := self._queue.pop()) is not None:
            if isinstance(item, Record):
                self._queue.release(item)
                left += writing is None or writing[0] is not item  # that may still arrive
        self.dropped += left
        if self.dropped:
            guard.tell(
                f"close {self.sink.name}", f"{self.dropped} events could not be written to {self.sink.name}"
            )

    def _count_lost(self, record: Record) -> None:
        self.dropped += 1
        if self._apart:
            return
        run_id = record.run.run_id
        if record.counts:  # the run's last, which would have told
            self._lost.pop(run_id, None)
        else:
            self._lost[run_id] = self._lost.get(run_id, 0) + 1

    # --- with the lock held ------------------------------------------------------------------------------------

    def _write_up_to(self, record: Record) -> None:
        if self._pending is not None:
            self._settle()
        began = time.monotonic()
        until = began + HELP_TIME
        for _ in range(HELP + 1):
            item = self._queue.first()
            if item is None or self._closed:
                return
            if isinstance(item, Record) and item.later is not None:
                if not self._made(item):
                    return
                began = time.monotonic()
                until = began + HELP_TIME
            failure = self._write(item, began)
            now = time.monotonic()
            self._slow = self._slowness(failure, now - began)
            if self._slow >= SLOW_WRITES or item is record or now > until:
                return
            began = now

    def _slowness(self, failure: BaseException | None, seconds: float) -> int:
        """Return how many writes have been slow in a row, after one that took so long; a failure counts as all."""
        if failure is not None:
            return SLOW_WRITES
        return min(self._slow + 1, SLOW_WRITES) if seconds > SLOW_WRITE else 0

    def _made(self, record: Record) -> bool:
        """Say whether an agent's thread can write this event now, after making it if that is quickly done."""
        # What the thread is making already is waited for, not for long.
        if record.size <= MAKE:
            holding(record.making, LOCK_WAIT, record.make, False, self._journal.resize, default=None)
        return record.later is None

    def _write(self, item: Item, now: float, *, everything: bool = False) -> BaseException | None:
        """Write the first item in the queue, and return what went wrong: an Exception, or any if `everything`."""
        if isinstance(item, threading.Event):
            self._queue.pop()
            item.set()
            return None
        if isinstance(item, Record) and self.sink.wanted is not None and not self.sink.wanted(item):
            self._queue.pop()
            self._queue.release(item)
            return None
        self._began = now
        failure = guard.failure(self._send, item, everything=everything)
        if failure is None:
            self._arrived(item)
        else:
            self._pending = None
            said = f"cannot write to {self.sink.name}: {guard.told(failure)}"
            guard.tell(said, f"{said}; will retry")
            if not isinstance(failure, BlockingIOError):  # a slow reader is told of once, not for each line
                self._failing = said
        self._began = None
        if self._closed:  # while this write hung
            guard.attempt(self.sink.close)
            self.dropped += failure is not None
        return failure

    def _send(self, item: Record | Gap) -> None:
        if isinstance(item, Gap):
            self._queue.seal(item)
        line = item.line(self._lost.get(item.run.run_id, 0))
        self._pending = (item, line)
        self.sink.write(line)

    def _arrived(self, item: Record | Gap) -> None:
        """Count what was written.

        A signal handler of the agent's may raise anywhere in `_write`. Until the last assignment here the event is
        pending, and the sink is asked about it before the next is written. The assignments follow each other
        without a call, so that Python runs no signal handler among them: either both are done or none.
        """
        items = self._queue.items
        queued = bool(items) and items[0] is item
        if queued:
            items.popleft()  # only now: an empty queue means that all is written
        self.written += 1
        self._pending = None
        if queued and isinstance(item, Record):
            self._queue.release(item)
            if item.counts:  # the run's last
                self._lost.pop(item.run.run_id, None)

    def _settle(self) -> None:
        """Find out what became of a write that an exception out of a signal handler has ended."""
        if self._pending is not None:
            item, line = self._pending
            if guard.attempt(self.sink.has, line, default=True):
                self._arrived(item)
            self._pending = None

    def _end(self) -> bool:
        self._settle()
        self._closed = True
        guard.attempt(self.sink.close)
        return True

    # --- on the writer thread ----------------------------------------------------------------------------------

    def _on_thread(self) -> bool:
        return self._thread is not None and threading.get_ident() == self._thread.ident

    def _work(self) -> None:
        while True:
            self._wake.get()
            # Whatever is raised on this thread is nobody else's business.
            failure = guard.failure(holding, self._draining, -1, self._drain, None, default=None, everything=True)
            if failure is not None:
                guard.tell(f"work {self.sink.name}", f"could not write: {guard.told(failure)}")
            if self._deadline is not None:
                return

    def _drain(self, deadline: float | None) -> None:
        """Write what is queued until nothing is left, or until `deadline`."""
        pause, tries, tried = RETRY_FIRST, 0, None
        while (item := self._next()) is not None and not self._closed:
            if isinstance(item, Record) and item.later is not None:
                # Before the lock is taken: nobody has to wait for this.
                holding(item.making, -1, item.make, self._on_thread(), self._journal.resize, default=None)
            end = deadline if deadline is not None else self._deadline
            wait = -1 if self._on_thread() else max(0.0, (end or 0.0) - time.monotonic())
            failure = holding(self._lock, wait, self._write_first, item, default=_BUSY)
            if failure is None:
                if not isinstance(item, threading.Event):  # that was no write
                    guard.forget(self._failing)
                pause = RETRY_FIRST
                continue
            if failure is _BUSY:
                return
            tries = tries + 1 if tried is item else 1
            tried = item
            patience = self.sink.patience if isinstance(failure, OSError) else self.sink.patience or TRIES
            if patience is not None and tries >= patience:
                holding(self._lock, wait, self._give_up, item, failure, default=None)
                pause = RETRY_FIRST
                continue
            end = deadline if deadline is not None else self._deadline
            if end is not None and time.monotonic() + pause > end:
                return
            self._pause(pause)
            # Whoever reads the pipe may be slow: there is room again soon.
            pause = RETRY_FIRST if isinstance(failure, BlockingIOError) else min(pause * 2, RETRY_LAST)

    def _next(self) -> Item | None:
        """Return the first item, after numbering what finalisers left: the thread may have slept through it."""
        self._journal.number()
        return self._queue.first()

    def _write_first(self, item: Item) -> BaseException | None:
        """Write the first item in the queue, unless somebody else has by now."""
        self._settle()
        if self._closed or self._queue.first() is not item:
            return None
        began = time.monotonic()
        failure = self._write(item, began, everything=self._on_thread())
        slow = self._slowness(failure, time.monotonic() - began)
        self._slow = slow if self._queue.items else min(slow, SLOW_WRITES - 1)  # somebody has to try
        return failure

    def _pause(self, seconds: float) -> None:
        """Wait, but not on when the sink is being closed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self._wake.get(timeout=left)
            except Empty:
                return
            if self._deadline is not None:
                return

    def _give_up(self, item: Record | Gap, failure: BaseException) -> None:
        if self._queue.first() is not item:
            return
        if isinstance(item, Record):
            self._queue.release(item)
            self._queue.give_up(item, guard.told(failure))
            self._count_lost(item)
        else:  # only the numbers are left to tell of it
            self._queue.pop()
        self._slow = SLOW_WRITES if self._queue.items else 0


def _nothing() -> int:
    return 0


_BUSY = TimeoutError()
