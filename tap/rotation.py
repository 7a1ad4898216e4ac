"""When a file is full or old, what it is called afterwards, and what becomes of it: gzip, and an end."""

import contextlib
import fcntl
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from . import guard

AGAIN = 60.0  # seconds after which a rotation that failed is tried again
BUSY_LOOKS, BUSY_WAIT = 50, 0.1  # times, seconds, that a file somebody still writes to is waited for
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_STAMPED = r"\.\d{8}T\d{6}\.\d{6}Z"
_FIRST_TIME = re.compile(rb'^\{"v":\d+,"type":"[^"]*","timestamp":"([^"]*)"')


class Rotation:
    """The rule by which one file is rotated, and the files that were.

    `run.jsonl` becomes `run.20260524T031704.123456Z.jsonl`, by the time of the rotation in UTC, and then
    `….jsonl.gz`: in the order of names they are in the order of time, with `run.jsonl` last.

    `max_bytes` is the size that a file does not exceed unless its only line does; `every` the seconds that a file
    lasts from its first event; `keep` how many rotated files are kept, None for all.
    """

    def __init__(self, path: str, max_bytes: float | None, every: float | None, keep: int | None) -> None:
        self.max_bytes = max_bytes
        self.every = every
        self.keep = keep
        self.gzip = True  # not where files cannot be locked: somebody might still write to one
        self._folder, name = os.path.split(path)
        self._stem, self._suffix = os.path.splitext(name)
        self._name = re.compile(re.escape(self._stem) + _STAMPED + re.escape(self._suffix))
        self._not_before = 0.0  # by time.monotonic()
        self._tidying: threading.Thread | None = None
        self._more = False  # whether there is more to do than the thread began with

    def is_due(self, size: int, line: bytes, born: float) -> bool:
        """Say whether a file of this size and age must go before `line` is written."""
        if size == 0 or time.monotonic() < self._not_before:
            return False
        if self.max_bytes is not None and size + len(line) > self.max_bytes:
            return True
        return self.every is not None and time.time() - born >= self.every

    def fresh_name(self) -> str:
        """Return a path that no rotated file has."""
        while True:
            stamp = datetime.now(UTC).strftime(_STAMP)
            path = os.path.join(self._folder, f"{self._stem}.{stamp}{self._suffix}")
            if not os.path.lexists(path) and not os.path.lexists(path + ".gz"):
                return path

    def failed(self) -> None:
        """Leave the file as it is for a while."""
        self._not_before = time.monotonic() + AGAIN

    def tidy_later(self) -> None:
        """Compress and remove rotated files on a thread of its own; what is not done by the end, the next does."""
        self._more = True
        if self._tidying is None or not self._tidying.is_alive():
            self._tidying = threading.Thread(target=self._tidy_all, name="agenttap-gzip", daemon=True)
            guard.failure(self._tidying.start)  # no more threads: the next rotation tries again

    def _tidy_all(self) -> None:
        while self._more:
            self._more = False
            guard.attempt(self.tidy, everything=True)

    def tidy(self) -> None:
        """Compress every rotated file that is not, and remove the oldest beyond `keep`."""
        paths = sorted(self._rotated())
        if self.keep is not None:
            names = sorted({path.removesuffix(".gz") for path in paths})
            for path in names[: max(0, len(names) - self.keep)]:
                for one in (path, path + ".gz", _part(path)):
                    _remove(one)
        for path in paths:
            if self.gzip and not path.endswith(".gz"):
                _compress(path)  # nothing if it was just removed

    def leaves_work(self) -> bool:
        """Say whether there is a rotated file that is not compressed: whoever was to do it did not come to it."""
        return self.gzip and any(not path.endswith(".gz") for path in self._rotated())

    def _rotated(self) -> Iterator[str]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if self._name.fullmatch(entry.name.removesuffix(".gz")):
                    yield entry.path


def born(path: str, status: os.stat_result) -> float:
    """Return when a file began, in seconds since 1970: by its first event, or else when it was last written."""
    if status.st_size == 0:
        return time.time()
    try:
        with open(path, "rb", buffering=0) as file:
            first = _FIRST_TIME.match(file.read(512))
        return datetime.fromisoformat(first[1].decode()).timestamp() if first else status.st_mtime
    except (OSError, ValueError):
        return status.st_mtime


def lock(fd: int, how: int) -> bool | None:
    """Lock an open file or folder without waiting; False if somebody else has it, None if it cannot be locked."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _compress(path: str) -> None:
    """Put `path`.gz in the place of `path`, whole or not at all. Several processes may try.

    Whoever writes to a file holds it with a shared lock, and looks at its name when it has the lock. So once it is
    renamed and was locked for us alone, nobody will ever write to it again.
    """
    try:
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # another process was faster
    with open(source, "rb") as plain:
        for _ in range(BUSY_LOOKS):
            if (locked := lock(source, fcntl.LOCK_EX)) is not False:
                break
            time.sleep(BUSY_WAIT)
        if not locked or os.fstat(source).st_nlink == 0:
            return
        if not os.path.lexists(path + ".gz"):
            _write_gzip(plain, path)
        _remove(path)


def _write_gzip(plain: Any, path: str) -> None:
    import gzip  # nobody else in here needs it

    part = _part(path)  # ours alone: we hold the lock on `path`
    status = os.fstat(plain.fileno())
    mode = status.st_mode & 0o777
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as raw:
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6) as packed:
                shutil.copyfileobj(plain, packed, 1 << 18)
            raw.flush()
            os.fsync(raw.fileno())
        os.utime(part, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.rename(part, path + ".gz")
    except BaseException:
        _remove(part)
        raise


def _part(path: str) -> str:
    """Return the name under which `path` is compressed; hidden, so that no reader's `*` finds half a file."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.gz.part")


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
