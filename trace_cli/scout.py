"""A second process that looks through the other half of a large file while the first half is read.

It knows only lines whose head proves them, and stops at any other: what it has not told of, the reader reads.
"""

import marshal
import os
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple, Self

from trace_cli import streams
from trace_cli.head import TYPE, Condition
from trace_cli.lines import WholeLines, heads
from trace_cli.search import finder, prepare

_SIGKILL = 9  # the module signal takes as long to import as 2 MB to look through
MOST = 50_000  # wanted lines that are noted, in 24 bytes each


class Report(NamedTuple):
    """What was found in a file up to `end`, the start of a line. All `lines` before it are proven.

    `wanted` tells where those are that are wanted; the others are counted in `left_out`, by type.
    """

    end: int
    lines: int
    left_out: dict[bytes, int]
    places: bytes

    def wanted(self) -> Iterator[tuple[int, int, int]]:
        """Of each wanted line the offset, the size without the newline, and the number, from 1."""
        numbers = iter(array("Q", self.places))
        return zip(numbers, numbers, numbers, strict=True)


class Scout:
    """The process, which begins at `start`. It is ended with the context."""

    def __init__(self, fd: int, start: int, only: Condition) -> None:
        self.start = start
        self._told, tell = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._told)
            os.close(tell)
            raise
        if self._pid == 0:
            try:
                with open(tell, "wb") as out:
                    out.write(marshal.dumps(tuple(_looked_through(fd, start, only))))
            finally:
                os._exit(0)
        os.close(tell)

    def report(self) -> Report | None:
        """What it found, once it has; None where it failed."""
        with open(self._told, "rb", closefd=False) as told:
            said = told.read()
        try:
            return Report(*marshal.loads(said))
        except (EOFError, ValueError, TypeError):
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._told)
        with suppress(ProcessLookupError):
            os.kill(self._pid, _SIGKILL)
        with suppress(ChildProcessError):  # where whoever started us has SIGCHLD ignored
            os.waitpid(self._pid, 0)


def sent(fd: int, only: Condition) -> Scout | None:
    """A scout in the second half of a regular file; None where it would not help, or cannot be."""
    if _processors() < 2:
        return None
    middle = os.fstat(fd).st_size // 2
    newline = os.pread(fd, streams.BLOCK, middle).find(b"\n")
    if newline < 0 or os.pread(fd, 6, 0).startswith(tuple(streams.MAGIC)):
        return None
    prepare()  # once for both
    try:
        return Scout(fd, middle + newline + 1, only)
    except OSError:  # no more processes
        return None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _looked_through(fd: int, start: int, only: Condition) -> Report:
    lines, end, left_out, places = 0, start, Counter[bytes](), array("Q")
    for block, first in WholeLines(_blocks(fd, start), at_start=False):
        base = end - first
        for begin, stop, head in heads(block, first, finder(block)):
            if head is None or len(places) >= 3 * MOST:
                return Report(end, lines, dict(left_out), places.tobytes())
            lines += 1
            if only(head):
                places.extend((base + begin, stop - begin, lines))
            else:
                left_out[head[TYPE]] += 1
            end = base + stop + 1
    return Report(end, lines, dict(left_out), places.tobytes())


def _blocks(fd: int, offset: int) -> Iterator[bytes]:
    while block := os.pread(fd, streams.BLOCK, offset):
        yield block
        offset += len(block)
