"""From bytes to events: what is read of a trace, and what is said of lines that are none."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from trace_cli import line, streams
from trace_cli.errors import BadLine
from trace_cli.event import Event
from trace_cli.text import visible

SHOWN = 5  # bad lines of a file that are reported one by one


class Reading:
    """The events of some traces, in their order. `bad` counts the lines that were none, `trouble` unread files.

    `files` are names, `-` is stdin. `say` gets each line of talk. `strict` parses every line whole.
    `pause` is called whenever the input keeps us waiting. `copies` names the files to read in place of others.
    `end` is where reading ended in the last file, in bytes and lines: a file that is followed can be taken up
    again `behind` it. Memory grows with the longest line.
    """

    def __init__(
        self,
        files: Sequence[str],
        *,
        strict: bool = False,
        say: Callable[[str], None] = lambda text: None,
        pause: Callable[[], None] = streams.nothing,
        follow: bool = False,
        copies: Mapping[str, str] | None = None,
        behind: tuple[int, int] = (0, 0),
    ) -> None:
        self.files = list(files)
        self.count = 0
        self.bad = 0
        self.trouble = 0
        self.end = behind
        self._strict = strict
        self.say = say
        self.pause = pause
        self._follow = follow
        self._copies = copies or {}

    def __iter__(self) -> Iterator[Event]:
        for name in self.files:
            label = "stdin" if name == streams.STDIN else name
            try:
                if self._follow:
                    streams.open_input(name).close()  # a name that is wrong from the start is said
                    if streams.size(name) < self.end[0]:  # another file by now
                        self.end = (0, 0)
                    for blocks in streams.follow(name, self.pause, self.end[0]):
                        yield from self._events(name, label, blocks)
                        self.end = (0, 0)
                        if self.trouble:
                            break
                    continue
                self.end = (0, 0)
                with streams.open_input(self._copies.get(name, name)) as file:
                    yield from self._events(name, label, streams.blocks(file, self.pause))
            except IsADirectoryError:
                self._unreadable(label, f"is a directory; name its files: {label.rstrip('/')}/*.jsonl")
            except OSError as error:
                self._unreadable(label, error.strerror or str(error))

    def status(self, found: object) -> int:
        """The exit status of a command that found something, or nothing."""
        if self.trouble or (self._strict and self.bad) or (self.bad and not found):
            return 2
        return 0 if found else 1

    def _unreadable(self, label: str, reason: str) -> None:
        self.trouble += 1
        self.say(f"trace: {label}: {reason}")

    def _events(self, name: str, label: str, blocks: Iterator[bytes]) -> Iterator[Event]:
        lines = _Lines(blocks, *self.end)
        problems = _Problems(label, self.say)
        strict, head = self._strict, line.head

        def damaged(event: Event, bad: BadLine) -> None:
            self.bad += 1
            problems.note(event.line, bad, "its payload is lost")

        started = self.count
        untyped = 0
        for raw in lines:
            known = None if strict or not lines.terminated else head(raw)
            if known:
                yield Event(raw, known, None, name, lines.number, lines.offset, self.count, damaged)
                self.count += 1
            else:
                start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0  # in the middle too, where files were joined
                if not raw[start:].strip():
                    continue
                pieces = list(line.unglue(raw[start:]))
                good = [piece for piece in pieces if not isinstance(piece[2], BadLine)]
                if len(good) > 1:
                    problems.note_glued(lines.number, len(good))
                for offset, piece, found in pieces:
                    if not isinstance(found, BadLine):
                        place = lines.offset + start + offset
                        event = Event(piece, None, found, name, lines.number, place, self.count)
                        untyped += not event.type
                        self.count += 1
                        yield event
                        if not lines.terminated:  # its newline may come yet
                            self.end = (lines.offset + len(raw), lines.number - 1)
                    elif not lines.terminated and piece.lstrip().startswith(b"{"):
                        problems.note_torn(lines.number, len(piece))
                        self.end = (lines.offset, lines.number - 1)
                    else:
                        self.bad += 1
                        problems.note(lines.number, found)
        if lines.terminated:
            self.end = (lines.position, lines.number)
        if lines.failure:
            self._unreadable(label, lines.failure)
        elif not lines.number and not self._follow:
            self.say(f"trace: {label}: empty")
        events = self.count - started
        if events and untyped == events:
            self.bad += 1
            self.say(f"trace: {label}: no trace: none of its lines has a type (type, event_type, kind or event)")
        problems.close(events)


class _Lines:
    """The lines of a stream of blocks, without their newlines; where the latest one stands."""

    def __init__(self, blocks: Iterator[bytes], offset: int = 0, number: int = 0) -> None:
        self.number = number
        self.offset = self.position = offset  # of the latest line, and behind it
        self.terminated = True
        self.failure: str | None = None  # why reading ended before the file did
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        rest: list[bytes] = []
        first = True
        for block in self._readable():
            if first and not self.position:
                first = False
                self.failure = _not_jsonl(block[:4096])
                if self.failure:
                    return
            pieces = block.split(b"\n")
            if len(pieces) == 1:
                rest.append(block)
                continue
            if rest:
                rest.append(pieces[0])
                pieces[0] = b"".join(rest)
            last = pieces.pop()
            rest = [last] if last else []
            for piece in pieces:
                self.number += 1
                self.offset = self.position
                self.position += len(piece) + 1
                yield piece
        if rest:
            self.number += 1
            self.offset = self.position
            self.terminated = False
            yield b"".join(rest)

    def _readable(self) -> Iterator[bytes]:
        try:
            yield from self._blocks
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


class _Problems:
    """Talk about the bad lines of one file: the first few, then a count."""

    def __init__(self, label: str, say: Callable[[str], None]) -> None:
        self._label = label
        self._say = say
        self._bad = 0
        self._glued = 0
        self._hints: dict[str, None] = {}

    def note(self, number: int, bad: BadLine, outcome: str = "skipped") -> None:
        self._bad += 1
        if bad.hint:
            self._hints[bad.hint] = None
        if self._bad <= SHOWN:
            self._say(f"{self._label}:{number}: {bad.reason}; {outcome}")

    def note_torn(self, number: int, size: int) -> None:
        self._say(f"{self._label}:{number}: torn last line, {size} bytes: the writer was cut off")

    def note_glued(self, number: int, count: int) -> None:
        self._glued += 1
        if self._glued == 1:
            self._say(f"{self._label}:{number}: {count} objects on one line, read as the events that they are")

    def close(self, events: int) -> None:
        if self._bad > SHOWN:
            self._say(f"{self._label}: {self._bad} lines skipped in all, {events} events read")
        if self._bad and not events and not self._hints:
            self._say(f"  hint: nothing in {self._label} is JSONL, one JSON object a line")
        for hint in self._hints:
            self._say(f"  hint: {hint}")


def _not_jsonl(start: bytes) -> str | None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8 FILE | trace …"
    if start.startswith(tuple(streams.MAGIC)):  # only where the file is followed: else it was unpacked
        return "compressed, and cannot be followed"
    if b"\0" in start and not start.lstrip().startswith(b"{"):
        return "a binary file, not JSONL"
    return None


def talk(text: str) -> None:
    """A line to stderr, which may be closed. It may name what a trace names: shown, never interpreted."""
    if sys.stderr is not None:
        shown = "\n".join(map(visible, text.split("\n")))
        with suppress(OSError):  # written at once: what stays behind in a buffer becomes an exit status of its own
            os.write(2, f"{shown}\n".encode("utf-8", "backslashreplace"))
