"""What `trace step` takes on a large trace, beside `trace types`: to open, in memory, and for each key to answer.

python benchmarks/session.py                   # a made-up trace of 100 MB
python benchmarks/session.py --megabytes 1000
python benchmarks/session.py --trace run.jsonl

The session runs on a pseudo-terminal. A key has answered when the frame behind it was written whole.
"""

import argparse
import fcntl
import os
import random
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import machine
import traces

ROUNDS = 5
COLUMNS, LINES = 160, 50
COUNTED = re.compile(rb"\d of [\d,]+(\+?)")  # events, in the header
UNCHANGED_S = 0.5
FRAME_END = b"\x1b[?2026l"
KEYS = [b"n", b"p", b"}", b"{", b"e", b"E", b"x", b"o", b"u", b"u", b"c", b"c", b"d", b"d", b"i", b"i", b"z", b"z"]
KEYS += [b" ", b"[", b"]", b"m", b"'", b"m", b"g", b"G"]
TRACE = shutil.which("trace", path=str(Path(sys.executable).parent)) or "trace"


class Session:
    """`trace step` on a pseudo-terminal: seconds from its start to the first frame, and to when all was read."""

    def __init__(self, trace: Path) -> None:
        self._master, end = os.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [TRACE, "step", trace],
            stdin=end,
            stdout=end,
            stderr=end,
            env={**os.environ, "TERM": "xterm-256color"},
            preexec_fn=lambda: os.login_tty(os.dup(0)),
        )
        os.close(end)
        frame = self._frame()
        self.opened = time.perf_counter() - start
        while COUNTED.findall(frame)[-1:] == [b"+"]:  # more is being read
            frame += self._frame()
        self.complete = time.perf_counter() - start

    def press(self, key: bytes) -> float | None:
        """Seconds until the frame behind a key was written; None for a key that changes nothing on the screen."""
        start = time.perf_counter()
        os.write(self._master, key)
        if not select.select([self._master], [], [], UNCHANGED_S)[0]:
            return None
        self._frame()
        return time.perf_counter() - start

    def close(self) -> float:
        """Ends it; its peak of resident memory, in MiB."""
        os.write(self._master, b"q")
        _, _, usage = os.wait4(self._process.pid, 0)
        os.close(self._master)
        return usage.ru_maxrss / 1024

    def _frame(self) -> bytes:
        """What is written up to the end of a frame."""
        seen = b""
        while not seen.endswith(FRAME_END):
            assert select.select([self._master], [], [], 60)[0], "no frame"
            seen += os.read(self._master, 1 << 16)
        return seen


def types(trace: Path) -> tuple[float, float]:
    """Seconds and peak memory in MiB of `trace types`."""
    start = time.perf_counter()
    process = subprocess.Popen([TRACE, "types", trace], stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def answers(trace: Path, jumps: int) -> dict[bytes, list[float]]:
    """Milliseconds of each key, pressed at random places."""
    session = Session(trace)
    rng = random.Random(1)
    found: dict[bytes, list[float]] = {}
    for _ in range(jumps):
        for key in [b":", *(b"%d" % each for each in map(int, str(rng.randrange(5000))))]:
            session.press(key)
        for key in [b"\r", *KEYS]:
            if (seconds := session.press(key)) is not None:
                found.setdefault(key, []).append(1000 * seconds)
    session.close()
    return found


def measure(trace: Path, rounds: int, jumps: int) -> None:
    """Prints it all."""
    rows = []
    for _ in range(rounds):
        seconds, memory = types(trace)
        session = Session(trace)
        rows.append((seconds, memory, session.opened, session.complete, session.close()))
    base, memory, opened, complete, peak = (median(column) for column in zip(*rows, strict=True))
    megabytes = trace.stat().st_size / 1e6
    print(f"{trace.name}, {megabytes:,.0f} MB; medians of {rounds} rounds, {machine.describe()['cpu']}")
    print(f"trace types                  {base:8.2f} s   {memory:6.1f} MiB")
    print(f"trace step, first frame      {opened:8.2f} s   {opened / base:5.2f} x")
    print(f"trace step, all is read      {complete:8.2f} s   {complete / base:5.2f} x   {peak:6.1f} MiB")
    found = answers(trace, jumps)
    print(f"keys, ms to the whole frame ({COLUMNS}x{LINES}), median and maximum at {jumps} places:")
    for key, times in found.items():
        name = {b"\r": ":N", b" ": "Space"}.get(key, key.decode())
        print(f"  {name:<6} {median(times):6.1f} {max(times):6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what trace step takes on a large trace.")
    parser.add_argument("--trace", type=Path, help="a trace to take, instead of a made-up one")
    parser.add_argument("--megabytes", type=float, default=100, help="of the made-up one; 100 unless given")
    parser.add_argument("--quick", action="store_true", help="a short run; its figures mean nothing")
    options = parser.parse_args()
    rounds, jumps = (1, 2) if options.quick else (ROUNDS, 50)
    with TemporaryDirectory(prefix="benchmark-") as folder:
        trace = options.trace or Path(folder) / "made-up.jsonl"
        if options.trace is None:
            traces.write(trace, options.megabytes)
        measure(trace, rounds, jumps)


if __name__ == "__main__":
    main()
