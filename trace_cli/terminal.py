"""The terminal of a full-screen command: its modes, its keys, its screen, and what signals do to it."""

import errno
import os
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from trace_cli.errors import TraceError
from trace_cli.keyboard import Keys

RESIZE, RESUME, CLOSED = "Resize", "Resume", "Closed"
ESC_S = 0.025  # how long nothing follows an ESC that is a key
PATIENCE_S = 1.0  # with a terminal that takes nothing, when it is to be left
UNKNOWN_SIZE = (80, 24)
LEAST_SIZE = (20, 4)

# Alternate screen, no cursor, no wrapping at the margin, bracketed paste.
_ON = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h\x1b[m\x1b[2J"
_OFF = "\x1b[?2026l\x1b[m\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l"
_SYNC, _SYNC_END = "\x1b[?2026h", "\x1b[?2026l"
_WAKE = b"\0"  # no signal has the number 0

_LEFT_FOR = (signal.SIGTSTP, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_Handler = Callable[[int, FrameType | None], Any] | int | None


class Terminal:
    """The controlling terminal, as a context: on its alternate screen inside, as it was before outside.

    It is left too for a signal that stops or ends the process, before the signal does; what had handled the signal
    then handles it. stdin, stdout and stderr are left alone, unless there is no controlling terminal but stdin
    and stdout are one. Raises TraceError with the given words where there is none.

    For the main thread only, where Python runs signal handlers; but for `wake`.
    """

    def __init__(self, no_terminal: str, hint: str | None = None) -> None:
        self._none = TraceError(no_terminal, hint)
        self._keys = Keys()
        self._fed = 0.0  # when the last byte came, on the monotonic clock
        self._news: list[str] = []
        self._shown: list[str] | None = None  # None: nobody knows what is on the screen
        self._entered = False
        self._away = True  # a signal handler, or __enter__, sees to it that the terminal is entered
        self._handlers: dict[signal.Signals, _Handler] = {}
        self._gate = threading.Lock()  # of `_bell`, which other threads write to
        self._bell: tuple[int, int] | None = None

    # In and out

    def __enter__(self) -> Self:
        self._open()
        try:
            self._wait_for_the_front()
            self._before = termios.tcgetattr(self._in)
        except termios.error:
            self._close()
            raise self._none from None
        try:
            self._bell = os.pipe()
            for end in self._bell:
                os.set_blocking(end, False)
            self._wakeup = signal.set_wakeup_fd(self._bell[1], warn_on_full_buffer=False)
            for number in _LEFT_FOR:
                self._handle(number, self._leave_for)
            self._handle(signal.SIGCONT, self._continued)
            self._handle(signal.SIGWINCH, self._resized)
            self._enter()
            self._away = False
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        interrupt = signal.getsignal(signal.SIGINT)
        if interrupt is not None:  # a second Ctrl-C must not leave the terminal half restored
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._away = True
            for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH):
                self._put_back(number)
            self._leave()
            for number in list(self._handlers):
                self._put_back(number)
            if self._bell:
                signal.set_wakeup_fd(self._wakeup)
            self._close()
        finally:
            if interrupt is not None:
                signal.signal(signal.SIGINT, interrupt)

    def _open(self) -> None:
        try:
            # Opened anew, it may be non-blocking without anybody else's descriptor becoming so.
            self._in = self._out = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            self._owned = True
        except OSError:
            if not (os.isatty(0) and os.isatty(1)):
                raise self._none from None
            self._in, self._out = 0, 1
            self._owned = False

    def _close(self) -> None:
        with self._gate:
            bell, self._bell = self._bell or (), None
        for end in bell:
            os.close(end)
        if self._owned:
            os.close(self._in)

    def _wait_for_the_front(self) -> None:
        """In the background, where the modes are the shell's own, stops the process (SIGTTOU) until `fg`.

        Raises termios.error.
        """
        _retried(lambda: termios.tcdrain(self._in))

    def _enter(self) -> None:
        with suppress(termios.error):  # the terminal has gone: `read` tells
            self._wait_for_the_front()
        # Entered twice, as after a SIGSTOP, some terminals would forget where the cursor was outside.
        text = _OFF + _ON if self._entered else _ON
        self._entered = True
        self._keys = Keys()
        self._shown = None
        modes = [*self._before[:6], list(self._before[6])]
        modes[0] &= ~(termios.IXON | termios.IXOFF)  # Ctrl-S must not freeze the screen
        modes[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        self._set_modes(modes)
        self._write(text, PATIENCE_S)

    def _leave(self) -> None:
        if not self._entered:
            return
        self._write(_OFF, PATIENCE_S)
        if self._is_in_front():  # else it would stop us, instead of what we leave for
            self._set_modes(self._before)
        self._entered = False

    def _set_modes(self, modes: list[Any]) -> None:
        with suppress(termios.error):
            _retried(lambda: termios.tcsetattr(self._in, termios.TCSANOW, modes))

    def _is_in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._in) == os.getpgrp()
        except OSError:  # not our controlling terminal, or gone
            return True

    # Signals

    def _handle(self, number: signal.Signals, handler: _Handler) -> None:
        before = signal.getsignal(number)
        if before != signal.SIG_IGN and before is not None:  # nohup; a handler that Python cannot put back
            self._handlers[number] = before
            signal.signal(number, handler)

    def _put_back(self, number: signal.Signals) -> None:
        if number in self._handlers:
            signal.signal(number, self._handlers[number])
            del self._handlers[number]  # not before: the signal may have come already

    def _leave_for(self, number: int, frame: FrameType | None) -> None:
        """Leaves the terminal, then lets the signal do what it would have done: stop the process, or end it.

        Comes back when the process goes on: after a stop; when the signal could not stop it, as nobody could
        continue it (an orphaned process group); when the handler that was there before returned.
        """
        entered = not self._away
        self._away = True
        signal.signal(number, signal.SIG_IGN)  # once more would stop us half way
        self._leave()
        signal.signal(number, self._handlers[signal.Signals(number)])
        signal.raise_signal(number)
        signal.signal(number, self._leave_for)
        if entered:
            self._come_back()

    def _continued(self, number: int, frame: FrameType | None) -> None:
        """After a SIGSTOP, which nobody can prepare for: whoever had the terminal meanwhile used our screen."""
        if not self._away:
            self._away = True
            self._come_back()

    def _come_back(self) -> None:
        self._enter()
        self._away = False
        self._tell(RESUME)

    def _resized(self, number: int, frame: FrameType | None) -> None:
        self._shown = None
        self._tell(RESIZE)

    def _tell(self, news: str) -> None:
        if news not in self._news:
            self._news.append(news)

    # Keys

    def read(self, timeout: float | None) -> list[str]:
        """Waits for keys, at most `timeout` seconds, or for ever; [] when none came, or `wake` was called.

        Keys are those of `keyboard.Keys`, and three that nobody presses: `Resize`; `Resume` after a stop, the
        screen is empty then; `Closed`, now and ever after, when the terminal has gone.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._news:
                news, self._news = self._news, []
                return news
            now = time.monotonic()
            waits = [deadline] if deadline is not None else []
            waits += [self._fed + ESC_S] if self._keys.pending else []
            wait = max(0.0, min(waits) - now) if waits else None
            bell = self._bell[0] if self._bell else self._in
            ready = select.select([self._in, bell], [], [], wait)[0]
            keys: list[str] = []
            if self._in in ready:
                keys = self._read_keys()
            elif self._keys.pending and time.monotonic() >= self._fed + ESC_S:
                keys = self._keys.flush()
            woken = bell in ready and bell != self._in and _WAKE in os.read(bell, 1 << 16)
            if keys or woken or (not self._news and deadline is not None and time.monotonic() >= deadline):
                return keys

    def _read_keys(self) -> list[str]:
        try:
            data = os.read(self._in, 1 << 16)
        except BlockingIOError:  # somebody else was faster
            return []
        except OSError:
            return [CLOSED]
        self._fed = time.monotonic()
        return self._keys.feed(data) if data else [CLOSED]

    def wake(self) -> None:
        """Makes `read` return at once, the one that waits or else the next. From any thread, at any time."""
        with self._gate:
            if self._bell:
                with suppress(BlockingIOError):  # full: it is awake
                    os.write(self._bell[1], _WAKE)

    # Screen

    def size(self) -> tuple[int, int]:
        """Columns and lines; a terminal that does not know has 80 and 24, a tiny one is said to have 20 and 4."""
        try:
            found = os.get_terminal_size(self._out)
        except OSError:
            return UNKNOWN_SIZE
        columns, lines = found if all(found) else UNKNOWN_SIZE
        return max(columns, LEAST_SIZE[0]), max(lines, LEAST_SIZE[1])

    def draw(self, rows: Sequence[str]) -> None:
        """Shows `rows`, from the top: text with colours (SGR), no other control characters. Rows beyond the last
        line are not shown. Only what changed is written; everything after `Resize` and `Resume`.

        A row stands where it belongs whatever width the terminal gives to the characters above it.
        """
        rows = list(rows[: self.size()[1]])
        shown, self._shown = self._shown, rows  # before writing: a signal on the way makes it unknown again
        frame = [] if shown is not None else ["\x1b[m\x1b[2J"]
        old = shown or []
        for at in range(max(len(rows), len(old))):
            row = rows[at] if at < len(rows) else ""
            if row != (old[at] if at < len(old) else ""):
                # Erased before, not after: with the cursor on the last column that would erase the last character.
                frame.append(f"\x1b[{at + 1};1H\x1b[m\x1b[K{row}\x1b[m")
        if frame:
            self._write("".join((_SYNC, *frame, _SYNC_END)))

    def _write(self, text: str, patience: float | None = None) -> None:
        """Writes to the terminal; gives up when it takes nothing for `patience` seconds, or has gone."""
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            try:
                rest = rest[os.write(self._out, rest) :]
            except BlockingIOError:
                if not select.select([], [self._out], [], patience)[1]:
                    return
            except OSError:
                return


def _retried(call: Callable[[], None]) -> None:
    """Calls what a signal may interrupt, until it is done. Raises termios.error."""
    while True:
        try:
            return call()
        except termios.error as error:
            if error.args[0] != errno.EINTR:
                raise
