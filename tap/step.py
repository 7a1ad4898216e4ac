"""A step: a named part of a run, around the events inside it."""

from typing import TYPE_CHECKING, Any, Self

from . import event, guard
from .block import Block, Scope, Scopes
from .run import Run, error_text, is_failure

if TYPE_CHECKING:
    from types import TracebackType

    from .recorder import Recorder

_scopes = Scopes[str]("agenttap_step")


def active(recorder: "Recorder") -> str | None:
    """Return the id of the innermost step of `recorder` that this thread or task is in."""
    return _scopes.active(recorder)


class StepBlock(Block):
    """What `tap.step()` returns: a context manager, also for `async with`, whose value is itself."""

    def __init__(self, recorder: "Recorder", name: str, attributes: dict[str, Any]) -> None:
        self.step_id = event.new_id("step")
        self._recorder = recorder
        self._name = name
        self._attributes = attributes
        self._started = 0.0
        self._run: Run | None = None
        self._scope: Scope[str] | None = None

    def __enter__(self) -> Self:
        self._started = event.clock()
        self._run = self._recorder.current_run()
        self._scope = _scopes.enter(self._recorder, self.step_id)
        guard.attempt(self._put, "step.started", {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        told = error_text(error) if error is not None and is_failure(error) else None
        duration = round((event.clock() - self._started) * 1000, 3)
        guard.attempt(self._put, "step.ended", {"error": told, "duration_ms": duration})
        if self._scope is not None:
            _scopes.leave(self._scope)

    def _put(self, type: str, more: dict[str, Any]) -> None:
        payload = {"name": self._name, "attributes": self._attributes, **more}
        if self._run is not None:
            self._recorder.put(self._recorder.heir(self._run), type, payload, None, self.step_id)
