"""Where two JSON values differ, as pointers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trace_cli import delta, difference
from trace_cli.difference import Excerpt, changes, escaped, similarity
from trace_cli.line import canonical

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "b/c~d", "x" * 70, "y" * 70 + " z"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b/c", "~1", ""]), inner, max_size=4)
    ),
    max_leaves=15,
)


def at(value: Any, pointer: str) -> Any:
    """What a pointer leads to (RFC 6901)."""
    for token in pointer.split("/")[1:]:
        value = (
            value[int(token)] if isinstance(value, list) else value[token.replace("~1", "/").replace("~0", "~")]
        )
    return value


@given(JSON, JSON)
def test_every_pointer_leads_to_what_is_told(a: Any, b: Any) -> None:
    found = list(changes(a, b))
    assert bool(found) == (canonical(a) != canonical(b))
    for change in found:
        assert (
            set(change) - {"op", "path", "path_a", "words"}
            == {
                "added": {"b"},
                "removed": {"a"},
                "changed": {"a", "b"},
            }[change["op"]]
        )
        if "a" in change:
            assert at(a, change.get("path_a", change["path"])) is change["a"]
        if "b" in change:
            assert at(b, change["path"]) is change["b"]


def test_an_item_more_moves_the_others() -> None:
    (change,) = changes([{"n": 1}, {"n": 2}], [{"n": 0, "role": "x"}, {"n": 1}, {"n": 2}])
    assert (change["op"], change["path"]) == ("added", "/0")
    one, two = changes(["a", {"role": "x", "n": 1}], [{"role": "x", "n": 2}])
    assert (one["op"], one["path"]) == ("removed", "/0")
    assert (two["path"], two["path_a"]) == ("/0/n", "/1/n")


def test_tool_calls_in_another_order_are_no_change() -> None:
    uses = [{"type": "tool_use", "name": name} for name in "abc"]
    assert list(changes(uses, uses[::-1])) == []
    other = [*uses[::-1], {"type": "tool_use", "name": "d"}]
    (change,) = changes(uses, other)
    assert (change["op"], change["path"]) == ("added", "/3")
    texts = [{"type": "text", "text": name} for name in "ab"]
    assert [change["op"] for change in changes(texts, texts[::-1])] != []


def test_an_excerpt_is_numbered_as_the_list_that_it_is_of() -> None:
    a, b = Excerpt({4: {"x": 1}, 6: "gone"}), Excerpt({9: {"x": 2}})
    found = list(changes({"m": a}, {"m": b}, "/body"))
    assert [(change["op"], change["path"], change.get("path_a")) for change in found] == [
        ("changed", "/body/m/9/x", "/body/m/4/x"),
        ("removed", "/body/m/6", None),
    ]


def test_what_says_the_same_by_its_key_is_no_change() -> None:
    a = {"content": "Hi", "cache_control": {"type": "ephemeral"}, "tools": []}
    b = {"content": [{"type": "text", "text": "Hi"}], "name": None}
    assert list(changes(a, b, "", delta.key)) == []
    assert len(list(changes(a, b))) == 4


@pytest.mark.parametrize(("a", "b"), [(1, 1.0), (1, True), (0, False), ("1", 1), ([], {}), (None, "")])
def test_kinds_of_values_are_told_apart(a: Any, b: Any) -> None:
    (change,) = changes({"x": a}, {"x": b})
    assert (change["path"], change["a"], change["b"]) == ("/x", a, b)


def test_only_a_long_text_is_compared_by_words() -> None:
    (short,) = changes("a b", "a c")
    assert "words" not in short
    (long,) = changes("a " * 40 + "b", "a " * 40 + "c")
    assert [(hunk["a"], hunk["b"]) for hunk in long["words"]] == [("b", "c")]


def test_huge_lists_differ_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difference, "MOST", 100)
    a, b = list(range(11)), [*range(10), "x"]
    (change,) = changes({"v": a}, {"v": b})
    assert (change["path"], change["a"], change["b"]) == ("/v", a, b)
    assert [change["path"] for change in changes({"v": a[1:]}, {"v": b[1:]})] == ["/v/9", "/v/9"]


def test_deep_nesting_ends() -> None:
    a: Any = 1
    b: Any = 2
    for _ in range(300):
        a, b = [a], {"x": b} if _ == 299 else [b]
    (change,) = changes({"v": a}, {"v": b})
    assert change["path"] == "/v"
    for _ in range(400):
        a, b = {"x": a}, {"x": b}
    (change,) = changes(a, b)
    assert change["path"].count("/x") == 64


def test_similarity_is_the_share_of_words() -> None:
    assert similarity({"a": "b c"}, {"a": "b c"}) == 1
    assert similarity({"a": "b"}, {"c": "d"}) == 0
    assert similarity({"q": "one two"}, {"q": "one three"}) == 0.67
    assert similarity({}, []) == 1
    assert 0 < similarity("é ü", "é ö") < 1


def test_keys_are_escaped() -> None:
    assert escaped("a/b~c") == "a~1b~0c"
