"""Two texts word by word: where they differ, and a few words around."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from trace_cli.alignment import common

AROUND = 40  # characters of what both have that are shown on either side
NEAR = 3  # words between two places: fewer, and they are one place
MOST = 400_000_000  # pairs of words that are compared at once; larger parts differ as a whole

_WORD = re.compile(r"\w+|\n|[^\S\n]+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Hunk:
    """A place where two texts differ: `a` became `b`; `before` and `after` are the ends of what both have."""

    before: str
    a: str
    b: str
    after: str

    def row(self) -> dict[str, str]:
        """The same as a JSON object."""
        return {"before": self.before, "a": self.a, "b": self.b, "after": self.after}


def hunks(a: str, b: str) -> list[Hunk]:
    """Where two texts differ, in their order. Words are compared; in large texts, only in lines that differ."""
    if a == b:
        return []
    old, new = _WORD.findall(a), _WORD.findall(b)
    places = list(_joined(_gaps(a, b, old, new), old))
    found = []
    for number, (i, i_end, j, j_end) in enumerate(places):
        start = places[number - 1][1] if number else 0
        end = places[number + 1][0] if number + 1 < len(places) else len(old)
        before = "".join(_near(old[start:i][::-1])[::-1])
        after = "".join(_near(old[i_end:end]))
        found.append(Hunk(before, "".join(old[i:i_end]), "".join(new[j:j_end]), after))
    return found


_Place = tuple[int, int, int, int]  # from and to a word of a, from and to a word of b


def _gaps(a: str, b: str, old: Sequence[str], new: Sequence[str]) -> Iterator[_Place]:
    """Where the words differ."""
    if len(old) * len(new) <= MOST:
        yield from _between(old, new)
        return
    old_lines, new_lines = _LINE.findall(a), _LINE.findall(b)
    old_at, new_at = _starts(old_lines), _starts(new_lines)
    whole = len(old_lines) * len(new_lines) > MOST  # not even the lines can be compared
    for i, i_end, j, j_end in (
        [(0, len(old_lines), 0, len(new_lines))] if whole else _between(old_lines, new_lines)
    ):
        at, at_end, to, to_end = old_at[i], old_at[i_end], new_at[j], new_at[j_end]
        if (at_end - at) * (to_end - to) > MOST:
            yield at, at_end, to, to_end
            continue
        for x, x_end, y, y_end in _between(old[at:at_end], new[to:to_end]):
            yield at + x, at + x_end, to + y, to + y_end


def _starts(lines: Sequence[str]) -> list[int]:
    """At which word each line begins, and where the last ends."""
    found = [0]
    for each in lines:
        found.append(found[-1] + len(_WORD.findall(each)))
    return found


def _between(a: Sequence[str], b: Sequence[str]) -> Iterator[_Place]:
    """The stretches between what both have."""
    i = j = 0
    for next_i, next_j in chain(common(a, b), [(len(a), len(b))]):
        if next_i > i or next_j > j:
            yield i, next_i, j, next_j
        i, j = next_i + 1, next_j + 1


def _joined(places: Iterator[_Place], old: Sequence[str]) -> Iterator[_Place]:
    """Places with hardly a word between them as one."""
    last: _Place | None = None
    for place in places:
        if last and sum(not word.isspace() for word in old[last[1] : place[0]]) < NEAR:
            last = (last[0], place[1], last[2], place[3])
            continue
        if last:
            yield last
        last = place
    if last:
        yield last


def _near(words: Sequence[str]) -> list[str]:
    """As many of the first words as there is room for."""
    room = AROUND
    found = []
    for word in words[:AROUND]:
        room -= len(word)
        if room < 0:
            break
        found.append(word)
    return found
