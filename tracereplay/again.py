"""Whether an agent has failed again as in its fixture: by what its taps tell, and by what it sends."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from trace_cli import line, message
from trace_cli.difference import words_of
from trace_cli.event import Event
from trace_cli.ignoring import Ignoring
from trace_cli.text import visible

from .asked import Request
from .recording import Recording

Told = Literal["again", "otherwise", "mended"] | None

_STOPPED = ("Past", "Reproduced", "Miss")  # what ends a rerun, and no failure of the agent's
ALIKE = 0.5  # the part of the words of an error that another has to have, where nothing else tells what it is
_ADDRESS = re.compile(r"0x[0-9a-f]{4,}")


def told(recording: Recording, events: list[dict[str, Any]], met: bool) -> Told:
    """What the agent's own taps tell: that it failed again, otherwise, or not; None nothing of that.

    `events` are theirs. Of a tool, what became of the same call, by its arguments. `met` says whether an API's
    error that the fixture is about was met again.
    """
    if recording.failure is None:
        return None
    event = recording.index.event(recording.failure)
    if event.type == "tool.result":
        return _tool_told(recording, event, events)
    ends = [each["payload"] for each in events if each["type"] in ("run.ended", "step.ended")]
    own = [each for each in ends if each.get("error") is not None and _exception(each) not in _STOPPED]
    if event.type == "model.error":
        return "again" if met and own and recording.ended == "error" else None
    if any(_is_same(event, each) for each in own):
        return "again"
    same_step = [each for each in ends if event.payload.get("name") == each.get("name")]
    left = [each for each in same_step if each.get("error") is not None]
    return "mended" if event.type == "step.ended" and same_step and not left else None


def raised(recording: Recording, error: BaseException) -> bool:
    """Whether an exception that left the agent is the failure that was recorded."""
    if recording.failure is None:
        return False
    event = recording.index.event(recording.failure)
    return _is_same(event, {"error": str(error), "exception": {"type": type(error).__name__}})


def sent(recording: Recording, behind: Request | None, asked: Request, met: bool) -> bool:
    """Whether a request that is not the recorded one still tells the model of the failure.

    A tool's result, by the id of the call, that is an error again, or has the same words; behind an error of the
    API's, that the agent goes on as it did.
    """
    if recording.failure is None or behind is None:
        return False
    event = recording.index.event(recording.failure)
    if event.type == "model.error":
        return met
    results = dict(_results(asked.body))
    for each_id, before in _results(behind.body):
        now = results.get(each_id)
        if now is None or not (each_id == event.call_id or before.get("is_error") is True):
            continue
        if now.get("is_error") is True or _counted(_words(now)) == _counted(_words(before)):
            return True
    return False


def failure_text(recording: Recording, events: list[dict[str, Any]] | None = None) -> str:
    """What failed, where that stands, and the traceback of its tool, if a tap of the agent's has seen it now."""
    assert recording.failure is not None
    event = recording.index.event(recording.failure)
    error = event.fields["_fixture"].get("error")
    error = error if isinstance(error, dict) else {}
    what = event.failure or error.get("message") or event.summary()
    name = event.tool_name or error.get("tool_name")
    lines = [
        visible(f"{name}: {what}" if name else what),
        f"  as recorded at {recording.place(recording.failure)}",
    ]
    for each in events or []:
        exception = each["payload"].get("exception")
        if each["type"] == event.type and _is_same(event, each["payload"]):
            if isinstance(exception, dict) and isinstance(exception.get("traceback"), str):
                lines += [f"  {visible(row)}" for row in exception["traceback"].splitlines()]
            break
    return "\n".join(lines)


def _tool_told(recording: Recording, event: Event, events: list[dict[str, Any]]) -> Told:
    index = recording.index
    before = [index.event(each.start) for each in recording.tool_calls]
    calls = [each for each in before if each.run == event.run and each.index < event.index]
    mine = next((each for each in reversed(calls) if each.call_id == event.call_id), None)
    if mine is None:
        return None
    wanted = _call(mine.payload)
    number = sum(_call(each.payload) == wanted for each in calls if each.index <= mine.index)
    called = [each for each in events if each["type"] == "tool.called" and _call(each["payload"]) == wanted]
    if len(called) < number:
        return None
    id = called[number - 1]["call_id"]
    end = next(
        (each["payload"] for each in events if each["type"] == "tool.result" and each["call_id"] == id), None
    )
    if end is None:
        return None
    return "mended" if end.get("error") is None else "again" if _is_like(event, end) else "otherwise"


def _is_like(event: Event, payload: Mapping[str, Any]) -> bool:
    """Whether the error of the same call is the same but for what is another each time: of one class, or alike."""
    classes = [_exception(event.payload), _exception(payload)]
    if None not in classes:
        return classes[0] == classes[1]
    before, now = words_of(event.error), words_of(message.error_text(payload.get("error")))
    return (before & now).total() >= ALIKE * before.total()


def _call(payload: Mapping[str, Any]) -> bytes:
    return line.canonical([payload.get("tool_name"), payload.get("args")])


def _is_same(event: Event, payload: Mapping[str, Any]) -> bool:
    """Whether a payload tells the same failure: of the same tool, with the same words."""
    if payload.get("tool_name", event.tool_name) != event.tool_name:
        return False
    classes = {_exception(payload), _exception(event.payload)} - {None}
    return len(classes) < 2 and _counted(message.error_text(payload.get("error"))) == _counted(event.error)


def _exception(payload: Mapping[str, Any]) -> str | None:
    """The class of the exception that was recorded, if one was."""
    exception = payload.get("exception")
    return str(exception.get("type")) if isinstance(exception, dict) else None


def _counted(text: str | None) -> str | None:
    """What counts of an error: figures in it do not, nor ids and addresses."""
    told = Ignoring().error(text)
    return None if told is None else "".join(each for each in _ADDRESS.sub("", told) if not each.isdecimal())


def _results(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The results of tools in a request, as the APIs have them: the id of the call, and the block."""
    if isinstance(value, dict):
        for name in ("tool_use_id", "tool_call_id", "call_id"):
            if isinstance(value.get(name), str) and ("content" in value or "output" in value):
                yield value[name], value
        for each in value.values():
            yield from _results(each)
    elif isinstance(value, list):
        for each in value:
            yield from _results(each)


def _words(block: Mapping[str, Any]) -> str:
    content = block.get("content", block.get("output"))
    return content if isinstance(content, str) else line.dump(content).decode()
