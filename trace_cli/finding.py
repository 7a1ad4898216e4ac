"""What is sought in a trace, a slice at a time so that nobody has to wait: a filter, a search."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable

from trace_cli.index import Index
from trace_cli.line import dump
from trace_cli.selection import Matcher, Selection

Spent = Callable[[], bool]  # whether the time for this slice is over


class Filter:
    """The numbers of the events that a selection wants, in order; `scanned`: how many were looked at so far."""

    def __init__(self, text: str, selection: Selection) -> None:
        self.text = text
        self.numbers = array("Q")
        self.scanned = 0
        self._selection = selection
        self._matcher = Matcher(selection)
        self._types: dict[int, bool] = {}
        self._errors_seen = 0
        self._only_types = selection == Selection(types=selection.types, invert=selection.invert)

    def complete(self, index: Index) -> bool:
        """Whether all that was read so far has been looked at."""
        late = self._selection.error and self._errors_seen != len(index.errors)
        return self.scanned >= len(index) and not late

    def advance(self, index: Index, spent: Spent) -> None:
        """Looks at more events, until all are or the time is over."""
        if self._selection.error and self._errors_seen != len(index.errors):  # an earlier event may be one by now
            self.numbers, self.scanned, self._errors_seen = array("Q"), 0, len(index.errors)
            self._matcher = Matcher(self._selection)
        while self.scanned < len(index):
            number = self.scanned
            if self._wants(index, number):
                self.numbers.append(number)
            self.scanned = number + 1
            if number % 64 == 63 and spent():
                return

    def _wants(self, index: Index, number: int) -> bool:
        if self._only_types:
            kind = index.type_of[number]
            known = self._types.get(kind)
            if known is not None:
                return known
        if self._selection.error and not self._selection.invert and number not in index.errors:
            return False
        (event,) = self._matcher.watch([index.event(number)])
        found = self._matcher.wants(event, number in index.errors)
        if self._only_types:
            self._types[index.type_of[number]] = found
        return found

    def position(self, number: int) -> int:
        """How many of the wanted events stand before an event."""
        return bisect_left(self.numbers, number)

    def holds(self, number: int) -> bool:
        """Whether an event is a wanted one, as far as is known."""
        place = self.position(number)
        return place < len(self.numbers) and self.numbers[place] == number

    def near(self, number: int) -> int | None:
        """The event itself, else the next wanted one, else the last."""
        if not self.numbers:
            return None
        return self.numbers[min(self.position(number), len(self.numbers) - 1)]


_PLAIN = re.compile(r"[^.^$*+?{}\[\]\\|()]+")


class Search:
    """A text in the whole line of an event: a regular expression, as --grep; without upper case, it matches both.

    A text without special characters is found as well where JSON writes it with escapes.
    """

    def __init__(self, text: str) -> None:
        """Raises ValueError for what is no regular expression."""
        self.text = text
        flags = 0 if any(char.isupper() for char in text) else re.IGNORECASE
        self._needles: list[bytes] = []
        if _PLAIN.fullmatch(text):
            self.shown = re.compile(re.escape(text), flags)
            ways = {text.encode("utf-8", "surrogateescape"), dump(text)[1:-1], _ascii(text)}
            if not flags or text.isascii():
                self._needles = sorted(each.lower() if flags else each for each in ways)
            self._pattern = re.compile(b"|".join(map(re.escape, sorted(ways))), flags)
        else:
            try:
                self.shown = re.compile(text, flags)
                self._pattern = re.compile(text.encode("utf-8", "surrogateescape"), flags)
            except (re.error, OverflowError, RecursionError) as error:
                raise ValueError(f"{text!r}: {error}") from None
        self._lower = bool(flags)

    def matches(self, raw: bytes) -> bool:
        """Whether the line of an event has it."""
        if self._needles:  # several times faster than a regular expression that ignores case
            content = raw.lower() if self._lower else raw
            return any(needle in content for needle in self._needles)
        return self._pattern.search(raw) is not None


def _ascii(text: str) -> bytes:
    """As writers spell it that escape all but ASCII."""
    import json

    return json.dumps(text)[1:-1].encode()
