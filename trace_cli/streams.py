"""Bytes in and out: the only place that opens, reads, decompresses, follows or writes."""

import errno
import io
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from trace_cli.errors import ClosedPipe, TraceError

if TYPE_CHECKING:
    from pathlib import Path

STDIN = "-"
BLOCK = 1 << 21
AHEAD = 2 * BLOCK  # the size of a file from which a thread reads ahead
LARGE = 16 * BLOCK  # and from which a second process is worth it
POLL_S = 0.1  # how often a followed file is looked at
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


class _Raw(Protocol):
    def read(self, size: int, /) -> bytes: ...


def nothing() -> None:
    """The pause of a reader that nobody needs to be told of."""


def is_terminal(fd: int) -> bool:
    """Whether a descriptor is a terminal; False for one that is closed."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def is_file(name: str) -> bool:
    """Whether a name is a regular file: it has an end, and can be read again."""
    try:
        return stat.S_ISREG(os.fstat(0).st_mode if name == STDIN else os.stat(name).st_mode)
    except OSError:
        return False


def open_input(name: str) -> BinaryIO:
    """A file, or stdin for `-`, unbuffered. Raises OSError."""
    if name != STDIN:
        return open(name, "rb", buffering=0)
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return open(0, "rb", buffering=0, closefd=False)


def is_readable(name: str) -> bool:
    """Whether a name is something that can be read; a folder is not."""
    return os.access(name, os.R_OK) and not os.path.isdir(name)


def is_readable_once(name: str) -> bool:
    """Whether a name is stdin or a pipe: `<(zcat run.gz)` in a shell is one."""
    try:
        return name == STDIN or stat.S_ISFIFO(os.stat(name).st_mode)
    except OSError:
        return False


def is_plain(name: str) -> bool:
    """Whether a name is a regular file that is not packed: any part of it can be read again."""
    if name == STDIN or not is_file(name):
        return False
    with open_input(name) as file:
        return not file.read(6).startswith(tuple(MAGIC))


class Reopened:
    """Parts of plain files, by name, offset and size. A few of them stay open."""

    KEPT = 32

    def __init__(self) -> None:
        self._open: dict[str, BinaryIO] = {}

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Closes what is open; what is read after that is opened again."""
        while self._open:
            self._open.popitem()[1].close()

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Raises TraceError where the file is gone, or shorter than it was."""
        try:
            if name not in self._open:
                if len(self._open) >= self.KEPT:
                    self._open.pop(next(iter(self._open))).close()
                self._open[name] = open_input(name)
            found = _pread(self._open[name].fileno(), offset, size)
        except OSError as error:
            raise TraceError(f"{name}: {error.strerror or error}") from None
        if len(found) < size:
            raise TraceError(f"{name}: became shorter while it was looked at", "start again")
        return found


class Spool:
    """A copy, in a file without a name, of what cannot be read again."""

    def __init__(self) -> None:
        self._fd = -1
        self._end = 0
        import tempfile

        with tempfile.TemporaryFile(buffering=0) as file:
            self._fd = os.dup(file.fileno())

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def append(self, raw: bytes) -> int:
        """Where it was put. Raises TraceError when the disk is full."""
        start, rest = self._end, memoryview(raw)
        try:
            while rest:
                rest = rest[os.pwrite(self._fd, rest, self._end + len(raw) - len(rest)) :]
        except OSError as error:
            raise TraceError(f"cannot keep what is read from a pipe: {error.strerror or error}") from None
        self._end += len(raw)
        return start

    def read(self, offset: int, size: int) -> bytes:
        """What was put there."""
        return _pread(self._fd, offset, size)


def _pread(fd: int, offset: int, size: int) -> bytes:
    parts = []
    while size and (part := os.pread(fd, size, offset)):
        parts.append(part)
        offset, size = offset + len(part), size - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def spool(name: str) -> str:
    """Copies stdin or a pipe to a temporary file, so that it can be read twice; its name. Deleted at exit."""
    import atexit
    import tempfile

    label = "standard input" if name == STDIN else name
    with tempfile.NamedTemporaryFile(prefix="trace-", delete=False) as copy:
        atexit.register(os.unlink, copy.name)
        try:
            with open_input(name) as source:
                plain = _Plain(source, nothing)
                while block := plain.read(BLOCK):
                    copy.write(block)
        except OSError as error:
            raise TraceError(f"cannot keep {label} in {copy.name}: {error.strerror or error}") from None
    return copy.name


def is_large(file: BinaryIO) -> bool:
    """Whether an open file is a regular one, at its start, of a size that is worth a second process."""
    return _is_regular(file, LARGE) and file.tell() == 0


def _is_regular(file: BinaryIO, size: int) -> bool:
    """Whether an open file is a regular one of at least so many bytes."""
    status = os.fstat(file.fileno())
    return stat.S_ISREG(status.st_mode) and status.st_size >= size


def blocks(file: BinaryIO, pause: Callable[[], None] = nothing, until: int | None = None) -> Iterator[bytes]:
    """The decompressed bytes of an open file, a block as soon as there is one; of a plain one `until` a place.

    gzip, bz2, xz and zstd are known by their first bytes. `pause` is called whenever the input keeps us waiting.
    Raises OSError, and EOFError when compressed data is cut off.
    """
    found = _blocks(_Plain(file, pause, until))
    if until is not None or not _is_regular(file, AHEAD):
        return found  # in the first case a second process has work for the second processor already
    from trace_cli.ahead import read_ahead

    return read_ahead(found)


def _blocks(plain: "_Plain") -> Iterator[bytes]:
    block = plain.read(BLOCK)
    while block and len(block) < 6 and any(magic.startswith(block[: len(magic)]) for magic in MAGIC):
        more = plain.read(BLOCK)
        if not more:
            break
        block += more
    kind = next((kind for magic, kind in MAGIC.items() if block.startswith(magic)), None)
    read: Callable[[int], bytes] = plain.read
    if kind is not None:
        unpacked = _decompress(kind, _Rejoined(block, plain))
        read = getattr(unpacked, "read1", None) or unpacked.read
        block = read(BLOCK)
    while block:
        yield block
        block = read(BLOCK)


class _Plain:
    """Reads what is there, and says so before it has to wait for more."""

    def __init__(self, file: BinaryIO, pause: Callable[[], None], until: int | None = None) -> None:
        self._file = file
        self._pause = pause
        self._left = until
        self._waits = not _is_regular(file, 0)

    def read(self, size: int) -> bytes:
        if self._left is not None:
            found = self._file.read(min(size, self._left))
            self._left -= len(found)
            return found
        if self._waits and not select.select([self._file], [], [], 0)[0]:
            self._pause()
        while (found := self._file.read(min(size, 1 << 16) if self._waits else size)) is None:  # non-blocking
            select.select([self._file], [], [])
        return found


class _Rejoined(io.RawIOBase):
    """The bytes that were looked at, then the rest."""

    def __init__(self, start: bytes, rest: _Raw) -> None:
        self._start = start
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the base takes any buffer
        if not self._start:
            self._start = self._rest.read(len(buffer))
        size = min(len(buffer), len(self._start))
        buffer[:size], self._start = self._start[:size], self._start[size:]
        return size


def _decompress(kind: str, file: io.RawIOBase) -> _Raw:
    packed = cast(BinaryIO, file)  # unbuffered: what came is unpacked before waiting for more
    if kind == "gzip":
        import gzip

        return cast(_Raw, gzip.GzipFile(fileobj=packed))
    if kind == "bz2":
        import bz2

        return bz2.BZ2File(packed)
    if kind == "xz":
        import lzma

        return lzma.LZMAFile(packed)
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
    except ImportError:
        raise OSError(
            errno.ENOTSUP, "zstd-compressed; pip install 'agent-replay-trace[zstd]', or: zstd -dc FILE | trace …"
        ) from None
    return cast(_Raw, zstd.ZstdFile(packed))


def size(name: str) -> int:
    """The length of a file in bytes. Raises OSError."""
    return os.stat(name).st_size


def follow(name: str, pause: Callable[[], None], start: int = 0) -> Iterator[Iterator[bytes]]:
    """The bytes of a growing file, for ever: one stream of blocks for each file that stood under the name.

    The first is read from `start` on. A file that was renamed away is read to its end before the new one; a
    truncated one is read from its start.
    """
    while True:
        try:
            file = open_input(name)
        except FileNotFoundError:  # between a rename and the new file
            pause()
            time.sleep(POLL_S)
            continue
        with file:
            file.seek(start)
            start = 0
            yield _growing(name, file, pause)


def _growing(name: str, file: BinaryIO, pause: Callable[[], None]) -> Iterator[bytes]:
    mine = os.fstat(file.fileno())
    while True:
        while block := file.read(BLOCK):
            yield block
        try:
            there = os.stat(name)
        except FileNotFoundError:
            there = None
        moved = there is not None and (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)
        shrunk = os.fstat(file.fileno()).st_size < file.tell()
        if moved or shrunk:
            if moved and (block := file.read(BLOCK)):  # written between the last read and the rename
                yield block
                continue
            return
        pause()
        time.sleep(POLL_S)


@contextmanager
def created(path: "Path", force: bool) -> Iterator[BinaryIO]:
    """A new file, which has its name once it is whole; its folders are made. Readable for its owner only.

    Raises TraceError where it cannot be made, or is there already and may not be overwritten.
    """
    import tempfile

    try:
        if not force and os.path.lexists(path):
            raise FileExistsError
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                yield cast(BinaryIO, file)
                file.flush()
                if force:
                    os.replace(file.name, path)
                else:
                    os.link(file.name, path)
            finally:
                if os.path.lexists(file.name):
                    os.unlink(file.name)
    except FileExistsError:
        if not path.parent.is_dir():
            raise TraceError(f"{path.parent}: is no folder") from None
        raise TraceError(f"{path}: is there already", "--force overwrites it") from None
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror or error}") from None


class Output:
    """Lines to standard output, gathered; `flush` writes them. A closed pipe raises ClosedPipe."""

    def __init__(self) -> None:
        self._gathered: list[bytes] = []
        self._size = 0

    def write(self, line: bytes) -> None:
        """One line, without its newline."""
        self._gathered.append(line)
        self._size += len(line) + 1
        if self._size >= 1 << 17:
            self.flush()

    def flush(self) -> None:
        """Writes all that was gathered."""
        self._gathered.append(b"")
        rest = memoryview(b"\n".join(self._gathered))
        self._gathered, self._size = [], 0
        while rest:
            try:
                rest = rest[os.write(1, rest) :]
            except BlockingIOError:
                select.select([], [1], [])
            except BrokenPipeError:
                raise ClosedPipe from None
            except OSError as error:
                raise TraceError(f"cannot write to standard output: {error.strerror}") from None
