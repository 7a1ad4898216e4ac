"""The one place where the tap's own failures stop: nothing that goes wrong in here reaches the agent."""

import errno
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

_told: set[str] = set()
_telling = threading.local()


def attempt(
    function: Callable[..., Any], *args: Any, default: Any = None, quiet: bool = False, everything: bool = False
) -> Any:
    """Return `function(*args)`, or `default` if it raises any `Exception`.

    Unless `quiet`, the failure is said on stderr, once for each function and kind of exception.
    KeyboardInterrupt, SystemExit and cancellation pass: they are the agent's business. Except on the tap's own
    thread, which asks for `everything`.
    """
    try:
        return function(*args)
    except BaseException as exc:  # the guard: an agent must survive any bug of its recorder
        if not (everything or isinstance(exc, Exception)):
            raise
        if not quiet:
            name = getattr(function, "__qualname__", "a callback")
            tell(f"{name}/{type(exc).__name__}", f"could not record ({name}: {told(exc)})")
        return default


def told(error: BaseException) -> str:
    """Return what may be said of an exception: its type, and where it was raised or what the system said.

    Not its text: that may quote what was to be recorded, with secrets in it that no redaction has seen.
    """
    name = type(error).__name__
    number = error.errno if isinstance(error, OSError) and type(error).__module__ == "builtins" else None
    if number is not None and number in errno.errorcode:
        return f"{name}: {os.strerror(number)}"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return name
    return f"{name} at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"


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
        line = "".join(one if one.isprintable() else repr(one)[1:-1] for one in message)
        _say(f"agenttap[{os.getpid()}]: {line}\n")
    except Exception:  # noqa: BLE001 - a closed stderr is no reason to disturb the agent
        return
    finally:
        _telling.busy = False


def _say(line: str) -> None:
    """Write a line to stderr: to the interpreter's own without its buffer, whose lock a thread that is in it when
    the interpreter goes down would still hold, and Python would abort.
    """
    own = sys.__stderr__
    if own is not None and sys.stderr is own:
        os.write(own.fileno(), line.encode(own.encoding, "backslashreplace"))
    else:  # the agent's
        print(line, end="", file=sys.stderr, flush=True)


def forget(key: str) -> None:
    """Let `tell` speak again about `key`: what was wrong has been right in between."""
    _told.discard(key)


def failure(
    function: Callable[..., Any], *args: Any, everything: bool = False, **named: Any
) -> BaseException | None:
    """Call a function and return the `Exception` that it raised, or None; any exception if `everything`."""
    try:
        function(*args, **named)
    except BaseException as exc:  # the guard: what fails may be the user's own callback
        if not (everything or isinstance(exc, Exception)):
            raise
        return exc
    return None
