"""Where lines end up: what the tap needs of a sink, and the sink that is a function."""

import threading
from collections.abc import Callable
from typing import Protocol

from .wanted import Globs, Wanted, chosen


class Sink(Protocol):
    """Takes one line at a time. `write` raises when it could not, and may then be called again with that line."""

    direct: bool  # whether an agent's thread may call write, or only the writer thread
    patience: int | None  # how often one line is tried before it is dropped; None: as long as there is room
    name: str  # for messages
    calling: int | None  # the thread that is in the agent's own code, by its ident
    wanted: Wanted | None  # which events it gets; None: all

    def write(self, line: bytes) -> None: ...

    def has(self, line: bytes) -> bool:
        """Say whether the line arrived, when an exception out of a signal handler ended the last write."""
        ...

    def reset(self) -> None:
        """Start afresh in a forked child: what is open belongs to the parent too."""
        ...

    def close(self) -> None: ...


class CallbackSink:
    """Hands each line to a function, as bytes that end in a newline, on a thread of the tap's own.

    What the function raises is reported once; a line that it refuses three times is dropped, and counted. It gets
    events of the `types` given, globs such as `tool.*`, and with `errors` only those that tell of an error.
    """

    direct: bool = False
    patience: int | None = 3

    def __init__(
        self, function: Callable[[bytes], object], *, types: Globs | None = None, errors: bool = False
    ) -> None:
        if not callable(function):
            raise TypeError(f"CallbackSink takes a function that takes a line as bytes, not {function!r}")
        self.name = getattr(function, "__qualname__", None) or "the writer callback"
        self.calling: int | None = None
        self.wanted = chosen(types, errors)
        self._function = function

    def write(self, line: bytes) -> None:
        self.calling = threading.get_ident()
        try:
            self._function(line)
        finally:
            self.calling = None

    def has(self, line: bytes) -> bool:
        """Say no: what was interrupted is handed over again."""
        return False

    def reset(self) -> None:
        self.calling = None

    def close(self) -> None:
        pass
