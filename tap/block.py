"""What the `with` blocks of runs, steps and tool calls have in common, and which of them is the innermost."""

from abc import ABC, abstractmethod
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from .recorder import Recorder

Value = TypeVar("Value")


class Block(ABC):
    """A context manager that does for `async with` too: nothing in it has to be awaited, but what is attached."""

    opens: str  # the types of the events that it records
    closes: str
    _recorder: "Recorder"

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def __aenter__(self) -> Self:
        asking = self._recorder.asking(self._recorder.current_run(), self.opens)
        await asking.ask()
        with asking:
            return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asking = self._recorder.asking(self._recorder.current_run(), self.closes)
        try:
            await asking.ask()
        finally:
            with asking:
                self.__exit__(kind, error, trace)


class Scope(Generic[Value]):
    """What one block stands for, until it is left, and the scopes around it."""

    def __init__(self, recorder: "Recorder", value: Value, outer: "Scope[Value] | None") -> None:
        self.recorder = recorder
        self.value = value
        self.outer = outer
        self.left = False


class Scopes(Generic[Value]):
    """The scopes of one kind that each thread or task is in.

    They are not always left in the order in which they were entered, nor where: generators take turns, a task may
    outlive the block that it was started in, and start the next one there.
    """

    def __init__(self, name: str) -> None:
        self._innermost: ContextVar[Scope[Value] | None] = ContextVar(name, default=None)

    def enter(self, recorder: "Recorder", value: Value) -> Scope[Value]:
        """Begin a scope in this thread or task."""
        scope = Scope(recorder, value, _open(self._innermost.get()))
        self._innermost.set(scope)
        return scope

    def leave(self, scope: Scope[Value]) -> None:
        """End a scope, in whichever thread or task that is."""
        scope.left = True
        scope.outer = _open(scope.outer)  # or a chain of those that were left would grow behind the next
        self._innermost.set(_open(self._innermost.get()))

    def reopen(self, scope: Scope[Value]) -> Scope[Value]:
        """Begin a scope again in its place, around those that were entered inside of it and not left."""
        inner = self._innermost.get()
        while inner is not None and inner is not scope:
            inner = inner.outer
        if inner is None:
            return self.enter(scope.recorder, scope.value)
        scope.left = False
        return scope

    def active(self, recorder: "Recorder") -> Value | None:
        """Return what the innermost block of `recorder` stands for that this thread or task is in, or None."""
        scope = _open(self._innermost.get())
        while scope is not None and scope.recorder is not recorder:
            scope = _open(scope.outer)
        return None if scope is None else scope.value


def _open(scope: Scope[Value] | None) -> Scope[Value] | None:
    """Return the first of a scope and those around it that was not left."""
    while scope is not None and scope.left:
        scope = scope.outer
    return scope
