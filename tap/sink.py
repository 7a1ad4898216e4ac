"""The way of an event to its output: numbered and written at once, or queued for the one writer thread.

Whoever holds the lock gives the event its `seq` and writes it, so the order in the file is the order of `seq`.
While anything is queued, everything goes behind it, so that order holds there too; but an agent's thread that gets
the lock may write some of what is queued, and then its own.
"""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from . import guard
from .backlog import Backlog, Gap, Item
from .backlog import Record as Record  # for tap.py
from .lock import Lock, holding
from .output import Output

LOCK_WAIT = 0.005  # seconds that an agent's thread waits for its turn, at most
SLOW_WRITE = 0.05  # seconds after which a write is called slow, and the thread takes over
HELP, HELP_TIME = 16, 0.005  # queued events that an agent's thread writes before its own, and seconds for them
DRAIN = 2.0  # seconds that closing may take
RETRY_FIRST, RETRY_LAST = 0.05, 2.0  # seconds between attempts to write
TRIES = 3  # for an event that fails for another reason than the operating system's

_UNREADABLE = ("tap.dropped", b'{"count":1,"bytes":0,"reason":"this event could not be put together"}')


class Sink:
    """One output, its lock, its queue and its thread."""

    def __init__(self, output: Output, *, blocking: bool = True, max_queue_bytes: int = 64 << 20) -> None:
        self.output = output
        self.written = 0
        self.dropped = 0
        self.longest_wait = 0.0
        self._direct = blocking and output.direct
        self._max_bytes = max_queue_bytes
        self.reset()

    def reset(self) -> None:
        """Start afresh, as a forked child must: its parent's queue is its parent's, its locks may be held."""
        self._lock = Lock()  # around numbering and writing
        self._counting = Lock()  # the queue's
        self._starting = Lock()  # around starting the thread
        self._draining = Lock()  # around draining
        self._queue = Backlog(self._max_bytes, self._counting)
        self._thread: threading.Thread | None = None
        self._wake: SimpleQueue[None] = SimpleQueue()  # putting into it takes no lock
        self._slow = False  # whether only the thread writes
        self._began: float | None = None  # when the write began that somebody is in
        self._pending: tuple[Record | Gap, bytes] | None = None  # what is being written
        self._deadline: float | None = None  # when the thread has to give up
        self._closed = False

    # --- from the agent's threads ------------------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Write the event now, or queue it. Takes LOCK_WAIT, HELP_TIME and one write, at most."""
        came = time.monotonic()
        if not self._put_now(record):
            self._put_behind(record)
        self.longest_wait = max(self.longest_wait, time.monotonic() - came)

    def put_from_finaliser(self, record: Record) -> None:
        """Queue the event without taking any lock. `start` must have been called, and its bytes counted before."""
        if self._closed:
            self.dropped += 1
            return
        self._queue.append(record)
        self._wake.put(None)

    def hold(self, size: int) -> bool:
        """Count bytes of a body that is kept for later; False if there is no room for them."""
        return self._queue.hold(size)

    def release(self, size: int) -> None:
        """Count bytes no longer."""
        self._queue.release(size)

    def start(self) -> bool:
        """Make sure that the writer thread runs; False if this process cannot have one."""
        if self._thread is not None and self._thread.is_alive():
            return True
        # If the lock does not come, somebody is starting it: another thread, or what this one has interrupted.
        return bool(holding(self._starting, LOCK_WAIT, self._start, default=True))

    def flush(self, timeout: float = DRAIN) -> bool:
        """Wait until what was queued before is written; False if that took longer than `timeout` seconds."""
        if not self._queue:
            return True
        reached = threading.Event()
        self._queue.append(reached)
        self._wake.put(None)
        if not self.start():
            self._drain_here(time.monotonic() + timeout)
        return reached.wait(timeout)

    def close(self, timeout: float = DRAIN) -> None:
        """Write what is queued, for `timeout` seconds at most; count and report the rest. Closes the output."""
        deadline = time.monotonic() + timeout
        self._deadline = deadline
        if self._queue and not self.start():
            self._drain_here(deadline)
        self._wake.put(None)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            guard.failure(thread.join, max(0.0, deadline - time.monotonic()))
        wait = max(0.0, deadline - time.monotonic()) + LOCK_WAIT
        if not holding(self._lock, wait, self._end, default=False):
            # Somebody hangs in a write, and closes the output after it; or is just leaving.
            self._closed = True
            holding(self._lock, LOCK_WAIT, self._end, default=False)
        self._abandon()

    @property
    def queued_bytes(self) -> int:
        return self._queue.size

    def _put_now(self, record: Record) -> bool:
        if not self._direct or self._slow:
            return False
        began = self._began
        hanging = began is not None and time.monotonic() - began > LOCK_WAIT
        return bool(holding(self._lock, 0.0 if hanging else LOCK_WAIT, self._write_in_turn, record, default=False))

    def _put_behind(self, record: Record) -> None:
        inside = self.output.calling == threading.get_ident()
        if inside or self._closed:
            self.dropped += 1
            if inside:  # or it would never end
                guard.tell(f"inside {id(self)}", f"what {self.output.name} itself records is lost")
            return
        if not self._queue.put(record):
            self.dropped += 1
            reason = "the queue is full"
            self._queue.drop(record, reason)
            guard.tell(f"drop {self.output.name}", f"events are being dropped: {reason} ({self.output.name})")
        self._wake.put(None)
        if not self.start():
            self._drain_here(time.monotonic() + LOCK_WAIT)
        if self._closed:
            self._abandon()

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
        holding(self._draining, 0.0, self._drain, deadline, default=None)

    def _abandon(self) -> None:
        """Count and report what is queued after the end."""
        left = 0
        while (item := self._queue.pop()) is not None:
            if isinstance(item, Record):
                self._queue.release(item.size)
                left += 1
        if left:
            self.dropped += left
            guard.tell(
                f"close {self.output.name}",
                f"{left} events could not be written to {self.output.name} before the end",
            )

    # --- with the lock held ------------------------------------------------------------------------------------

    def _write_in_turn(self, record: Record) -> bool:
        """Write this event after those that are queued; False if that cannot be done now."""
        self._settle()
        if self._closed or not self._help():
            return False
        began = time.monotonic()
        failure = self._write(record)
        self._slow = time.monotonic() - began > SLOW_WRITE
        return failure is None

    def _help(self) -> bool:
        """Write what is queued if it is not much, so that the thread need not race all others; say if all is."""
        until = time.monotonic() + HELP_TIME
        for _ in range(HELP):
            item = self._queue.first()
            if item is None:
                return True
            if not isinstance(item, Record) or item.later is not None:
                return False
            if self._write(item) is not None or time.monotonic() > until:
                return False
        return not self._queue

    def _write(self, item: Record | Gap) -> BaseException | None:
        """Number and write one event, and return what went wrong."""
        self._began = time.monotonic()
        failure = guard.failure(self._send, item, everything=self._on_thread())
        if failure is None:
            self._arrived(item)
        else:
            self._pending = None
            self._slow = True
            guard.tell(
                f"write {self.output.name}",
                f"cannot write to {self.output.name}: {guard.told(failure)}; will retry",
            )
        self._began = None
        if self._closed:  # while this write hung
            guard.attempt(self.output.close)
        return failure

    def _send(self, item: Record | Gap) -> None:
        if isinstance(item, Gap):
            self._queue.seal(item)
        line = item.line()
        self._pending = (item, line)
        self.output.write(line)

    def _arrived(self, item: Record | Gap) -> None:
        """Count what was written.

        A signal handler of the agent's may raise anywhere in `_write`. Until the last assignment here the event is
        pending, and the output is asked about it before the next is numbered. The assignments follow each other
        without a call, so that Python runs no signal handler among them: either all are done or none.
        """
        queued = self._queue.first() is item
        if queued:
            self._queue.pop()  # only now: an empty queue means that all is written
        run, lost = item.run, item.count if isinstance(item, Gap) else 0
        run.seq += lost + 1
        run.dropped += lost
        self.written += 1
        self._pending = None
        if queued and isinstance(item, Record):
            self._queue.release(item.size)

    def _settle(self) -> None:
        """Find out what became of a write that an exception out of a signal handler has ended."""
        if self._pending is not None:
            item, line = self._pending
            if guard.attempt(self.output.has, line, default=True):
                self._arrived(item)
            self._pending = None

    def _end(self) -> bool:
        self._settle()
        self._closed = True
        guard.attempt(self.output.close)
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
                guard.tell(f"work {self.output.name}", f"could not write: {guard.told(failure)}")
            if self._deadline is not None:
                return

    def _drain(self, deadline: float | None) -> None:
        """Write what is queued until nothing is left, or until `deadline`."""
        pause, tries, tried = RETRY_FIRST, 0, None
        while (item := self._queue.first()) is not None and not self._closed:
            if isinstance(item, Record) and item.later is not None:
                # Before the lock is taken: nobody has to wait for this.
                made: Callable[[], tuple[str, bytes]] = item.later
                item.type, item.payload = guard.attempt(made, default=_UNREADABLE, everything=self._on_thread())
                item.later = None
            end = deadline if deadline is not None else self._deadline
            wait = -1 if self._on_thread() else max(0.0, (end or 0.0) - time.monotonic())
            failure = holding(self._lock, wait, self._write_first, item, default=_BUSY)
            if failure is None:
                guard.forget(f"write {self.output.name}")
                pause = RETRY_FIRST
                continue
            if failure is _BUSY:
                return
            tries = tries + 1 if tried is item else 1
            tried = item
            patience = self.output.patience if isinstance(failure, OSError) else self.output.patience or TRIES
            if patience is not None and tries >= patience:
                holding(self._lock, wait, self._give_up, item, failure, default=None)
                pause = RETRY_FIRST
                continue
            end = deadline if deadline is not None else self._deadline
            if end is not None and time.monotonic() + pause > end:
                return
            self._pause(pause)
            pause = min(pause * 2, RETRY_LAST)

    def _write_first(self, item: Item) -> BaseException | None:
        """Write the first event in the queue, unless somebody else has by now."""
        self._settle()
        if self._closed or self._queue.first() is not item:
            return None
        if isinstance(item, threading.Event):
            self._queue.pop()
            item.set()
            return None
        began = time.monotonic()
        failure = self._write(item)
        if failure is None:
            self._slow = time.monotonic() - began > SLOW_WRITE and bool(self._queue)
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
            self._queue.release(item.size)
            self._queue.give_up(item, guard.told(failure))
            self.dropped += 1
        else:  # only the numbers are left to tell of it
            self._queue.pop()
            item.run.seq += item.count
            item.run.dropped += item.count
        self._slow = bool(self._queue)


_BUSY = TimeoutError()
