"""What recording costs an agent and what it loses, the tap beside other recorders, in one run.

python benchmarks/capture.py                       # every part; some ten minutes
python benchmarks/capture.py --quick cost loss     # two parts, to see that they work; the figures mean nothing
python benchmarks/capture.py --json >figures.json
python benchmarks/capture.py --from figures.json --markdown
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import calls
import cost
import loss
import machine
import memory
import report

Part = Callable[[Path, Callable[[str], None]], list[Any]]

PARTS: dict[str, Part] = {
    "cost": partial(cost.measure, 7, 60),
    "loss": partial(loss.measure, 20, 50),
    "calls": partial(calls.measure, 60),
    "memory": partial(memory.measure, [1000, 5000, 10_000]),
}
QUICK: dict[str, Part] = {
    "cost": partial(cost.measure, 1, 5),
    "loss": partial(loss.measure, 1, 5),
    "calls": partial(calls.measure, 1),
    "memory": partial(memory.measure, [5, 10, 20]),
}
_FOREIGN = ("AGENTTAP_", "OTEL_")  # variables that would set a recorder up in another way


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what recording costs an agent, and what it loses.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless named")
    parser.add_argument("--quick", action="store_true", help="a short run; its figures mean nothing")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the raw figures")
    form.add_argument("--markdown", action="store_true", help="print the tables as the README shows them")
    parser.add_argument("--from", type=Path, dest="source", metavar="FILE", help="print what --json printed once")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {unknown.pop()!r}: take {', '.join(PARTS)}")

    if options.source:
        try:
            figures = json.loads(options.source.read_bytes())
        except (OSError, ValueError) as problem:
            parser.error(f"cannot read figures from {options.source}: {problem}")
    else:
        figures = measured(options.parts or list(PARTS), QUICK if options.quick else PARTS)
    if options.json:
        print(json.dumps(figures, indent=1, ensure_ascii=False))
    else:
        print(report.markdown(figures) if options.markdown else report.text(figures))


def measured(names: list[str], parts: dict[str, Part]) -> report.Figures:
    """Return the figures of the named parts, with what the machine is."""
    for variable in [name for name in os.environ if name.startswith(_FOREIGN)]:
        del os.environ[variable]
    figures: report.Figures = {"machine": machine.describe()}
    for name, measure in parts.items():
        if name in names:
            with TemporaryDirectory(prefix="benchmark-") as folder:
                figures[name] = [asdict(row) for row in measure(Path(folder), say)]
    return figures


def say(message: str) -> None:
    """Tell how far it is, on stderr."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
