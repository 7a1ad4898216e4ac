"""Decorators: a block around each call of a function, be it plain, async, or a generator of either kind."""

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from .block import Block


class AroundCall(Block):
    """A block that can stand around a call. What it is told of the call does nothing unless it is overridden."""

    def returned(self, value: Any) -> None:
        """The function has returned this."""

    def gives(self) -> None:
        """The function is a generator, and begins."""

    def gave(self, item: Any) -> None:
        """The generator has given this."""

    def paused(self) -> None:
        """The generator waits: what happens until `resumed` is its caller's, and not inside the block."""

    def resumed(self) -> None:
        """The generator goes on, if it was paused."""


Makes = Callable[[tuple[Any, ...], dict[str, Any]], AroundCall]


def is_async(function: Any) -> bool:
    """Say whether calling this gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 - to look at it
    )


def checked(function: Any, decorator: str) -> Any:
    """Return what is to be decorated. Raises TypeError, with what to write instead, if that is no function."""
    if isinstance(function, property):
        raise TypeError(f"@{decorator} goes below @property: it takes a function")
    if not callable(function) and not isinstance(function, classmethod | staticmethod):
        raise TypeError(f"@{decorator} takes a function, not {function!r}")
    return function


def around(function: Any, makes: Makes) -> Any:
    """Return `function` with a block around each call, made of its arguments; a coroutine function stays one."""
    if isinstance(function, classmethod | staticmethod):
        return type(function)(around(function.__func__, makes))
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            async with makes(args, kwargs) as block:
                block.gives()
                inner: AsyncGenerator[Any, Any] = function(*args, **kwargs)
                try:
                    step = inner.__anext__()
                    while (item := await _next(step)) is not _END:
                        block.gave(item)
                        block.paused()
                        try:
                            sent = yield item
                        except GeneratorExit:
                            block.resumed()
                            raise
                        except BaseException as exc:  # noqa: BLE001 - an athrow is the inner one's to answer
                            block.resumed()
                            step = inner.athrow(exc)
                        else:
                            block.resumed()
                            step = inner.asend(sent)
                finally:
                    await inner.aclose()

    elif inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with makes(args, kwargs) as block:
                block.gives()
                return (yield from _Listening(function(*args, **kwargs), block))

    elif is_async(function):

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            async with makes(args, kwargs) as block:
                value = await function(*args, **kwargs)
                block.returned(value)
                return value

    else:

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with makes(args, kwargs) as block:
                value = function(*args, **kwargs)
                block.returned(value)
                return value

    return wrapper


_END = object()


async def _next(step: Awaitable[Any]) -> Any:
    try:
        return await step
    except StopAsyncIteration:
        return _END


class _Listening(Generator[Any, Any, Any]):
    """A generator that passes everything on to another, and tells a block of it."""

    def __init__(self, inner: Generator[Any, Any, Any], block: AroundCall) -> None:
        self._inner = inner
        self._block = block

    def send(self, value: Any) -> Any:
        self._block.resumed()
        return self._given(self._inner.send(value))

    def throw(self, *args: Any) -> Any:
        self._block.resumed()
        return self._given(self._inner.throw(*args))

    def close(self) -> None:
        self._block.resumed()
        self._inner.close()

    def _given(self, item: Any) -> Any:
        self._block.gave(item)
        self._block.paused()
        return item
