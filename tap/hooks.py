"""What the process itself does to a run: uncaught exceptions, exit, fork."""

import atexit
import os
import sys
import threading
import weakref
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import guard
from .run import is_failure

if TYPE_CHECKING:
    from .tap import Tap

# Open taps, held until they are closed: what they have not written yet must survive their owner's last reference.
_open: set["Tap"] = set()
# Every tap, closed or not, for the child of a fork.
_all: "weakref.WeakSet[Tap]" = weakref.WeakSet()
_installed = False
_last_excepthook: Any = None
_last_thread_hook: Any = None
_last_exit: Any = None
_leaving: SystemExit | None = None  # what the agent said to sys.exit, until it is seen to go on


def add(tap: "Tap") -> None:
    """Watch over `tap` until it is closed."""
    global _installed, _last_excepthook, _last_thread_hook, _last_exit
    _open.add(tap)
    _all.add(tap)
    if not _installed:
        _installed = True
        atexit.register(_at_exit)
        os.register_at_fork(after_in_child=_after_fork)
    # Chained, not replaced. A hook that the agent sets later decides itself whether this one is called; if it is
    # not, the exception is found at exit, where Python leaves it.
    if sys.excepthook is not _excepthook:
        _last_excepthook, sys.excepthook = sys.excepthook, _excepthook
    if threading.excepthook is not _thread_hook:
        _last_thread_hook, threading.excepthook = threading.excepthook, _thread_hook
    # No hook of Python's is called for SystemExit, and at exit nothing tells the status.
    if sys.exit is not _exit:
        _last_exit, sys.exit = sys.exit, _exit


def remove(tap: "Tap") -> None:
    """Forget a closed tap; with the last one the agent's hooks are put back, unless it has set others since."""
    _open.discard(tap)
    if not _open:
        if sys.excepthook is _excepthook:
            sys.excepthook = _last_excepthook
        if threading.excepthook is _thread_hook:
            threading.excepthook = _last_thread_hook
        if sys.exit is _exit:
            sys.exit = _last_exit


def _excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    for tap in list(_open):
        guard.attempt(tap.end_run_uncaught, error)
    _last_excepthook(kind, error, trace)


def _thread_hook(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):  # that ends a thread, quietly
        for tap in list(_open):
            guard.attempt(tap.thread_failed, args.exc_value)
    _last_thread_hook(args)


def _exit(status: Any = None, /) -> Any:
    global _leaving
    if threading.current_thread() is threading.main_thread():
        _leaving = SystemExit(status)
    return _last_exit(status)  # which returns only where the agent has put something else there


def goes_on() -> None:
    """Note that the agent does something new: whatever it said to sys.exit, it has thought better of it."""
    global _leaving
    _leaving = None


def _at_exit() -> None:
    # At a prompt an exception ends nothing.
    interactive = hasattr(sys, "ps1") or sys.flags.interactive
    error = None if interactive else getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(error, BaseException) and is_failure(_leaving):
        error = _leaving
    for tap in list(_open):
        if isinstance(error, BaseException):
            guard.attempt(tap.end_run_uncaught, error)
        guard.attempt(tap.close)


def _after_fork() -> None:
    for tap in list(_all):
        guard.attempt(tap.after_fork)


def before_multiprocessing_exit(tap: "Tap") -> None:
    """Close `tap` also at the end of a `multiprocessing` child, which runs no `atexit` functions."""
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, guard.attempt, args=(tap.close,), exitpriority=1)
