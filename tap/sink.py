"""The way of an event to its output: numbered and written at once, or queued for the one writer thread.

Whoever holds the lock gives the event its `seq` and writes it, so the order in the file is the order of `seq`.
While anything is queued, everything goes behind it, so that order holds there too.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from . import event, guard
from .jsonable import dumps
from .output import Output
from .run import Run

LOCK_WAIT = 0.005  # seconds that an agent's thread waits for its turn, at most
SLOW_WRITE = 0.05  # seconds after which a write is called slow, and the thread takes over
DRAIN = 2.0  # seconds that closing may take
RETRY_FIRST, RETRY_LAST = 0.05, 2.0  # seconds between attempts to write

_UNREADABLE = ("tap.dropped", b'{"count":1,"bytes":0,"reason":"this event could not be put together"}')


@dataclass(slots=True)
class Record:
    """An event that has no `seq` yet. `later`, called on the writer thread, gives type and payload if not None."""

    run: Run
    type: str
    call_id: str | None
    step_id: str | None
    payload: bytes
    size: int  # bytes that it counts for in the queue
    later: Callable[[], tuple[str, bytes]] | None = None
    counts: bool = False  # whether the run's counts belong at the end of the payload
    timestamp: str = ""

    def line(self) -> bytes:
        payload = self.payload
        if self.counts:
            payload = b'%b,"events":%d,"dropped":%d}' % (payload[:-1], self.run.seq, self.run.dropped)
        return event.line(
            self.type, self.timestamp, self.run.run_id, self.run.seq, self.call_id, self.step_id, payload
        )


@dataclass(slots=True)
class Gap:
    """Events of one run that were dropped, where they would have stood."""

    run: Run
    reason: str
    count: int = 0
    bytes: int = 0


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
        self._lock = threading.Lock()  # around numbering and writing
        self._counting = threading.Lock()  # around the next three; never held across input or output
        self._draining = threading.Lock()  # around draining on a thread of the agent's
        self._bytes = 0
        self._gaps: dict[str, Gap] = {}  # by run_id, those that the last drop can still be added to
        self._thread: threading.Thread | None = None
        # Appending to either takes no lock, so a finaliser may, whatever it interrupts.
        self._queue: deque[Record | Gap | threading.Event] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._slow = False
        self._deadline: float | None = None  # when the thread has to give up

    # --- from the agent's threads ------------------------------------------------------------------------------

    def put(self, record: Record) -> None:
        """Write the event now, or queue it. Takes LOCK_WAIT and one write, at most."""
        began = time.monotonic()
        if not self._put_now(record):
            self._put_behind(record)
        self.longest_wait = max(self.longest_wait, time.monotonic() - began)

    def put_from_finaliser(self, record: Record) -> None:
        """Queue the event without taking any lock. `start` must have been called, and its bytes counted before."""
        self._queue.append(record)
        self._wake.put(None)

    def hold(self, size: int) -> bool:
        """Count bytes of a body that is kept for later; False if there is no room for them."""
        counting = self._counting.acquire(timeout=LOCK_WAIT)
        try:
            if self._bytes + size > self._max_bytes:
                return False
            self._bytes += size
            return True
        finally:
            if counting:
                self._counting.release()

    def release(self, size: int) -> None:
        """Count bytes no longer."""
        counting = self._counting.acquire(timeout=LOCK_WAIT)
        self._bytes -= size
        if counting:
            self._counting.release()

    def start(self) -> bool:
        """Make sure that the writer thread runs; False if this process cannot have one."""
        if self._thread is not None and self._thread.is_alive():
            return True
        with self._counting:
            if self._thread is not None and self._thread.is_alive():
                return True
            thread = threading.Thread(target=self._work, name="agenttap", daemon=True)
            self._thread = thread
            if guard.failure(thread.start) is not None:  # no more threads, or the interpreter is going down
                self._thread = None
                return False
            return True

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
            thread.join(max(0.0, deadline - time.monotonic()))
        left = [item for item in list(self._queue) if isinstance(item, Record)]
        if left:
            self.dropped += len(left)
            guard.tell(
                f"close {self.output.name}",
                f"{len(left)} events could not be written to {self.output.name} before the end",
            )
        if self._lock.acquire(timeout=max(0.0, deadline - time.monotonic()) + LOCK_WAIT):
            try:
                guard.attempt(self.output.close)
            finally:
                self._lock.release()

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    def _put_now(self, record: Record) -> bool:
        if not self._direct or self._queue or self._slow or not self._lock.acquire(timeout=LOCK_WAIT):
            return False
        try:
            if self._queue:
                return False
            began = time.monotonic()
            failure = self._write(record)
            self._slow = time.monotonic() - began > SLOW_WRITE
            return failure is None
        finally:
            self._lock.release()

    def _put_behind(self, record: Record) -> None:
        if self._thread is not None and threading.get_ident() == self._thread.ident:
            return  # the callback's own doing: recording it would never end
        if not self.hold(record.size):
            self._drop(record, "the queue is full")
            return
        self._gaps.pop(record.run.run_id, None)
        if not record.timestamp:
            record.timestamp = event.now()
        self._queue.append(record)
        self._wake.put(None)
        if not self.start():
            self._drain_here(time.monotonic() + LOCK_WAIT)

    def _drop(self, record: Record, reason: str) -> None:
        with self._counting:
            gap = self._gaps.get(record.run.run_id)
            if gap is None:
                gap = self._gaps[record.run.run_id] = Gap(record.run, reason)
                self._queue.append(gap)
            gap.count += 1
            gap.bytes += record.size
            self.dropped += 1
        guard.tell(f"drop {self.output.name}", f"events are being dropped: {reason} ({self.output.name})")

    def _drain_here(self, deadline: float) -> None:
        """Do the thread's work on this one, when there can be no thread."""
        if self._draining.acquire(blocking=False):
            try:
                self._drain(deadline)
            finally:
                self._draining.release()

    # --- with the lock held ------------------------------------------------------------------------------------

    def _write(self, record: Record) -> Exception | None:
        """Number and write one event, and return what went wrong."""
        if not record.timestamp:
            record.timestamp = event.now()
        line = record.line()
        # Counted first: an exception from a signal handler after the write must not give a number out twice.
        record.run.seq += 1
        failure = guard.failure(self.output.write, line)
        if failure is None:
            self.written += 1
            return None
        record.run.seq -= 1
        guard.tell(
            f"write {self.output.name}", f"cannot write to {self.output.name}: {guard.text(failure)}; will retry"
        )
        return failure

    def _write_gap(self, gap: Gap) -> Exception | None:
        run = gap.run
        with self._counting:
            if self._gaps.get(run.run_id) is gap:
                del self._gaps[run.run_id]
        run.dropped += gap.count
        first, run.seq = run.seq, run.seq + gap.count
        payload = dumps(
            {
                "count": gap.count,
                "bytes": gap.bytes,
                "reason": gap.reason,
                "from_seq": first,
                "to_seq": run.seq - 1,
            }
        )
        failure = self._write(Record(run, "tap.dropped", None, None, payload, 0))
        if failure is not None:
            run.seq, run.dropped = first, run.dropped - gap.count
        return failure

    # --- on the writer thread ----------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            self._wake.get()
            self._drain(None)
            if self._deadline is not None:
                return

    def _drain(self, deadline: float | None) -> None:
        """Write what is queued until nothing is left, or until `deadline`."""
        pause, tries = RETRY_FIRST, 0
        while self._queue:
            item = self._queue[0]
            if isinstance(item, threading.Event):
                self._queue.popleft()
                item.set()
                continue
            if isinstance(item, Record) and item.later is not None:
                # Before the lock is taken: nobody has to wait for this.
                item.type, item.payload = guard.attempt(item.later, default=_UNREADABLE)
                item.later = None
            with self._lock:
                began = time.monotonic()
                failure = self._write_gap(item) if isinstance(item, Gap) else self._write(item)
                if failure is None:
                    # Only now: an empty queue means that all is written.
                    self._queue.popleft()
                    self._slow = time.monotonic() - began > SLOW_WRITE and bool(self._queue)
            if failure is None:
                guard.forget(f"write {self.output.name}")
                if isinstance(item, Record):
                    self.release(item.size)
                pause, tries = RETRY_FIRST, 0
                continue
            tries += 1
            if self.output.patience is not None and tries >= self.output.patience:
                self._give_up(item, failure)
                pause, tries = RETRY_FIRST, 0
                continue
            end = deadline if deadline is not None else self._deadline
            if end is not None and time.monotonic() + pause > end:
                return
            self._pause(pause)
            pause = min(pause * 2, RETRY_LAST)

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

    def _give_up(self, item: Record | Gap, failure: Exception) -> None:
        self._queue.popleft()
        if isinstance(item, Record):
            self.release(item.size)
            gap = Gap(item.run, f"{type(failure).__name__}: {guard.text(failure)}", 1, item.size)
            self.dropped += 1
            if self._queue and isinstance(self._queue[0], Gap) and self._queue[0].run is item.run:
                self._queue[0].count += 1
                self._queue[0].bytes += item.size
            else:
                self._queue.appendleft(gap)
        else:  # only the numbers are left to tell of it
            item.run.seq += item.count
            item.run.dropped += item.count
