"""Runs an agent again and finds out whether it fails as it did: `replay.rerun`."""

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agenttap.testing import Captured, capture

from trace_cli import message
from trace_cli.event import Event
from trace_cli.ignoring import Ignoring
from trace_cli.text import visible

from .nearest import SHOWN, Miss
from .recording import Recording

if TYPE_CHECKING:
    from .replay import Replay


class Reproduced(BaseException):
    """The agent failed in the way that was recorded. No Exception, for the reasons that `Miss` is none."""

    __module__ = "agent_replay_trace"  # where its name is public


class Past(BaseException):
    """The agent has got past the recorded failure: what it would be answered from here on is not known."""


def rerun(replay: "Replay", function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """See `Replay.rerun`."""
    __tracebackhide__ = True
    if replay.mode == "off":
        return _run(function, args, kwargs)
    replay.install()
    if replay.mode == "record-missing":  # taps write, that of the missing too
        value = _run(function, args, kwargs)
        _expect_no_miss(replay)
        return value
    value, left = None, None
    with capture() as captured:
        replay.judging = True
        try:
            value = _run(function, args, kwargs)
        except BaseException as exc:  # noqa: BLE001 - what it was is seen below; all else goes on
            left = exc
        finally:
            replay.judging = False
        if replay.reproduced or _again(replay.recording, captured) or _is_left_with(replay, left):
            raise Reproduced(failure_text(replay.recording, captured)) from _own(left)
    _expect_no_miss(replay)
    if left is not None and not _is_only(left, (Past,)):
        if replay.recording.failure is not None:
            left.add_note(f"Another failure than the recorded one, which is {failure_text(replay.recording)}")
        raise left
    if not replay.past:
        expect_all(replay)
    return value


def _own(error: BaseException | None) -> BaseException | None:
    """An exception that is the agent's, and not what stopped it."""
    return None if error is None or _is_only(error, (Past, Reproduced, Miss)) else error


def _expect_no_miss(replay: "Replay") -> None:
    __tracebackhide__ = True
    if replay.misses:  # without what stands between, and also where the agent has gone on
        raise Miss(replay.misses[0])


def _run(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    value = function(*args, **kwargs)
    if not inspect.isawaitable(value):
        return value
    try:
        return asyncio.run(_awaited(value))
    except RuntimeError as error:
        if not inspect.iscoroutine(value) or inspect.getcoroutinestate(value) != inspect.CORO_CREATED:
            raise
        value.close()
        raise RuntimeError(
            "replay.rerun runs a coroutine by itself: call it in a test that is not async"
        ) from error


async def _awaited(value: Any) -> Any:
    return await value


def _is_only(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Whether an exception is one of these, or a group of nothing but them."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_only(each, kinds) for each in error.exceptions)
    return isinstance(error, kinds)


def _again(recording: Recording, captured: Captured) -> bool:
    """Whether a tap of the agent's has told the failure once more: as often as it was recorded up to there."""
    if recording.failure is None:
        return False
    event = recording.index.event(recording.failure)
    if event.type not in ("tool.result", "run.ended", "step.ended"):
        return False
    before = (recording.index.event(each) for each in range(recording.failure + 1))
    times = sum(_is_same(event, each.type, each.payload) for each in before)
    return sum(_is_same(event, each["type"], each["payload"]) for each in captured.events) >= times


def _is_same(event: Event, type: str, payload: dict[str, Any]) -> bool:
    """Whether an event tells the same failure: of the same tool, with the same words."""
    if type != event.type or payload.get("tool_name") != event.tool_name:
        return False
    classes = {_exception(payload), _exception(event.payload)} - {None}
    return len(classes) < 2 and _counted(message.error_text(payload.get("error"))) == _counted(event.error)


def _is_left_with(replay: "Replay", left: BaseException | None) -> bool:
    """Whether the agent ended with the failure that was recorded, where no tap of its own has told of it.

    The error of an API that it got again, and then raised, or ended with as it did then; or the same exception.
    """
    recording = replay.recording
    if recording.failure is None or replay.past:
        return False
    event = recording.index.event(recording.failure)
    if event.type == "model.error":
        # A run that ended in an error then, and does not now, is mended.
        return replay.failed and (_own(left) is not None or event.fields["_fixture"].get("ended") != "error")
    raised = _own(left)
    told = {"error": str(raised), "exception": {"type": type(raised).__name__}}
    return raised is not None and _is_same(event, event.type, {"tool_name": event.tool_name} | told)


def _counted(text: str | None) -> str | None:
    """What counts of an error: figures in it do not, nor ids."""
    told = Ignoring().error(text)
    return None if told is None else "".join(each for each in told if not each.isdecimal())


def _exception(payload: dict[str, Any]) -> str | None:
    """The class of the exception that was recorded, if one was."""
    exception = payload.get("exception")
    return str(exception.get("type")) if isinstance(exception, dict) else None


def failure_text(recording: Recording, captured: Captured | None = None) -> str:
    """What failed, where that stands, and the traceback of its tool, if a tap of the agent's has seen it now."""
    assert recording.failure is not None
    event = recording.index.event(recording.failure)
    told = event.fields["_fixture"].get("error")
    told = told if isinstance(told, dict) else {}
    what = event.failure or told.get("message") or event.summary()
    name = event.tool_name or told.get("tool_name")
    text = f"{name}: {what}" if name else what
    lines = [visible(text), f"  as recorded at {recording.place(recording.failure)}"]
    for each in captured.events if captured else []:
        exception = each["payload"].get("exception")
        if _is_same(event, each["type"], each["payload"]):
            if isinstance(exception, dict) and isinstance(exception.get("traceback"), str):
                lines += [f"  {visible(line)}" for line in exception["traceback"].splitlines()]
            break
    return "\n".join(lines)


def expect_all(replay: "Replay") -> None:
    """Raises Miss where the agent ended without having sent all that it had sent."""
    failure = replay.recording.failure
    left = [each for each in replay.recording.exchanges if not each.used and each.end != failure]
    if left:
        places = ", ".join(replay.recording.place(each.start) for each in left[:SHOWN])
        until = "before it came to what failed" if replay.recording.failure is not None else "early"
        total = len(replay.recording.exchanges)
        raise Miss(f"the agent ended {until}: {len(left)} of {total} recorded requests were not sent: {places}")
