"""Which run an event belongs to, and which numbers of a run were read: what is missing, what is there twice."""

from bisect import bisect_right

from trace_cli.event import Event


class Run:
    """One run, as far as it was read. `last` is its latest event, as long as it has no end."""

    def __init__(self, first: Event, number: int) -> None:
        self.key = first.run
        self.run_id = first.run_id
        self.file = first.file
        self.src = first.src  # where it begins
        self.number = number  # from 0, in the order of appearance
        self.events = 0
        self.started: Event | None = None  # its run.started
        self.ended: Event | None = None  # its run.ended
        self.last: Event | None = None
        self.first_time: float | None = None  # seconds since 1970
        self.last_time: float | None = None
        self.latest = float("-inf")  # the latest time of all
        self.first_timestamp: str | None = None
        self.own = False  # whether it is in our own format, which tells of an end
        self._seen: list[list[int]] = []  # ranges of seq, both ends included, in order

    def excludes(self, event: Event) -> bool:
        """Whether this is an event of another run with the same id: its number is taken, or begins anew, later."""
        if event.time is None or event.time <= self.latest:
            return False
        if event.type == "run.started" and self.ended is not None:
            return True
        seq = event.seq if event.own and not _is_gap(event) else None
        return seq is not None and self._has(seq)

    def _has(self, seq: int) -> bool:
        place = bisect_right(self._seen, seq, key=_first)
        return place > 0 and seq <= self._seen[place - 1][1]

    def take(self, event: Event) -> bool:
        """Takes the next event; False for one that was read before."""
        seq = event.seq if event.own and not _is_gap(event) else None
        if seq is not None and seq >= 0 and not self._add(seq):
            return False
        self.events += 1
        self.own = self.own or event.own
        if event.time is not None:
            self.last_time = event.time
            self.latest = max(self.latest, event.time)
            if self.first_time is None:
                self.first_time, self.first_timestamp = event.time, event.timestamp
        if event.type == "run.started":
            self.started = self.started or event
        elif event.type == "run.ended":
            self.ended = self.ended or event
        self.last = None if self.ended else event
        return True

    @property
    def name(self) -> str | None:
        """The name that it was given."""
        found = self.started.payload.get("name") if self.started else None
        return found if isinstance(found, str) else None

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """The numbers that are missing, as ranges with both ends; those behind the last one cannot be known."""
        found, expected = [], 0
        for first, last in self._seen:
            if first > expected:
                found.append((expected, first - 1))
            expected = last + 1
        return found

    def _add(self, seq: int) -> bool:
        seen = self._seen
        if seen and seq == seen[-1][1] + 1:  # as nearly always
            seen[-1][1] = seq
            return True
        place = bisect_right(seen, seq, key=_first)
        if place and seq <= seen[place - 1][1]:
            return False
        if place and seq == seen[place - 1][1] + 1:
            seen[place - 1][1] = seq
        else:
            seen.insert(place, [seq, seq])
            place += 1
        if place < len(seen) and seen[place - 1][1] + 1 == seen[place][0]:
            seen[place - 1][1] = seen.pop(place)[1]
        return True


def _first(seen: list[int]) -> int:
    return seen[0]


def _is_gap(event: Event) -> bool:
    """Whether it stands for events that were lost: its number is that of the last of them."""
    return event.type == "tap.dropped" and "to_seq" in event.payload


class Numbering:
    """The runs of a trace, in the order of their first events. Memory: an entry a run.

    Two runs may have one id: the one that starts later is another, with its own numbers; so is one whose numbers
    were there and that goes on later. `repeated` counts events that are there twice, `shared` the ids of several
    runs.
    """

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.repeated = 0
        self.shared: dict[str, int] = {}  # run_id -> how many runs have it
        self._current: dict[object, Run] = {}
        self._with_id: dict[object, list[Run]] = {}
        self._starts: dict[object, Run] = {}

    def run(self, event: Event) -> Run | None:
        """The run of the next event; None for one that is there twice."""
        key = event.run
        run = self._current.get(key)
        if event.type == "run.started" and event.own:
            start = (key, event.seq, event.timestamp)
            again = self._starts.get(start)
            if again is not None:  # the same file once more
                run = again
            elif run is not None and (run.started is not None or run.excludes(event)):
                run = None
            run = run or self._new(event)
            self._starts[start] = self._current[key] = run
        elif run is None:
            run = self._current[key] = self._new(event)
        elif run.excludes(event):
            others = (each for each in self._with_id[key] if not each.excludes(event) and each is not run)
            run = self._current[key] = next(others, None) or self._new(event)
        if run.take(event):
            return run
        self.repeated += 1
        return None

    def _new(self, event: Event) -> Run:
        run = Run(event, len(self.runs))
        self.runs.append(run)
        same = self._with_id.setdefault(run.key, [])
        same.append(run)
        if len(same) > 1:
            self.shared[str(event.run_id)] = len(same)
        return run
