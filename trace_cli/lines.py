"""The lines of a stream of blocks, and of each the head that it proves: without a copy, without parsing."""

import re
from collections.abc import Iterator

from trace_cli import streams
from trace_cli.head import OWN, match
from trace_cli.search import Find, finder

_SEAM = b'}{"'  # between two objects on one line; in a string the quote is escaped


class WholeLines:
    """The blocks of a stream cut anew, so that each holds whole lines from a place on that is given with it.

    `rest` is what was read behind the last newline, `failure` why reading ended before the file did.
    """

    def __init__(self, blocks: Iterator[bytes], at_start: bool = True) -> None:
        self.rest = b""
        self.failure: str | None = None
        self._blocks = blocks
        self._at_start = at_start

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        begun: list[bytes] = []  # a line whose end has not come yet
        for block in self._readable():
            first = block.find(b"\n") + 1
            if not first:
                begun.append(block)
                continue
            if begun:
                yield b"".join((*begun, block[:first])), 0
            else:
                first = 0
            last = block.rfind(b"\n") + 1
            begun = [block[last:]] if last < len(block) else []
            if first < last:
                yield block, first
        self.rest = b"".join(begun)

    def _readable(self) -> Iterator[bytes]:
        try:
            for block in self._blocks:
                if self._at_start:
                    self._at_start = False
                    self.failure = _not_jsonl(block[:4096])
                    if self.failure:
                        return
                yield block
        except EOFError:
            self.failure = "compressed data is cut off; all events up to there were read"
        except OSError as error:
            if error.errno is not None:
                raise
            self.failure = f"compressed data is damaged: {error}"
        except Exception as error:  # zlib, lzma and zstd each have an error class of their own
            if type(error).__module__ not in ("zlib", "_lzma", "lzma", "compression.zstd", "backports.zstd"):
                raise
            self.failure = f"compressed data is damaged: {error}"


def _not_jsonl(start: bytes) -> str | None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8 FILE | trace …"
    if start.startswith(tuple(streams.MAGIC)):  # only where the file is followed: else it was unpacked
        return "compressed, and cannot be followed"
    if b"\0" in start and not start.lstrip().startswith(b"{"):
        return "a binary file, not JSONL"
    return None


def heads(block: bytes, start: int, find: Find) -> Iterator[tuple[int, int, re.Match[bytes] | None]]:
    """Of each line in a block, from `start` up to the last newline: where it starts and ends, and its head.

    The head of a canonical line (trace-events(5)); None of any other: that must be parsed. Checked are the head,
    the end (so that a cut-off line is none) and that no second object is glued on, be it to a line that was cut
    off. The middle is not: damage there passes, and so does another object behind white space; of a key that is
    there twice the first counts. `find` is the block's (`search.finder`).
    """
    newline, starts = block.find, block.startswith
    size = len(block)
    own = seam = -1  # the first of each behind the start of the latest line that has a head
    while (end := newline(b"\n", start)) >= 0:
        head = match(block, start)
        if head:
            if own <= start and (own := find(OWN, start + 1)) < 0:
                own = size
            if seam < start and (seam := find(_SEAM, start)) < 0:
                seam = size
            if own < end or seam < end or not (starts(b"}}", end - 2) or starts(b"}}\r", end - 3)):
                head = None
        yield start, end, head
        start = end + 1


def head_of(raw: bytes) -> re.Match[bytes] | None:
    """The head of one line, given without its newline; None: parse it. See `heads`."""
    block = raw + b"\n"
    return match(raw) if next(heads(block, 0, finder(block)))[2] else None
