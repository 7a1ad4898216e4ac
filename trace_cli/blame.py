"""What made two runs differ at an event: input, environment or decision, and that in a few words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trace_cli import line
from trace_cli.item import Item

INPUT, ENVIRONMENT, DECISION = "input", "environment", "decision"
_ANSWERS = ("model.response", "model.error", "http.response", "http.error", "tool.result")
_PARTS = {"system": "the system prompt", "instructions": "the system prompt", "tools": "the tools"}
_ROLES = ("user", "system", "developer")
_BODY = "/payload/body/"
SHORT = 40  # characters of a value that is told
Change = Mapping[str, Any]


def cause(op: str, a: Item | None, b: Item | None, changes: Iterable[Change], same_before: bool) -> str | None:
    """What made this event differ, as far as it can be seen from it and what came before.

    `same_before`: all that led to it was the same in both runs, but for the words of the model: the context of a
    response or a call, the arguments of a result. None where it follows from what came before, or nothing says
    what it is.
    """
    item = a or b
    assert item is not None
    kind, role = item.type, item.label
    if op == "changed" and kind in ("model.request", "http.request"):
        found = _of_request(changes)
        return found if found == INPUT or same_before else None
    if op == "changed" and kind == "run.started":
        return INPUT
    if not same_before:
        return None
    if kind == "tool.result" or (kind in _ANSWERS and (op != "changed" or kind.endswith(".error"))):
        return ENVIRONMENT
    if kind in ("model.request", "http.request", "model.response", "http.response", "tool.called", "run.ended"):
        return DECISION
    if item.calls or role in ("assistant", "model", "ai") or kind.startswith("step."):
        return DECISION
    if role in ("user", "system", "developer"):
        return INPUT
    return ENVIRONMENT if role in ("tool", "function") or item.tool_name is not None else None


def _of_request(changes: Iterable[Change]) -> str | None:
    causes = {_CAUSES[each.get("of", "")] for each in changes}
    return next((each for each in (INPUT, ENVIRONMENT, DECISION) if each in causes), None)


_CAUSES = {"": INPUT, "prompt": INPUT, "result": ENVIRONMENT, "model": DECISION}


def part_of(path: str, document: Any, prompts: Sequence[int]) -> str:
    """What of a request a pointer leads into: a system "prompt", the "result" of a tool, the "model"'s, or ""."""
    found = ""
    value = document
    for depth, token in enumerate(path.split("/")[1:]):
        if isinstance(value, list):
            places = list(getattr(value, "places", range(len(value))))
            value = value[places.index(int(token))] if token.isdecimal() and int(token) in places else None
            if depth == 3 and token.isdecimal() and int(token) in prompts:
                return "prompt"
        else:
            value = value.get(token.replace("~1", "/").replace("~0", "~")) if isinstance(value, Mapping) else None
        told = value if isinstance(value, Mapping) else {}
        if told.get("role") == "tool" or str(told.get("type")).endswith(("tool_result", "function_call_output")):
            return "result"
        if told.get("role") == "assistant" or told.get("type") in ("function_call", "reasoning"):
            found = "model"
        content = told.get("content")
        if isinstance(content, list) and content and all(_is_result(each) for each in content):
            return "result"
    return found


def _is_result(block: Any) -> bool:
    return isinstance(block, Mapping) and block.get("type") == "tool_result"


def reason(op: str, a: Item | None, b: Item | None, changes: Iterable[Change], same_before: bool) -> str:
    """The same in words, for the first event that differs."""
    item = b or a
    assert item is not None
    name = item.tool_name or "a tool"
    if op != "changed":
        return _alone("A" if op == "removed" else "B", item.type, name)
    if item.type in ("model.request", "http.request"):
        parts = set(map(_part, changes))
        one = len(parts) == 1 and parts != {"the tools"}
        return f"{_shown(map(_part, changes))} {'differs' if one else 'differ'}"
    if item.type == "run.started":
        return f"the runs began in different ways: {_shown(map(_part, changes))}"
    if item.type == "model.response" or item.label in ("assistant", "model", "ai"):
        return _calls(a, b)
    if item.label in _ROLES:
        return f"a message of the {item.label} differs"
    if item.label in ("tool", "function"):
        return "what a tool returned differs"
    return {
        "model.error": "the call of the model failed in another way",
        "tool.called": f"{name} was called with other arguments",
        "tool.result": f"{name} returned something else{' to the same call' if same_before else ''}",
        "run.ended": "the run ended in another way",
    }.get(item.type, f"{item.type or 'an event'} differs")


def _alone(side: str, kind: str, name: str) -> str:
    """An event that one run alone has."""
    return {
        "model.request": f"only {side} asked the model here",
        "model.response": f"only in {side} the model answered",
        "model.error": f"only in {side} the call of the model failed",
        "tool.called": f"only {side} called {name} here",
        "tool.result": f"only in {side} {name} returned",
    }.get(kind, f"only {side} has {kind or 'this event'}")


def _calls(a: Item | None, b: Item | None) -> str:
    """What a model called instead."""
    old, new = (sorted({name for name, _ in each.calls}) if each else [] for each in (a, b))
    if old != new:
        return f"the model called {', '.join(new) or 'nothing'}, not {', '.join(old) or 'nothing'}"
    if a and b and a.calls != b.calls:
        return f"the model called {', '.join(new)} with other arguments"
    return "the model answered something else"


def _shown(parts: Iterable[str]) -> str:
    """The first few of some parts, each once."""
    found = list(dict.fromkeys(parts))
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def _part(change: Change) -> str:
    """The part of an event that a pointer leads into, with what was and is there, where that is short."""
    path = str(change["path"])
    said = [line.dump(change[side]).decode().strip('"') for side in ("a", "b") if side in change]
    values = f" ({' → '.join(said)})" if len(said) == 2 and max(map(len, said)) <= SHORT else ""
    if not path.startswith(_BODY):
        return path.removeprefix("/payload/") + values
    name, *rest = path.removeprefix(_BODY).split("/")
    if name in ("messages", "input") and rest:
        return "the system prompt" if change.get("of") == "prompt" else f"message {rest[0]}"
    if name in _PARTS:
        return _PARTS[name]
    return ("the model" if name == "model" else "/".join([name, *rest])) + values
