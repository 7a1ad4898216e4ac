"""What questions to traces take, beside jq, jaq, DuckDB and a loop that parses every line.

python benchmarks/reading.py                         # every question, to traces of 100 MB
python benchmarks/reading.py filter types --megabytes 1000
python benchmarks/reading.py --json >figures.json
python benchmarks/reading.py --from figures.json --markdown

Each tool is a process from its start to its end, writes to a file, and must give the same answer first. In each
round all of them take turns.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import machine
import processes
import startup
import traces
import workloads
from workloads import WORKLOADS, Workload

Figures = dict[str, Any]
ROUNDS = 5
SMALL_EVENTS = 1_000_000
MANY_FILES = 1_000


class Traces:
    """Traces by their shape, made up when they are asked for."""

    def __init__(self, folder: Path, megabytes: float) -> None:
        self._folder = folder
        self._megabytes = megabytes

    def of(self, shape: str) -> list[str]:
        """The files of a trace."""
        path = self._folder / shape
        if shape == "files":
            if not path.exists():
                path.mkdir()
                count = int(MANY_FILES * min(1, self._megabytes / 100))
                traces.write_files(path, count)
            return sorted(map(str, path.iterdir()))
        if not path.exists():
            if shape == "small":
                traces.write_small(path, int(SMALL_EVENTS * min(1, self._megabytes / 100)))
            else:
                traces.write(path, self._megabytes, traces.SHAPES[shape])
        return [str(path)]

    def drop(self, shape: str) -> None:
        """Removes a trace, if there is no further use for it."""
        path = self._folder / shape
        if path.is_file():
            path.unlink()


def measure(workload: Workload, files: list[str], starter: processes.Starter, rounds: int) -> Figures:
    """The figures of one workload: for each tool a list of `Measured`. Who answered otherwise is `different`."""
    commands = workload.commands(files)
    answers = {}
    for tool, argv in commands.items():  # the warm-up too
        starter.run(argv)
        if tool not in workload.bounds:
            answers[tool] = workload.normal(starter.output.read_bytes())
    runs: dict[str, list[processes.Measured]] = {tool: [] for tool in commands}
    order = list(commands)
    for each in range(rounds):
        for tool in order[each % len(order) :] + order[: each % len(order)]:
            runs[tool].append(starter.run(commands[tool]))
    size = sum(os.stat(name).st_size for name in files)
    return {
        "title": workload.title,
        "command": " ".join(["trace", *workload.trace]),
        "megabytes": size / 1e6,
        "different": [tool for tool, answer in answers.items() if answer != answers["trace"]],
        "bounds": list(workload.bounds),
        "runs": runs,
    }


def ratio(runs: dict[str, list[Any]], tool: str) -> float:
    """How many times as long as `trace` a tool took, within a round: the median."""
    return median(float(other[0] / ours[0]) for other, ours in zip(runs[tool], runs["trace"], strict=True))


def text(figures: Figures) -> str:
    """All figures: medians, from minimum to maximum."""
    where = {name: value for name, value in figures["machine"].items() if name != "versions"}
    parts = ["\n".join(f"{name + ':':13}{value}" for name, value in where.items())]
    parts[0] += "".join(
        f"\n{tool + ':':13}{said or 'not on this machine: left out'}" for tool, said in figures["tools"].items()
    )
    for row in figures["workloads"]:
        lines = [f"{row['title']}: {row['command']} ({row['megabytes']:,.0f} MB)"]
        lines.append(f"  {'':14}{'wall ms':>10}{'(min–max)':>18}{'CPU ms':>10}{'peak MB':>10}{'× trace':>10}")
        for tool, runs in row["runs"].items():
            walls, cpus, peaks, _ = zip(*runs, strict=True)
            spread = f"({1000 * min(walls):,.0f}–{1000 * max(walls):,.0f})"
            note = "  other answer" if tool in row["different"] else "  bound" * (tool in row["bounds"])
            lines.append(
                f"  {tool:14}{1000 * median(walls):10,.1f}{spread:>18}{1000 * median(cpus):10,.0f}"
                f"{max(peaks) / 1e6:10.1f}{ratio(row['runs'], tool):10.2f}{note}"
            )
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, *([startup.text(figures["startup"])] if figures.get("startup") else [])])


COLUMNS = ["jq", "jaq", "DuckDB", "orjson loop", "grep -F"]


def markdown(figures: Figures) -> str:
    """The ratios, as the README shows them."""
    lines = [f"| | MB | trace | {' | '.join(COLUMNS)} | peak |", f"|---|---:|---:|{'---:|' * len(COLUMNS)}---:|"]
    for row in figures["workloads"]:
        runs = row["runs"]
        told = [f"{ratio(runs, tool):.1f}" if tool in runs else "" for tool in COLUMNS]
        wall, peak = median(run[0] for run in runs["trace"]), max(run[2] for run in runs["trace"])
        cells = [row["title"], f"{row['megabytes']:,.0f}", f"{1000 * wall:,.0f} ms", *told, f"{peak / 1e6:.0f} MB"]
        lines.append(f"| {' | '.join(cells)} |")
    machine_ = figures["machine"]
    versions = ", ".join(said for said in figures["tools"].values() if said)
    where = f"{machine_['date']}, {machine_['cpu']}, {machine_['kernel']}, {machine_['python']}; {versions}"
    return "\n".join([*lines, "", where])


def run(names: list[str], megabytes: float, rounds: int, with_startup: bool) -> Figures:
    """All figures of these workloads."""
    tools = {tool: workloads.version(tool) for tool in workloads.VERSIONS}
    figures: Figures = {"machine": machine.describe(), "tools": tools, "workloads": []}
    fast = Path("/dev/shm")  # what is written back to a disk slows down whatever is measured then
    with (
        TemporaryDirectory(prefix="benchmark-") as folder,
        TemporaryDirectory(prefix="benchmark-", dir=fast if fast.is_dir() else None) as written,
    ):
        made = Traces(Path(folder), megabytes)
        starter = processes.Starter(Path(written))
        for position, name in enumerate(names):
            workload = WORKLOADS[name]
            print(f"{workload.title} …", file=sys.stderr)
            figures["workloads"].append(measure(workload, made.of(workload.shape), starter, rounds))
            if workload.shape not in (WORKLOADS[each].shape for each in names[position + 1 :]):
                made.drop(workload.shape)
        if with_startup:
            print("start-up …", file=sys.stderr)
            figures["startup"] = startup.measure(Path(folder), starter, 4 * rounds)
        starter.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure questions to traces beside jq, jaq, DuckDB and others.")
    parser.add_argument("names", nargs="*", metavar="QUESTION", help=f"all unless given: {', '.join(WORKLOADS)}")
    parser.add_argument("--megabytes", type=float, default=100, help="of a trace; 100 unless given")
    parser.add_argument("--large", action="store_true", help=f"a gigabyte, of these: {', '.join(workloads.LARGE)}")
    parser.add_argument("--quick", action="store_true", help="a short run; its figures mean nothing")
    parser.add_argument("--json", action="store_true", help="print the figures, for --from")
    parser.add_argument("--from", dest="source", metavar="FILE", help="show figures that --json printed")
    parser.add_argument("--markdown", action="store_true", help="the table of ratios")
    options = parser.parse_args()
    for name in options.names:
        if name not in WORKLOADS:
            parser.error(f"there is no question {name!r}; there are {', '.join(WORKLOADS)}")
    if options.source:
        try:
            figures = json.loads(Path(options.source).read_text())
        except (OSError, ValueError) as error:
            parser.error(f"cannot read figures from {options.source}: {error}")
    else:
        names = options.names or (workloads.LARGE if options.large else list(WORKLOADS))
        megabytes = 1000 if options.large else 1 if options.quick else options.megabytes
        rounds = 1 if options.quick else ROUNDS
        figures = run(names, megabytes, rounds, with_startup=not options.names and not options.large)
    print(json.dumps(figures) if options.json else (markdown if options.markdown else text)(figures))


if __name__ == "__main__":
    main()
