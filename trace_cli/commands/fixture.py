"""Make a test of a failure: the part of the run that replays up to it, and a test that fails as it did.

The failure is an anchor: the first error of each run in FILE, or what --at names. Without FILE and --at, standard
input holds anchors (events with {"_src"}, as first-error prints them). Two files are written to the folder -o:
NAME.jsonl has the requests before the failure with their answers, tool calls, the failure itself, and the request
that the agent sent next; secrets, and what --field and --pattern name, are scrubbed as by `trace scrub`.
test_NAME.py runs the agent again, answered from that file: it fails as long as the agent fails in the same way,
and passes once the agent gets past it. Their names are printed.

--agent MODULE:FUNCTION says what starts the agent; without it, the test has a place for that. An event that is no
error makes a test that the agent still gets there by the same requests: `--at last` of a run that went well.

Exit status: 0 made; 1 there is no such event; 2 trouble, as files that are there already.

Examples:

  trace fixture -o tests/fixtures --agent report:main run.jsonl
  trace fixture -o tests/fixtures --at unrecovered runs/*.jsonl
  trace fixture -o tests/fixtures --at last --name golden good.jsonl
  trace first-error runs/*.jsonl | trace fixture -o tests/fixtures
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_cli import params, streams
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.pointing import Pointed
from trace_cli.reading import talk
from trace_cli.run_errors import ORPHAN
from trace_cli.scrubbing import scrubbing
from trace_cli.selection import Selection

if TYPE_CHECKING:
    from tracereplay.places import Find


def function(text: str) -> str:
    """MODULE:FUNCTION."""
    from tracereplay.fixture import is_agent

    if not is_agent(text):
        raise click.BadParameter(f"{text!r}: write MODULE:FUNCTION, as in report:main or my.agent:run")
    return text


def plain_name(text: str) -> str:
    """A name for files."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", text):
        raise click.BadParameter(f"{text!r}: write letters, digits, dots and dashes")
    return text


@params.command(__doc__)
@params.files
@params.at
@click.option(
    "-o", "--output", "folder", required=True, type=click.Path(), metavar="DIR", help="Where to write them."
)
@click.option(
    "--agent",
    type=params.Parsed("module:function", function),
    metavar="MODULE:FUNCTION",
    help="What the test calls to start the agent.",
)
@click.option(
    "--name",
    type=params.Parsed("name", plain_name),
    metavar="NAME",
    help="What to call them. [default: after the run and its error]",
)
@click.option("--force", is_flag=True, help="Overwrite what is in DIR.")
@scrubbing
@params.selecting
@click.option("--strict", is_flag=True, help="Parse every line whole; end with 2 at any bad one.")
def command(
    files: tuple[str, ...],
    at: str | None,
    folder: str,
    agent: str | None,
    name: str | None,
    force: bool,
    fields: "tuple[Find, ...]",
    patterns: tuple[re.Pattern[str], ...],
    selection: Selection,
    strict: bool,
) -> int:
    from tracereplay import fixture
    from tracereplay.scrub import Scrubber

    pointed = Pointed("fixture", files, at, selection, strict)
    scrubber = Scrubber(fields, patterns)
    index, used, lost = pointed.index, dict[str, int](), 0
    for number in pointed.numbers:
        if index.errors.get(number, {}).get("kind") == ORPHAN:
            lost += 1
            file, row = index.place(number)
            talk(
                f"trace: {file}:{row}: this call has no end: its run was killed in it, which no test can do again"
            )
            talk("  --at last -t model.response makes a test of what came before")
            continue
        kept = fixture.part(index, number)
        requests = sum(each <= number and index.type(each) == "model.request" for each in kept)
        if not requests:
            lost += 1
            file, row = index.place(number)
            talk(f"trace: {file}:{row}: no request to a model came before this event: there is nothing to replay")
            continue
        wanted = name or fixture.name(index, number)
        used[wanted] = used.get(wanted, 0) + 1
        unique = wanted if used[wanted] == 1 else f"{wanted}-{used[wanted]}"
        lines = list(fixture.lines(index, number, kept, scrubber.scrubbed))
        about = Event(lines[kept.index(number)])
        _write(Path(folder), unique, lines, fixture.test(unique, about, requests, agent), force)
        if not agent:
            code = f"test_{fixture.identifier(unique)}.py"
            talk(f"{code}: say there how your agent is started, or here with --agent MODULE:FUNCTION")
    if used:
        talk(scrubber.told() + ("" if fields or patterns else "; --field and --pattern hide what is no secret"))
    elif not lost and not at and index.complete and len(index):
        talk("trace: there is no error in it; --at last makes a test of a run that went well")
    return 2 if lost and not used else pointed.status(used)


def _write(folder: Path, name: str, lines: list[bytes], test: str, force: bool) -> None:
    """Writes both files, or neither where one may not be written."""
    from tracereplay.fixture import identifier

    trace, code = folder / f"{name}.jsonl", folder / f"test_{identifier(name)}.py"
    if folder.exists() and not folder.is_dir():
        raise TraceError(f"-o {folder}: is a file", "-o takes a folder")
    if not force and code.exists():
        raise TraceError(f"{code}: is there already", "--force overwrites it, --name gives another")
    with streams.created(trace, force) as file:
        file.writelines(each + b"\n" for each in lines)
    with streams.created(code, force) as file:
        file.write(test.encode())
    click.echo(trace)
    click.echo(code)
