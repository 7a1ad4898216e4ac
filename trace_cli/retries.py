"""Failed attempts of model calls that the SDK may make again by itself, until it is known what became of them."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trace_cli.event import Event

_STATUSES = {408, 409, 429}  # and all from 500: what the SDKs send again by themselves


@dataclass(slots=True)
class Error:
    """An event that is an error. `recovered` is None until it is known; `key` names what can recover it.

    `step` is the path of the step that it happened in. `run_name` and `end`, the `run.ended`, are what was learnt
    of its run until the error was given out.
    """

    event: Event
    kind: str
    message: str
    tool_name: str | None = None
    recovered: bool | None = None
    key: object = None
    step: str | None = None
    run_name: str | None = None
    end: Event | None = None

    def row(self) -> dict[str, Any]:
        """What goes into a line as `_error`."""
        return {
            "kind": self.kind,
            "message": self.message,
            "tool_name": self.tool_name,
            "step": self.step,
            "recovered": self.recovered,
        }


@dataclass(slots=True)
class _Attempts:
    """The failed attempts of one call, and the number and call_id of its latest."""

    number: int = 0
    call_id: str = ""
    errors: list[Error] = field(default_factory=list)


class Retries:
    """The calls of one run that may be made again. Requests are the same when their keys are."""

    def __init__(self) -> None:
        self._calls: dict[str, _Attempts] = {}
        self._waiting: dict[object, list[_Attempts]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._calls)

    def failed(self, error: Error, attempt: object) -> None:
        """The attempt of this number failed. `error` has its event, with a call_id, and the key of its request."""
        call_id = error.event.call_id or ""
        attempts = self._calls.setdefault(call_id, _Attempts())
        attempts.number = attempt if isinstance(attempt, int) else 1
        attempts.call_id = call_id
        attempts.errors.append(error)
        self._waiting[error.key].append(attempts)

    def sent(self, call_id: str, key: object, attempt: object) -> list[Error]:
        """A request is made. The errors of a call that is given up by this: made anew by the agent itself."""
        same = self._waiting.get(key, [])
        for attempts in same:  # several calls with one body may be under way
            if attempt == attempts.number + 1:
                same.remove(attempts)
                self._calls.pop(attempts.call_id, None)
                self._calls[call_id] = attempts
                return []
        if not same:
            return []
        given_up = same.pop(0)
        self._calls.pop(given_up.call_id, None)
        return given_up.errors

    def answered(self, call_id: str) -> list[Error]:
        """A request is answered. The errors of its attempts before, which are none."""
        return self._drop(call_id)

    def give_up(self, call_id: str | None = None) -> list[Error]:
        """There will be no further attempt, of one call or of all. Their errors."""
        calls = list(self._calls) if call_id is None else [call_id]
        return [error for each in calls for error in self._drop(each)]

    def _drop(self, call_id: str) -> list[Error]:
        attempts = self._calls.pop(call_id, None)
        if attempts is None:
            return []
        key = attempts.errors[-1].key
        self._waiting[key] = [each for each in self._waiting[key] if each is not attempts]
        if not self._waiting[key]:
            del self._waiting[key]
        return attempts.errors


def may_follow(error: Mapping[str, Any], status: Any, headers: Any) -> bool:
    """Whether an SDK makes another attempt after this one, as far as it can be seen from the failed one."""
    told = headers.get("x-should-retry") if isinstance(headers, Mapping) else None
    if told in ("true", "false"):
        return bool(told == "true")
    if error.get("kind") in ("connection", "timeout"):
        return True
    return error.get("kind") == "http" and isinstance(status, int) and (status in _STATUSES or status >= 500)


def patience(event: Event) -> float:
    """Seconds after which an SDK has made another attempt, if it makes one.

    SDKs wait for 8 at most, or for what the API asked, up to a minute; and it takes some to send.
    """
    headers = event.payload.get("headers")
    asked = headers.get("retry-after") if isinstance(headers, Mapping) else None
    try:
        wait = float(asked) if isinstance(asked, str) else 0.0
    except ValueError:  # a date
        wait = 60.0
    return (wait if 8 < wait <= 60 else 8) + 4
