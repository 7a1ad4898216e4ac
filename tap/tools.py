"""Tool calls: which result belongs to which call, the `with` block and the decorator."""

import inspect
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from . import guard
from .decorated import AroundCall, around, checked
from .run import Run, is_failure

if TYPE_CHECKING:
    from types import TracebackType

    from .recorder import Recorder

MAX_OPEN = 10_000  # calls whose result never came; past it the oldest are forgotten
MAX_MADE = 64  # open calls that one thread or task remembers as its own
MAX_ITEMS = 1_000  # results of a generator that are recorded


class Call:
    """A tool call that has no result yet."""

    def __init__(self, tool_name: str, call_id: str, run: Run) -> None:
        self.tool_name = tool_name
        self.call_id = call_id
        self.run = run
        self.started = time.perf_counter()
        self.open = True


# The calls made in this thread or task, or before it by what started it, oldest first.
_made: ContextVar[tuple[Call, ...]] = ContextVar("agenttap_calls", default=())


class Calls:
    """The open calls of one tap.

    Without a lock, which a signal handler or a finaliser could find held by the very code that it interrupts: each
    step is one operation of a dict, whole by itself.
    """

    def __init__(self) -> None:
        self._open: dict[str, Call] = {}

    def reset(self) -> None:
        """Start afresh in a forked child."""
        self._open = {}

    def add(self, call: Call) -> None:
        self._open[call.call_id] = call
        if len(self._open) > MAX_OPEN:
            for forgotten in list(self._open.values())[: MAX_OPEN // 10]:
                self._close(forgotten)
        still = [made for made in _made.get() if made.open]
        _made.set((*still[-MAX_MADE + 1 :], call))

    def take(self, tool_name: str, call_id: str | None) -> Call | None:
        """Close and return the call that a result of this tool belongs to, or None if that cannot be told.

        It is the one with `call_id`; without an id, the latest open call of this tool in this thread or task;
        else the only open call of this tool anywhere.
        """
        call = self._open.get(call_id) if call_id is not None else self._latest(tool_name)
        if call is not None:
            self._close(call)
        return call

    def _close(self, call: Call) -> None:
        call.open = False
        self._open.pop(call.call_id, None)

    def _latest(self, tool_name: str) -> Call | None:
        for made in reversed(_made.get()):
            if made.open and made.tool_name == tool_name and self._open.get(made.call_id) is made:
                return made
        same = [call for call in list(self._open.values()) if call.tool_name == tool_name]
        return same[0] if len(same) == 1 else None


class ToolBlock(AroundCall):
    """What `tap.tool_call()` returns: a context manager, also for `async with`, whose value is itself.

    Set `result`, or `error` (text or an exception), inside the block. An exception that leaves the block is the
    error, and goes on unchanged.
    """

    opens, closes = "tool.called", "tool.result"

    def __init__(self, recorder: "Recorder", tool_name: str, args: object, call_id: str | None) -> None:
        self.result: Any = None
        self.error: Any = None
        self.call_id = call_id
        self._recorder = recorder
        self._tool_name = tool_name
        self._args = args

    def __enter__(self) -> Self:
        self.call_id = self._recorder.record_tool_call(self._tool_name, self._args, self.call_id)
        self._args = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        told = error if is_failure(error) else self.error
        self._recorder.record_tool_result(self._tool_name, self.result, told, self.call_id)

    def returned(self, value: Any) -> None:
        self.result = value

    def gives(self) -> None:
        self.result = _Items()

    def gave(self, item: Any) -> None:
        self.result.add(item)


def decorated(recorder: "Recorder", function: Any, name: str | None) -> Any:
    """Return what stands in the place of a decorated tool. Raises TypeError for what is no function."""
    if isinstance(function, str):
        raise TypeError(f"@tap.tool takes a function; to give it a name, write @tap.tool(name={function!r})")
    inner = checked(function, "tap.tool")
    inner = getattr(inner, "__func__", inner) if isinstance(inner, classmethod | staticmethod) else inner
    tool_name = name or name_of(inner)
    signature = guard.attempt(inspect.signature, inner, quiet=True)

    def block(args: tuple[Any, ...], kwargs: dict[str, Any]) -> ToolBlock:
        return ToolBlock(recorder, tool_name, guard.attempt(arguments, signature, args, kwargs, quiet=True), None)

    return around(function, block)


def name_of(function: Any) -> str:
    """Return what a tool is called that has no name of its own."""
    return getattr(function, "__name__", None) or type(function).__name__


def arguments(
    signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Return the arguments by name; those that fit none by number, as the function will complain itself."""
    try:
        assert signature is not None
        bound = signature.bind(*args, **kwargs)
    except (TypeError, AssertionError):
        return {str(number): value for number, value in enumerate(args)} | kwargs
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        elif not (name in ("self", "cls") and not named):
            named[name] = value
    return named


class _Items(list[Any]):
    """What a generator gave, up to MAX_ITEMS."""

    def add(self, item: Any) -> None:
        if len(self) < MAX_ITEMS:
            self.append(item)
        elif len(self) == MAX_ITEMS:
            self.append("…")
