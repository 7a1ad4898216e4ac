"""What is asked of traces, and how each tool is asked it."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = str(Path(sys.executable).parent)
NAIVE = str(Path(__file__).with_name("naive.py"))
FILE, FILES = "FILE", "FILES"  # stand for the trace, or all of them


def program(name: str) -> str | None:
    """Where a program is: beside this Python, or on the PATH."""
    return shutil.which(name, path=BIN) or shutil.which(name)


TRACE = program("trace") or "trace"
VERSIONS = {
    "trace": [TRACE, "--version"],
    "jq": ["jq", "--version"],
    "jaq": ["jaq", "--version"],
    "DuckDB": ["duckdb", "--version"],
    "orjson loop": [sys.executable, "-c", "import orjson; print('orjson', orjson.__version__)"],
    "grep -F": ["grep", "--version"],
    "cat": ["cat", "--version"],
    "wc -l": ["wc", "--version"],
}


def version(tool: str) -> str | None:
    """What a tool says of its version; None where it is not on this machine."""
    name, *options = VERSIONS[tool]
    found = program(name)
    if found is None:
        return None
    said = subprocess.run([found, *options], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    return said.strip()


Normal = Callable[[bytes], Any]


def lines(output: bytes) -> Any:
    """Equal for the same events: JSON may be written in several ways."""
    return [json.loads(line) for line in output.splitlines()]


def counts(output: bytes) -> Any:
    """Equal for the same counts by type."""
    found: Counter[str] = Counter()
    for row in lines(output):
        found.update({row["type"]: row["count"]} if "count" in row else row)  # jaq has a row for each file
    return found


def places(output: bytes) -> Any:
    """Equal for the same events, whatever was added to them."""
    return [(row["run_id"], row["seq"]) for row in lines(output)]


def number(output: bytes) -> Any:
    """The number that comes first."""
    return int(output.split()[0])


@dataclass(frozen=True)
class Workload:
    """A question: the arguments of `trace`, those of other tools that answer it, and of some that only come near.

    `normal` makes answers comparable. `shape` is that of the trace (traces.SHAPES).
    """

    title: str
    trace: list[str]
    others: dict[str, list[str]]
    bounds: dict[str, list[str]] = field(default_factory=dict)
    normal: Normal = lines
    shape: str = "agent"

    def commands(self, files: list[str]) -> dict[str, list[str]]:
        """The argv of each tool that is here, `trace` first, for these files."""
        found = {"trace": [TRACE, *self.trace]}
        for tool, argv in {**self.others, **self.bounds}.items():
            name = VERSIONS[tool][0]
            if where := program(name):
                found[tool] = [where, *argv]
        return {tool: _filled(argv, files) for tool, argv in found.items()}


def _filled(argv: list[str], files: list[str]) -> list[str]:
    found = []
    for each in argv:
        found += files if each == FILES else [each.replace(FILE, files[0])]
    return found


def jq(expression: str, *options: str, files: str = FILE) -> dict[str, list[str]]:
    """The same of jq and of jaq."""
    return {tool: ["-c", *options, expression, files] for tool in ("jq", "jaq")}


def duckdb(select: str, where: str = "true", rest: str = "") -> dict[str, list[str]]:
    """A query over the lines of the trace, as JSON; its rows are JSON lines."""
    query = f"SELECT {select} FROM read_ndjson_objects('{FILE}') WHERE {where} {rest}"
    return {"DuckDB": ["-list", "-noheader", "-c", query]}


def naive(what: str, files: str = FILE) -> dict[str, list[str]]:
    return {"orjson loop": [NAIVE, what, files]}


COUNTED = duckdb("json_object('type', json->>'type', 'count', count(*))", rest="GROUP BY json->>'type'")
TYPES = {**jq("reduce inputs as $each ({}; .[$each.type] += 1)", "-n"), **COUNTED, **naive("types")}
ERROR = '((.type == "tool.result" or .type == "run.ended") and .payload.error != null)'
SQL_ERROR = "(json->>'type') IN ('tool.result', 'run.ended') AND (json->'payload'->>'error') IS NOT NULL"
THROUGH = {"cat": [FILE]}


def of_type(kind: str) -> dict[str, list[str]]:
    return {"grep -F": ["-F", f'"type":"{kind}"', FILE]}


WORKLOADS = {
    "filter": Workload(
        "filter by type",
        ["filter", "-t", "tool.result", FILE],
        {
            **jq('select(.type == "tool.result")'),
            **duckdb("json", "(json->>'type') = 'tool.result'"),
            **naive("filter"),
            **of_type("tool.result"),
        },
        THROUGH,
    ),
    "types": Workload("count by type", ["types", FILE], TYPES, THROUGH, counts),
    "count": Workload(
        "count",
        ["count", FILE],
        {
            **jq("reduce inputs as $each (0; . + 1)", "-n"),
            **duckdb("count(*)"),
            **naive("count"),
            "wc -l": ["-l", FILE],
        },
        THROUGH,
        number,
    ),
    "error": Workload(
        "the first error, at the very end",
        ["first-error", FILE],
        {
            **jq(f"first(inputs | select({ERROR}))", "-n"),
            **duckdb("json", SQL_ERROR, "LIMIT 1"),
            **naive("first-error"),
        },
        THROUGH,
        places,
        "late",
    ),
    "typed": Workload(
        "--where, with a type",
        ["filter", "-t", "tool.result", "-w", "payload.error != `null`", FILE],
        {
            **jq('select(.type == "tool.result" and .payload.error != null)'),
            **duckdb("json", "(json->>'type') = 'tool.result' AND (json->'payload'->>'error') IS NOT NULL"),
            **naive("typed"),
        },
    ),
    "head": Workload(
        "--where on the head alone",
        ["filter", "-w", "seq < `5`", FILE],
        {**jq("select(.seq < 5)"), **duckdb("json", "(json->'seq')::INT < 5"), **naive("head")},
    ),
    "payload": Workload(
        "--where on the payload of any type",
        ["filter", "-w", "payload.duration_ms > `1000`", FILE],
        {
            **jq("select(.payload.duration_ms != null and .payload.duration_ms > 1000)"),
            **duckdb("json", "(json->'$.payload.duration_ms')::DOUBLE > 1000"),
            **naive("payload"),
        },
    ),
    "before": Workload(
        "the three events before the first error",
        ["before", "-n", "3", FILE],
        naive("before"),
        normal=places,
        shape="late",
    ),
    "strict": Workload(
        "filter by type, --strict: every line parsed",
        ["filter", "--strict", "-t", "tool.result", FILE],
        {**jq('select(.type == "tool.result")'), **naive("filter")},
    ),
    "unicode": Workload("count by type, not only ASCII", ["types", FILE], TYPES, normal=counts, shape="unicode"),
    "decoys": Workload("count by type, types in payloads", ["types", FILE], TYPES, normal=counts, shape="decoys"),
    "narrow": Workload("count by type, lines of 2 KB", ["types", FILE], TYPES, normal=counts, shape="narrow"),
    "shuffled": Workload("count by type, payload first", ["types", FILE], TYPES, normal=counts, shape="shuffled"),
    "small": Workload("count by type, events of 200 bytes", ["types", FILE], TYPES, normal=counts, shape="small"),
    "files": Workload(
        "count by type, 1,000 files",
        ["types", FILES],
        {
            **jq("reduce inputs as $each ({}; .[$each.type] += 1)", "-n", files=FILES),
            **naive("types", FILES),
        },
        normal=counts,
        shape="files",
    ),
}
LARGE = ["filter", "types", "error", "typed", "head"]  # what is asked of a gigabyte
