"""The sink that is a file."""

import errno
import fcntl
import os
import select
import stat
import time
from datetime import timedelta
from typing import Any

from .rotation import Rotation, born, lock
from .wanted import Globs, chosen

LOOKS, LOOK_AGAIN = 5, 0.001  # times, seconds
PIPE_WAIT = 0.05  # seconds that a write waits for whoever reads a pipe
PLACES = 8  # how often the file is looked for again when others rotate it meanwhile


class FileSink:
    """Appends to a file that other processes may append to as well; made with mode 0600, its folders too.

    A line is one `write(2)` on an O_APPEND descriptor. What is at the end of the file without a newline is left
    there, and ended with one. A pipe may take a part of a line: the rest follows when there is room. A file that
    was removed or renamed is made again. The agent may close the descriptor (as daemons do) and use its number for
    something else: that is never written to, nor closed.

    With `rotate_bytes` the file gets another name before it would become larger than that; with `rotate_every`,
    seconds or a timedelta, when an event comes that long after the file's first. Rotated files are compressed with
    gzip; the newest `keep` of them are kept, all if None. See `rotation.Rotation` for their names. Processes that
    write to one file must all be given the same.

    `fsync=True` waits after each line until it is on the disk: what was written survives a loss of power.

    The file gets events of the `types` given, globs such as `tool.*`, and with `errors` only those that tell of an
    error. A `tap.dropped` in it tells of such events alone.

    Raises ValueError for a setting that makes no sense, TypeError for one of another type.
    """

    patience: int | None = None
    calling: int | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        types: Globs | None = None,
        errors: bool = False,
        rotate_bytes: int | None = None,
        rotate_every: float | timedelta | None = None,
        keep: int | None = None,
        fsync: bool = False,
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"FileSink takes the path of a file, not {path!r}")
        self.name = _absolute(path)
        if rotate_bytes is not None or rotate_every is not None:
            self.name = os.path.realpath(self.name)  # a link would be renamed, and the file stay for ever
        self.direct = _is_file(self.name)  # a pipe may have nobody who reads it
        self.wanted = chosen(types, errors)
        self._fsync = fsync
        self._rotation = _rotation(self.name, rotate_bytes, rotate_every, keep)
        self._fd = -1
        self._torn = False
        self._rest: tuple[bytes, memoryview] | None = None  # a line that a pipe took a part of, and what is left
        self._identity = (-1, -1)  # of what was opened: device and inode
        self._regular = True
        self._size = 0  # of the file, before the last write or earlier
        self._born = 0.0  # when the file began, seconds since 1970

    def write(self, line: bytes) -> None:
        """Append a line. Raises OSError."""
        if self._rotation is not None:
            self._write_rotating(line, self._rotation)
            return
        if not self._in_place():
            self._open()
        self._append(line)

    def has(self, line: bytes) -> bool:
        """Say whether the line arrived. Where that cannot be read, that it did: a gap is better than a double."""
        if not self._regular:
            if self._rest is not None and self._rest[0] == line:
                return False
            self._torn = True  # for all we know: an empty line does no harm
            return True
        try:
            with open(self.name, "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                same = (status.st_dev, status.st_ino) == self._identity
                if not same and self._rotation is not None:
                    return True  # it may be in a file that was rotated since
                file.seek(self._size if same else 0)
                found = line in file.read()
        except OSError:
            return self._identity != (-1, -1)
        self._torn = not found and self._fd >= 0 and self._ends_torn()
        return found

    def reset(self) -> None:
        """Open the file anew in a forked child: a lock on the parent's descriptor would be the parent's too."""
        self.close()

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0 and self._is_ours(fd):
            os.close(fd)

    # --- one line ----------------------------------------------------------------------------------------------

    def _append(self, line: bytes) -> None:
        data: bytes | memoryview = b"\n" + line if self._torn else line
        if self._rest is not None and self._rest[0] == line:
            data = self._rest[1]
        while (written := self._write(data)) < len(data):
            data = memoryview(data)[written:]
            # Where the room ended right after the newline, what comes next begins on a line of its own.
            self._torn = len(data) != len(line)
            if not self._regular:  # in a file another process may write in between
                self._rest = (line, data)
        self._torn, self._rest = False, None
        if self._fsync and self._regular:
            os.fdatasync(self._fd)

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return self._write_when_ready(data)
        except BlockingIOError:
            raise
        except OSError as exc:
            if exc.errno == errno.EBADF:  # closed, or open for reading only: somebody else's by now
                self._fd = -1
            elif not self._regular:  # a pipe whose reader is gone; the next one may be another
                self.close()
            raise

    def _write_when_ready(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            if not poll.poll(PIPE_WAIT * 1000):
                raise
        return os.write(self._fd, data)

    # --- the file at the path ----------------------------------------------------------------------------------

    def _is_ours(self, fd: int) -> bool:
        """Say whether the number still stands for what was opened."""
        try:
            status = os.fstat(fd)
        except OSError:
            return False
        self._size = status.st_size
        return status.st_ino == self._identity[1] and status.st_dev == self._identity[0]

    def _has_ours(self) -> bool:
        """Say whether the descriptor is ours still; forget it if not."""
        if self._fd >= 0 and self._is_ours(self._fd):
            return True
        self._fd = -1
        return False

    def _in_place(self) -> bool:
        """Say whether the descriptor is ours, and what stands at the path is what it was opened for."""
        return self._has_ours() and (not self._regular or self._is_at_path())

    def _is_at_path(self) -> bool:
        """Say whether what was opened stands at the path still."""
        try:
            status = os.stat(self.name)
        except OSError:
            return False
        return status.st_ino == self._identity[1] and status.st_dev == self._identity[0]

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
        self._rest = None  # whoever reads the pipe now may be another
        self._torn = self._ends_torn() if self._regular else self._torn
        if self._regular and self._fsync and status.st_size == 0:
            _sync_folder(folder)  # else the file itself might be gone
        if self._rotation is not None and self._regular:
            self._born = born(self.name, status) if self._rotation.every is not None else 0.0
            if self._rotation.leaves_work():
                self._rotation.tidy_later()

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

    # --- rotation ----------------------------------------------------------------------------------------------

    def _write_rotating(self, line: bytes, rotation: Rotation) -> None:
        """Append a line to the file that is at the path while it is locked: so none is written to a rotated one.

        The lock is shared. Only who compresses a rotated file wants it for himself, and finds it taken meanwhile.
        """
        may_rotate = True
        for _ in range(PLACES):
            if not self._has_ours():
                self._open()
            if not self._regular:
                return self._append(line)
            locked = lock(self._fd, fcntl.LOCK_SH)
            if locked is None:
                rotation.gzip = False
            try:
                if locked is False or not self._is_at_path():
                    self.close()
                    continue
                if not may_rotate or not rotation.is_due(self._size, line, self._born):
                    return self._append(line)
            finally:
                if locked and self._fd >= 0:
                    lock(self._fd, fcntl.LOCK_UN)
            may_rotate = self._rotate(rotation)
        raise BlockingIOError(errno.EAGAIN, "others keep the file locked")

    def _rotate(self, rotation: Rotation) -> bool:
        """Give the file another name; False if that cannot be done now."""
        folder = -1
        try:
            folder = os.open(os.path.dirname(self.name), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if lock(folder, fcntl.LOCK_EX) is False:
                return False  # another process does it
            if self._in_place():  # else another process has done it
                os.rename(self.name, rotation.fresh_name())
                rotation.tidy_later()
        except OSError:
            rotation.failed()
            return False
        finally:
            if folder >= 0:
                os.close(folder)  # which unlocks it
        return True


def _rotation(path: str, rotate_bytes: object, rotate_every: object, keep: object) -> Rotation | None:
    if isinstance(rotate_every, timedelta):
        rotate_every = rotate_every.total_seconds()
    size = _limit("rotate_bytes", "a number of bytes", rotate_bytes)
    span = _limit("rotate_every", "a number of seconds or a timedelta", rotate_every)
    if keep is not None and (not isinstance(keep, int) or isinstance(keep, bool)):
        raise TypeError(f"keep= is a number of files, not {keep!r}")
    if keep is not None and keep < 0:
        raise ValueError(f"keep= is a number of files, not {keep!r}")
    if size is None and span is None:
        if keep is not None:
            raise ValueError("keep= says how many rotated files are kept: it needs rotate_bytes= or rotate_every=")
        return None
    return Rotation(path, size, span, keep)


def _limit(name: str, what: str, value: object) -> float | None:
    return None if value is None else more_than_zero(name, what, value)


def more_than_zero(name: str, what: str, value: Any, kinds: Any = int | float) -> Any:
    """Return `value`, a setting that is a number of these kinds. Raises TypeError or ValueError if it is not."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{name}= is {what}, not {value!r}")
    if not value > 0:
        raise ValueError(f"{name}= must be more than 0, not {value!r}")
    return value


def _absolute(path: str | os.PathLike[str]) -> str:
    """Return the path for good: the agent may change its directory later."""
    name = os.fspath(path)
    if not name:
        raise ValueError("the path of a file to write to is empty")
    try:
        return os.path.abspath(name)
    except FileNotFoundError:
        raise ValueError(f"{name!r} is a path from the working directory, which is not there any more") from None


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:  # not there yet
        return True


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
