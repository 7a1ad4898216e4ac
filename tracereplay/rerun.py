"""Runs an agent again and finds out whether it fails as it did: `replay.rerun`."""

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agenttap.testing import capture

from . import again
from .nearest import SHOWN, Miss

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
        own, events = _own(left), captured.events
    told = again.told(replay.recording, events, replay.failed)  # which knows better than what was sent
    if told == "again" or (told is None and (replay.reproduced or _is_left_with(replay, own))):
        raise Reproduced(again.failure_text(replay.recording, events)) from own
    replay.reproduced = False
    _expect_no_miss(replay)
    if left is not None and not _is_only(left, (Past, Reproduced)):
        if replay.recording.failure is not None:
            left.add_note(
                f"Another failure than the recorded one, which is {again.failure_text(replay.recording)}"
            )
        raise left
    if told == "otherwise":
        raise Miss(f"the same call failed, and otherwise than recorded: {again.failure_text(replay.recording)}")
    if not replay.past and left is None:
        _expect_all(replay, mended=told == "mended")
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
    waiting = _awaited(value)
    try:
        return asyncio.run(waiting)
    except RuntimeError as error:
        if not inspect.iscoroutine(value) or inspect.getcoroutinestate(value) != inspect.CORO_CREATED:
            raise
        waiting.close()
        value.close()
        raise RuntimeError("replay.rerun runs a coroutine itself: call it in a test that is not async") from error


async def _awaited(value: Any) -> Any:
    return await value


def _is_only(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Whether an exception is one of these, or a group of nothing but them."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_only(each, kinds) for each in error.exceptions)
    return isinstance(error, kinds)


def _is_left_with(replay: "Replay", own: BaseException | None) -> bool:
    """Whether the agent ended with the failure that was recorded, where no tap of its own has told of it.

    The error of an API that it got again, and then raised, or ended with as it did then; or the same exception.
    """
    if replay.past:
        return False
    if replay.failed:  # a run that ended in an error then, and does not now, is mended
        return own is not None or replay.recording.ended != "error"
    return own is not None and again.raised(replay.recording, own)


def _expect_all(replay: "Replay", mended: bool = False) -> None:
    """Raises Miss where the agent ended without having sent all that it had sent.

    That is the request in which it went on after it failed, too, or another in its place; unless it is known to be
    `mended`.
    """
    __tracebackhide__ = True
    recording = replay.recording
    if left := recording.unsent:
        places = ", ".join(recording.place(each.start) for each in left[:SHOWN])
        until = "before it came to what failed" if recording.failure is not None else "early"
        total = len(recording.exchanges)
        raise Miss(f"the agent ended {until}: {len(left)} of {total} recorded requests were not sent: {places}")
    if recording.behind is not None and not mended and not replay.failed:
        place = recording.place(recording.behind.start)
        raise Miss(f"the agent ended where it had failed and gone on: no request came in the place of {place}")
