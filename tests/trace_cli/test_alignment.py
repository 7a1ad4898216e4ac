"""What two sequences have in common."""

import random
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trace_cli import alignment
from trace_cli.alignment import aligned, common

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


def check(a: list[str], b: list[str], pairs: list[tuple[int, int]]) -> None:
    """Pairs are of equal items, and in order."""
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))


@pytest.fixture(params=["whole", "in halves"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in halves":
        monkeypatch.setattr(alignment, "ROWS", 2)
        monkeypatch.setattr(alignment, "OFTEN", 3)


@pytest.mark.usefixtures("memory")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ITEMS, ITEMS)
def test_it_is_a_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    pairs, exact = aligned(a, b)
    check(a, b, pairs)
    assert (len(pairs), exact) == (length(a, b), True)


def test_past_a_bound_windows_are_aligned_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "CELLS", 100)
    monkeypatch.setattr(alignment, "WINDOW", 20)
    rng = random.Random(2)
    lost = 0
    for _ in range(200):
        a = [rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(80)]
        b = [*a]
        for _ in range(8):
            b[rng.randrange(len(b))] = "?"
            b.insert(rng.randrange(len(b)), rng.choice("xyz"))
            del b[rng.randrange(len(b))]
        pairs, exact = aligned(["<", *a, ">"], [">", *b, "<"])
        check(["<", *a, ">"], [">", *b, "<"], pairs)
        assert not exact
        lost += length(a, b) - len(pairs)
    assert lost < 200, "less than one pair in seventy"
    assert aligned(a, a) == ([(each, each) for each in range(80)], True)


def test_rows_are_not_kept_beyond_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "ROWS", 1 << 16)
    rng = random.Random(3)
    a, b = ([rng.randrange(50) for _ in range(3000)] for _ in range(2))
    tracemalloc.start()
    pairs = common(a, b)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(pairs) > 500
    assert peak < 3000 * 3000 // 8, "all rows at once"


def test_what_differs_in_the_middle_leaves_head_and_tail() -> None:
    assert common("abXcd", "abYYcd") == [(0, 0), (1, 1), (3, 4), (4, 5)]
    assert common("", "abc") == common("abc", "") == common("abc", "xyz") == []


def test_long_sequences_are_exact_too() -> None:
    rng = random.Random(1)
    a = [rng.choice("abcdefgh") for _ in range(600)]
    b = [rng.choice("abcdefgh") for _ in range(500)]
    assert len(common(a, b)) == length(a, b)
