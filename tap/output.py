"""Where lines end up: a file, or a callback."""

import os
import stat
import time
from collections.abc import Callable
from typing import Protocol

LOOKS, LOOK_AGAIN = 5, 0.001  # times, seconds


class Output(Protocol):
    """Takes one line at a time. `write` raises when it could not, and may then be called again with that line."""

    direct: bool  # whether an agent's thread may call write, or only the writer thread
    patience: int | None  # how often one line is tried before it is dropped; None: as long as there is room
    name: str  # for messages

    def write(self, line: bytes) -> None: ...

    def close(self) -> None: ...


class File:
    """Appends to a file that other processes may append to as well; made with mode 0600, its folders too.

    A line is one `write(2)` on an O_APPEND descriptor. What is at the end of the file without a newline is left
    there, and ended with one. A file that was removed or renamed is made again.
    """

    direct: bool = True
    patience: int | None = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # The agent may change its directory later.
        self.name = os.path.abspath(os.fspath(path))
        self._fd = -1
        self._torn = False
        self._inode: tuple[int, int] | None = None

    def write(self, line: bytes) -> None:
        """Append a line. Raises OSError."""
        if self._fd < 0 or not self._in_place():
            self._open()
        if self._torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        self._torn = False
        while written < len(line):
            self._torn = True
            written += os.write(self._fd, line[written:])
            self._torn = False

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _in_place(self) -> bool:
        if self._inode is None:  # a pipe or a device
            return True
        try:
            status = os.stat(self.name)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def _open(self) -> None:
        self.close()
        folder = os.path.dirname(self.name)
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self.name, flags, 0o600)
        status = os.fstat(self._fd)
        self._inode = (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
        self._torn = self._inode is not None and self._ends_torn()

    def _ends_torn(self) -> bool:
        """Whether the file ends without a newline, and not because another process is writing at this moment."""
        size = -1
        for _ in range(LOOKS):
            now = os.fstat(self._fd).st_size
            if now == 0 or self._last_byte() == b"\n":
                return False
            if now == size:
                return True
            size = now
            time.sleep(LOOK_AGAIN)
        return True

    def _last_byte(self) -> bytes:
        try:
            with open(self.name, "rb", buffering=0) as file:
                file.seek(-1, os.SEEK_END)
                return file.read(1)
        except OSError:  # not ours to read: a newline too many is an empty line, one too few costs an event
            return b""


class Callback:
    """Hands each line to a function, on the writer thread."""

    direct: bool = False
    patience: int | None = 3

    def __init__(self, function: Callable[[bytes], object]) -> None:
        self.name = getattr(function, "__qualname__", None) or "the writer callback"
        self._function = function

    def write(self, line: bytes) -> None:
        self._function(line)

    def close(self) -> None:
        pass
