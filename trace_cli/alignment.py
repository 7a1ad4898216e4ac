"""Two sequences side by side: what they have in common, in the same order."""

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from itertools import accumulate

ROWS = 128 << 20  # bytes of rows that are kept at once
CELLS = 40_000_000_000  # past so many pairs of items, 200,000 by 200,000, windows are aligned, not the whole
WINDOW = 100_000  # items
OFTEN = 32  # places of one item from which on their bits are kept

Pairs = list[tuple[int, int]]
_Items = Sequence[Hashable]


def common(a: _Items, b: _Items) -> Pairs:
    """The index pairs of a longest common subsequence; see `aligned`."""
    return aligned(a, b)[0]


def aligned(a: _Items, b: _Items) -> tuple[Pairs, bool]:
    """The index pairs of a longest common subsequence, and whether it surely is a longest one.

    By the bit-parallel algorithm of Crochemore et al. (2001) on Python's integers; past ROWS bytes of rows in
    halves, as Hirschberg (1975) does; past CELLS, without what both begin and end with, not exact any more but
    window by window. Memory: ROWS, and len(b) / 8 bytes for each item that is often in `b`.
    """
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    inner_a, inner_b = a[head : len(a) - tail], b[head : len(b) - tail]
    exact = len(inner_a) * len(inner_b) <= CELLS
    middle = _exactly(inner_a, inner_b) if exact else _in_windows(inner_a, inner_b)
    pairs = [
        *((each, each) for each in range(head)),
        *((head + i, head + j) for i, j in middle),
        *((len(a) - each, len(b) - each) for each in range(tail, 0, -1)),
    ]
    return pairs, exact


def _exactly(a: _Items, b: _Items) -> Pairs:
    if len(a) < 2 or len(a) * len(b) <= 8 * ROWS:
        return _traced(a, b)
    half = len(a) // 2
    before, behind = _lengths(a[:half], b), _lengths(a[half:][::-1], b[::-1])
    cut = max(range(len(b) + 1), key=lambda j: before[j] + behind[len(b) - j])
    rest = _exactly(a[half:], b[cut:])
    return [*_exactly(a[:half], b[:cut]), *((half + i, cut + j) for i, j in rest)]


def _rows(a: _Items, b: _Items) -> Iterable[int]:
    """For each length of a's head: bit j is 0 where b[j] makes what it has in common with b[: j + 1] longer."""
    places: dict[Hashable, list[int]] = {}
    for j, item in enumerate(b):
        places.setdefault(item, []).append(j)
    often = {item: _bits(found) for item, found in places.items() if len(found) >= OFTEN}
    full = (1 << len(b)) - 1
    row = full
    yield row
    for item in a:
        bits = often.get(item)
        matched = row & (_bits(places.get(item, ())) if bits is None else bits)
        row = ((row + matched) | (row - matched)) & full
        yield row


def _bits(places: Iterable[int]) -> int:
    found = 0
    for place in places:
        found |= 1 << place
    return found


def _lengths(a: _Items, b: _Items) -> list[int]:
    """How long a longest common subsequence of `a` and each head of `b` is."""
    (row,) = deque(_rows(a, b), maxlen=1)
    digits = f"{row:0{len(b)}b}"[::-1] if b else ""
    return [0, *accumulate(1 if digit == "0" else 0 for digit in digits)]


def _traced(a: _Items, b: _Items) -> Pairs:
    rows = list(_rows(a, b))
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


def _in_windows(a: _Items, b: _Items) -> Pairs:
    """Window by window; of each only the first half counts, and the next begins behind what was paired last."""
    pairs: Pairs = []
    half = WINDOW // 2
    i = j = 0
    while i < len(a) and j < len(b):
        last_of_a, last_of_b = i + WINDOW >= len(a), j + WINDOW >= len(b)
        found = _exactly(a[i : i + WINDOW], b[j : j + WINDOW])
        kept = [(x, y) for x, y in found if (last_of_a or x < half) and (last_of_b or y < half)]
        pairs += ((i + x, j + y) for x, y in kept)
        if last_of_a and last_of_b:
            break
        if kept and min(kept[-1]) >= half // 2:
            i, j = i + kept[-1][0] + 1, j + kept[-1][1] + 1
        else:
            i, j = i + half, j + half
    return pairs
