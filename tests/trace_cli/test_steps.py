"""Steps by their paths, however odd what a trace says of them."""

from typing import Any

import pytest
from traces import event, traced

from trace_cli.selection import Matcher, Selection
from trace_cli.steps import LATE, LONGEST, Steps


def started(step: str, name: Any, parent: Any = None) -> dict[str, Any]:
    return event("step.started", None, step, name=name, parent_id=parent)


def paths(*told: dict[str, Any], every: bool = False) -> Steps:
    steps = Steps(every)
    for each in traced(*told):
        steps.feed(each)
    return steps


def test_a_path_has_the_names_of_all_around() -> None:
    steps = paths(
        started("a", "plan"), started("b", "search", "a"), started("c", "rank", "b"), started("d", "x", "?")
    )
    assert [steps.path(each) for each in ("a", "b", "c", "d", "e", None, 5)] == [
        *("plan", "plan/search", "plan/search/rank", "x", None, None, None)
    ]


@pytest.mark.parametrize("name", [None, "", 0, {}, []])
def test_a_name_that_is_none(name: Any) -> None:
    assert paths(started("a", name)).path("a") == "a"


def test_steps_inside_each_other() -> None:
    steps = paths(*[started("a", "x", "a")] * 2000, started("b", "y", "a"), started("a", "x", "b"))
    assert len(steps.path("a") or "") == LONGEST
    assert str(steps.path("a")).endswith("x/x/x/y/x")


def test_of_steps_that_ended_the_last_are_remembered() -> None:
    told = []
    for number in range(LATE + 10):
        told += [started(f"s{number}", "x"), event("step.ended", None, f"s{number}", name="x")]
    assert paths(*told).path("s9") is None
    assert paths(*told).path("s10") == "x"
    assert paths(*told, every=True).path("s0") == "x"


@pytest.mark.parametrize("parent", [None, [], {}, 5, True, "a", "nobody"])
def test_a_parent_may_be_anything(parent: Any) -> None:
    matcher = Matcher(Selection(steps=("plan",)))
    events = list(
        matcher.watch(traced(started("a", "plan"), started("b", "search", parent), event("n", None, "b")))
    )
    inside = parent == "a"
    assert [matcher.wants(each) for each in events] == [True, inside, inside]
