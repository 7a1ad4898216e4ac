"""A lock that no exception out of a signal handler leaves held, and that no handler waits for in vain."""

from collections.abc import Callable
from threading import RLock
from typing import Any

Lock = RLock  # for its owner, not for taking it twice


def holding(lock: Any, timeout: float, function: Callable[..., Any], *args: Any, default: Any) -> Any:
    """Return `function(*args)`, called while this thread holds `lock`.

    Returns `default` if the lock does not come within `timeout` seconds (-1: no limit), and if this very thread
    has it: a signal handler or a finaliser that interrupted what the lock is for.

    Python runs signal handlers, and raises what they raise, only where a call has just returned or begins and
    where a loop goes round. So `acquire` may have taken the lock without ever giving its answer: it stands inside
    `try`. From the end of `function`, however it ends, to `release` there is no such place.
    """
    if lock._is_owned():  # as threading.Condition asks
        return default
    try:
        if not lock.acquire(timeout=timeout):
            return default
        return function(*args)
    finally:
        try:  # noqa: SIM105 - suppress() would be such a place
            lock.release()
        except RuntimeError:  # it never was this thread's
            pass
