"""Expressions that the head of a line can answer, so that the rest of it need not be parsed."""

import re
from collections.abc import Callable
from typing import Any

from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter, _is_comparable

from trace_cli.head import CALL_ID, RUN_ID, SEQ, SPAN_ID, STEP_ID, TIMESTAMP, TRACE_ID, TYPE

OfHead = Callable[[re.Match[bytes]], Any]


def answer(node: dict[str, Any]) -> OfHead | None:
    """The value that a parsed JMESPath expression has in a line, from its head; None where more is asked for.

    That raises LookupError for a head without the id that is asked for: the line may have it elsewhere.
    """
    kind, value = node["type"], node.get("value")
    if kind == "literal":
        return lambda head: value
    if kind == "field":
        return _FIELDS.get(str(value))
    if kind not in _OPERATIONS:
        return None
    parts = [answer(child) for child in node["children"]]
    known = [part for part in parts if part is not None]
    return _OPERATIONS[kind](value, *known) if len(known) == len(parts) else None


def _id(group: int) -> OfHead:
    def of_head(head: re.Match[bytes]) -> str:
        if (found := head[group]) is None:
            raise LookupError
        return found.decode()

    return of_head


_FIELDS: dict[str, OfHead] = {
    "v": lambda head: 1,
    "type": lambda head: head[TYPE].decode(),
    "timestamp": lambda head: head[TIMESTAMP].decode(),
    "run_id": lambda head: head[RUN_ID].decode(),
    "seq": lambda head: int(head[SEQ]),
    "call_id": _id(CALL_ID),
    "step_id": _id(STEP_ID),
    "trace_id": _id(TRACE_ID),
    "span_id": _id(SPAN_ID),
}


def _comparison(operator: str, left: OfHead, right: OfHead) -> OfHead:
    compare: Callable[[Any, Any], bool] = TreeInterpreter.COMPARATOR_FUNC[operator]
    if operator in ("eq", "ne"):
        return lambda head: compare(left(head), right(head))

    def ordered(head: re.Match[bytes]) -> bool | None:
        one, other = left(head), right(head)
        return compare(one, other) if _is_comparable(one) and _is_comparable(other) else None

    return ordered


def _either(_: None, left: OfHead, right: OfHead) -> OfHead:
    return lambda head: found if is_true(found := left(head)) else right(head)


def _both(_: None, left: OfHead, right: OfHead) -> OfHead:
    return lambda head: right(head) if is_true(found := left(head)) else found


def _not(_: None, part: OfHead) -> OfHead:
    return lambda head: not is_true(part(head))


def _function(name: str, *parts: OfHead) -> OfHead:
    call = Functions().call_function
    return lambda head: call(name, [part(head) for part in parts])


_OPERATIONS: dict[str, Callable[..., OfHead]] = {
    "comparator": _comparison,
    "or_expression": _either,
    "and_expression": _both,
    "not_expression": _not,
    "function_expression": _function,
}


def is_true(value: Any) -> bool:
    """As JMESPath counts truth: null, false and what is empty are not, 0 is."""
    return bool(value) or (value == 0 and value is not False)
