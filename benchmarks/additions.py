"""What steps, subscribers, attached state and a choice of events add to recording, beside OpenTelemetry's spans.

    python benchmarks/additions.py             # some forty seconds; make bench-additions
    python benchmarks/additions.py --quick     # to see that it works; the figures mean nothing

Each row is a tap of its own, or OpenTelemetry. In a round each gets one batch, in changing order: back to back,
then paced, a few milliseconds apart, so that threads have done their part before the next. The time is that of
the agent's thread, CPU that of the whole process with what its threads do later. Ratios are medians over the
rounds, each to the event alone in the same round.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import machine
from agenttap import FileSink, Tap
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

TEXT = "found two reports, and one of them is of last year " * 20  # a kilobyte
ALONE = "an event of 1 KB"
PAUSE = 0.003  # seconds from one act to the next, where they are paced


class Row(NamedTuple):
    """What is done many times, inside of what, and what waits until all of it is written."""

    act: Callable[[], object]
    flush: Callable[[], object]
    around: Callable[[], AbstractContextManager[object]] = nullcontext


def rows(folder: Path) -> dict[str, Row]:
    """The rows, by what they are called."""
    paths = (folder / f"{number}.jsonl" for number in range(100))

    def tap(**options: Any) -> Tap:
        return Tap(next(paths), **options)

    def recording(made: Tap, around: Callable[[], AbstractContextManager[object]] = nullcontext) -> Row:
        return Row(lambda: made.record("note", text=TEXT), lambda: made.flush(60), around)

    def subscribed(count: int, types: str) -> Row:
        made = tap()
        for _ in range(count):
            made.subscribe(lambda event: None, types)
        return recording(made)

    def attached(timeout: float | None) -> Row:
        made = tap()
        made.attach("budget", lambda: {"left": 3}, on="note", timeout=timeout)
        return recording(made)

    stepping, inside, spanned = tap(), tap(), tap()
    exporter = ConsoleSpanExporter(out=open(folder / "spans", "a"))  # noqa: SIM115 - open as long as the process
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("benchmark")

    def step() -> None:
        with stepping.step("retrieve", region="EMEA"):
            pass

    def span() -> None:
        with tracer.start_as_current_span("retrieve", attributes={"region": "EMEA"}):
            pass

    @contextmanager
    def current_span() -> Iterator[None]:
        with tracer.start_as_current_span("night"):
            yield

    return {
        ALONE: recording(tap()),
        "the same, inside two steps": recording(
            inside, lambda: _both(inside.step("plan"), inside.step("retrieve"))
        ),
        "with a current span of OpenTelemetry": recording(spanned, current_span),
        "with a subscriber of other types": subscribed(1, "tool.*"),
        "with a subscriber": subscribed(1, "*"),
        "with ten subscribers": subscribed(10, "*"),
        "with state attached": attached(0.1),
        "with state attached, timeout=None": attached(None),
        "with a second file, for errors": recording(tap(sinks=[FileSink(folder / "errors.jsonl", errors=True)])),
        "with a second file": recording(tap(sinks=[folder / "second.jsonl"])),
        "a step: two events": Row(step, lambda: stepping.flush(60)),
        "a span of OpenTelemetry": Row(span, provider.force_flush),
    }


@contextmanager
def _both(one: AbstractContextManager[object], other: AbstractContextManager[object]) -> Iterator[None]:
    with one, other:
        yield


class Figures(NamedTuple):
    """µs of one act: the medians of a batch, back to back and paced; and of CPU, back to back, the mean."""

    call: float
    paced: float
    cpu: float


def measure(made: dict[str, Row], rounds: int, count: int) -> dict[str, list[Figures]]:
    """The figures of each round, by row."""
    order = random.Random(0)
    found: dict[str, list[Figures]] = {name: [] for name in made}
    for number in range(-1, rounds):  # the first warms up
        names = list(made)
        order.shuffle(names)
        for name in names:
            row = made[name]
            with row.around():
                began = time.process_time_ns()
                call = median(_batch(row, count, 0))
                row.flush()
                cpu = (time.process_time_ns() - began) / count
                paced = median(_batch(row, max(count // 20, 2), PAUSE))
                row.flush()
            if number >= 0:
                found[name].append(Figures(call / 1000, paced / 1000, cpu / 1000))
    return found


def _batch(row: Row, count: int, pause: float) -> list[int]:
    """Nanoseconds of each act."""
    times, act, clock = [], row.act, time.perf_counter_ns
    for _ in range(count):
        if pause:
            time.sleep(pause)
        start = clock()
        act()
        times.append(clock() - start)
    return times


def table(found: dict[str, list[Figures]]) -> list[str]:
    """The rows as lines of text."""
    titles = [f"{name}, {unit}" for unit in ("µs", "×") for name in ("call", "paced", "CPU")]
    lines = ["".join((" " * 38, *(f"{title:>11}" for title in titles)))]
    for name, of in found.items():
        pairs = list(zip(of, found[ALONE], strict=True))
        times = [median(column) for column in zip(*of, strict=True)]
        ratios = [median(one[at] / alone[at] for one, alone in pairs) for at in range(len(times))]
        lines.append(
            "".join((f"{name:<38}", *(f"{time:>11.1f}" for time in times), *(f"{r:>11.2f}" for r in ratios)))
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what steps, subscribers and attached state add.")
    parser.add_argument("--quick", action="store_true", help="a short run; its figures mean nothing")
    options = parser.parse_args()
    for variable in [name for name in os.environ if name.startswith(("AGENTTAP_", "OTEL_"))]:
        del os.environ[variable]
    with TemporaryDirectory(prefix="benchmark-") as folder:
        found = measure(rows(Path(folder)), *((2, 5) if options.quick else (15, 400)))
    described = machine.describe()
    print(", ".join(f"{key} {value}" for key, value in described.items()))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
