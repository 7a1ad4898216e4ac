"""Tap: the front door. Everything that an agent calls is here."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from . import clients, event, guard, hooks, install, step
from . import redact as redaction
from .backlog import Record
from .file import FileSink
from .journal import DRAIN, Journal
from .jsonable import dumps
from .lock import holding
from .rules import Rule
from .run import Run, RunBlock, active, is_failure, told
from .sink import CallbackSink, Sink
from .tools import Call, Calls, ToolBlock, recorded
from .transport import Flight

Client = TypeVar("Client")
Function = TypeVar("Function", bound=Callable[..., Any])
Work = Callable[[], tuple[str, dict[str, Any]]]
Redact = Callable[[bytes], bytes] | list[Rule] | tuple[Rule, ...]
AnySink = FileSink | CallbackSink | str | os.PathLike[str] | Callable[[bytes], object]

OUTPUT_VARIABLE = "AGENTTAP_OUTPUT"
PARENT_VARIABLE = "AGENTTAP_PARENT_RUN_ID"
DISABLED_VARIABLE = "AGENTTAP_DISABLED"
_STILL_IN_FLIGHT = ("cancelled", "Closed", "the tap was closed while the response was still coming")
_BEGINNINGS = {"step.started", "model.request", "http.request", "tool.called"}
_LOCK_WAIT = 0.05  # seconds for another thread to write the run's start
_HEAD = 200  # bytes that a head takes, about
_SMALL = 4096  # bytes; what is kept of a payload that is too large

# Called with each new tap; testing.py's.
newcomers: "list[Callable[[Tap], object]]" = []


class Tap:
    """Records what an agent sends to its model, and what its tools answer, as JSONL (see trace-events(5)).

    `output_path` is a file that is appended to; it and its folders are made with the first event. `writer` is
    called with each line as `bytes`, on a thread of the tap's own. `sinks` are more of either: `FileSink`,
    `CallbackSink`, a path or a function. Every event goes to each, with the same number; one that fails or hangs
    holds up no other. Without any, AGENTTAP_OUTPUT names the file. `rotate_bytes`, `rotate_every`, `keep` and
    `fsync` are for the file of `output_path`: see `FileSink`.

    `name`, `run_id` and `metadata` describe the default run, which lasts until `close`; `run_id` is a UUIDv7
    unless given.

    `redact=[…]` adds rules to the tap's own: a regular expression (text, or compiled, of str or bytes), whose
    matches become `[redacted]`, or a function from str to str. They are asked about every string of an event, keys
    too, in order, and change nothing else. A function instead of a list takes the place of the tap's own rules: it
    maps the JSON of a payload, bytes, to the JSON to be written. Where a function raises, the payload is not
    written. None turns redaction off, except for credential headers and URLs.

    `blocking=False` leaves all writing to the tap's threads. A payload above `max_event_bytes` keeps its small
    values only. What waits to be written takes `max_queue_bytes` of memory for each sink, at most. `raw_streams`
    keeps the chunks of each stream, as they came, beside what they were put together to.

    Nothing here raises into the agent but for mistakes of wiring: ValueError for nowhere to write, a setting that
    makes no sense or a regular expression that is none; TypeError for a sink or a rule of another type, and from
    `wrap` for something that is no client.
    """

    def __init__(
        self,
        output_path: str | os.PathLike[str] | None = None,
        writer: Callable[[bytes], object] | None = None,
        *,
        sinks: Iterable[AnySink] = (),
        name: str | None = None,
        run_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        blocking: bool = True,
        redact: Redact | None = redaction.default,
        max_event_bytes: int = 40 << 20,
        max_queue_bytes: int = 64 << 20,
        rotate_bytes: int | None = None,
        rotate_every: float | timedelta | None = None,
        keep: int | None = None,
        fsync: bool = False,
        raw_streams: bool = False,
    ) -> None:
        self.disabled = os.environ.get(DISABLED_VARIABLE, "") not in ("", "0")
        self.closed = False
        self.redact = redaction.chosen(redact)
        self.max_event_bytes = max_event_bytes
        self.raw_streams = raw_streams
        self.in_flight: dict[str, Flight] = {}  # by call_id
        self.subclasses: dict[Any, type] = {}  # made by clients.py, which keeps them here
        path = output_path
        if path is None and writer is None and not (sinks := list(sinks)):
            path = os.environ.get(OUTPUT_VARIABLE) or (os.devnull if self.disabled or newcomers else None)
        rules = {"rotate_bytes": rotate_bytes, "rotate_every": rotate_every, "keep": keep, "fsync": fsync}
        self.journal = Journal(
            _sinks(path, rules, writer, sinks), blocking=blocking, max_queue_bytes=max_queue_bytes
        )
        self._default = Run(run_id, name, metadata, os.environ.get(PARENT_VARIABLE) or None)
        self._heirs: dict[str, Run] = {}  # in a forked child: by run_id of the parent's run, the child's own
        self._ancestors: dict[str, str] = {}  # the same for the process that this one was forked from, by run_id
        self._calls = Calls()
        hooks.know(self)
        if not self.disabled:
            hooks.add(self)
        for welcome in list(newcomers):
            welcome(self)

    # --- model calls -------------------------------------------------------------------------------------------

    def wrap(self, client: Client) -> Client:
        """Record every HTTP exchange of an SDK's client, and return that same client.

        Takes `anthropic.Anthropic` and `AsyncAnthropic`, other SDK clients built on httpx or httpx2 (OpenAI's
        among them), and httpx clients themselves. Clones made with `with_options` are covered, unless they are
        given an `http_client` of their own. Wrapping twice is as once. Raises TypeError for anything else.
        """
        if not self.disabled:
            clients.wrap(self, client)
        return client

    def install(self, *, everything: bool = False) -> Self:
        """Record what every client of httpx and httpx2 sends to a model, and return this tap: for agents built on
        a framework that hides the client.

        Covers the clients that exist already, those made later, and those of a library that is imported later. A
        tool of the agent's may use the same libraries, so a request is recorded only if its URL and its body are
        those of a generation endpoint; with `everything`, each is. A client that is wrapped as well is recorded
        once, and all of it. Closing the tap undoes this.
        """
        if self.recording:
            guard.attempt(install.add, self, everything)
        return self

    # --- tool calls --------------------------------------------------------------------------------------------

    def record_tool_call(self, tool_name: str, args: object = None, *, call_id: str | None = None) -> str:
        """Record that a tool is about to run; return the call's id, made up unless given."""
        own = guard.text(call_id) if call_id is not None else event.new_id("call")
        guard.attempt(self._tool_called, tool_name, args, own)
        return own

    def record_tool_result(
        self, tool_name: str, result: object = None, error: object = None, *, call_id: str | None = None
    ) -> None:
        """Record what a tool returned, or the error it ended in: text, an exception, or anything else but None.

        The call it belongs to is the one with `call_id`; without it, the latest open call of that tool in this
        thread or task; else the only open call of that tool; else none.
        """
        guard.attempt(self._tool_result, tool_name, result, error, call_id)

    def tool_call(self, tool_name: str, args: object = None, *, call_id: str | None = None) -> ToolBlock:
        """Return a context manager (`with` or `async with`) around one tool call; set its `result` or `error`."""
        return ToolBlock(self, tool_name, args, call_id)

    @overload
    def tool(self, function: Function, /) -> Function: ...

    @overload
    def tool(self, function: None = None, /, *, name: str | None = None) -> Callable[[Function], Function]: ...

    def tool(self, function: Any = None, /, *, name: str | None = None) -> Any:
        """Decorate a tool, as `@tap.tool` or `@tap.tool(name=...)`: each call and its outcome are recorded.

        For plain and async functions, generators and async generators (whose result is the list of what they
        gave). Arguments are recorded by name. An exception is recorded and goes on unchanged.
        """
        if function is None:
            return lambda wanted: recorded(self, wanted, name)
        return recorded(self, function, name)

    # --- runs and other events ---------------------------------------------------------------------------------

    def run(
        self, name: str | None = None, metadata: Mapping[str, Any] | None = None, *, run_id: str | None = None
    ) -> RunBlock:
        """Return a context manager (`with` or `async with`) around one run: one task of an agent.

        Whatever is recorded inside, in this thread or task and in the tasks that it starts, belongs to that run. A
        new thread does so if it is started with `contextvars.copy_context().run`. An exception that leaves the
        block is the run's error, and goes on unchanged. The manager's `run_id` is the run's.
        """
        return RunBlock(self, run_id, name, metadata)

    def step(self, name: str, /, **attributes: Any) -> step.StepBlock:
        """Return a context manager (`with` or `async with`) around one step of a run; steps may be nested.

        Events inside name it in their `step_id`. An exception that leaves the block is the step's error.
        """
        return step.StepBlock(self, name, attributes)

    def record(self, type: str, /, **payload: Any) -> None:
        """Record an event of any type; types are dotted lower case by convention."""
        guard.attempt(self._record, type, payload)

    @property
    def run_id(self) -> str:
        """The id of the run that this thread or task is in."""
        return self.current_run().run_id

    def environment(self) -> dict[str, str]:
        """Return the variables that make a child process's run name this one as its parent.

        The tap does not touch `os.environ` itself: that would be seen by everything in this process, whichever
        run it is in. Pass them on: `subprocess.run(..., env=os.environ | tap.environment())`.
        """
        return {PARENT_VARIABLE: self.run_id}

    # --- the end -----------------------------------------------------------------------------------------------

    def flush(self, timeout: float = DRAIN) -> bool:
        """Wait until everything so far is written; False if that took longer than `timeout` seconds."""
        return bool(guard.attempt(self.journal.flush, timeout, default=False))

    def close(self) -> None:
        """End the default run and write what is left, for 2 seconds at most. Later events are not recorded."""
        if self.closed:
            return
        guard.attempt(self._close)
        self.closed = True
        guard.attempt(install.remove, self)
        guard.attempt(hooks.remove, self)

    def stats(self) -> dict[str, Any]:
        """Return what was written and what was not, over all sinks and for each.

        `written` and `dropped` count events, `queued_bytes` the memory that what waits takes, `longest_wait_ms` is
        the longest that recording one event has taken; `sinks` is a list of the first three for each sink, with
        its `name`.
        """
        sinks: list[dict[str, Any]] = [
            {
                "name": feed.sink.name,
                "written": feed.written,
                "dropped": feed.dropped,
                "queued_bytes": feed.queued_bytes,
            }
            for feed in self.journal.feeds
        ]
        return {
            "written": sum(sink["written"] for sink in sinks),
            "dropped": sum(sink["dropped"] for sink in sinks),
            "queued_bytes": sum(sink["queued_bytes"] for sink in sinks) + self.journal.held(),
            "longest_wait_ms": round(self.journal.longest_wait * 1000, 3),
            "sinks": sinks,
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and is_failure(error):
            guard.attempt(self.end_run_uncaught, error)
        self.close()

    # --- used by the tap's own parts ---------------------------------------------------------------------------

    @property
    def recording(self) -> bool:
        """Whether what is put is written."""
        return not (self.closed or self.disabled)

    def parent_run_id(self) -> str | None:
        """Return what a new run names as its parent: the run around it, if there is one in this thread or task."""
        around = active(self)
        return self.heir(around).run_id if around is not None else os.environ.get(PARENT_VARIABLE) or None

    def heir(self, run: Run) -> Run:
        """Return `run`, or in a forked child the run that stands for it there."""
        if run.pid == os.getpid():
            return run
        own = self._heirs.get(run.run_id)
        if own is None:
            parent = self._ancestors.get(run.run_id, run.run_id)
            own = self._heirs.setdefault(run.run_id, Run(None, run.name, run.metadata, parent))
        return own

    def announce(self, run: Run) -> None:
        """Write `run.started`, unless that is done. May raise."""
        if run.announced or self.disabled or self.closed:
            return
        from . import __version__

        # Made before the lock is taken: what the agent gave as metadata may be slow to show, or record something.
        me = threading.get_ident()
        if me in run.announcing:
            return
        run.announcing.add(me)
        try:
            opening = self._record_of(run, "run.started", run.opening(__version__))
        finally:
            run.announcing.discard(me)
        holding(run.lock, _LOCK_WAIT, self._open, run, opening, default=None)

    def end_run(self, run: Run, error: BaseException | None) -> None:
        """Write `run.ended`, once, if `run.started` was written. `run` must be this process's own. May raise."""
        if run.ended or not run.announced:
            return
        run.ended = True
        run.failure = told(error) if error else run.failure
        self.put(run, "run.ended", run.closing(), counts=True)

    def end_run_uncaught(self, error: BaseException) -> None:
        """End the default run with an exception that nobody caught. May raise."""
        run = self._base()
        self.announce(run)
        self.end_run(run, error)

    def thread_failed(self, error: BaseException) -> None:
        """Note that a thread died of an exception: the default run did not go well, though it goes on."""
        run = self._base()
        run.failure = run.failure or told(error)

    def lend(self, journal: Journal) -> Callable[[], None]:
        """Write to another journal, as a run of its own and even when disabled; return what undoes that."""
        own, disabled, default, closed = self.journal, self.disabled, self._default, self.closed
        before = set(self.in_flight)
        self.journal, self.disabled = journal, False
        self._default = Run(default.given_id, default.name, default.metadata, default.parent_run_id)

        def take_back() -> None:
            for call_id, flight in list(self.in_flight.items()):
                if call_id not in before:
                    guard.attempt(flight.end, _STILL_IN_FLIGHT)
            self.journal, self.disabled, self._default = own, disabled, default
            if self.closed and not closed:
                guard.attempt(own.close)

        return take_back

    def after_fork(self) -> None:
        """Become the tap of a forked child: nothing of its parent's is written here."""
        self.journal.reset()
        self._calls.reset()
        self.in_flight = {}
        self._ancestors |= {run_id: own.run_id for run_id, own in self._heirs.items() if own.announced}
        self._heirs = {}
        if not self._default.announced:
            # The parent had not begun: this run is as much the child's as the parent's.
            self._default = Run(None, self._default.name, self._default.metadata, self._default.parent_run_id)

    def current_run(self) -> Run:
        """Return the run that this thread or task is in."""
        return self.heir(active(self) or self._default)

    def current_step(self) -> str | None:
        """Return the id of the step that this thread or task is in."""
        return step.active(self)

    def put(
        self,
        run: Run,
        type: str,
        payload: dict[str, Any],
        call_id: str | None = None,
        step_id: str | None = None,
        *,
        counts: bool = False,
    ) -> None:
        """Record one event. May raise, when the payload or the environment is stranger than was thought of."""
        if (self.disabled or self.closed) and self._off():
            return
        if not run.announced:
            self.announce(run)
        if type in _BEGINNINGS:
            hooks.goes_on()
        self.journal.put(self._record_of(run, type, payload, call_id, step_id, counts))

    def put_later(
        self,
        run: Run,
        call_id: str,
        step_id: str | None,
        work: Work,
        size: int,
    ) -> None:
        """Record an event whose type and payload `work` makes on the writer thread. Takes no locks.

        `size` is what was counted with `journal.hold` for it.
        """

        def later() -> tuple[str, bytes]:
            type, payload = work()
            return type, self._redacted(self._dumps(payload))

        if not self.closed:
            self.journal.put_from_finaliser(
                Record(run, "", call_id, step_id, b"", size, later=later, timestamp=event.now(), held=size)
            )

    # --- inside ------------------------------------------------------------------------------------------------

    def _record_of(
        self,
        run: Run,
        type: str,
        payload: dict[str, Any],
        call_id: str | None = None,
        step_id: str | None = None,
        counts: bool = False,
    ) -> Record:
        safe_type = event.safe_type(type)
        safe_id = None if call_id is None else event.safe(call_id)
        given = run.given_id if type == "run.started" and run.given_id not in (None, run.run_id) else None
        if safe_type != type or safe_id != call_id or given is not None:
            original = {
                name: value
                for name, value, written in (
                    ("type", type, safe_type),
                    ("call_id", call_id, safe_id),
                    ("run_id", given, None),
                )
                if value != written
            }
            payload = payload | {"original": original}
        raw = self._dumps(payload)
        size = len(raw) + _HEAD
        if self.redact is redaction.default and not self.journal.direct:
            # The threads write all of it: let them do this too. What is the agent's own runs right here.
            return Record(
                run,
                safe_type,
                safe_id,
                step_id,
                b"",
                size,
                counts=counts,
                later=lambda: (safe_type, self._redacted(raw)),
            )
        return Record(run, safe_type, safe_id, step_id, self._redacted(raw), size, counts=counts)

    def _open(self, run: Run, opening: Record) -> None:
        if not run.announced:
            self.journal.put(opening)
            run.announced = True
            hooks.before_multiprocessing_exit(self)

    def _base(self) -> Run:
        return self.heir(self._default)

    def _dumps(self, payload: dict[str, Any]) -> bytes:
        raw = dumps(payload)
        if len(raw) > self.max_event_bytes:
            kept = {key: value for key, value in payload.items() if len(dumps(value)) <= _SMALL}
            raw = dumps(kept | {"truncated": True, "bytes": len(raw)})
        return raw

    def _redacted(self, raw: bytes) -> bytes:
        if self.redact is None:
            return raw
        redacted: bytes | None = guard.attempt(redaction.checked, self.redact, raw)
        # What could not be looked through is not written.
        return redacted if redacted is not None else dumps({"left_out": "redaction failed", "bytes": len(raw)})

    def _off(self) -> bool:
        if self.disabled:
            return True
        if self.closed:
            guard.tell(f"closed {id(self)}", "the tap is closed: events are no longer recorded")
        return self.closed

    def _record(self, type: str, payload: dict[str, Any]) -> None:
        self.put(self.current_run(), type, payload, None, self.current_step())

    def _tool_called(self, tool_name: str, args: object, call_id: str) -> None:
        if self._off():
            return
        run = self.current_run()
        call = Call(tool_name, call_id, run)
        self._calls.add(call)
        self.put(run, "tool.called", {"tool_name": tool_name, "args": args}, call_id, self.current_step())
        call.started = time.perf_counter()  # what recording took is no part of it

    def _tool_result(self, tool_name: str, result: object, error: object, call_id: str | None) -> None:
        call_id = None if call_id is None else guard.text(call_id)
        call = self._calls.take(tool_name, call_id)
        raised = error if isinstance(error, BaseException) else None
        payload = {
            "tool_name": tool_name,
            "result": result,
            **(
                told(raised)
                if raised
                else {"error": None if error is None else guard.text(error), "exception": None}
            ),
            "duration_ms": round((time.perf_counter() - call.started) * 1000, 3) if call else None,
        }
        run = self.heir(call.run) if call else self.current_run()
        self.put(run, "tool.result", payload, call.call_id if call else call_id, self.current_step())

    def _close(self) -> None:
        for flight in list(self.in_flight.values()):
            guard.attempt(flight.end, _STILL_IN_FLIGHT)
        run = self._base()
        self.end_run(run, None)
        self.journal.close()


def _sinks(
    path: str | os.PathLike[str] | None,
    rules: dict[str, Any],
    writer: Callable[[bytes], object] | None,
    more: Iterable[AnySink],
) -> list[Sink]:
    """Return the sinks of a tap. Raises ValueError for none, TypeError for what is no sink."""
    if path is None and any(rules.values()):
        raise ValueError(
            "rotate_bytes=, rotate_every=, keep= and fsync= are for the file of output_path=; "
            "in sinks=, give them to FileSink"
        )
    sinks: list[Sink] = [FileSink(path, **rules)] if path is not None else []
    for one in (*(() if writer is None else (writer,)), *more):
        if isinstance(one, FileSink | CallbackSink):
            sinks.append(one)
        elif isinstance(one, str | os.PathLike):
            sinks.append(FileSink(one))
        elif callable(one):
            sinks.append(CallbackSink(one))
        else:
            raise TypeError(
                f"a sink is a path, a function that takes bytes, a FileSink or a CallbackSink, not {one!r}"
            )
    if not sinks:
        raise ValueError(
            'Tap has nowhere to write: pass output_path="runs/run.jsonl" or writer=callable, '
            f"or set {OUTPUT_VARIABLE}"
        )
    return sinks
