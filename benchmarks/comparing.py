"""What `trace diff` takes on two long runs, beside parsing them.

python benchmarks/comparing.py                     # two runs of 10,000 events
python benchmarks/comparing.py --events 100000

Three pairs of runs: the same but for one result, for every tenth event, and with next to nothing in common.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

import machine
import orjson
import traces

ROUNDS = 5
TRACE = shutil.which("trace", path=str(Path(sys.executable).parent)) or "trace"


def diff(a: Path, b: Path, *options: str) -> tuple[float, float]:
    """Seconds and peak memory in MiB of `trace diff`, as a whole process."""
    start = time.perf_counter()
    process = subprocess.Popen([TRACE, "diff", *options, a, b], stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def parse(a: Path, b: Path) -> float:
    """Seconds to parse every line of both, in this process."""
    start = time.perf_counter()
    for path in (a, b):
        with open(path, "rb") as file:
            for line in file:
                orjson.loads(line)
    return time.perf_counter() - start


def pairs(folder: Path, events: int) -> dict[str, tuple[Path, Path]]:
    """The traces, written into a folder."""
    lines = [*traces.long_run(Random(1), "run-a", events)]
    paths = {name: folder / f"{name}.jsonl" for name in ("one", "result", "tenth", "other")}
    paths["one"].write_bytes(b"".join(lines))
    result = next(place for place, line in enumerate(lines) if b'"result":"' in line)
    changed = lines[result].replace(b'"result":"', b'"result":"not ')
    paths["result"].write_bytes(b"".join([*lines[:result], changed, *lines[result + 1 :]]))
    tenth = (
        line.replace(b'"query":"', b'"query":"x ') if not each % 10 else line for each, line in enumerate(lines)
    )
    paths["tenth"].write_bytes(b"".join(tenth))
    paths["other"].write_bytes(b"".join(traces.long_run(Random(2), "run-b", events)))
    return {
        "one result differs": (paths["one"], paths["result"]),
        "every tenth event differs": (paths["one"], paths["tenth"]),
        "nothing in common": (paths["one"], paths["other"]),
    }


def measure(folder: Path, events: int, rounds: int) -> None:
    """Prints it all."""
    print(f"two runs of {events:,} events; medians of {rounds} rounds, {machine.describe()['cpu']}")
    for name, (a, b) in pairs(folder, events).items():
        rows = [(parse(a, b), *diff(a, b), diff(a, b, "--stat")[0]) for _ in range(rounds)]
        parsed, seconds, memory, stat = (median(column) for column in zip(*rows, strict=True))
        megabytes = (a.stat().st_size + b.stat().st_size) / 1e6
        print(f"{name}, {megabytes:,.0f} MB together; parsed in {parsed:.2f} s")
        print(f"  trace diff         {seconds:8.2f} s   {seconds / parsed:5.1f} x   {memory:6.1f} MiB")
        print(f"  trace diff --stat  {stat:8.2f} s   {stat / parsed:5.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what trace diff takes on two long runs.")
    parser.add_argument("--events", type=int, default=10_000, help="of each run; 10,000 unless given")
    parser.add_argument("--quick", action="store_true", help="one round; its figures mean nothing")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="benchmark-") as folder:
        measure(Path(folder), options.events, 1 if options.quick else ROUNDS)


if __name__ == "__main__":
    main()
