"""Answers the calls of a tool from a trace: `replay.tool`."""

import ast
import builtins
import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agenttap.decorated import checked, is_async
from agenttap.tools import arguments, name_of

from trace_cli.event import Event

from .asked import tool_call

if TYPE_CHECKING:
    from .replay import Replay


class RecordedError(Exception):
    """What a tool raised when it was recorded, if its class is none of Python's own; its class has that name."""

    __module__ = "agent_replay_trace"  # where its name is public


def decorated(replay: "Replay", function: Any, name: str | None, result: Callable[[Any], Any] | None) -> Any:
    """What stands in the place of a tool: its calls are answered from the trace. TypeError for no function."""
    if isinstance(function, str):
        raise TypeError(f"@replay.tool takes a function; to give it a name, write @replay.tool(name={function!r})")
    inner = checked(function, "replay.tool")
    if isinstance(inner, classmethod | staticmethod):
        return type(inner)(decorated(replay, inner.__func__, name, result))
    tool_name, signature = name or name_of(inner), inspect.signature(inner)
    recorded = None  # the same tool, recorded by the tap that appends to the trace

    def answered(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Event | None:
        asked = tool_call(
            {"tool_name": tool_name, "args": arguments(signature, args, kwargs)}, replay.recording.redact
        )
        return replay.result(asked)

    def real() -> Any:
        nonlocal recorded
        if replay.closed or replay.mode != "record-missing":
            return inner
        if recorded is None:
            recorded = replay.tap.tool(inner, name=tool_name)
        return recorded

    def value(event: Event) -> Any:
        if event.payload.get("error") is not None:
            raise _error(event)
        found = event.result
        return found if result is None else result(found)

    if inspect.isasyncgenfunction(inner):

        @functools.wraps(inner)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            event = answered(args, kwargs)
            if event is not None:
                for item in _items(event.result):
                    yield item
                value(event)
            else:
                async for item in real()(*args, **kwargs):
                    yield item

    elif inspect.isgeneratorfunction(inner):

        @functools.wraps(inner)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            event = answered(args, kwargs)
            if event is None:
                return (yield from real()(*args, **kwargs))
            yield from _items(event.result)
            value(event)
            return None

    elif is_async(inner):

        @functools.wraps(inner)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            event = answered(args, kwargs)
            return await real()(*args, **kwargs) if event is None else value(event)

    else:

        @functools.wraps(inner)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            event = answered(args, kwargs)
            return real()(*args, **kwargs) if event is None else value(event)

    return wrapper


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _error(event: Event) -> Exception:
    """The exception that a tool raised, of the same class where that is one of Python's own."""
    exception, message = event.payload.get("exception"), event.error or ""
    name = str(exception.get("type")) if isinstance(exception, dict) else ""
    found = getattr(builtins, name, None)
    if isinstance(found, type) and issubclass(found, Exception):
        if message == name:  # what is recorded of one without a text
            message = ""
        for arguments in ([] if not message else [_unquoted(message)], [message]):
            with suppress(TypeError):  # UnicodeDecodeError, and an ExceptionGroup, want more than a text
                raised = found(*arguments)
                if str(raised) == message:
                    return raised
    return type(name, (RecordedError,), {})(message) if name.isidentifier() else RecordedError(message)


def _unquoted(message: str) -> Any:
    """What a KeyError shows: the repr of its key."""
    with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        return ast.literal_eval(message)
    return message
