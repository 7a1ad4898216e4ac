"""What a short command takes, beside starting Python and beside other tools: minima, as nothing else repeats."""

import sys
from pathlib import Path
from random import Random
from typing import Any

import processes
import traces
import workloads

Figures = dict[str, Any]


def measure(folder: Path, starter: processes.Starter, rounds: int) -> Figures:
    """Seconds by command: the minimum of so many rounds."""
    file = str(folder / "one-run")
    Path(file).write_bytes(
        b"".join(traces.run(Random(1), "run-1", traces.START, traces.Shape(turns=(5, 5)), True))
    )
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "trace --help": [workloads.TRACE, "--help"],
        "trace count FILE": [workloads.TRACE, "count", file],
        "trace types FILE": [workloads.TRACE, "types", file],
        "trace first-error FILE": [workloads.TRACE, "first-error", file],
    }
    for tool, argv in workloads.WORKLOADS["count"].commands([file]).items():
        if tool in ("jq", "jaq", "DuckDB"):
            commands[f"{tool}, counting FILE"] = argv
    runs: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, argv in commands.items():
            runs[name].append(starter.run(argv).wall)
    return {name: min(walls[1:]) for name, walls in runs.items()}


def text(figures: Figures) -> str:
    """A row for each command."""
    bare = figures["python -c pass"]
    lines = [f"start-up, the fastest run: {'':10}{'ms':>10}{'× python -c pass':>20}"]
    lines += [f"  {name:36}{1000 * wall:9.1f}{wall / bare:20.2f}" for name, wall in figures.items()]
    return "\n".join(lines)
