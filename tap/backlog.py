"""Events that wait for the writer thread: a queue with a bound in bytes, and gaps where it was full."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

from . import event
from .jsonable import dumps
from .lock import holding
from .run import Run

# Bytes that an event takes in memory beyond what is counted for its payload. Measured with tracemalloc: 4.1 KB for
# a small payload, whose buffer is larger than it is; 2.6 KB for each event of an exchange with a model.
OVERHEAD = 4096
_WAIT = 0.005  # seconds


@dataclass(slots=True, eq=False)
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
        """Return the event with the next number of its run."""
        payload = self.payload
        if self.counts:
            payload = b'%b,"events":%d,"dropped":%d}' % (payload[:-1], self.run.seq, self.run.dropped)
        if not self.timestamp:
            self.timestamp = event.now()
        return event.line(
            self.type, self.timestamp, self.run.run_id, self.run.seq, self.call_id, self.step_id, payload
        )


@dataclass(slots=True, eq=False)
class Gap:
    """Events of one run that were dropped, where they would have stood."""

    run: Run
    reason: str
    count: int = 0
    size: int = 0  # bytes of them all

    def line(self) -> bytes:
        """Return the `tap.dropped` that stands after the numbers which the lost events would have had."""
        first = self.run.seq
        payload = {
            "count": self.count,
            "bytes": self.size,
            "reason": self.reason,
            "from_seq": first,
            "to_seq": first + self.count - 1,
        }
        return event.line(
            "tap.dropped", event.now(), self.run.run_id, first + self.count, None, None, dumps(payload)
        )


Item = Record | Gap | Event  # an Event is set when everything before it is written


class Backlog:
    """What is queued, first in, first out. `lock` is around counting, and never held across input or output."""

    def __init__(self, max_bytes: int, lock: Any) -> None:
        self._max_bytes = max_bytes
        self._lock = lock
        self._bytes = 0
        self._gaps: dict[str, Gap] = {}  # by run_id, those that the last drop can still be added to
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def size(self) -> int:
        """Bytes of memory that are taken, about: what is queued, and bodies that are kept for later."""
        return self._bytes + OVERHEAD * len(self._items)

    def hold(self, size: int) -> bool:
        """Count bytes; False if there is no room for them."""
        # Without the lock a sum may go wrong once in a long while; waiting for it would be worse.
        held = holding(self._lock, _WAIT, self._hold, size, default=None)
        return bool(self._hold(size) if held is None else held)

    def release(self, size: int) -> None:
        """Count bytes no longer."""
        if not holding(self._lock, _WAIT, self._add, -size, default=False):
            self._add(-size)

    def put(self, record: Record) -> bool:
        """Append an event; False if there is no room for it."""
        if not self.hold(record.size):
            return False
        self._gaps.pop(record.run.run_id, None)
        self._items.append(record)
        return True

    def append(self, item: Item) -> None:
        """Append without counting, and without any lock: a finaliser may, whatever it interrupts."""
        self._items.append(item)

    def drop(self, record: Record, reason: str) -> None:
        """Count an event that found no room, in its place."""
        if not holding(self._lock, _WAIT, self._add_to_gap, record, reason, default=False):
            self._items.append(Gap(record.run, reason, 1, record.size))

    def first(self) -> Item | None:
        try:
            return self._items[0]
        except IndexError:
            return None

    def seal(self, gap: Gap) -> None:
        """Let nothing more be added to this gap."""
        holding(self._lock, -1, self._seal, gap, default=None)

    def pop(self) -> Item | None:
        try:
            return self._items.popleft()
        except IndexError:
            return None

    def give_up(self, record: Record, reason: str) -> None:
        """Put a gap in the place of the first event, which can never be written."""
        self._items.popleft()
        after = self.first()
        if isinstance(after, Gap) and after.run is record.run:
            self.seal(after)
            after.count += 1
            after.size += record.size
        else:
            self._items.appendleft(Gap(record.run, reason, 1, record.size))

    # --- with the lock held, as a rule ---------------------------------------------------------------------------

    def _hold(self, size: int) -> bool:
        if self.size + size > self._max_bytes:
            return False
        self._bytes += size
        return True

    def _add(self, size: int) -> bool:
        self._bytes += size
        return True

    def _add_to_gap(self, record: Record, reason: str) -> bool:
        gap = self._gaps.get(record.run.run_id)
        if gap is None:
            gap = self._gaps[record.run.run_id] = Gap(record.run, reason)
            self._items.append(gap)
        gap.count += 1
        gap.size += record.size
        return True

    def _seal(self, gap: Gap) -> None:
        if self._gaps.get(gap.run.run_id) is gap:
            del self._gaps[gap.run.run_id]
