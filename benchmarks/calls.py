"""What the tap adds to a model call: the time to the first token and to the end, through the real SDK.

Three clients in one process take turns at a server that answers after 100 ms: without the tap, with it, and once
more without, whose difference from the first is what the machine's noise makes.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import model_client
from agenttap import Tap
from model_server import serving

DELAY, GAP, PIECES = 0.1, 0.005, 50  # seconds to the answer, seconds between the events of a stream, texts in it
_KINDS = {"streamed": model_client.streamed, "plain": model_client.plain}
WITHOUT, WITH, AGAIN = "no tap", "tap", "no tap, again"


@dataclass
class Row:
    """One client's calls of one kind. Times in ms; what was added is the median of the turns' differences."""

    kind: str
    client: str
    first: float
    first_added: float
    total: float
    total_added: float
    cpu: float  # of this process, from before the call until the trace is written
    firsts: list[float] = field(repr=False)
    totals: list[float] = field(repr=False)


def measure(count: int, folder: Path, say: Callable[[str], None]) -> list[Row]:
    """Return a row for each kind of call and client, from `count` calls each."""
    order = random.Random(0)
    rows = []
    with serving(DELAY, GAP, PIECES) as base_url, Tap(folder / "calls.jsonl") as tap:
        clients = {name: model_client.client(base_url) for name in (WITHOUT, WITH, AGAIN)}
        tap.wrap(clients[WITH])
        for kind, call in _KINDS.items():
            say(f"calls: {kind}")
            firsts: dict[str, list[float]] = {name: [] for name in clients}
            totals: dict[str, list[float]] = {name: [] for name in clients}
            cpu: dict[str, list[float]] = {name: [] for name in clients}
            for number in range(-2, count):  # the first two warm up
                names = list(clients)
                order.shuffle(names)
                for name in names:
                    asked = model_client.request(number)
                    began = time.process_time()
                    times = call(clients[name], asked)
                    tap.flush()
                    if number >= 0:
                        firsts[name].append(times.first * 1000)
                        totals[name].append(times.total * 1000)
                        cpu[name].append((time.process_time() - began) * 1000)
            rows += [
                Row(
                    kind,
                    name,
                    median(firsts[name]),
                    _added(firsts[name], firsts[WITHOUT]),
                    median(totals[name]),
                    _added(totals[name], totals[WITHOUT]),
                    median(cpu[name]),
                    firsts[name],
                    totals[name],
                )
                for name in clients
            ]
        tap.flush()
        expected = 2 * len(_KINDS) * (count + 2)
        if tap.stats()["written"] < expected:
            raise RuntimeError(f"{expected} events were to be written: {tap.stats()}")
        for client in clients.values():
            client.close()
    return rows


def _added(these: list[float], those: list[float]) -> float:
    return median(this - that for this, that in zip(these, those, strict=True))
