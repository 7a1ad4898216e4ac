"""Runs whole processes and measures them: wall and CPU time, peak of memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# The peak of a process begins at the size of the one that started it: so that is a small one.
_STARTER = """
import json, os, sys, time
for line in sys.stdin:
    argv, out, err = json.loads(line)
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_OPEN, fd, name, write, 0o600) for fd, name in ((1, out), (2, err))]
    start = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    row = wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status)
    print(json.dumps(row), flush=True)
"""


class Measured(NamedTuple):
    """Seconds of wall and of CPU time, the peak of resident memory in bytes, and the exit status."""

    wall: float
    cpu: float
    peak: int
    status: int


class Starter:
    """Starts processes, one after the other; what one prints is in `output` until the next."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "output"
        self.errors = folder / "errors"
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, argv: list[str]) -> Measured:
        """Raises RuntimeError with what the process said when it fails; 1 is the answer "nothing found"."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([argv, str(self.output), str(self.errors)]), file=self._process.stdin, flush=True)
        found = Measured(*json.loads(self._process.stdout.readline()))
        if found.status not in (0, 1):
            raise RuntimeError(f"{argv[0]} ended with {found.status}: {self.errors.read_text()[:500]}")
        return found

    def close(self) -> None:
        """Ends the starter."""
        self._process.communicate()
