"""Tap: the front door. Everything that an agent calls is here."""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from . import clients, guard, hooks, installed, settings
from . import redact as redaction
from .attached import Attachment
from .journal import DRAIN, Journal
from .recorder import Recorder
from .redact import Redact
from .run import Run, RunBlock, active, is_failure
from .step import StepBlock
from .step import decorated as decorated_step
from .subscriber import Event, Subscription
from .tools import ToolBlock, decorated
from .wanted import Globs

Client = TypeVar("Client")
Function = TypeVar("Function", bound=Callable[..., Any])

# Called with each new tap; testing.py's.
newcomers: list[Callable[[Recorder], object]] = []


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
    matches become `[redacted]`, or a function from str to str. They are asked about every string of an event in
    order, keys too but for those of trace-events(5), and change nothing else. A function instead of a list takes
    the place of the tap's own rules: it maps the JSON of a payload, bytes, to the JSON to be written. Where a
    function fails, the payload is not written. None turns redaction off, except for credential headers and URLs.

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
        sinks: Iterable[settings.AnySink] = (),
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
        disabled = settings.is_disabled()
        self.recorder = Recorder(
            Journal(
                settings.sinks(
                    output_path,
                    {"rotate_bytes": rotate_bytes, "rotate_every": rotate_every, "keep": keep, "fsync": fsync},
                    writer,
                    sinks,
                    os.devnull if disabled or newcomers else None,
                ),
                blocking=blocking,
                max_queue_bytes=settings.size("max_queue_bytes", max_queue_bytes),
            ),
            Run(run_id, name, metadata, settings.parent_run_id()),
            disabled=disabled,
            redact=redaction.chosen(redact),
            max_event_bytes=settings.size("max_event_bytes", max_event_bytes),
            raw_streams=raw_streams,
        )
        hooks.know(self.recorder)
        if not disabled:
            hooks.add(self.recorder)
        for welcome in list(newcomers):
            welcome(self.recorder)

    # --- model calls -------------------------------------------------------------------------------------------

    def wrap(self, client: Client) -> Client:
        """Record every HTTP exchange of an SDK's client, and return that same client.

        Takes `anthropic.Anthropic` and `AsyncAnthropic`, other SDK clients built on httpx or httpx2 (OpenAI's
        among them), and httpx clients themselves. Clones made with `with_options` are covered, unless they are
        given an `http_client` of their own. Wrapping twice is as once. Raises TypeError for anything else.
        """
        if not self.recorder.disabled:
            clients.wrap(self.recorder, client)
        return client

    def install(self, *, everything: bool = False) -> Self:
        """Record what every client of httpx and httpx2 sends to a model, and return this tap: for agents built on
        a framework that hides the client.

        Covers the clients that exist already, those made later, and those of a library that is imported later. A
        tool of the agent's may use the same libraries, so a request is recorded only if its URL and its body are
        those of a generation endpoint; with `everything`, each is. A client that is wrapped as well is recorded
        once, and all of it. Closing the tap undoes this.
        """
        if self.recorder.recording:
            guard.attempt(installed.add, self.recorder, everything)
        return self

    # --- tool calls --------------------------------------------------------------------------------------------

    def record_tool_call(self, tool_name: str, args: object = None, *, call_id: str | None = None) -> str:
        """Record that a tool is about to run; return the call's id, made up unless given."""
        return self.recorder.record_tool_call(tool_name, args, call_id)

    def record_tool_result(
        self, tool_name: str, result: object = None, error: object = None, *, call_id: str | None = None
    ) -> None:
        """Record what a tool returned, or the error it ended in: text, an exception, or anything else but None.

        The call it belongs to is the one with `call_id`; without it, the latest open call of that tool in this
        thread or task; else the only open call of that tool; else none.
        """
        self.recorder.record_tool_result(tool_name, result, error, call_id)

    def tool_call(self, tool_name: str, args: object = None, *, call_id: str | None = None) -> ToolBlock:
        """Return a context manager (`with` or `async with`) around one tool call; set its `result` or `error`."""
        return ToolBlock(self.recorder, tool_name, args, call_id)

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
            return lambda wanted: decorated(self.recorder, wanted, name)
        return decorated(self.recorder, function, name)

    # --- runs and other events ---------------------------------------------------------------------------------

    def run(
        self, name: str | None = None, metadata: Mapping[str, Any] | None = None, *, run_id: str | None = None
    ) -> RunBlock:
        """Return a context manager (`with` or `async with`) around one run: one task of an agent.

        Whatever is recorded inside, in this thread or task and in the tasks that it starts, belongs to that run. A
        new thread does so if it is started with `contextvars.copy_context().run`. An exception that leaves the
        block is the run's error, and goes on unchanged. The manager's `run_id` is the run's.
        """
        return RunBlock(self.recorder, run_id, name, metadata)

    @overload
    def step(self, name: str, /, **attributes: Any) -> StepBlock: ...

    @overload
    def step(self, name: Function, /) -> Function: ...

    def step(self, name: Any, /, **attributes: Any) -> Any:
        """Return a context manager (`with` or `async with`) around one step of a run; steps may be nested.

        Events inside name it in their `step_id`, and a step inside in its `parent_id`. An exception that leaves
        the block is the step's error, and goes on unchanged.

        It decorates functions too, plain and async ones and generators: `@tap.step("retrieve", index="sales")`, or
        `@tap.step` for the name that the function has. Each call is a step.
        """
        if callable(name) or isinstance(name, classmethod | staticmethod | property):
            return decorated_step(self.recorder, name)
        return StepBlock(self.recorder, name, attributes)

    def record(self, type: str, /, **payload: Any) -> None:
        """Record an event of any type; types are dotted lower case by convention."""
        self.recorder.record(type, payload)

    @property
    def run_id(self) -> str:
        """The id of the run that this thread or task is in."""
        return self.recorder.current_run().run_id

    def environment(self) -> dict[str, str]:
        """Return the variables that make a child process's run name this one as its parent.

        The tap does not touch `os.environ` itself: that would be seen by everything in this process, whichever
        run it is in. Pass them on: `subprocess.run(..., env=os.environ | tap.environment())`.
        """
        return {settings.PARENT_VARIABLE: self.run_id}

    # --- what else the agent wants with the events -------------------------------------------------------------

    def subscribe(
        self,
        function: Callable[[Event], object],
        types: Globs = "*",
        *,
        errors: bool = False,
        max_queue_bytes: int = 8 << 20,
    ) -> Subscription:
        """Call a function with each event from now on, and return the handle that ends this (`cancel`).

        The event is a dict as it stands in the trace, redacted, its own for each subscriber. `types` are globs,
        one or several; with `errors` only events come that tell of an error. The function is called on a thread of
        its own, in the order of the events. What it raises is counted and reported once. While it is slow, events
        wait in `max_queue_bytes` of memory; beyond that they are dropped for it, counted, and in their place comes
        a `tap.dropped`, if that is among the types. What it records goes to the sinks, but to no subscriber.

        The handle tells how many were `delivered`, `failed`, are `queued` and were `dropped`. As a `with` block it
        waits at its end until all is delivered. Raises TypeError for what is no plain function.
        """
        room = settings.size("max_queue_bytes", max_queue_bytes)
        subscription = Subscription(self.recorder, function, types, errors, room)
        if self.recorder.recording:
            self.recorder.subscribe(subscription)
        return subscription

    def attach(
        self,
        name: str,
        function: Callable[[], Any],
        on: Globs = "model.response",
        *,
        timeout: float | None = 0.1,
        max_bytes: int = 64 << 10,
    ) -> Attachment:
        """Put what a function gives at that moment into the payload of each event of the types `on`.

        It stands under `attached`, by its name: the state of a store, a budget, a memory. Inside a `with
        tap.run()` block it is asked for that run only, and as long as that lasts; else for all runs, until the
        handle that is returned is told to `cancel`. A later one with the same name takes its place.

        The function is called on a thread of its own, in the context of the event, and the agent waits for it:
        `timeout` seconds at most, and no more while a call hangs. With None it is called right where the event
        happens, without a limit: for what belongs to one thread, as a connection of sqlite3 does. An async
        function is awaited where the event happens in async code: in `async with` blocks and decorated coroutines,
        and at what an async client sends.

        In the place of what is late, or raised, is `{"left_out": …}`; of what takes more than `max_bytes` as JSON,
        `{"truncated": true, "bytes": …}` and, of a dict, the small values. Raises TypeError or ValueError for what
        is no function, name or number.
        """
        room = settings.size("max_bytes", max_bytes)
        attachment = Attachment(self.recorder, active(self.recorder), name, function, on, timeout, room)
        self.recorder.attach(attachment)
        return attachment

    # --- the end -----------------------------------------------------------------------------------------------

    def flush(self, timeout: float | None = DRAIN) -> bool:
        """Wait until everything so far is written; False if that took longer than `timeout` seconds.

        None waits as long as it takes.
        """
        timeout = threading.TIMEOUT_MAX / 2 if timeout is None else min(timeout, threading.TIMEOUT_MAX / 2)
        return bool(guard.attempt(self.recorder.flush, timeout, default=False))

    def close(self) -> None:
        """End the default run and write what is left, for 2 seconds at most. Later events are not recorded."""
        self.recorder.close()

    def stats(self) -> dict[str, Any]:
        """Return what was written and what was not, over all sinks and for each.

        `written` and `dropped` count events, `queued_bytes` the memory that what waits takes, `longest_wait_ms` is
        the longest that recording one event has taken; `sinks` is a list of the first three for each sink, with
        its `name`; `subscribers` one of what each has got: `name`, `delivered`, `failed`, `queued`, `dropped`.
        """
        sinks: list[dict[str, Any]] = [
            {
                "name": feed.sink.name,
                "written": feed.written,
                "dropped": feed.dropped,
                "queued_bytes": feed.queued_bytes,
            }
            for feed in self.recorder.journal.feeds
        ]
        return {
            "written": sum(sink["written"] for sink in sinks),
            "dropped": sum(sink["dropped"] for sink in sinks),
            "queued_bytes": sum(sink["queued_bytes"] for sink in sinks) + self.recorder.journal.held(),
            "longest_wait_ms": round(self.recorder.journal.longest_wait * 1000, 3),
            "sinks": sinks,
            "subscribers": [
                {name: getattr(each, name) for name in ("name", "delivered", "failed", "queued", "dropped")}
                for each in self.recorder.subscribers
            ],
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and is_failure(error):
            guard.attempt(self.recorder.end_run_uncaught, error)
        self.close()
