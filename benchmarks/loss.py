"""What a SIGKILL loses: a process records, is killed when its last call has returned, and lines are counted.

python benchmarks/loss.py RECORDER FILE COUNT PAUSE     # such a process; kills itself
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from contents import events
from cost import MODES
from recorders import NOTHING, RECORDERS

SIZE = 32 << 10  # bytes of an event
_EVENT_ID = re.compile(rb"evt-\d{6}")


@dataclass
class Row:
    """One recorder in one mode; for each run how many events were recorded and how many of them are not there."""

    mode: str
    recorder: str
    recorded: list[int]
    lost: list[int]


def measure(runs: int, count: int, folder: Path, say: Callable[[str], None]) -> list[Row]:
    """Return one row for each mode and recorder, of `runs` processes that record `count` events each."""
    rows = []
    for mode, pause in MODES.items():
        say(f"loss: {mode}")
        jobs = [(name, folder / f"{mode} {name} {run}.jsonl") for run in range(runs) for name in RECORDERS]
        jobs = [(name, path) for name, path in jobs if name != NOTHING]
        # No times are taken, so as many at once as the machine has cores.
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            futures = [pool.submit(_killed, name, path, count, pause) for name, path in jobs]
            ends = [future.result() for future in futures]
        for name in RECORDERS:
            own = [end for (of, _), end in zip(jobs, ends, strict=True) if of == name]
            if own:
                rows.append(Row(mode, name, [recorded for recorded, _ in own], [lost for _, lost in own]))
    return rows


def _killed(name: str, path: Path, count: int, pause: float) -> tuple[int, int]:
    """Return how many events a process recorded until it was killed, and how many of them are missing."""
    command = [sys.executable, __file__, name, str(path), str(count), str(pause)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != -signal.SIGKILL or not done.stdout:
        raise RuntimeError(f"the process of {name!r} was to be killed, and ended with {done.returncode}")
    recorded = int(done.stdout)
    raw = path.read_bytes() if path.exists() else b""
    whole = raw[: raw.rfind(b"\n") + 1]
    kept = len(set(_EVENT_ID.findall(whole)))
    path.unlink(missing_ok=True)
    return recorded, recorded - kept


def main() -> None:
    name, path, count, pause = sys.argv[1:]
    recorder = RECORDERS[name](path)
    returned = 0
    for type, payload in events(SIZE, int(count), 0):
        time.sleep(float(pause))
        recorder.record(type, payload)
        returned += 1
    os.write(1, b"%d\n" % returned)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
