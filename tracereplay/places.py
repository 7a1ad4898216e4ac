"""Where in an event a JMESPath expression points, not what it gives: for parts that are to be replaced.

Paths as https://jmespath.org/specification.html has them: fields, indexes, slices, and projections of lists and
objects, with filters. What computes a value, or goes into a list that it has made itself, is refused.
"""

from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[str | int, ...]
Place = tuple[Path, Any]
Find = Callable[[Any], list[Path]]
Step = tuple[str, Any]  # field, index, each, slice, values, flat or filter; and what it takes

HEAD = ("v", "type", "timestamp", "run_id", "seq", "call_id", "step_id", "trace_id", "span_id")
_PROJECTING = {"each", "slice", "values", "flat", "filter"}


def places(expression: str) -> Find:
    """A function from an event, parsed, to the paths of the parts that the expression points to.

    Raises ValueError for one that points to nothing, and for the head of an event, or all of it.
    """
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        node = jmespath.compile(expression).parsed
    except JMESPathError as error:
        raise ValueError(f"{expression!r}: {str(error).splitlines()[0]}") from None
    steps = _steps(node)
    if steps is None:
        raise ValueError(f"{expression!r} is no path; write that of a part, such as payload.args.email")
    if not steps or steps[0][0] == "values" or steps[0] in [("field", name) for name in HEAD]:
        raise ValueError(
            f"{expression!r} has the head of events in it, which readers need; write payload.args.email"
        )
    return lambda event: [path for path, _ in _found(steps, [((), event)])]


def _steps(node: dict[str, Any]) -> list[Step] | None:
    """An expression as steps from the event down; None where it is none."""
    kind, children = node["type"], node["children"]
    if kind in ("identity", "current"):
        return []
    if kind == "field":
        return [("field", node["value"])]
    if kind == "index":
        return [("index", node["value"])]
    if kind in ("subexpression", "index_expression"):
        found: list[Step] = []
        for child in children:
            more = None if _projects(found) else _steps(child)
            if more is None:
                return None
            found += more
        return found
    if kind in ("projection", "value_projection", "filter_projection"):
        left, right = _through(node), _steps(children[1])
        return None if left is None or right is None else left + right
    return None


def _through(node: dict[str, Any]) -> list[Step] | None:
    """The steps to what a projection goes through, each."""
    kind, left = node["type"], node["children"][0]
    if kind == "projection" and left["type"] == "flatten":
        found = _steps(left["children"][0])
        if found is None:
            return None
        return [*found, ("flat", None)] if _projects(found) else [*found, ("each", None), ("flat", None)]
    if kind == "projection" and left["type"] == "index_expression" and left["children"][-1]["type"] == "slice":
        found = _steps(left["children"][0])
        part = left["children"][-1]["children"]
        return None if found is None or _projects(found) or part[2] == 0 else [*found, ("slice", slice(*part))]
    found = _steps(left)
    if found is None or _projects(found):
        return None
    if kind == "filter_projection":
        return [*found, ("filter", node["children"][2])]
    return [*found, ("each" if kind == "projection" else "values", None)]


def _projects(steps: list[Step]) -> bool:
    return any(name in _PROJECTING for name, _ in steps)


def _found(steps: list[Step], found: list[Place]) -> list[Place]:
    for name, what in steps:
        found = [inner for each in found for inner in _step(name, what, each)]
    return found


def _step(name: str, what: Any, place: Place) -> Iterator[Place]:
    path, value = place
    if name == "field":
        if isinstance(value, dict) and what in value:
            yield (*path, what), value[what]
    elif name == "values":
        if isinstance(value, dict):
            yield from (((*path, key), each) for key, each in value.items())
    elif not isinstance(value, list):
        if name == "flat":
            yield place
    else:
        numbers = range(len(value))
        if name == "index":
            numbers = numbers[what : what + 1 or None]
        elif name == "slice":
            numbers = numbers[what]
        for number in numbers:
            if name != "filter" or _holds(what, value[number]):
                yield (*path, number), value[number]


def _holds(condition: Any, value: Any) -> bool:
    from jmespath.exceptions import JMESPathError
    from jmespath.visitor import TreeInterpreter

    try:
        found = TreeInterpreter().visit(condition, value)
    except JMESPathError:  # a function that does not take this
        return False
    return found is not None and found is not False and found not in ("", [], {})
