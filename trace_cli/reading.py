"""From bytes to events: what is read of a trace, and what is said of lines that are none."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from trace_cli import streams
from trace_cli.errors import BadLine
from trace_cli.event import Event
from trace_cli.head import TYPE, Condition, match
from trace_cli.lines import WholeLines, heads
from trace_cli.search import finder

_FLAG = b'_error"'
SHOWN = 5  # bad lines of a file that are reported one by one


if TYPE_CHECKING:
    from trace_cli.scout import Report


class Reading:
    """The events of some traces, in their order. `bad` counts the lines that were none, `trouble` unread files.

    `only` says by the head of a line whether its event is wanted. Others are left out, and counted in `left_out`,
    by type; but for lines whose head proves nothing. `alone`: that needs nothing but the head, so a process of its
    own may do it for half of a file. `count` counts all. `judging` is for who looks for errors: it makes out which
    lines may flag one (`Event.may_flag_error`), while that is cheap.
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
        judging: bool = False,
    ) -> None:
        self.files = list(files)
        self.only: Condition | None = None
        self.alone = False
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
                        file = _File(name, label, self)
                        yield from self._events(file, blocks)
                        file.close(follow=True)
                        self.end = (0, 0)
                        if self.trouble:
                            break
                    continue
                self.end = (0, 0)
                yield from self._whole(_File(name, label, self))
            except IsADirectoryError:
                self._unreadable(label, f"is a directory; name its files: {label.rstrip('/')}/*.jsonl")
            except OSError as error:
                self._unreadable(label, error.strerror or str(error))

    def lose(self, event: Event, bad: BadLine) -> None:
        """An event turned out to be damaged, by whoever had to look into it: it is left out, and counts as bad."""
        self.bad += 1
        self.say(f"{event.file}:{event.line}: {bad.reason}; skipped")

    def status(self, found: object) -> int:
        """The exit status of a command that found something, or nothing."""
        if self.trouble or (self._strict and self.bad) or (self.bad and not found):
            return 2
        return 0 if found else 1

    def _unreadable(self, label: str, reason: str) -> None:
        self.trouble += 1
        self.say(f"trace: {label}: {reason}")

    def _whole(self, file: "_File") -> Iterator[Event]:
        """The events of one file; of a large one a scout may look through the second half."""
        with streams.open_input(self._copies.get(file.name, file.name)) as source:
            if self.only and self.alone and not self._strict and streams.is_large(source):
                from trace_cli import scout

                if found := scout.sent(source.fileno(), self.only):
                    with found:
                        yield from self._events(file, streams.blocks(source, until=found.start))
                        report = found.report() if file.position == found.start else None
                    if report:
                        yield from self._reported(file, report, source.fileno())
                    source.seek(file.position)
            yield from self._events(file, streams.blocks(source, self.pause))
        file.close()

    def _reported(self, file: "_File", report: "Report", fd: int) -> Iterator[Event]:
        """The events that a scout tells of, as far as they are still there."""
        first, lines = self.count, file.number
        for offset, size, number in report.wanted():
            raw = os.pread(fd, size, offset)
            head = match(raw) if len(raw) == size else None
            self.count, file.number, file.position = first + number - 1, lines + number - 1, offset
            if head is None:
                return
            yield Event(raw, head, None, file.name, lines + number, offset, self.count, file.damaged)
        self.left_out.update(report.left_out)
        self.count, file.number, file.position = first + report.lines, lines + report.lines, report.end

    def _events(self, file: "_File", blocks: Iterator[bytes]) -> Iterator[Event]:
        """The events that are in these blocks, of one file."""
        lines = WholeLines(blocks, at_start=not file.position)
        strict, left_out, only, judging = self._strict, self.left_out, self.only, self.judging
        for block, start in lines:
            base = file.position - start  # where the block begins in the file
            number = file.number
            find = finder(block)
            flag = -1  # the first behind the beginning of the line
            for begin, end, head in heads(block, start, find):
                number += 1
                if head is None or strict:
                    yield from self._parsed(file, block[begin:end], number, base + begin)
                    continue
                if only is None or only(head):
                    raw = block[begin:end]  # and the head of that: the other one would keep the block
                    event = Event(raw, match(raw), None, file.name, number, base + begin, self.count, file.damaged)
                    if judging:
                        if flag < begin and (flag := find(_FLAG, begin)) < 0:
                            flag = len(block)
                        event.may_flag_error = flag < end
                    yield event
                else:
                    left_out[head[TYPE]] += 1
                self.count += 1
            file.position, file.number = base + end + 1, number
        self.end = (file.position, file.number)
        if lines.rest:
            file.number += 1
            yield from self._parsed(file, lines.rest, file.number, file.position, terminated=False)
        if lines.failure:
            file.failed = True
            self._unreadable(file.label, lines.failure)

    def _parsed(
        self, file: "_File", raw: bytes, number: int, offset: int, terminated: bool = True
    ) -> Iterator[Event]:
        """The events of one line whose head proves nothing. Without its newline, more of it may come."""
        from trace_cli import line

        start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0  # in the middle too, where files were joined
        if not raw[start:].strip():
            return
        pieces = list(line.unglue(raw[start:]))
        good = sum(not isinstance(found, BadLine) for _, _, found in pieces)
        if good > 1:
            file.note_glued(number, good)
        for place, piece, found in pieces:
            if not isinstance(found, BadLine):
                event = Event(piece, None, found, file.name, number, offset + start + place, self.count)
                file.untyped += not event.type
                self.count += 1
                yield event
                if not terminated:
                    self.end = (offset + len(raw), number - 1)
            elif not terminated and piece.lstrip().startswith(b"{"):
                file.note_torn(number, len(piece))
                self.end = (offset, number - 1)
            else:
                self.bad += 1
                file.note(number, found)


class _File:
    """One file while it is read: how far, and talk about its bad lines: the first few, then a count."""

    def __init__(self, name: str, label: str, reading: Reading) -> None:
        self.name = name
        self.label = label
        self.position, self.number = reading.end  # bytes and lines that were read
        self.untyped = 0  # events without a type
        self.failed = False
        self._reading = reading
        self._say = reading.say
        self._first = reading.count
        self._bad = 0
        self._glued = 0
        self._hints: dict[str, None] = {}

    def note(self, number: int, bad: BadLine, outcome: str = "skipped") -> None:
        self._bad += 1
        if bad.hint:
            self._hints[bad.hint] = None
        if self._bad <= SHOWN:
            self._say(f"{self.label}:{number}: {bad.reason}; {outcome}")

    def note_torn(self, number: int, size: int) -> None:
        self._say(f"{self.label}:{number}: torn last line, {size} bytes: the writer was cut off")

    def note_glued(self, number: int, count: int) -> None:
        self._glued += 1
        if self._glued == 1:
            self._say(f"{self.label}:{number}: {count} objects on one line, read as the events that they are")

    def damaged(self, event: Event, bad: BadLine) -> None:
        """A line turned out damaged behind its head."""
        self._reading.bad += 1
        self.note(event.line, bad, "its payload is lost")

    def close(self, follow: bool = False) -> None:
        """All was read; where the file is followed, an empty one is no news."""
        events = self._reading.count - self._first
        if not self.number and not self.failed and not follow:
            self._say(f"trace: {self.label}: empty")
        if events and self.untyped == events:
            self._reading.bad += 1
            self._say(
                f"trace: {self.label}: no trace: none of its lines has a type (type, event_type, kind or event)"
            )
        if self._bad > SHOWN:
            self._say(f"{self.label}: {self._bad} lines skipped in all, {events} events read")
        if self._bad and not events and not self._hints:
            self._say(f"  hint: nothing in {self.label} is JSONL, one JSON object a line")
        for hint in self._hints:
            self._say(f"  hint: {hint}")


def talk(text: str) -> None:
    """A line to stderr, which may be closed. It may name what a trace names: shown, never interpreted."""
    from trace_cli.text import visible

    if sys.stderr is not None:
        shown = "\n".join(map(visible, text.split("\n")))
        with suppress(OSError):  # written at once: what stays behind in a buffer becomes an exit status of its own
            os.write(2, f"{shown}\n".encode("utf-8", "backslashreplace"))
