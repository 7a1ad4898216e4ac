"""What the process itself does to a run: uncaught exceptions, exit, fork."""

import atexit
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from . import guard
from .journal import DRAIN
from .run import is_failure

if TYPE_CHECKING:
    from .recorder import Recorder

# Open taps, held until they are closed: what they have not written yet must survive their owner's last reference.
_open: set["Recorder"] = set()
# Every tap, closed or not, for the child of a fork.
_all: "weakref.WeakSet[Recorder]" = weakref.WeakSet()
_finalized: set[tuple["Recorder", int]] = set()
_installed = False
_leaving: SystemExit | None = None  # what the agent said to sys.exit, until it is seen to go on
_BEGINNINGS = {"step.started", "model.request", "http.request", "tool.called"}


class _Hook:
    """A function of Python's that ours stands before, from the first open tap to the last.

    It is put in once. An agent's own hook may stand before it by now and call it: put in again, the two would call
    each other for ever.
    """

    def __init__(self, module: ModuleType, name: str, function: Callable[..., Any]) -> None:
        self.previous: Any = None
        self._module = module
        self._name = name
        self._function = function

    def put_in(self) -> None:
        if self.previous is None:
            self.previous = getattr(self._module, self._name)
            setattr(self._module, self._name, self._function)

    def take_out(self) -> None:
        """Put back what stood there before, unless the agent has set something else since."""
        if getattr(self._module, self._name) is self._function:
            setattr(self._module, self._name, self.previous)
            self.previous = None


def know(recorder: "Recorder") -> None:
    """Tell `recorder` when the process was forked, as long as it lives."""
    _all.add(recorder)


def every() -> "list[Recorder]":
    """Return the recorder of every tap that there is, closed and disabled ones too."""
    return list(_all)


def add(recorder: "Recorder") -> None:
    """Watch over `recorder` until it is closed."""
    global _installed
    _open.add(recorder)
    if not _installed:
        _installed = True
        atexit.register(_at_exit)
        os.register_at_fork(after_in_child=_after_fork)
    for hook in _HOOKS:
        hook.put_in()


def remove(recorder: "Recorder") -> None:
    """Forget a closed tap; with the last one the hooks are taken out."""
    _open.discard(recorder)
    _finalized.difference_update([key for key in _finalized if key[0] is recorder])
    if not _open:
        for hook in _HOOKS:
            hook.take_out()


def _excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    for recorder in list(_open):
        guard.attempt(recorder.end_run_uncaught, error)
    _EXCEPTION.previous(kind, error, trace)


def _thread_hook(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):  # that ends a thread, quietly
        for recorder in list(_open):
            guard.attempt(recorder.thread_failed, args.exc_value)
    _THREAD.previous(args)


def _exit(status: Any = None, /) -> Any:
    global _leaving
    try:
        return _EXIT.previous(status)
    except SystemExit:
        if threading.current_thread() is threading.main_thread():
            _leaving = SystemExit(status)  # not the one that was raised, which holds on to its frames
        raise


# Chained, not replaced. A hook that the agent sets later decides itself whether ours is called; if it is not, the
# exception is found at exit, where Python leaves it. For SystemExit Python calls no hook, and at exit nothing
# tells the status.
_EXCEPTION = _Hook(sys, "excepthook", _excepthook)
_THREAD = _Hook(threading, "excepthook", _thread_hook)
_EXIT = _Hook(sys, "exit", _exit)
_HOOKS = (_EXCEPTION, _THREAD, _EXIT)


def goes_on(type: str) -> None:
    """Note that the agent records an event: it may have thought better of what it said to sys.exit.

    That is so once the main thread has left the handlers of the SystemExit, whatever the event is. Inside them it
    may be on its way out, through `with` blocks and `finally`: there only the beginning of something new tells.
    """
    global _leaving
    main = threading.main_thread()
    if _leaving is None or not main.is_alive():  # it ends before atexit
        return
    handled = _handled_by(main)
    if any(isinstance(error, GeneratorExit) for error in handled):  # a generator that goes with its caller
        return
    leaves = any(isinstance(error, SystemExit) for error in handled)
    if not leaves or (type in _BEGINNINGS and threading.current_thread() is main):
        _leaving = None


def _handled_by(thread: threading.Thread) -> list[BaseException]:
    """Return the exception that a thread is handling, and those during which it came up."""
    error: Any = sys._current_exceptions().get(thread.ident or 0)
    error = error[1] if isinstance(error, tuple) else error  # Python 3.11
    found: list[BaseException] = []
    while error is not None and not any(error is before for before in found):
        found.append(error)
        error = error.__context__
    return found


def _at_exit() -> None:
    # At a prompt an exception ends nothing.
    interactive = hasattr(sys, "ps1") or sys.flags.interactive
    error = None if interactive else getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if not isinstance(error, BaseException) and is_failure(_leaving):
        error = _leaving
    deadline = time.monotonic() + DRAIN
    for recorder in list(_open):
        if isinstance(error, BaseException):
            guard.attempt(recorder.end_run_uncaught, error)
        guard.attempt(recorder.finish)
        guard.attempt(recorder.begin_close, deadline)  # all at once: none takes time from another
    for recorder in list(_open):
        guard.attempt(recorder.close, max(0.0, deadline - time.monotonic()))


def _after_fork() -> None:
    for recorder in list(_all):
        guard.attempt(recorder.after_fork)


def before_multiprocessing_exit(recorder: "Recorder") -> None:
    """Close `recorder` also at the end of a `multiprocessing` child, which runs no `atexit` functions."""
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        key = (recorder, os.getpid())
        if key not in _finalized:
            _finalized.add(key)
            util.Finalize(None, guard.attempt, args=(recorder.close,), exitpriority=1)
