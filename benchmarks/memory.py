"""What memory an agent takes with the tap: its peak after so many model calls, plain and streamed in turn.

python benchmarks/memory.py tap|none URL FILE CALLS...     # such an agent; prints its peaks, in KiB
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import model_client
from agenttap import Tap
from model_server import serving


@dataclass
class Row:
    """One agent; its peak (VmHWM) in KiB after each number of calls."""

    client: str
    calls: list[int]
    peaks: list[int]


def measure(calls: list[int], folder: Path, say: Callable[[str], None]) -> list[Row]:
    """Return a row for an agent without the tap and one with it; `calls` are in ascending order."""
    rows = []
    with serving(0, 0, 50) as base_url:
        for kind, name in (("none", "no tap"), ("tap", "tap")):
            say(f"memory: {name}")
            path = folder / f"memory-{kind}.jsonl"
            command = [sys.executable, __file__, kind, base_url, str(path), *map(str, calls)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(Row(name, calls, json.loads(done.stdout)))
            if kind == "tap":
                _check(path, calls[-1])
    return rows


def _check(path: Path, calls: int) -> None:
    """See that the calls were recorded, each with its answer."""
    with path.open("rb") as lines:
        answers = sum(b'"type":"model.response"' in line[:50] for line in lines)
    if answers != calls:
        raise RuntimeError(f"{calls} calls were made, and {path} has {answers} answers")


def _peak() -> int:
    """The peak of this process's resident memory in KiB, as Linux tells it (not getrusage: that begins with the
    peak of whoever started the process).
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    kind, base_url, path, *numbers = sys.argv[1:]
    calls = [int(number) for number in numbers]
    client = model_client.client(base_url)
    tap = Tap(path) if kind == "tap" else None
    if tap:
        tap.wrap(client)
    peaks = []
    for number in range(1, calls[-1] + 1):
        call = model_client.streamed if number % 2 else model_client.plain
        call(client, model_client.request(number))
        if number in calls:
            peaks.append(_peak())
    if tap:
        tap.close()
    print(json.dumps(peaks))


if __name__ == "__main__":
    main()
