"""What two sequences have in common."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from trace_cli.alignment import common

ITEMS = st.lists(st.sampled_from("abcd"), max_size=30)


def length(a: list[str], b: list[str]) -> int:
    """By plain dynamic programming."""
    row = [0] * (len(b) + 1)
    for x in a:
        above = row
        row = [0]
        for j, y in enumerate(b):
            row.append(above[j] + 1 if x == y else max(above[j + 1], row[j]))
    return row[-1]


@given(ITEMS, ITEMS)
def test_it_is_a_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    pairs = common(a, b)
    assert len(pairs) == length(a, b)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))


def test_what_differs_in_the_middle_leaves_head_and_tail() -> None:
    assert common("abXcd", "abYYcd") == [(0, 0), (1, 1), (3, 4), (4, 5)]
    assert common("", "abc") == common("abc", "") == common("abc", "xyz") == []


def test_long_sequences_are_exact_too() -> None:
    rng = random.Random(1)
    a = [rng.choice("abcdefgh") for _ in range(600)]
    b = [rng.choice("abcdefgh") for _ in range(500)]
    assert len(common(a, b)) == length(a, b)
