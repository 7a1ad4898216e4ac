"""Recorder: what stands behind a tap. It knows the runs, makes events, and hands them to the journal, redacted."""

import threading
import time
from collections.abc import Callable
from typing import Any

from . import attached, event, guard, hooks, installed, otel, settings, step
from . import redact as redaction
from .attached import Answers, Attachment
from .backlog import Made, Record
from .event import NOWHERE, Place
from .feed import Feed
from .journal import DRAIN, Journal
from .jsonable import dumps, dumps_within
from .lock import Lock, holding
from .run import Run, active, told
from .subscriber import Subscription
from .tools import Call, Calls
from .transport import Flight
from .wanted import failed

Work = Callable[[], tuple[str, dict[str, Any]]]

_STILL_IN_FLIGHT = ("cancelled", "Closed", "the tap was closed while the response was still coming")
_ASKING, _LOOK_AGAIN = 1.0, 0.005  # seconds that closing waits for what is attached to events under way
_LOCK_WAIT = 0.05  # seconds for another thread to write the run's start
_HEAD = 200  # bytes that a head takes, about
_SMALL = 4096  # bytes; what is kept of a payload that is too large


class Recorder:
    """Records events of the runs of one tap. What a method's description does not exclude, it may raise."""

    def __init__(
        self,
        journal: Journal,
        default: Run,
        *,
        disabled: bool,
        redact: redaction.Function | None,
        max_event_bytes: int,
        raw_streams: bool,
    ) -> None:
        self.journal = journal
        self.disabled = disabled
        self.closed = False
        self.redact = redact
        self.max_event_bytes = max_event_bytes
        self.raw_streams = raw_streams
        self.in_flight: dict[str, Flight] = {}  # by call_id
        self.subclasses: dict[Any, type] = {}  # made by clients.py, which keeps them here
        self._default = default
        self._heirs: dict[str, Run] = {}  # in a forked child: by run_id of the parent's run, the child's own
        self._ancestors: dict[str, str] = {}  # the same for the process that this one was forked from, by run_id
        self._calls = Calls()
        self._asked: set[object] = set()  # events that are under way, with what is attached to them
        self._listing = Lock()  # around changes of the two that follow
        self._subscribers: tuple[Subscription, ...] = ()
        self.attachments: tuple[Attachment, ...] = ()  # of all runs

    # --- what an agent records; none of this raises --------------------------------------------------------------

    def record(self, type: str, payload: dict[str, Any]) -> None:
        """Record an event of any type."""
        guard.attempt(self._record, type, payload)

    def record_tool_call(self, tool_name: str, args: object, call_id: str | None) -> str:
        """Record that a tool is about to run; return the call's id."""
        own = guard.text(call_id) if call_id is not None else event.new_id("call")
        guard.attempt(self._tool_called, tool_name, args, own)
        return own

    def record_tool_result(self, tool_name: str, result: object, error: object, call_id: str | None) -> None:
        """Record how a call ended."""
        guard.attempt(self._tool_result, tool_name, result, error, call_id)

    def close(self, timeout: float = DRAIN) -> None:
        """End the default run and write what is left, for `timeout` seconds at most."""
        if self.closed:
            return
        guard.attempt(self._close, timeout)
        self.closed = True
        guard.attempt(installed.remove, self)
        guard.attempt(hooks.remove, self)

    def finish(self) -> None:
        """Record the end of the default run, and of what is in flight. May raise."""
        for flight in list(self.in_flight.values()):
            guard.attempt(flight.end, _STILL_IN_FLIGHT)
        # Events that other threads are just asking stores about: these have little time, and their end is near.
        until = time.monotonic() + _ASKING
        while self._asked and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN)
        self.end_run(self._base(), None)

    # --- runs ----------------------------------------------------------------------------------------------------

    @property
    def recording(self) -> bool:
        """Whether what is put is written."""
        return not (self.closed or self.disabled)

    def parent_run_id(self) -> str | None:
        """Return what a new run names as its parent: the run around it, if there is one in this thread or task."""
        around = active(self)
        return self.heir(around).run_id if around is not None else settings.parent_run_id()

    def heir(self, run: Run) -> Run:
        """Return `run`, or in a forked child the run that stands for it there."""
        if run.is_here:
            return run
        own = self._heirs.get(run.run_id)
        if own is None:
            parent = self._ancestors.get(run.run_id, run.run_id)
            own = Run(None, run.name, run.metadata, parent)
            own.attachments = run.attachments
            for each in own.attachments:
                each.reset()
            own = self._heirs.setdefault(run.run_id, own)
        return own

    def announce(self, run: Run) -> None:
        """Write `run.started`, unless that is done, or being done by a thread that hangs in it.

        Takes _LOCK_WAIT, and what `Journal.put` may take.
        """
        if run.announced or self.disabled or self.closed or (run.start is not None and run.start.seq is not None):
            return
        from . import __version__

        began = time.monotonic()
        # Made before the lock is taken: what the agent gave as metadata may be slow to show, or record something.
        me = threading.get_ident()
        if me in run.announcing:
            return
        run.announcing.add(me)
        try:
            payload, answers = run.opening(__version__), Answers()
            try:
                attached.fill(answers, self.attached_to(run, "run.started"))
            finally:
                payload = attached.put_in(payload, answers, "run.started")
                opening = self._record_of(run, "run.started", payload, None, self._outside())
                holding(run.lock, _LOCK_WAIT, self._open, run, opening, default=None)
        finally:
            run.announcing.discard(me)
        self.journal.longest_wait = max(self.journal.longest_wait, time.monotonic() - began)

    def end_run(self, run: Run, error: BaseException | None) -> None:
        """Write `run.ended`, once, if there is a `run.started`. `run` must be this process's own."""
        if run.ended or run.start is None:
            return
        run.ended = True
        run.failure = told(error) if error else run.failure
        self.put(run, "run.ended", run.closing(), None, self._outside(), counts=True)
        attachments, run.attachments = run.attachments, ()
        for attachment in attachments:
            attachment.end()

    def end_run_uncaught(self, error: BaseException) -> None:
        """End the default run with an exception that nobody caught."""
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
        self.journal, self.disabled = journal, False
        self._default = Run(default.given_id, default.name, default.metadata, default.parent_run_id)

        def take_back() -> None:
            for flight in list(self.in_flight.values()):
                if flight.journal is journal:
                    guard.attempt(flight.end, _STILL_IN_FLIGHT)
            self.journal, self.disabled, self._default = own, disabled, default
            if self.closed and not closed:
                guard.attempt(own.close)

        return take_back

    def after_fork(self) -> None:
        """Become the tap of a forked child: nothing of its parent's is written here."""
        self.journal.reset()
        self._calls.reset()
        for subscriber in self._subscribers:
            subscriber.feed.reset()
        self._asked = set()
        self._listing = Lock()
        for attachment in self.attachments:
            attachment.reset()
        self.in_flight = {}
        self._ancestors |= {run_id: own.run_id for run_id, own in self._heirs.items() if own.start is not None}
        self._heirs = {}
        if self._default.start is None:
            # The parent had not begun: this run is as much the child's as the parent's.
            self._default = Run(None, self._default.name, self._default.metadata, self._default.parent_run_id)

    def current_run(self) -> Run:
        """Return the run that this thread or task is in."""
        return self.heir(active(self) or self._default)

    def current_place(self) -> Place:
        """Return what this thread or task is in: its step, and the span of OpenTelemetry's."""
        return Place(step.active(self), *otel.current())

    # --- who takes part in it ------------------------------------------------------------------------------------

    def subscribe(self, subscriber: Subscription) -> None:
        """Hand this one the events from now on."""
        with self._listing:
            self._subscribers = (*self._subscribers, subscriber)
        subscriber.feed.start()  # now, as at the end of the program there may be no more threads

    def unsubscribe(self, subscriber: Subscription) -> None:
        """Hand it none any more."""
        with self._listing:
            self._subscribers = tuple(each for each in self._subscribers if each is not subscriber)

    @property
    def subscribers(self) -> tuple[Subscription, ...]:
        return self._subscribers

    def under_way(self, what: object, is_so: bool) -> None:
        """Note that an event is being recorded: closing waits a while for its end. Takes no locks."""
        if is_so:
            self._asked.add(what)
        else:
            self._asked.discard(what)

    def start_threads(self, journal: Journal) -> None:
        """Make sure that the threads run which write what is recorded in this journal."""
        journal.start()
        for subscriber in self._subscribers:
            subscriber.feed.start()

    def flush(self, timeout: float) -> bool:
        """Wait until what came before is written and handed over everywhere; False if that took longer."""
        deadline = time.monotonic() + timeout
        done = self.journal.flush(timeout)
        marks = [subscriber.feed.mark(deadline) for subscriber in self._subscribers]
        return done and all(mark is None or mark.wait(max(0.0, deadline - time.monotonic())) for mark in marks)

    def begin_close(self, deadline: float) -> None:
        """Let all threads write what is queued, until `deadline`, and end."""
        self.journal.begin_close(deadline)
        for subscriber in self._subscribers:
            subscriber.feed.begin_close(deadline)

    def attach(self, attachment: Attachment) -> None:
        """Ask this one at the events from now on, in the place of one with the same name."""
        with self._listing:
            holder = self.heir(attachment.run) if attachment.run else self
            replaced = [each for each in holder.attachments if each.name == attachment.name]
            others = (each for each in holder.attachments if each not in replaced)
            holder.attachments = (*others, attachment)
        for each in replaced:
            each.end()
        attachment.prepare()

    def detach(self, attachment: Attachment) -> None:
        """Ask it no more."""
        with self._listing:
            holder = self.heir(attachment.run) if attachment.run else self
            holder.attachments = tuple(each for each in holder.attachments if each is not attachment)

    def attached_to(self, run: Run, *types: str) -> list[Attachment]:
        """Return what is to be asked at an event of this run that may have any of these types."""
        own = run.attachments
        if not (self.attachments or own) or attached.asked():
            return []
        types = tuple(map(event.safe, types))
        hidden = {each.name for each in own}
        wanted = (*(each for each in self.attachments if each.name not in hidden), *own)
        return [each for each in wanted if any(each.types[type] for type in types)]

    def asking(self, run: Run, *types: str) -> attached.Asking:
        """Return what to ask async functions at an event of this run that may have any of these types."""
        wanted = guard.attempt(self.attached_to, run, *types, default=()) if self.recording else ()
        return attached.Asking(wanted)

    # --- events --------------------------------------------------------------------------------------------------

    def put(
        self,
        run: Run,
        type: str,
        payload: dict[str, Any],
        call_id: str | None = None,
        place: Place = NOWHERE,
        *,
        counts: bool = False,
        journal: Journal | None = None,
        answers: Answers | None = None,
    ) -> None:
        """Record one event, in another journal than the recorder's own if one is given.

        What is attached to it is asked for here, unless `answers` has that.
        """
        if (self.disabled or self.closed) and self._off():
            return
        known = Answers() if answers is None else answers
        token = object()
        self.under_way(token, True)
        try:
            if not run.announced:
                self.announce(run)
            hooks.goes_on(type)
            if answers is None and (wanted := self.attached_to(run, type)):
                attached.fill(known, wanted)
        finally:  # also when the agent is interrupted meanwhile
            try:
                payload = attached.put_in(payload, known, type) if known else payload
                self._put(journal, run, type, payload, call_id, place, counts)
            finally:
                self.under_way(token, False)

    def _put(
        self,
        journal: Journal | None,
        run: Run,
        type: str,
        payload: dict[str, Any],
        call_id: str | None,
        place: Place,
        counts: bool,
    ) -> None:
        (journal or self.journal).put(self._record_of(run, type, payload, call_id, place, counts))

    def put_later(
        self,
        journal: Journal,
        run: Run,
        call_id: str,
        place: Place,
        work: Work,
        size: int,
        answers: Answers | None = None,
    ) -> None:
        """Record an event whose type and payload `work` makes on the writer thread. Takes no locks.

        `size` is what was counted with `journal.hold` for it, `answers` what is attached to it.
        """

        def later() -> Made:
            type, payload = work()
            payload = attached.put_in(payload, answers, type) if answers else payload
            return type, self._redacted(self._dumps(payload)), failed(payload)

        if not self.closed:
            record = Record(run, "", call_id, place, b"", size, audience=self._audience(), later=later)
            record.timestamp, record.held = event.now(), size
            journal.put_from_finaliser(record)

    # --- inside --------------------------------------------------------------------------------------------------

    def _record_of(
        self,
        run: Run,
        type: str,
        payload: dict[str, Any],
        call_id: str | None = None,
        place: Place = NOWHERE,
        counts: bool = False,
    ) -> Record:
        safe_type = event.safe_type(type)
        safe_id = None if call_id is None else event.safe_id(call_id)
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
        record = Record(run, safe_type, safe_id, place, b"", len(raw) + _HEAD, counts=counts)
        record.failed = failed(payload)
        record.audience = self._audience()
        if self.redact is redaction.default and not self.journal.direct:
            # The threads write all of it: let them do this too. What is the agent's own runs right here.
            record.make_later(lambda: (safe_type, self._redacted(raw), record.failed))
        else:
            record.payload = self._redacted(raw)
        return record

    def _audience(self) -> tuple[Feed, ...]:
        """Return the feeds of the subscribers; of what one of them records none, or that might never end."""
        subscribers = self._subscribers
        if not subscribers:
            return ()
        here = threading.get_ident()
        if any(subscriber.calling == here for subscriber in subscribers):
            return ()
        return tuple(subscriber.feed for subscriber in subscribers)

    def _open(self, run: Run, opening: Record) -> None:
        if run.announced:
            return
        # A signal handler's exception may have ended this before: there is one run.started, whoever made it.
        run.start = run.start or opening
        if run.start.seq is None:
            self.journal.put(run.start)
        run.announced = True
        hooks.before_multiprocessing_exit(self)

    def _outside(self) -> Place:
        """Return where a run begins and ends: in no step."""
        return Place(None, *otel.current())

    def _base(self) -> Run:
        return self.heir(self._default)

    def _dumps(self, payload: dict[str, Any]) -> bytes:
        return dumps_within(payload, self.max_event_bytes, _SMALL)

    def _redacted(self, raw: bytes) -> bytes:
        if self.redact is None:
            return raw
        try:
            redacted = redaction.checked(self.redact, raw)
            failure = "it gave back something else than a JSON object on one line, as bytes"
        except Exception as exc:  # noqa: BLE001 - the guard's own: what fails may be the agent's function
            redacted, failure = None, guard.told(exc)
        if redacted is not None:
            return redacted
        # What could not be looked through is not written.
        guard.tell(f"redact {failure}", f"payloads are left out, for Tap(redact=…) failed: {failure}")
        return dumps({"left_out": "redaction failed", "bytes": len(raw)})

    def _off(self) -> bool:
        if self.disabled:
            return True
        if self.closed:
            guard.tell(f"closed {id(self)}", "the tap is closed: events are no longer recorded")
        return self.closed

    def _close(self, timeout: float) -> None:
        self.finish()
        deadline = time.monotonic() + timeout
        for subscriber in self._subscribers:
            subscriber.feed.begin_close(deadline)
        self.journal.close(timeout)
        for attachment in self.attachments:
            attachment.end()
        for subscriber in self._subscribers:
            subscriber.feed.close(deadline)

    def _record(self, type: str, payload: dict[str, Any]) -> None:
        self.put(self.current_run(), type, payload, None, self.current_place())

    def _tool_called(self, tool_name: str, args: object, call_id: str) -> None:
        if self._off():
            return
        run = self.current_run()
        call = Call(tool_name, call_id, run)
        self._calls.add(call)
        self.put(run, "tool.called", {"tool_name": tool_name, "args": args}, call_id, self.current_place())
        call.started = time.perf_counter()  # what recording took is no part of it

    def _tool_result(self, tool_name: str, result: object, error: object, call_id: str | None) -> None:
        call_id = None if call_id is None else guard.text(call_id)
        call = self._calls.take(tool_name, call_id)
        # Not isinstance alone, which asks an object of the agent's for its `__class__`.
        raised = error if issubclass(type(error), BaseException) and isinstance(error, BaseException) else None
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
        self.put(run, "tool.result", payload, call.call_id if call else call_id, self.current_place())
