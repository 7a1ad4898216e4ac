"""What `tap.run()`, `tap.step()` and `tap.tool_call()` have in common: one block for `with` and `async with`."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Block(ABC):
    """A context manager that does for `async with` too: nothing in it has to be awaited."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
