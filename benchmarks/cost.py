"""What recording one event costs the agent: the time of the call, one recorder beside the other.

Each recorder has a process of its own, which waits for its turn. A round gives each one batch of the same events;
the order changes from round to round, so that whatever else the machine does hits all alike.

    python benchmarks/cost.py RECORDER FILE     # such a process: batches as JSON on stdin, times on stdout
"""

import gc
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from operator import sub
from pathlib import Path
from statistics import median
from typing import Any

from contents import events
from recorders import FAST, LOGGING, NOTHING, OTEL, RECORDERS, TAP, UNREDACTED

SIZES = {"1 KB": 1 << 10, "32 KB": 32 << 10, "256 KB": 256 << 10}
MODES = {"paced": 0.02, "back to back": 0.0}  # seconds from one event to the next


@dataclass
class Row:
    """One recorder, of one size in one mode. Times in µs of one event, over rounds."""

    recorder: str
    median: float
    p99: float  # of all rounds' calls together
    to_otel: float | None  # median of the rounds' ratios of medians
    to_logging: float | None
    cpu: float  # of the whole process, its threads and what it does later included
    rounds: list[float] = field(repr=False)  # the median of each round


@dataclass
class Block:
    mode: str
    size: str
    rows: list[Row]
    redaction: dict[str, float]  # µs that the tap's default redaction adds to the median, plain and with `fast`


def measure(rounds: int, count: int, folder: Path, say: Callable[[str], None]) -> list[Block]:
    """Return one block for each mode and size, from `rounds` rounds with batches of `count` events."""
    order = random.Random(0)
    with ExitStack() as stack:
        children = {name: stack.enter_context(_child(name, folder)) for name in RECORDERS}
        blocks = []
        for mode, pause in MODES.items():
            for size, length in SIZES.items():
                say(f"cost: {mode}, {size}")
                batches: dict[str, list[dict[str, Any]]] = {name: [] for name in RECORDERS}
                for number in range(-1, rounds):  # the first warms up
                    names = list(RECORDERS)
                    order.shuffle(names)
                    for name in names:
                        batch = {"size": length, "count": count, "seed": number, "pause": pause}
                        if number < 0:
                            batch |= {"count": min(count, 10)}
                        answer = children[name](batch)
                        if number >= 0:
                            batches[name].append(answer)
                blocks.append(_block(mode, size, batches))
    return blocks


def _block(mode: str, size: str, batches: dict[str, list[dict[str, Any]]]) -> Block:
    medians = {name: [median(batch["us"]) for batch in of] for name, of in batches.items()}
    rows = [
        Row(
            recorder=name,
            median=median(medians[name]),
            p99=_p99([us for batch in of for us in batch["us"]]),
            to_otel=_ratio(medians[name], medians[OTEL]) if name != NOTHING else None,
            to_logging=_ratio(medians[name], medians[LOGGING]) if name != NOTHING else None,
            cpu=median(batch["cpu_us"] / len(batch["us"]) for batch in of),
            rounds=medians[name],
        )
        for name, of in batches.items()
    ]
    added = {
        name: median(map(sub, medians[name], medians[UNREDACTED]))  # of the differences in each round
        for name in (TAP, FAST)
    }
    return Block(mode, size, rows, added)


def _p99(times: list[float]) -> float:
    return sorted(times)[math.ceil(len(times) * 0.99) - 1]


def _ratio(of: list[float], to: list[float]) -> float:
    return median(one / other for one, other in zip(of, to, strict=True))


@contextmanager
def _child(name: str, folder: Path) -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """A process for one recorder; yields what runs a batch in it."""
    path = folder / f"{len(list(folder.iterdir()))}.jsonl"
    command = [sys.executable, __file__, name, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        requests, answers = process.stdin, process.stdout

        def run(batch: dict[str, Any]) -> dict[str, Any]:
            print(json.dumps(batch), file=requests, flush=True)
            line = answers.readline()
            if not line:
                raise RuntimeError(f"the process of {name!r} ended; what it said is above")
            done: dict[str, Any] = json.loads(line)
            return done

        yield run
        requests.close()


# --- in such a process -----------------------------------------------------------------------------------------


def main() -> None:
    name, path = sys.argv[1:]
    recorder = RECORDERS[name](path)
    Path(path).touch()
    for line in sys.stdin:
        batch = json.loads(line)
        made = events(batch["size"], batch["count"], batch["seed"])
        # What was made for the benchmark is no garbage of the recorder's.
        gc.collect()
        gc.freeze()
        began = time.process_time_ns()
        times = _run(recorder.record, made, batch["pause"])
        recorder.flush()
        cpu = time.process_time_ns() - began
        gc.unfreeze()
        if name != NOTHING:
            _check(path, len(made), batch["size"])
        os.truncate(path, 0)  # or the disk would be busy with it while others are measured
        print(json.dumps({"us": times, "cpu_us": cpu / 1000}), flush=True)


def _run(record: Callable[[str, dict[str, Any]], object], made: list[Any], pause: float) -> list[float]:
    """Record the events, `pause` seconds apart; return the µs of each call."""
    times = []
    clock = time.perf_counter_ns
    due = time.monotonic()
    for type, payload in made:
        if pause:
            due += pause
            time.sleep(max(0.0, due - time.monotonic()))
        began = clock()
        record(type, payload)
        times.append((clock() - began) / 1000)
    return times


def _check(path: str, count: int, size: int) -> None:
    """See that everything was recorded: times of a recorder that dropped events say nothing."""
    raw = Path(path).read_bytes()
    if raw.count(b"\n") < count or len(raw) < count * size // 2:
        raise RuntimeError(f"{count} events of {size} bytes were recorded, and {path} has {len(raw)} bytes")


if __name__ == "__main__":
    main()
