"""The one place where the tap's own failures stop: nothing that goes wrong in here reaches the agent."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

_told: set[str] = set()
_telling = threading.local()


def attempt(function: Callable[..., Any], *args: Any, default: Any = None, quiet: bool = False) -> Any:
    """Return `function(*args)`, or `default` if it raises any `Exception`.

    Unless `quiet`, the failure is said on stderr, once for each function and kind of exception.
    KeyboardInterrupt, SystemExit and cancellation pass: they are the agent's business.
    """
    try:
        return function(*args)
    except Exception as exc:  # noqa: BLE001 - the guard: an agent must survive any bug of its recorder
        if not quiet:
            name = getattr(function, "__qualname__", "a callback")
            tell(f"{name}/{type(exc).__name__}", f"could not record ({name}: {type(exc).__name__}: {text(exc)})")
        return default


def text(value: object) -> str:
    """Return `str(value)`, or a placeholder if that raises."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the guard's own messages must not need a guard
        return f"<{type(value).__name__} that cannot be shown>"


def tell(key: str, message: str) -> None:
    """Write one line about `message` to stderr, the first time that `key` is seen in this process."""
    if key in _told or getattr(_telling, "busy", False):
        return
    _told.add(key)
    _telling.busy = True  # stderr may be an object of the agent's that ends up in here again
    try:
        print(f"agenttap[{os.getpid()}]: {message}", file=sys.stderr, flush=True)
    except Exception:  # noqa: BLE001 - a closed stderr is no reason to disturb the agent
        return
    finally:
        _telling.busy = False


def forget(key: str) -> None:
    """Let `tell` speak again about `key`: what was wrong has been right in between."""
    _told.discard(key)


def failure(function: Callable[..., Any], *args: Any) -> Exception | None:
    """Call `function(*args)` and return what it raised, or None."""
    try:
        function(*args)
    except Exception as exc:  # noqa: BLE001 - the guard: what fails may be the user's own callback
        return exc
    return None
