"""Where lines end up: a file, or a callback."""

import errno
import os
import select
import stat
import threading
import time
from collections.abc import Callable
from typing import Protocol

LOOKS, LOOK_AGAIN = 5, 0.001  # times, seconds
PIPE_WAIT = 0.05  # seconds that a write waits for whoever reads a pipe


class Output(Protocol):
    """Takes one line at a time. `write` raises when it could not, and may then be called again with that line."""

    direct: bool  # whether an agent's thread may call write, or only the writer thread
    patience: int | None  # how often one line is tried before it is dropped; None: as long as there is room
    name: str  # for messages
    calling: int | None  # the thread that is in the agent's own code, by its ident

    def write(self, line: bytes) -> None: ...

    def has(self, line: bytes) -> bool:
        """Say whether the line arrived, when an exception out of a signal handler ended the last write."""
        ...

    def close(self) -> None: ...


class File:
    """Appends to a file that other processes may append to as well; made with mode 0600, its folders too.

    A line is one `write(2)` on an O_APPEND descriptor. What is at the end of the file without a newline is left
    there, and ended with one. A file that was removed or renamed is made again. The agent may close the descriptor
    (as daemons do) and use its number for something else: that is never written to, nor closed.
    """

    patience: int | None = None
    calling: int | None = None

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # The agent may change its directory later.
        self.name = os.path.abspath(os.fspath(path))
        self.direct = _is_file(self.name)  # a pipe may have nobody who reads it
        self._fd = -1
        self._torn = False
        self._identity: tuple[int, int] | None = None  # of what was opened: device and inode
        self._regular = True
        self._size = 0  # of the file, before the last write or earlier

    def write(self, line: bytes) -> None:
        """Append a line. Raises OSError."""
        if not self._in_place():
            self._open()
        heal = b"\n" if self._torn else b""
        data = heal + line if heal else line
        written = self._write(data)
        while written < len(data):
            # Where the room ended right after the newline, what comes next begins on a line of its own.
            self._torn = written != len(heal)
            written += self._write(data[written:])
        self._torn = False

    def has(self, line: bytes) -> bool:
        """Say whether the line arrived. Where that cannot be read, that it did: a gap is better than a double."""
        if not self._regular:
            return True
        try:
            with open(self.name, "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                file.seek(self._size if (status.st_dev, status.st_ino) == self._identity else 0)
                found = line in file.read()
        except OSError:
            return self._identity is not None
        self._torn = not found and self._fd >= 0 and self._ends_torn()
        return found

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0 and self._is_ours(fd):
            os.close(fd)

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            if not poll.poll(PIPE_WAIT * 1000):
                raise
            return os.write(self._fd, data)
        except OSError as exc:
            if exc.errno == errno.EBADF:  # closed, or open for reading only: somebody else's by now
                self._fd = -1
            elif not self._regular:  # a pipe whose reader is gone; the next one may be another
                self.close()
            raise

    def _is_ours(self, fd: int) -> bool:
        """Say whether the number still stands for what was opened."""
        try:
            status = os.fstat(fd)
        except OSError:
            return False
        self._size = status.st_size
        return (status.st_dev, status.st_ino) == self._identity

    def _in_place(self) -> bool:
        """Say whether the descriptor is ours, and what stands at the path is what it was opened for."""
        if self._fd < 0:
            return False
        if not self._is_ours(self._fd):
            self._fd = -1
            return False
        if not self._regular:
            return True
        try:
            status = os.stat(self.name)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _open(self) -> None:
        self.close()
        folder = os.path.dirname(self.name)
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
        # O_NONBLOCK means nothing to a file; a pipe that nobody reads is refused instead of waited for.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(self.name, flags, 0o600)
        status = os.fstat(fd)
        self._identity = (status.st_dev, status.st_ino)
        self._regular = stat.S_ISREG(status.st_mode)
        self._size = status.st_size
        self._fd = fd
        self._torn = self._regular and self._ends_torn()

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


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:  # not there yet
        return True


class Callback:
    """Hands each line to a function, on the writer thread."""

    direct: bool = False
    patience: int | None = 3

    def __init__(self, function: Callable[[bytes], object]) -> None:
        self.name = getattr(function, "__qualname__", None) or "the writer callback"
        self.calling: int | None = None
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

    def close(self) -> None:
        pass
