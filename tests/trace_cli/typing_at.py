"""Types at a terminal: a shell line on a pseudo-terminal that is its controlling one; what is on the screen."""

import copy
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyte
from processes import TIMEOUT_S, environment

PROMPT = re.compile(r"shell (\d+)> ?$")
PS1 = r"shell \#> "  # numbered by commands: no prompt is taken for another
LOOK_S = 0.02  # how often is looked at what a terminal does not tell
ALTERNATE, PASTE = 1049 << 5, 2004 << 5  # as pyte keeps private modes
KEYS = {"Enter": b"\r", "Esc": b"\x1b", "Up": b"\x1b[A", "Down": b"\x1b[B", "PgUp": b"\x1b[5~", "PgDn": b"\x1b[6~"}


class TwoScreens(pyte.Screen):
    """pyte's screen with the alternate one that it lacks, as a terminal has it that keeps one cursor for both."""

    def set_mode(self, *modes: int, **how: Any) -> None:
        if 1049 in modes and how.get("private"):
            self._cursor = copy.copy(self.cursor)
            if ALTERNATE not in self.mode:
                self._primary = copy.deepcopy(self.buffer)
        super().set_mode(*modes, **how)

    def reset_mode(self, *modes: int, **how: Any) -> None:
        if 1049 in modes and how.get("private") and ALTERNATE in self.mode:
            self.buffer = self._primary
            self._cursor.hidden = self.cursor.hidden
            self.cursor = self._cursor
            self.dirty.update(range(self.lines))
        super().reset_mode(*modes, **how)


class Typing:
    """A shell line that runs at a terminal, a session of its own; `job_control` types it at an interactive bash.

    `raw` is all that was written to the terminal, `screen` what it shows; `modes_before` are those it began with.
    """

    def __init__(
        self,
        line: str,
        folder: Path,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        job_control: bool = False,
    ) -> None:
        self.raw = b""
        self._prompt = self._typed_at = 0  # numbers of prompts: the last that was seen, here and before typing
        self.screen = TwoScreens(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = os.openpty()
        self._resize(columns, lines)
        self.modes_before = self.modes()
        shell = ["bash", "--norc", "--noprofile", "-i"] if job_control else ["bash", "-c", line]
        self.process = subprocess.Popen(
            shell,
            cwd=folder,
            env=environment({"PS1": PS1, "PAGER": "cat", **(env or {})}),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=lambda: os.login_tty(os.dup(0)),
        )
        os.close(slave)
        if job_control:
            self.prompt()
            self.type(f"{line}\r")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.hang_up()
        try:
            self.process.wait(TIMEOUT_S)
        finally:
            self.process.kill()
            self.process.wait()

    # What a person does

    def type(self, *keys: str | bytes) -> None:
        """Presses keys: names of KEYS, or text as it is sent."""
        self._typed_at = self._prompt
        for key in keys:
            os.write(self._master, key if isinstance(key, bytes) else KEYS.get(key, key.encode()))

    def resize(self, columns: int, lines: int) -> None:
        """Makes the window another size."""
        self.screen.resize(lines, columns)
        self._resize(columns, lines)

    def _resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the processes in front."""
        os.killpg(os.tcgetpgrp(self._master), number)

    def hang_up(self) -> None:
        """Closes the window."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    # What a person sees

    @property
    def rows(self) -> list[str]:
        """The rows of the screen, without the blanks at their ends."""
        return [row.rstrip() for row in self.screen.display]

    @property
    def shown(self) -> str:
        """The whole screen as text, without the blank rows at its end."""
        return "\n".join(self.rows).rstrip()

    def until(self, text: str) -> None:
        """Waits until a text is on the screen."""
        self.until_true(lambda: text in self.shown, text)

    def until_true(self, check: Callable[[], bool], what: str = "what was waited for") -> None:
        """Waits until `check` is true; it is asked whenever something was written, and every now and then."""
        deadline = time.monotonic() + TIMEOUT_S
        while not check():
            assert time.monotonic() < deadline, f"not seen: {what}\n{self.shown}"
            if not self._look(LOOK_S) and self.process.poll() is not None:
                assert check(), f"ended without: {what}\n{self.shown}"

    def prompt(self) -> None:
        """Waits until the interactive shell asks for a command, after all that was typed."""

        def asks() -> bool:
            found = PROMPT.search(self.shown)
            self._prompt = max(self._prompt, int(found[1])) if found else self._prompt
            return found is not None and int(found[1]) > self._typed_at

        self.until_true(asks, "a prompt of the shell")

    def wait(self) -> int:
        """Reads until all have left the terminal; the status of the shell, as Popen tells it."""
        while self._look(TIMEOUT_S):
            pass
        return self.process.wait(TIMEOUT_S)

    def _look(self, patience: float) -> bool:
        """Reads what was written; False when nothing was, or when nobody is there any more."""
        if not select.select([self._master], [], [], patience)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # what Linux says when the last process has left the terminal
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def modes(self) -> list[Any]:
        """The modes of the terminal (termios)."""
        return termios.tcgetattr(self._master)

    @property
    def is_plain(self) -> bool:
        """Whether the screen is as a shell expects it: the primary one, with a cursor and a right margin."""
        return (
            ALTERNATE not in self.screen.mode
            and not self.screen.cursor.hidden
            and pyte.modes.DECTCEM in self.screen.mode
            and pyte.modes.DECAWM in self.screen.mode
        )
