"""A run: one execution of an agent, its numbering, and how it ended."""

import os
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, Self

from . import event, guard
from .block import Block, Scope, Scopes
from .lock import Lock

if TYPE_CHECKING:
    from types import TracebackType

    from .attached import Attachment
    from .backlog import Record
    from .recorder import Recorder

_LIBRARIES = ("anthropic", "openai", "httpx", "httpx2")
_pid = os.getpid()  # which takes a system call


def _after_fork() -> None:
    global _pid
    _pid = os.getpid()


os.register_at_fork(after_in_child=_after_fork)


class Run:
    """The numbering and the outcome of one run. `seq` is the next number, and belongs to the journal."""

    def __init__(self, run_id: str | None, name: str | None, metadata: object, parent_run_id: str | None) -> None:
        self.given_id = run_id = None if run_id is None else guard.text(run_id)
        self.run_id = event.safe_id(run_id) if run_id else event.new_run_id()
        self.name = name
        self.metadata = metadata
        self.parent_run_id = parent_run_id
        self.pid = _pid
        self.started = time.perf_counter()
        self.seq = 0
        self.start: Record | None = None  # its run.started, once the first thread has made one
        self.announced = False  # whether that was recorded
        self.announcing: set[int] = set()  # threads that are making one
        self.ended = False
        self.attachments: tuple[Attachment, ...] = ()  # of this run alone
        self.failure: dict[str, Any] | None = None  # `error` and `exception` of what it ended with, or will
        self.lock = Lock()

    @property
    def is_here(self) -> bool:
        """Whether it is this process's own, and not that of the one that it was forked from."""
        return self.pid == _pid

    def opening(self, version: str) -> dict[str, Any]:
        """Return the payload of `run.started`."""
        versions: dict[str, Any] = {"agenttap": version, "python": ".".join(map(str, sys.version_info[:3]))}
        for library in _LIBRARIES:
            if (module := sys.modules.get(library)) is not None:
                versions[library] = getattr(module, "__version__", None)
        return {
            "name": self.name,
            "metadata": self.metadata,
            "parent_run_id": self.parent_run_id,
            "pid": self.pid,
            "hostname": os.uname().nodename,
            "versions": versions,
        }

    def closing(self) -> dict[str, Any]:
        """Return the payload of `run.ended`, but for the counts that only the sink knows."""
        return {
            "status": "ok" if self.failure is None else "error",
            **(self.failure or {"error": None, "exception": None}),
            "duration_ms": round((time.perf_counter() - self.started) * 1000, 3),
        }


def error_text(error: BaseException) -> str:
    """Return what an exception says, or the name of its type when it says nothing."""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return f"exit status {error.code}"
    return guard.text(error) or type(error).__name__


def exception(error: BaseException) -> dict[str, Any]:
    """Return `{"type", "traceback"}` of an exception, the traceback as Python prints it, causes included."""
    lines = guard.attempt(traceback.format_exception, error, default=[], quiet=True)
    return {"type": type(error).__qualname__, "traceback": "".join(lines)}


def told(error: BaseException) -> dict[str, Any]:
    """Return `error` and `exception` of an event that ended in an exception, without holding on to its frames."""
    return {"error": error_text(error), "exception": exception(error)}


def is_failure(error: BaseException | None) -> bool:
    """Say whether leaving a block with `error` is a failure: `sys.exit(0)` and closing a generator are none."""
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return error is not None and not isinstance(error, GeneratorExit)


_scopes = Scopes[Run]("agenttap_run")


def active(recorder: "Recorder") -> Run | None:
    """Return the innermost run of `recorder` that this thread or task is in."""
    return _scopes.active(recorder)


class RunBlock(Block):
    """What `tap.run()` returns: a context manager, also for `async with`, whose value is itself."""

    opens, closes = "run.started", "run.ended"

    def __init__(self, recorder: "Recorder", run_id: str | None, name: str | None, metadata: object) -> None:
        self._recorder = recorder
        self._arguments = (run_id, name, metadata)
        self._run: Run | None = None
        self._scope: Scope[Run] | None = None

    @property
    def run_id(self) -> str | None:
        """The run's id, known once the block is entered."""
        return None if self._run is None else self._run.run_id

    def __enter__(self) -> Self:
        self._run = Run(*self._arguments, self._recorder.parent_run_id())
        self._scope = _scopes.enter(self._recorder, self._run)
        try:
            guard.attempt(self._recorder.announce, self._run)
        except BaseException:  # the agent is interrupted: it is not inside
            _scopes.leave(self._scope)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        try:
            if self._run is not None:
                run = self._recorder.heir(self._run)
                guard.attempt(self._recorder.end_run, run, error if is_failure(error) else None)
        finally:
            if self._scope is not None:
                _scopes.leave(self._scope)
