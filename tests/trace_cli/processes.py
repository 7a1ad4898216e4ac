"""Runs `trace` as a person does: in a shell, in a folder with traces, with nothing inherited that changes it."""

import fcntl
import os
import shutil
import subprocess
import sys
import termios
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests/samples"
TRACE = shutil.which("trace", path=str(Path(sys.executable).parent)) or "trace"
TIMEOUT_S = 60  # of what takes a second at most


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a plain shell, with this installation's `trace` first in PATH."""
    return {
        "PATH": f"{Path(TRACE).parent}:{os.environ.get('PATH', '')}",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "TRACE_PRICES": str(SAMPLES / "prices.json"),
        "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", ""),
        **(more or {}),
    }


@dataclass(frozen=True)
class Done:
    """What a finished command left."""

    out: bytes
    err: str
    status: int

    @property
    def lines(self) -> list[bytes]:
        """Standard output, line by line."""
        return self.out.splitlines()


def shell(line: str, folder: Path, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Done:
    """Runs a shell line in a folder. No traceback may ever show."""
    given = {"input": stdin} if stdin else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        capture_output=True,
        env=environment(env),
        timeout=TIMEOUT_S,
        check=False,
        **given,
    )
    found = Done(done.stdout, done.stderr.decode("utf-8", "replace"), done.returncode)
    for sign in ("Traceback", "internal error", "Exception ignored", "Warning:"):
        assert sign not in found.err, f"{line}\n{found.err}"
    return found


def copy_samples(folder: Path) -> Path:
    """The committed traces, in a folder of their own."""
    for file in (*SAMPLES.glob("*.jsonl"), SAMPLES / "prices.json"):
        shutil.copy(file, folder)
    return folder


def until_read(pipe: IO[bytes]) -> None:
    """Waits until the other end of a pipe has read all that was written."""
    deadline = time.monotonic() + TIMEOUT_S
    waiting = array("i", [1])
    while waiting[0]:
        assert time.monotonic() < deadline, "nobody reads the pipe"
        fcntl.ioctl(pipe, termios.FIONREAD, waiting)
        os.sched_yield()
