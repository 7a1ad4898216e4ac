"""A step: a named part of a run, around the events inside it."""

from typing import TYPE_CHECKING, Any, Self

from . import event, guard
from .block import Scope, Scopes
from .decorated import AroundCall, around, checked
from .run import Run, is_failure, told

if TYPE_CHECKING:
    from types import TracebackType

    from .recorder import Recorder

_scopes = Scopes[str]("agenttap_step")


def active(recorder: "Recorder") -> str | None:
    """Return the id of the innermost step of `recorder` that this thread or task is in."""
    return _scopes.active(recorder)


class StepBlock(AroundCall):
    """What `tap.step()` returns: a context manager, also for `async with`, whose value is itself; and a decorator.

    `parent_id` is the step that it is a part of, known once it is entered.
    """

    opens, closes = "step.started", "step.ended"

    def __init__(self, recorder: "Recorder", name: str, attributes: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"tap.step takes a name, or a function to decorate, not {name!r}")
        self.step_id = event.new_id("step")
        self.parent_id: str | None = None
        self._recorder = recorder
        self._name = name
        self._attributes = attributes
        self._started = 0.0
        self._run: Run | None = None
        self._scope: Scope[str] | None = None
        self._around: list[Any] = []  # the same of those that were entered before

    def __call__(self, function: Any) -> Any:
        """Decorate a function: each call is a step of its own, with this name and these attributes."""
        recorder, name, attributes = self._recorder, self._name, self._attributes
        return around(checked(function, "tap.step(…)"), lambda args, kwargs: StepBlock(recorder, name, attributes))

    def __enter__(self) -> Self:
        if self._scope is not None:  # again, perhaps inside of itself: a step of its own
            self._around.append((self.step_id, self.parent_id, self._started, self._run, self._scope))
            self.step_id = event.new_id("step")
        self._started = event.clock()
        self._run = self._recorder.current_run()
        self.parent_id = active(self._recorder)
        self._scope = _scopes.enter(self._recorder, self.step_id)
        try:
            guard.attempt(self._put, "step.started", {})
        except BaseException:  # the agent is interrupted: it is not inside
            _scopes.leave(self._scope)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        duration = round((event.clock() - self._started) * 1000, 3)
        failure = told(error) if error is not None and is_failure(error) else {"error": None, "exception": None}
        try:
            guard.attempt(self._put, "step.ended", {**failure, "duration_ms": duration})
        finally:
            if self._scope is not None:
                _scopes.leave(self._scope)
            if self._around:
                self.step_id, self.parent_id, self._started, self._run, self._scope = self._around.pop()

    def paused(self) -> None:
        if self._scope is not None:
            _scopes.leave(self._scope)

    def resumed(self) -> None:
        if self._scope is not None and self._scope.left:
            self._scope = _scopes.reopen(self._scope)

    def _put(self, type: str, more: dict[str, Any]) -> None:
        payload = {"name": self._name, "attributes": self._attributes, "parent_id": self.parent_id, **more}
        if self._run is not None:
            recorder = self._recorder
            place = recorder.current_place()._replace(step_id=self.step_id)
            recorder.put(recorder.heir(self._run), type, payload, None, place)


def decorated(recorder: "Recorder", function: Any) -> Any:
    """Return what stands in the place of a function decorated by `@tap.step`: its name is the step's."""
    inner = getattr(checked(function, "tap.step"), "__func__", function)
    name = getattr(inner, "__name__", None) or type(inner).__name__
    return StepBlock(recorder, name, {})(function)
