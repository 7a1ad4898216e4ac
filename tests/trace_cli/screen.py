"""A real terminal: runs a shell line on a pseudo-terminal, and shows what stands on its screen in the end."""

import fcntl
import os
import select
import struct
import subprocess
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyte
from processes import TIMEOUT_S, environment

LINES = 40


@dataclass(frozen=True)
class Shown:
    """What was left on the screen."""

    screen: pyte.Screen
    raw: bytes
    status: int

    @property
    def rows(self) -> list[str]:
        """The rows that hold something, without what is blank behind them."""
        rows = [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def colors(self, row: int) -> set[str]:
        """The colours of the characters in a row."""
        return {char.fg for char in self.screen.buffer[row].values() if char.data.strip()}


def on_screen(
    line: str, folder: Path, columns: int = 80, env: Mapping[str, str] | None = None, keys: bytes = b""
) -> Shown:
    """Runs a shell line with the terminal for its stdin, stdout and stderr; `keys` are typed once it prints."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    process = subprocess.Popen(
        ["bash", "-c", line],
        cwd=folder,
        env=environment({"PAGER": "cat", **(env or {})}),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        preexec_fn=lambda: os.login_tty(os.dup(0)),
    )
    os.close(slave)
    raw = b""
    try:
        while True:
            assert select.select([master], [], [], TIMEOUT_S)[0], "nothing is shown"
            try:
                got = os.read(master, 1 << 16)
            except OSError:  # what Linux says when the last process has left the terminal
                break
            if not got:
                break
            raw += got
            if keys:
                os.write(master, keys)
                keys = b""
        status = process.wait(TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    screen = pyte.Screen(columns, LINES)
    pyte.ByteStream(screen).feed(raw)
    return Shown(screen, raw, status)
