"""What does not count in a comparison, and that this is told."""

import copy
from typing import Any

import pytest

from trace_cli.ignoring import Ignoring


def test_volatile_keys_go_but_not_from_what_tools_take_and_return() -> None:
    value = {
        "id": 1,
        "n": {"time": 2, "kept": 3},
        "args": {"id": 4, "time": {"x": 5}},
        "items": [{"uuid": 6, "x": 7}, {"result": [{"id": 8}]}],
    }
    ignoring = Ignoring()
    assert ignoring.strip(value) == {
        "n": {"kept": 3},
        "args": {"id": 4, "time": {"x": 5}},
        "items": [{"x": 7}, {"result": [{"id": 8}]}],
    }
    assert ignoring.met == ["/id", "/items/*/uuid", "/n/time"]
    assert Ignoring().strip({"id": 1}, "payload", "args") == {"id": 1}


def test_pointers_reach_everywhere_and_stars_mean_any() -> None:
    value = {"args": {"a": {"x": 1, "y": 2}, "b/c": {"x": 3}}, "list": [{"x": 4}, {"x": 5}]}
    for pointers, expected in {
        ("/args/a/x",): {"args": {"a": {"y": 2}, "b/c": {"x": 3}}, "list": [{"x": 4}, {"x": 5}]},
        ("/args/*/x", "/list/1/x"): {"args": {"a": {"y": 2}, "b/c": {}}, "list": [{"x": 4}, {}]},
        ("/args/b~1c",): {"args": {"a": {"x": 1, "y": 2}}, "list": [{"x": 4}, {"x": 5}]},
        ("/list/0",): {"args": {"a": {"x": 1, "y": 2}, "b/c": {"x": 3}}, "list": [None, {"x": 5}]},
        ("/nothing", "/args/a/x/deeper"): value,
    }.items():
        ignoring = Ignoring(pointers)
        assert ignoring.strip(value) == expected, pointers
        assert bool(ignoring.met) == (expected != value)


def test_a_value_below_a_path_knows_where_it_stands() -> None:
    ignoring = Ignoring(["/payload/body/messages/2/content"])
    assert ignoring.strip({"content": 1, "role": 2}, "payload", "body", "messages", "2") == {"role": 2}
    assert ignoring.strip({"content": 1}, "payload", "body", "messages", "3") == {"content": 1}
    assert ignoring.met == ["/payload/body/messages/*/content"]
    whole = Ignoring(["/payload"])
    assert (whole.strip({"x": 1}, "payload"), whole.strip([1], "payload", "y")) == ({}, None)


def test_without_defaults_only_pointers_count() -> None:
    ignoring = Ignoring(["/seq"], default=False)
    assert ignoring.strip({"seq": 1, "timestamp": 2, "n": {"id": 3}}) == {"timestamp": 2, "n": {"id": 3}}


def test_the_value_itself_is_not_changed() -> None:
    value = {"id": 1, "n": [{"id": 2, "x": [1, {"uuid": 3}]}]}
    before = copy.deepcopy(value)
    Ignoring(["/n/*/x/0"]).strip(value)
    assert value == before


def test_deep_nesting_is_left_as_it_is() -> None:
    value: Any = {"id": 1}
    for _ in range(5000):
        value = [value]
    assert Ignoring().strip({"x": value}).keys() == {"x"}


@pytest.mark.parametrize("pointer", ["", "payload", "#/payload"])
def test_what_is_no_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(ValueError, match="is no JSON pointer"):
        Ignoring([pointer])
