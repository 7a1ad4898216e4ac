"""JMESPath over the lines of a trace, with help where JMESPath fails or matches nothing without a word."""

import re
from contextlib import suppress
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from trace_cli import on_head
from trace_cli.event import Event

_FAILURES = (JMESPathError, TypeError, ValueError, ArithmeticError)  # of functions that got null or NaN


class Field:
    """A parsed expression over an event's line. `by_head`: the head of a line may be enough to tell its value."""

    def __init__(self, parsed: dict[str, Any]) -> None:
        self._parsed = parsed
        self._visit = TreeInterpreter().visit  # a new one for each event would take as long as what it does
        self._answer = on_head.answer(parsed)
        self.by_head = self._answer is not None

    def __call__(self, event: Event) -> Any:
        """The value; None where it cannot be evaluated."""
        try:
            if self._answer and event.head:
                with suppress(LookupError):
                    return self._answer(event.head)
            return self._visit(self._parsed, event.fields)
        except _FAILURES:
            return None

    def holds(self, event: Event) -> bool:
        """Whether the value counts as true."""
        return on_head.is_true(self(event))

    def may_hold(self, head: re.Match[bytes]) -> bool:
        """False where the head of a line tells that it does not hold."""
        try:
            return self._answer is None or on_head.is_true(self._answer(head))
        except LookupError:
            return True
        except _FAILURES:
            return False


def compile(text: str) -> Field:
    """An expression ready for use. Raises ValueError with what to write instead."""
    if trap := _trap(text):
        raise ValueError(f"{text!r}: {trap}")
    try:
        path = jmespath.compile(text)
        _check_functions(path.parsed)
    except JMESPathError as error:
        reason = str(error).partition("\n")[0].rstrip(":")
        raise ValueError(f"{text!r} is no JMESPath: {reason}{_guess(text)}") from None

    return Field(path.parsed)


def _check_functions(node: dict[str, Any]) -> None:
    """Raises ValueError for a function that does not exist, or is given too much or too little."""
    if node.get("type") == "function_expression":
        known = Functions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise ValueError(
                f"there is no function {node['value']}(); there are {', '.join(Functions.FUNCTION_TABLE)}"
            )
        takes = known["signature"]
        given, open_end = len(node["children"]), any("variadic" in each for each in takes)
        if given < len(takes) or (given > len(takes) and not open_end):
            raise ValueError(f"{node['value']}() takes {len(takes)} arguments, not {given}")
    for child in node.get("children", ()):
        if isinstance(child, dict):
            _check_functions(child)


_COMPARED_NUMBER = re.compile(
    r"(?:[=!<>]=|[<>])\s*(-?\d[\d.eE+-]*)|(?<![\w.\[:`'\"-])(-?\d[\d.]*)\s*(?:[=!<>]=|[<>])"
)
_COMPARED_NAME = re.compile(r"""(?:[=!]=)\s*"([^"]*)"|"([^"]*)"\s*(?:[=!]=)\s*(?=['`\w@])""")
_COMPARED_WORD = re.compile(r"(?:[=!]=)\s*(true|false|null)\b(?!\()")
_COMPARED_FIELD = re.compile(r"[\w\])]\s*[=!]=\s*([A-Za-z_]\w*)\s*(?=$|[|&)\]])")
_QUOTED = re.compile(r"`(?:\\.|[^`])*`|'(?:\\.|[^'])*'")


def _trap(text: str) -> str | None:
    """Help where JMESPath is known to fail, or to match nothing without a word."""
    bare = _QUOTED.sub(lambda quoted: quoted[0][0] + "·" * (len(quoted[0]) - 2) + quoted[0][-1], text)
    if found := _COMPARED_NUMBER.search(bare):
        number = found[1] or found[2]
        return f"a number is written between backticks: `{number}` (and all of it in single quotes, for the shell)"
    if found := _COMPARED_WORD.search(bare):
        return f"{found[1]} is written between backticks: `{found[1]}`"
    if (found := _COMPARED_NAME.search(bare)) and found[1] is not None:
        return f"double quotes name a field; a text is written between single quotes: '{found[1]}'"
    if found := _COMPARED_FIELD.search(bare):
        return f"a text is written between single quotes: '{found[1]}' (a field of that name: @.{found[1]})"
    if re.search(r"(?<![=!<>])=(?!=)", re.sub(r'"[^"]*"', '""', bare)):
        return "equality is written =="
    return None


_WORDS = {"and": "&&", "or": "||", "not": "!"}


def _guess(text: str) -> str:
    """What is often behind an expression that cannot be read."""
    if re.search(r"[=<>]\s*$|[=<>]\s*(?=[)\]|&])", text):
        return "; did the shell take the backticks? It leaves them alone between single quotes"
    if word := re.search(r"\s(and|or|not)\s", f" {text} "):
        return f"; {word[1]} is written {_WORDS[word[1]]}"
    return ""
