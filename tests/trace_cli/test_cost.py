"""What a command may cost: memory that does not grow with the trace, and no import that it does not need."""

import json
import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import process_time

import orjson
import pytest
from processes import SAMPLES, TRACE, environment

from trace_cli.reading import Reading
from trace_cli.selection import Selection, count_types

LIMIT_KIB = 40 << 10


@pytest.fixture(scope="module")
def part(long_trace: Path) -> Path:
    """The first tenth of it."""
    part = long_trace.with_name("part.jsonl")
    with open(long_trace, "rb") as file:
        part.write_bytes(file.read(20_000_000).rpartition(b"\n")[0] + b"\n")
    return part


@pytest.fixture(scope="module")
def long_trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 MB, of lines from 200 bytes to 200 KB; a failed tool now and then."""
    file = tmp_path_factory.mktemp("long") / "trace.jsonl"
    head = '{"v":1,"type":"%s","timestamp":"2026-05-24T03:17:04.000000Z","run_id":"r%d","seq":%d,"payload":%s}\n'
    text = json.dumps('what the model said, and a "quote", }{ and } else { \n' * 60)
    body = '{"body":{"messages":[%s]}}'
    lines = []
    for seq in range(60):
        request = body % ",".join([f'{{"role":"user","content":{text}}}'] * seq)
        lines.append(("model.request", request))
        lines.append(("model.response", body % text))
        lines.append(("tool.called", '{"tool_name":"search","args":{"q":1}}'))
        lines.append(("tool.result", '{"tool_name":"search","result":1,"error":null}'))
    run = 0
    with open(file, "w") as out:
        while out.tell() < 200_000_000:
            out.write("".join(head % (kind, run, seq, payload) for seq, (kind, payload) in enumerate(lines)))
            run += 1
    return file


@pytest.mark.parametrize(
    "arguments",
    [["types"], ["count"], ["filter"], ["filter", "-t", "tool.*"], ["filter", "--error"], ["first-error"]],
    ids=" ".join,
)
def test_memory_does_not_grow_with_the_trace(arguments: list[str], long_trace: Path) -> None:
    status, peak_kib = measured([TRACE, *arguments, str(long_trace)])
    assert status in (0, 1)
    assert peak_kib < LIMIT_KIB


def test_ten_times_the_trace_takes_the_same_memory(long_trace: Path, part: Path) -> None:
    for arguments in (["types"], ["filter", "-t", "tool.*"], ["first-error"]):
        (_, small), (_, large) = (measured([TRACE, *arguments, str(file)]) for file in (part, long_trace))
        assert large < small + (4 << 10), arguments


def test_types_are_counted_twice_as_fast_as_lines_are_parsed(part: Path) -> None:
    """A guard, not a measurement: five times is what it is, in one process, so that starting does not count."""

    def parse() -> dict[str, int]:
        with open(part, "rb") as file:
            return Counter(orjson.loads(line)["type"] for line in file)

    def count() -> dict[str, int]:
        return count_types(Reading([str(part)]), Selection())

    assert count() == parse()
    times: dict[Callable[[], object], float] = {}
    for _ in range(50):  # until both had a moment without neighbours
        for each in (parse, count):
            start = process_time()
            each()
            times[each] = min(times.get(each, math.inf), process_time() - start)
        if times[parse] > 2 * times[count]:
            return
    raise AssertionError(times)


MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def measured(command: list[str]) -> tuple[int, int]:
    """The status of a command, and its peak of memory in KiB. A small process starts it: its size is inherited."""
    starter = [sys.executable, "-S", "-c", MEASURE, *command]
    done = subprocess.run(starter, capture_output=True, env=environment(), check=True)
    status, peak = map(int, done.stdout.split())
    return status, peak


def imported(*arguments: str) -> set[str]:
    """The modules that are loaded when `trace ARGUMENTS…` ends."""
    code = (
        "import atexit, os, sys\n"
        "atexit.register(lambda: os.write(2, ' '.join(sys.modules).encode()))\n"
        "from trace_cli.__main__ import main\n"
        "main()"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, env=environment(), check=False)
    return set(done.stderr.decode().split())


def test_a_short_command_imports_this_and_nothing_else() -> None:
    sample = str(SAMPLES / "failed.jsonl")
    started = {"trace_cli", "__main__", "cli", "errors", "reading", "streams", "event", "head", "lines", "search"}
    counting = started | {"commands", "commands.count", "params", "render", "selection", "view"}
    filtering = counting - {"commands.count"} | {"commands.filter"}
    code = "import click, locale, sys; print(*sys.modules)"  # click asks for the locale when it needs a text
    clicks = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for arguments, expected, libraries in (
        (["count", sample], counting, {"atexit", "gc", "fnmatch", "select"}),
        (["filter", "--type", "tool.*", sample], filtering, {"atexit", "gc", "fnmatch", "select"}),
        (["--help"], started, None),  # and what click needs to fill lines
        (["--version"], started, {"atexit", "gc", "select"}),
    ):
        modules = imported(*arguments) - set(clicks.split())
        ours = {name for name in modules if name.startswith("trace_cli")}
        assert {name.removeprefix("trace_cli.") for name in ours} == expected, arguments
        assert libraries is None or modules - ours <= libraries, arguments


def test_a_command_imports_what_it_uses() -> None:
    for arguments in (["count"], ["types"], ["filter", "--error"], ["first-error"], ["before"]):
        modules = imported(*arguments, str(SAMPLES / "failed.jsonl"))
        assert "trace_cli.reading" in modules
        assert not modules & {"rich", "jmespath", "anthropic", "openai", "httpx", "agenttap", "asyncio"}, arguments
    assert "jmespath" in imported("count", "--by", "type", str(SAMPLES / "failed.jsonl"))


def test_the_list_of_commands_imports_none() -> None:
    modules = imported("--help")
    assert "trace_cli.cli" in modules
    assert not [name for name in modules if name.startswith("trace_cli.commands.")]
    assert not modules & {"rich", "jmespath", "importlib.metadata"}


def test_one_command_imports_no_other() -> None:
    modules = imported("types", str(SAMPLES / "failed.jsonl"))
    assert [name for name in modules if name.startswith("trace_cli.commands.")] == ["trace_cli.commands.types"]
