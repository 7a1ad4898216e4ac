"""Replay: the front door. What an agent asks of its model and its tools is answered from a trace."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from agenttap import Tap
from agenttap import redact as redaction
from agenttap.endpoints import classify
from agenttap.recorder import Recorder
from agenttap.tools import name_of

from trace_cli import streams
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.reading import talk

from . import again, clients, tools
from .answer import Answer, answer
from .asked import Asked, Match, Matching, Request, sent
from .lookup import Lookup, whole
from .nearest import SHOWN, Miss, told
from .recording import Recorded, Recording
from .rerun import Past, Reproduced, rerun

MODES = ("replay", "record-missing", "off")
# What SDKs want to have before they send anything; each is set while a replay is installed, if it is not.
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")

Client = TypeVar("Client")
Function = TypeVar("Function", bound=Callable[..., Any])


class Replay:
    """Answers what is asked of a model, and of tools, with what was recorded: no network, no cost.

        with Replay.load("run.jsonl") as replay:
            client = replay.wrap(anthropic.Anthropic(api_key="none"))

    Plain responses come with the bytes that were recorded, streams as streams, errors as the SDK raises them. What
    was not recorded raises `Miss`, which says what comes nearest. At the end, what was never asked for is told.
    """

    def __init__(
        self,
        recording: Recording,
        lookup: Lookup,
        matching: Matching,
        mode: str,
        pace: bool,
        path: str,
        say: Callable[[str], object],
    ) -> None:
        self.recording = recording
        self.mode = mode
        self.pace = pace
        self.closed = False
        self.misses: list[str] = []
        """What was asked for and not recorded, one text each, also where the agent caught the exception."""
        self.past = False  # a fixture: the agent has got past the failure that it was made for
        self.reproduced = False  # it has failed in the same way
        self.judging = False  # that is being found out
        self._lookup = lookup
        self._matching = matching
        self.paths = lookup.paths
        """The paths of the recorded requests."""
        self._path = path
        self._say = say
        self._tools: set[str] = set()
        self._tap: Tap | None = None
        self._lock = threading.Lock()
        self._undo = ExitStack()
        self._installed = False

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *more: str | os.PathLike[str],
        mode: str = "replay",
        match: Match = "body",
        ignore: str | Sequence[str] = (),
        run: str | None = None,
        redact: redaction.Redact | None = redaction.default,
        pace: bool = False,
        repeat: bool = False,
        say: Callable[[str], object] = talk,
    ) -> Self:
        """Reads a trace, or several; `run` is the id or the name of the only run that counts.

        `mode` is "replay"; "record-missing", which lets what was not recorded go to the network and appends it to
        `path`; or "off", as if there was no replay.

        Requests are the same when method, path, query and body are, after the redaction that a recording goes
        through: `redact` is that of `Tap`. Volatile fields do not count (ids, who asks, and what `trace diff`
        disregards), nor does what `ignore` names: JSON pointers into the line, such as /payload/body/system.
        `match="path"` disregards the body, a function from a request (its `method`, `target` and `body`) to
        anything takes the place of all that. The same request is answered with the recorded answers in their
        order, each once; with `repeat` they begin anew. A stream is given where one is asked for, however it was
        recorded.

        With `pace` answers take the time that they took. `say` gets each line of talk: what cannot be replayed,
        and at the end what was not used.

        Raises TraceError for what cannot be read or has nothing to replay, ValueError for an option that makes no
        sense.
        """
        if mode not in MODES:
            raise ValueError(f"mode={mode!r}: write one of {', '.join(MODES)}")
        names = [os.fspath(each) for each in (path, *more)]
        matching = Matching(match, ignore)
        recording = Recording(redaction.chosen(redact))
        lookup = Lookup(matching, recording.asked, repeat)
        if mode == "record-missing":
            if not os.path.exists(names[0]):
                del names[0]
            elif not streams.is_plain(names[0]):
                raise TraceError(f"{names[0]}: is compressed or no file, so nothing can be appended to it")
        if mode != "off" and names:
            recording.read(names, run, say, lookup.add)
            lookup.drop([each for each in lookup.all if each.problem is not None])
            recording.exchanges = [each for each in recording.exchanges if each.problem is None]
            if mode == "replay" and not lookup.all:
                raise TraceError(
                    f"{', '.join(names)}: there is no request in it that could be replayed",
                    "a trace that agenttap recorded has them: trace types FILE",
                )
        return cls(recording, lookup, matching, mode, pace, os.fspath(path), say)

    # --- what is answered --------------------------------------------------------------------------------------

    def wrap(self, client: Client) -> Client:
        """Answer every request of an SDK's client, or of a client of httpx or httpx2, and return that same client.

        A tap on it goes on recording, whichever of the two wrapped it first. Raises TypeError for no client.
        """
        self._expect_open()
        undo = clients.wrap(self, client)
        if self.mode == "off":
            undo()
        else:
            self._undo.callback(undo)
        return client

    def install(self) -> Self:
        """Answer what every client of httpx and httpx2 in this process sends to a model, or sent when it was
        recorded, until `close`: for agents that make their client themselves. What else tools send goes on.

        SDKs without a key get one that is none.
        """
        self._expect_open()
        if self.mode != "off" and not self._installed:
            self._installed = True
            self._undo.callback(clients.install(self))
            if self.mode == "replay":
                self._undo.enter_context(_keys())
        return self

    def _expect_open(self) -> None:
        if self.closed:
            raise ValueError("this replay is closed: load the trace again")

    @overload
    def tool(self, function: Function, /) -> Function: ...

    @overload
    def tool(
        self, function: None = None, /, *, name: str | None = None, result: Callable[[Any], Any] | None = None
    ) -> Callable[[Function], Function]: ...

    def tool(
        self, function: Any = None, /, *, name: str | None = None, result: Callable[[Any], Any] | None = None
    ) -> Any:
        """Decorate a tool, as `@replay.tool` or `@replay.tool(name=…, result=…)`: its calls are answered.

        With what was recorded for the same arguments, in order: a result as JSON has it, from which `result` makes
        what the tool returns; an error as an exception, of Python's own class where it was one, else a
        `RecordedError`.
        """
        if function is None:
            return lambda wanted: self.tool(wanted, name=name, result=result)
        made = tools.decorated(self, function, name, result)
        self._tools.add(name or name_of(function))
        return made

    def rerun(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run an agent again, and fail if it does not do what it did; return what `function(…)` returns.

        Its models are answered as after `install`; tools run. Of a trace that `trace fixture` made, the agent has
        to get past the failure it was made for: at the first request behind that it is stopped, and None returned.
        Where it fails in the same way, `Reproduced` is raised. Of any other trace it has to make every request.
        Where it goes another way, `Miss` is raised. A coroutine is run by asyncio.
        """
        __tracebackhide__ = True
        return rerun(self, function, args, kwargs)

    # --- what becomes of it ------------------------------------------------------------------------------------

    @property
    def unused(self) -> list[Event]:
        """The recorded requests that were not sent, and the calls of replayed tools that were not made."""
        left = self._lookup.unused()
        if self.past:  # what failed may have been asked otherwise
            left = [each for each in left if each.end != self.recording.failure]
        return [event for event in map(self._event, left) if self._counts(event)]

    @property
    def asked(self) -> bool:
        """Whether anything was asked at all."""
        return any(each.used for each in self._lookup.all) or bool(self.misses)

    @property
    def failed(self) -> bool:
        """Whether the exchange that a fixture is about was asked for again: an error of the API's."""
        failure = self.recording.failure
        return failure is not None and any(each.used and each.end == failure for each in self.recording.exchanges)

    @property
    def failure(self) -> str | None:
        """What the fixture was made for, in a line; None in any other trace."""
        return None if self.recording.failure is None else again.failure_text(self.recording).partition("\n")[0]

    def rewind(self) -> None:
        """Begin anew, as if nothing had been asked."""
        with self._lock:
            self._lookup.rewind()
            self.misses.clear()
            self.past = self.reproduced = False

    def close(self) -> None:
        """Give clients back their network, and say what was not used. Calls after the first do nothing."""
        if self.closed:
            return
        self.closed = True
        self._undo.close()
        if self._tap is not None:
            self._tap.close()
        for each in self.report():
            self._say(each)
        self.recording.index.let_go()

    def report(self) -> list[str]:
        """What was never asked for, in lines; none where all was."""
        unused = [] if self.mode == "off" else self.unused
        lines = []
        for what, done, tool in (("request", "sent", False), ("tool call", "made", True)):
            places = [f"{each.file}:{each.line}" for each in unused if (each.type == "tool.called") == tool]
            if places:
                several = f"{what}s were" if len(places) > 1 else f"{what} was"
                more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
                lines.append(
                    f"replay: {len(places)} recorded {several} never {done}: {', '.join(places[:SHOWN])}{more}"
                )
        return lines

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, and raise what was caught on its way here, a Miss or Reproduced."""
        self.close()
        if error is None and self.misses:
            raise Miss(self.misses[0])
        if error is None and self.reproduced:
            raise Reproduced(self.failure)

    # --- for the transports and tools --------------------------------------------------------------------------

    @property
    def tap(self) -> Tap:
        """What records the missing."""
        with self._lock:
            if self._tap is None:
                self._tap = Tap(
                    self._path, name="recorded as missing", redact=self.recording.redact, raw_streams=True
                )
            return self._tap

    @property
    def recorder(self) -> Recorder:
        """The same, as transports want it."""
        return self.tap.recorder

    def may_answer(self, method: str, path: str) -> bool:
        """Whether a request of anybody's may be one for this replay, by what can be known without its body."""
        return not self.closed and (path in self.paths or classify(method, path, None)[0] == "model")

    def is_asked(self, method: str, path: str, body: bytes) -> bool:
        """Whether it is: a request to a model, or to where the recorded ones went."""
        return path in self.paths or classify(method, path, body, sure=True)[0] == "model"

    def answer(self, method: str, url: str, body: bytes | None) -> Answer | None:
        """What is to be sent; None for the network. Raises Miss, and what else ends a rerun."""
        __tracebackhide__ = True
        asked = sent(method, url, body, self.recording.redact)
        with self._lock:
            recorded = self._take(asked)
            if recorded is None:
                return None
            assert recorded.end is not None  # else it was left out
            event = self.recording.index.event(recorded.end)
            stream = self._form(asked, recorded, event)
        return answer(event, stream, quick=not self.pace)

    def result(self, asked: Asked) -> Event | None:
        """The `tool.result` of a call; None where the tool is to run."""
        __tracebackhide__ = True
        if self.closed or self.mode == "off":
            return None
        with self._lock:
            recorded = self._take(asked)
            if recorded is None:
                return None
            assert recorded.end is not None  # else it was left out
            return self.recording.index.event(recorded.end)

    def _take(self, asked: Asked) -> Recorded | None:
        __tracebackhide__ = True
        recorded = self._lookup.take(asked)
        if recorded is not None:
            return recorded
        if self.recording.cut is not None and isinstance(asked, Request):
            self._judge(asked)
        if self.mode == "record-missing":
            return None
        raise self._missed(told(asked, self._lookup, self.recording, self._matching))

    def _judge(self, asked: Request) -> None:
        """Ends a rerun at a request that comes where the fixture ends."""
        recording, behind = self.recording, self.recording.behind
        if behind is not None and self._lookup.same(asked, behind):
            self.reproduced = True
        elif not self.judging or self.mode != "replay" or self.recording.unsent:
            return
        elif behind is not None:
            before = recording.asked(behind)
            self.reproduced = isinstance(before, Request) and again.sent(recording, before, asked, self.failed)
        if self.reproduced:
            raise Reproduced(again.failure_text(recording))
        self.past = True
        raise Past

    def _form(self, asked: Request, recorded: Recorded, end: Event) -> bool | None:
        """Whether a stream is wanted; None where the same form as then is."""
        if asked.streams in (None, end.payload.get("stream") is True) or recorded.whole == whole(asked):
            return None
        before = self.recording.asked(recorded)
        return None if isinstance(before, Request) and before.streams == asked.streams else asked.streams

    def _missed(self, text: str) -> Miss:
        self.misses.append(text)
        return Miss(text)

    def _event(self, recorded: Recorded) -> Event:
        return self.recording.index.event(recorded.start)

    def _counts(self, event: Event) -> bool:
        return event.type != "tool.called" or event.tool_name in self._tools


_holders = 0  # installed replays, of which the last to go takes the keys along
_made: list[str] = []


@contextmanager
def _keys() -> Iterator[None]:
    """Gives the SDKs that have no key one that is none."""
    global _holders
    if not _holders:
        _made[:] = [name for name in KEYS if not os.environ.get(name)]
        os.environ |= dict.fromkeys(_made, "replayed")
    _holders += 1
    try:
        yield
    finally:
        _holders -= 1
        for name in _made if not _holders else ():
            os.environ.pop(name, None)
