"""A step: a named part of a run, around the events inside it."""

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

from . import event, guard
from .block import Block
from .run import error_text, is_failure

if TYPE_CHECKING:
    from types import TracebackType

    from .recorder import Recorder

_active: ContextVar[tuple[tuple["Recorder", str], ...]] = ContextVar("agenttap_steps", default=())


def active(recorder: "Recorder") -> str | None:
    """Return the id of the innermost step of `tap` that this thread or task is in."""
    for owner, step_id in reversed(_active.get()):
        if owner is recorder:
            return step_id
    return None


class StepBlock(Block):
    """What `tap.step()` returns: a context manager, also for `async with`, whose value is itself."""

    def __init__(self, recorder: "Recorder", name: str, attributes: dict[str, Any]) -> None:
        self.step_id = event.new_id("step")
        self._recorder = recorder
        self._name = name
        self._attributes = attributes
        self._started = 0.0
        self._token: Token[Any] | None = None

    def __enter__(self) -> Self:
        self._started = event.clock()
        self._token = _active.set((*_active.get(), (self._recorder, self.step_id)))
        guard.attempt(self._put, "step.started", {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        told = error_text(error) if error is not None and is_failure(error) else None
        duration = round((event.clock() - self._started) * 1000, 3)
        guard.attempt(self._put, "step.ended", {"error": told, "duration_ms": duration})
        if self._token is not None:
            # A generator may be closed in another context than it was started in.
            guard.attempt(_active.reset, self._token, quiet=True)
            self._token = None

    def _put(self, type: str, more: dict[str, Any]) -> None:
        payload = {"name": self._name, "attributes": self._attributes, **more}
        self._recorder.put(self._recorder.current_run(), type, payload, None, self.step_id)
