"""What waits for one sink: a queue with a bound in bytes, and gaps where it was full."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

from . import event, guard
from .jsonable import dumps
from .lock import Lock, holding
from .run import Run

if TYPE_CHECKING:
    from .feed import Feed

# Bytes that an event takes in memory beyond what is counted for its payload. Measured with tracemalloc: 4.1 KB for
# a small payload, whose buffer is larger than it is; 2.6 KB for each event of an exchange with a model.
OVERHEAD = 4096
MAX_GAPS = 1000  # runs whose losses are told one by one while they wait to be told
_WAIT = 0.005  # seconds

Made = tuple[str, bytes, bool]  # the type and the payload of an event, and whether it tells of an error
_UNREADABLE: Made = (
    "tap.dropped",
    b'{"count":1,"bytes":0,"reason":"this event could not be put together"}',
    True,
)


class Record:
    """One event, on its way to every sink. `seq` and `timestamp` are given when it is numbered.

    `later`, if not None, gives what is not known yet; it is called once, on a writer thread as a rule.
    `size` is the number of bytes that it counts for in a queue; `queues` are those where that changes when it is
    made. `held` is how many of them the journal counts for it until it is numbered. With `counts` the run's counts
    belong at the end of the payload. `failed`: it tells of an error. `audience` are the feeds of the subscribers
    that get it, beside the sinks.
    """

    __slots__ = (
        "audience",
        "call_id",
        "counts",
        "failed",
        "held",
        "later",
        "making",
        "payload",
        "place",
        "queues",
        "run",
        "seq",
        "size",
        "timestamp",
        "type",
    )

    def __init__(
        self,
        run: Run,
        type: str,
        call_id: str | None,
        place: event.Place,
        payload: bytes,
        size: int,
        *,
        failed: bool = False,
        counts: bool = False,
        audience: "tuple[Feed, ...]" = (),
        later: Callable[[], Made] | None = None,
        timestamp: str = "",
        held: int = 0,
    ) -> None:
        self.run = run
        self.type = type
        self.call_id = call_id
        self.place = place
        self.payload = payload
        self.size = size
        self.failed = failed
        self.counts = counts
        self.audience = audience
        self.later = later
        self.timestamp = timestamp
        self.held = held
        self.seq: int | None = None
        self.making: Any = None if later is None else Lock()  # around `later`
        self.queues: tuple[Backlog, ...] = ()

    def make_later(self, later: Callable[[], Made]) -> None:
        """Leave it to whoever writes the event to make it."""
        self.later = later
        self.making = Lock()

    def make(self, everything: bool, resize: Callable[["Record", int], None]) -> bool:
        """Have `later` done, whoever does it; `resize` is told what it came to. The caller holds `making`."""
        if self.later is not None:
            made = guard.attempt(self.later, default=_UNREADABLE, everything=everything)
            self.later = lambda: made  # once only, also when a signal handler raises right here
            resize(self, len(made[1]))
            self.type, self.payload, self.failed = made
            self.later = None
        return True

    def line(self, dropped: int) -> bytes:
        """Return the event as a line; `dropped` events of its run did not reach the sink that it is for."""
        payload, seq = self.payload, self.seq or 0
        if self.counts:
            payload = b'%b,"events":%d,"dropped":%d}' % (payload[:-1], seq, dropped)
        return event.line(self.type, self.timestamp, self.run.run_id, seq, self.call_id, self.place, payload)


@dataclass(slots=True, eq=False)
class Gap:
    """Events of one run, that follow each other, that did not reach a sink."""

    run: Run
    reason: str
    first: int  # seq
    last: int
    size: int  # bytes of them all
    count: int = 1  # between the two there may be some that this sink does not want
    others: int = 0  # events of other runs that were lost meanwhile and are told nowhere else

    def line(self, dropped: int) -> bytes:
        """Return the `tap.dropped` that stands for them, with the number of the last."""
        payload: dict[str, object] = {
            "count": self.count,
            "bytes": self.size,
            "reason": self.reason,
            "from_seq": self.first,
            "to_seq": self.last,
        }
        if self.others:
            payload["other_runs"] = self.others
        return event.line(
            "tap.dropped", event.now(), self.run.run_id, self.last, None, event.NOWHERE, dumps(payload)
        )


Item = Record | Gap | Event  # an Event is set when everything before it is written


class Backlog:
    """What is queued, first in, first out.

    Events are put, grow and are dropped with the journal's lock held, and popped with the feed's; that is why
    bytes that came and bytes that went are counted apart. `held` tells how many are kept elsewhere, and count too.
    """

    def __init__(self, max_bytes: int, held: Callable[[], int]) -> None:
        self.last: Record | None = None  # the event that was put or dropped last
        self._max_bytes = max_bytes
        self._held = held
        self._came = self._went = 0
        self._lock = Lock()  # around gaps, which are written while they still grow
        self._gaps: dict[str, Gap] = {}  # by run_id, those that the last drop can still be added to
        self.items: deque[Item] = deque()  # to look at; whoever has the feed's lock may take out the first

    @property
    def size(self) -> int:
        """Bytes of memory that what is queued takes, about."""
        return self._came - self._went + OVERHEAD * len(self.items)

    def has_room(self, size: int) -> bool:
        return self._came - self._went + OVERHEAD * len(self.items) + self._held() + size <= self._max_bytes

    def put(self, record: Record) -> None:
        """Append an event, whether there is room for it or not."""
        if self._gaps:
            self._gaps.pop(record.run.run_id, None)
        # No call from here on, so that a signal handler's exception finds all of it done, or nothing.
        if record.later is not None:
            record.queues += (self,)
        self._came += record.size
        self.last = record
        self.items.append(record)

    def release(self, record: Record) -> None:
        """Count the bytes of an event that is not queued any more."""
        self._went += record.size

    def grow(self, size: int) -> None:
        """Count bytes that an event in the queue takes beyond what was counted when it was put."""
        self._came += size

    def append(self, mark: Event) -> None:
        self.items.append(mark)

    def drop(self, record: Record, reason: str) -> None:
        """Note an event that found no room, in its place."""
        if not holding(self._lock, _WAIT, self._add_to_gap, record, reason, default=False):
            gap = _gap(record, reason)
            self.last = record
            self.items.append(gap)

    def first(self) -> Item | None:
        try:
            return self.items[0]
        except IndexError:
            return None

    def seal(self, gap: Gap) -> None:
        """Let nothing more be added to this gap."""
        holding(self._lock, -1, self._seal, gap, default=None)

    def pop(self) -> Item | None:
        try:
            return self.items.popleft()
        except IndexError:
            return None

    def give_up(self, record: Record, reason: str) -> None:
        """Put a gap in the place of the first event, which can never be written."""
        self.items.popleft()
        after = self.first()
        if isinstance(after, Gap) and after.run is record.run:
            self.seal(after)
            after.first = record.seq or 0
            after.size += record.size
            after.count += 1
        else:
            self.items.appendleft(_gap(record, reason))

    # --- with the lock held, as a rule ---------------------------------------------------------------------------

    def _add_to_gap(self, record: Record, reason: str) -> bool:
        gap = self._gaps.get(record.run.run_id)
        if gap is not None:
            gap.last = record.seq or 0
            gap.size += record.size
            gap.count += 1
            self.last = record
            return True
        if len(self._gaps) >= MAX_GAPS:
            next(reversed(self._gaps.values())).others += 1
            self.last = record
            return True
        gap = _gap(record, reason)
        self._gaps[record.run.run_id] = gap
        self.last = record
        self.items.append(gap)
        return True

    def _seal(self, gap: Gap) -> None:
        if self._gaps.get(gap.run.run_id) is gap:
            del self._gaps[gap.run.run_id]


def _gap(record: Record, reason: str) -> Gap:
    return Gap(record.run, reason, record.seq or 0, record.seq or 0, record.size)
