"""Two sequences side by side: what they have in common, in the same order."""

from collections.abc import Hashable, Sequence


def common(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The index pairs of a longest common subsequence.

    Exact, by the bit-parallel algorithm of Crochemore et al. (2001) on Python's integers. Memory: len(a) * len(b)
    / 8 bytes, without what both begin and end with.
    """
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    middle = _common(a[head : len(a) - tail], b[head : len(b) - tail])
    return [
        *((each, each) for each in range(head)),
        *((head + i, head + j) for i, j in middle),
        *((len(a) - each, len(b) - each) for each in range(tail, 0, -1)),
    ]


def _common(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    places: dict[Hashable, int] = {}
    for j, item in enumerate(b):
        places[item] = places.get(item, 0) | 1 << j
    full = (1 << len(b)) - 1
    row = full  # bit j is 0 where b[j] makes the common subsequence of a[:i] and b[:j + 1] longer
    rows = [row]
    for item in a:
        matched = row & places.get(item, 0)
        row = ((row + matched) | (row - matched)) & full
        rows.append(row)
    pairs = []
    i, j = len(a), len(b) - 1
    while i > 0 and j >= 0:
        if rows[i] >> j & 1:  # b[j] adds nothing
            j -= 1
        elif not rows[i - 1] >> j & 1:  # it did so before a[i - 1], too
            i -= 1
        else:
            i -= 1
            pairs.append((i, j))
            j -= 1
    return pairs[::-1]
