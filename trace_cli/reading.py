"""From bytes to events: what is read of a trace, and what is said of lines that are none."""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from trace_cli import streams
from trace_cli.errors import BadLine
from trace_cli.event import Event
from trace_cli.head import TYPE, match
from trace_cli.lines import WholeLines, heads
from trace_cli.search import finder

_FLAG = b'_error"'
SHOWN = 5  # bad lines of a file that are reported one by one


class Reading:
    """The events of some traces, in their order. `bad` counts the lines that were none, `trouble` unread files.

    `only` says by the head of a line whether its event is wanted. Others are left out, and counted in `left_out`,
    by type; but for lines whose head proves nothing. `count` counts all. `judging` is for who looks for errors: it
    makes out which lines may flag one (`Event.may_flag_error`), while that is cheap.
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
        only: Callable[[re.Match[bytes]], bool] = lambda head: True,
        judging: bool = False,
    ) -> None:
        self.files = list(files)
        self.only = only
        self.judging = judging
        self.left_out: Counter[bytes] = Counter()
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
        """The events of one file, from `end` on."""
        problems = _Problems(label, self.say)
        first = self.count
        position, number = self.end
        lines = WholeLines(blocks, at_start=not position)
        strict, left_out, only, judging = self._strict, self.left_out, self.only, self.judging

        def damaged(event: Event, bad: BadLine) -> None:
            self.bad += 1
            problems.note(event.line, bad, "its payload is lost")

        for block, start in lines:
            base = position - start  # where the block begins in the file
            find = finder(block)
            flag = -1  # the first behind the beginning of the line
            for begin, end, head in heads(block, start, find):
                number += 1
                if head is None or strict:
                    yield from self._parsed(block[begin:end], name, number, base + begin, problems)
                    continue
                if only(head):
                    raw = block[begin:end]  # and the head of that: the other one would keep the block
                    event = Event(raw, match(raw), None, name, number, base + begin, self.count, damaged)
                    if judging:
                        if flag < begin and (flag := find(_FLAG, begin)) < 0:
                            flag = len(block)
                        event.may_flag_error = flag < end
                    yield event
                else:
                    left_out[head[TYPE]] += 1
                self.count += 1
            position = base + end + 1
        self.end = (position, number)
        if lines.rest:
            number += 1
            yield from self._parsed(lines.rest, name, number, position, problems, terminated=False)
        if lines.failure:
            self._unreadable(label, lines.failure)
        elif not number and not self._follow:
            self.say(f"trace: {label}: empty")
        if self.count > first and problems.untyped == self.count - first:
            self.bad += 1
            self.say(f"trace: {label}: no trace: none of its lines has a type (type, event_type, kind or event)")
        problems.close(self.count - first)

    def _parsed(
        self, raw: bytes, name: str, number: int, offset: int, problems: "_Problems", terminated: bool = True
    ) -> Iterator[Event]:
        """The events of one line whose head proves nothing. Without its newline, more of it may come."""
        from trace_cli import line

        start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0  # in the middle too, where files were joined
        if not raw[start:].strip():
            return
        pieces = list(line.unglue(raw[start:]))
        good = sum(not isinstance(found, BadLine) for _, _, found in pieces)
        if good > 1:
            problems.note_glued(number, good)
        for place, piece, found in pieces:
            if not isinstance(found, BadLine):
                event = Event(piece, None, found, name, number, offset + start + place, self.count)
                problems.untyped += not event.type
                self.count += 1
                yield event
                if not terminated:
                    self.end = (offset + len(raw), number - 1)
            elif not terminated and piece.lstrip().startswith(b"{"):
                problems.note_torn(number, len(piece))
                self.end = (offset, number - 1)
            else:
                self.bad += 1
                problems.note(number, found)


class _Problems:
    """Talk about the bad lines of one file: the first few, then a count."""

    def __init__(self, label: str, say: Callable[[str], None]) -> None:
        self._label = label
        self._say = say
        self.untyped = 0  # events without a type
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


def talk(text: str) -> None:
    """A line to stderr, which may be closed. It may name what a trace names: shown, never interpreted."""
    from trace_cli.text import visible

    if sys.stderr is not None:
        shown = "\n".join(map(visible, text.split("\n")))
        with suppress(OSError):  # written at once: what stays behind in a buffer becomes an exit status of its own
            os.write(2, f"{shown}\n".encode("utf-8", "backslashreplace"))
