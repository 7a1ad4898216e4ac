"""Finds the recorded answer to what is asked: by key, in order for repeats, and by what redaction hid."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from trace_cli import line

from .asked import HIDDEN, Asked, Matching, Request
from .recording import Recorded

_TAPS = "[redacted]"  # one text for many values; each pseudonym is one value's


@dataclass(slots=True)
class _Row:
    """What was recorded under one key, in order; `at` is the first that may be unused."""

    items: list[Recorded] = field(default_factory=list)
    at: int = 0


class Lookup:
    """The recorded requests and tool calls by their keys, each used once; with `repeat` from the first again.

    Of several with one key the first that is equal in everything goes before the first. What was hidden in a
    recording matches whatever stands there now: it was hidden by rules, or names, which nobody has here any more.
    """

    def __init__(self, matching: Matching, again: Callable[[Recorded], Asked], repeat: bool) -> None:
        self._matching = matching
        self._again = again
        self._repeat = repeat
        self._rows: dict[bytes, _Row] = defaultdict(_Row)
        # Those with something hidden, by their shape.
        self._hidden: dict[bytes, list[Recorded]] = defaultdict(list)
        self.all: list[Recorded] = []
        self.unanswered: dict[bytes, Recorded] = {}
        self.paths: set[str] = set()  # of the requests

    def add(self, recorded: Recorded, asked: Asked) -> None:
        """One more, behind those before."""
        recorded.key, recorded.whole = self._matching.key(asked), whole(asked)
        self._rows[recorded.key].items.append(recorded)
        self.all.append(recorded)
        if isinstance(asked, Request):
            self.paths.add(asked.target.partition("?")[0])
        if self._by_body(asked) and any(HIDDEN.search(text) for text in _texts(_plain(asked))):
            self._hidden[_shape(self._matching.counted(asked))].append(recorded)

    def drop(self, those: list[Recorded]) -> None:
        """They have no answer: they are never given as one."""
        gone = set(map(id, those))
        self.all = [each for each in self.all if id(each) not in gone]
        for each in those:
            self.unanswered[each.key] = each
            row = self._rows.get(each.key)
            if row is not None:
                row.items = [other for other in row.items if id(other) not in gone]
                if not row.items:
                    del self._rows[each.key]
        for shape, row_of_hidden in self._hidden.items():
            self._hidden[shape] = [each for each in row_of_hidden if id(each) not in gone]

    def take(self, asked: Asked) -> Recorded | None:
        """The one that is used now; None if there is none."""
        row = self._rows.get(self._matching.key(asked))
        chosen = self._in(row, asked) if row else self._alike_unused(asked)
        if chosen is not None:
            chosen.used += 1
        return chosen

    def _in(self, row: _Row, asked: Asked) -> Recorded | None:
        while row.at < len(row.items) and row.items[row.at].used:
            row.at += 1
        if row.at == len(row.items):
            return min(row.items, key=lambda each: each.used) if self._repeat else None
        first = row.items[row.at]
        wanted = whole(asked)
        if first.whole == wanted:
            return first
        return next((each for each in row.items[row.at :] if each.whole == wanted and not each.used), first)

    def _alike_unused(self, asked: Asked) -> Recorded | None:
        alike = list(self._alike(asked))
        unused = next((each for each in alike if not each.used), None)
        if unused is not None or not self._repeat:
            return unused
        return min(alike, key=lambda each: each.used, default=None)

    def same(self, asked: Asked, recorded: Recorded) -> bool:
        """Whether that one asked the same."""
        before = self._again(recorded)
        return self._matching.key(before) == self._matching.key(asked) or self._is_alike(before, asked)

    def used_up(self, asked: Asked) -> list[Recorded]:
        """Those that ask the same, all of them used."""
        row = self._rows.get(self._matching.key(asked))
        return row.items if row else list(self._alike(asked))

    def unused(self) -> list[Recorded]:
        """Those that nobody asked for."""
        return [each for each in self.all if not each.used]

    def rewind(self) -> None:
        """As if nothing had been asked."""
        for row in self._rows.values():
            row.at = 0
        for each in self.all:
            each.used = 0

    def _alike(self, asked: Asked) -> Iterator[Recorded]:
        if self._hidden:
            for each in self._hidden.get(_shape(self._matching.counted(asked)), ()):
                if self._is_alike(self._again(each), asked):
                    yield each

    def _by_body(self, asked: Asked) -> bool:
        return self._matching.match == "body" or not isinstance(asked, Request)

    def _is_alike(self, before: Asked, asked: Asked) -> bool:
        if type(before) is not type(asked) or not self._by_body(asked):
            return False
        names = _Names()
        return names.fit(_plain(before)[:2], _plain(asked)[:2]) and names.fit(
            self._matching.counted(before), self._matching.counted(asked)
        )


def whole(asked: Asked) -> bytes:
    """Equal for what is equal in everything, what does not count included."""
    return blake2b(line.canonical(_plain(asked)), digest_size=8).digest()


def _plain(asked: Asked) -> list[Any]:
    if isinstance(asked, Request):
        return [asked.method, asked.target, asked.origin, asked.body]
    return ["tool", asked.tool_name, asked.args]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _shape(value: Any) -> bytes:
    """Equal for values that are the same but for the texts, numbers and the like in them."""

    def outline(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: outline(each) for name, each in value.items()}
        if isinstance(value, list):
            return [outline(each) for each in value]
        return 0

    return blake2b(line.canonical(outline(value)), digest_size=8).digest()


class _Names:
    """What the pseudonyms of one request stand for: each for one value, no two for the same."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def fit(self, before: Any, now: Any) -> bool:
        """Whether two values are the same but for what is hidden in the first."""
        if isinstance(before, str):
            return before == now or self._fits(before, now)
        if isinstance(before, Mapping):
            if not isinstance(now, Mapping) or before.keys() != now.keys():
                return False
            return all(self.fit(each, now[name]) for name, each in before.items())
        if isinstance(before, list):
            return isinstance(now, list) and len(before) == len(now) and all(map(self.fit, before, now))
        return bool(before == now)

    def _fits(self, before: str, now: Any) -> bool:
        names = HIDDEN.findall(before)
        if not names:
            return False
        if not isinstance(now, str):  # a number, or anything else that has no parts
            return names == [before] and not isinstance(now, Mapping | list) and self._bound(before, now)
        values = _between(now, HIDDEN.split(before))
        return values is not None and all(map(self._bound, names, values))

    def _bound(self, name: str, value: Any) -> bool:
        # What a tap hides has one name; a name itself is what an answer from the same trace has brought.
        if name in (_TAPS, value) or value == _TAPS:
            return True
        key = type(value).__name__, value
        return self._values.setdefault(name, key) == key and self._names.setdefault(key, name) == name


def _between(text: str, parts: list[str]) -> list[str] | None:
    """What stands between these parts of a text, something between each two; None if they are not in it."""
    first, *middle, last = parts
    at, end = len(first), len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last):
        return None
    values = []
    for part in middle:
        found = text.find(part, at + 1, end)
        if found < 0:
            return None
        values.append(text[at:found])
        at = found + len(part)
    return [*values, text[at:end]] if at < end else None
