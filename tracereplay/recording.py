"""What a trace has to answer with: its exchanges, its tool calls, and where it was cut to be replayed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.index import Index
from trace_cli.reading import Reading

from .answer import unanswerable
from .asked import Asked, Redact, request, tool_call

FIXTURE = b'"_fixture":'  # the key of the event that a fixture was made for: {"error": its `_error`}
_TAIL = 4096  # bytes of a line that hold this key, the last one
REQUESTS = ("model.request", "http.request")
ENDS = ("model.response", "model.error", "http.response", "http.error")


@dataclass(slots=True, eq=False)
class Recorded:
    """A request or a tool call that was recorded: the numbers of its events in the index, `end` None without one.

    What was asked stands in the trace; here are only digests of it.
    """

    start: int
    end: int | None = None
    used: int = 0  # how often it was given as an answer
    key: bytes = b""  # of what counts
    whole: bytes = b""  # of everything
    problem: str | None = None  # why its end is no answer


Say = Callable[[str], object]
Found = Callable[[Recorded, Asked], object]


class Recording:
    """The requests and tool calls of a trace, in their order, each with the event that ended it.

    `cut` is the number of the event that a fixture was made for, and `ended` how its run ended; `failure` is the
    same number where that event is an error, and `behind` the request that the agent sent after it. They are None
    in a trace that is no fixture.
    Memory: some hundred bytes an event; their bytes are read again when they are needed.
    """

    def __init__(self, redact: Redact | None) -> None:
        self.index = Index()
        self.redact = redact
        self.exchanges: list[Recorded] = []
        self.tool_calls: list[Recorded] = []
        self.cut: int | None = None
        self.ended: str | None = None
        self.failure: int | None = None
        self.behind: Recorded | None = None
        self._open: dict[tuple[object, str], Recorded] = {}

    def read(
        self,
        files: Sequence[str],
        run: str | None,
        say: Say,
        found: Found,
    ) -> None:
        """Reads what there is. `found` gets each request and call that can be answered, with what it asked.

        `say` gets a line for each that cannot. Raises TraceError for what cannot be read.
        """
        problems: list[str] = []
        trace = Reading(files, say=problems.append, judging=True)
        for event in self.index.adding(trace):
            if run is None or event.run_id == run or self.index.run(event.index).name == run:
                self._take(event, say, found)
        if trace.trouble:
            raise TraceError("\n".join(problems).removeprefix("trace: "))
        for problem in problems:
            say(problem)
        for each in [*self.exchanges, *self.tool_calls]:
            if each.end is None:
                each.problem = "it has no answer in the trace"
        for each in self.exchanges:
            if each.problem is not None:
                say(f"{self.place(each.start)}: this request is left out: {each.problem}")

    @property
    def unsent(self) -> list[Recorded]:
        """The requests that were not sent again, but for that which failed: it may be another now."""
        return [each for each in self.exchanges if not each.used and each.end != self.failure]

    def place(self, number: int) -> str:
        """Where an event stands, for a message."""
        file, row = self.index.place(number)
        return f"{file}:{row}"

    def asked(self, recorded: Recorded) -> Asked:
        """What was asked, read again."""
        event = self.index.event(recorded.start)
        if event.type == "tool.called":
            return tool_call(event.payload, self.redact)
        again = request(event.payload, self.redact)
        assert not isinstance(again, str)  # only what can be answered is recorded
        return again

    def _take(self, event: Event, say: Say, found: Found) -> None:
        number = event.index
        if FIXTURE in event.raw[-_TAIL:] and isinstance(event.fields.get("_fixture"), dict):
            told = event.fields["_fixture"]
            self.cut, self.ended = number, told.get("ended")
            self.failure = number if told.get("error") is not None else None
        key = (event.run, event.call_id or "")
        if event.type in REQUESTS:
            asked = request(event.payload, self.redact)
            if isinstance(asked, str):
                say(f"{event.file}:{event.line}: this request is left out: {asked}")
                return
            recorded = self._open[key] = Recorded(number)
            if self._is_behind(event):
                self.behind = self.behind or recorded
                return
            self.exchanges.append(recorded)
            found(recorded, asked)
        elif event.type == "tool.called":
            recorded = self._open[key] = Recorded(number)
            self.tool_calls.append(recorded)
            found(recorded, tool_call(event.payload, self.redact))
        elif event.type in ENDS or event.type == "tool.result":
            ended = self._open.pop(key, None)
            if ended is not None:
                ended.end = number
                ended.problem = None if event.type == "tool.result" else unanswerable(event.payload)

    def _is_behind(self, event: Event) -> bool:
        """Whether the agent sent this once it had failed. What was recorded as missing is of another run."""
        if self.failure is None or event.type != "model.request":
            return False
        return self.index.run_of[event.index] == self.index.run_of[self.failure]
