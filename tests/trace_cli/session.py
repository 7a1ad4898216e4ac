"""A small full-screen program for the tests of terminals: shows the keys that it gets, does what some of them say.

q ends it, x raises an exception, w wakes it from another thread, f makes its rows wider than the screen, g
goes into the background, m makes its rows large, l writes until the terminal takes no more and ends by
SIGTERM. Copies stdin to stdout.
"""

import os
import signal
import sys
import termios
import threading
from contextlib import suppress

from trace_cli.errors import TraceError
from trace_cli.terminal import Terminal


def main() -> int:
    """The exit status: 0 after q or when the terminal has gone, 2 without one, 130 after Ctrl-C."""
    given = b"" if os.isatty(0) else sys.stdin.buffer.read()
    log: list[str] = []
    fill = colours = ""
    try:
        with Terminal("no terminal", "a hint") as terminal:
            key = ""
            while key not in ("q", "Closed"):
                columns, lines = terminal.size()
                newest = [f"{number}:{name}" for number, name in enumerate(log, 1)][-(lines - 2) :]
                rows = ["\x1b[31msession\x1b[0m", f"size {columns}x{lines}", *newest]
                rows = [colours + row for row in rows]
                terminal.draw([(row + fill * columns)[: columns + 9] for row in rows] if fill else rows)
                for key in terminal.read(None) or ["(nothing)"]:
                    log.append(key)
                    if key == "x":
                        raise ZeroDivisionError
                    if key == "w":
                        threading.Thread(target=terminal.wake).start()
                    if key == "g":
                        os.setpgid(0, 0)
                    if key == "m":
                        colours = "\x1b[1m\x1b[m" * 5000
                    if key == "l":
                        fill_the_terminal()
                        signal.raise_signal(signal.SIGTERM)
                    if key == "f":
                        fill = "wide-"
    except TraceError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    put_back = [signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGTERM)]
    canonical = os.isatty(2) and bool(termios.tcgetattr(2)[3] & termios.ICANON)
    print(
        "left", put_back == [signal.SIG_DFL] * 3, signal.set_wakeup_fd(-1), "canonical", canonical, file=sys.stderr
    )
    sys.stdout.buffer.write(given)
    return 0


def fill_the_terminal() -> None:
    """Writes until nobody takes it."""
    other = os.open("/dev/tty", os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(other, b"loud ")


if __name__ == "__main__":
    sys.exit(main())
