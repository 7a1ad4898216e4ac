"""Replace secrets, and what else is named, by pseudonyms: for sharing a trace.

Secrets are found by the rules of the tap (keys of well-known shapes, credential headers, private keys, the texts
under names such as password). --field hides the part of an event that it points to, and nothing of the same text
elsewhere: that, --pattern does. The same value becomes the same name, [scrubbed:KIND-N], wherever it is replaced,
so a scrubbed trace still replays and compares; nothing of a value can be found out from its name. All other bytes
stay as they were.

Events go to standard output; with -o each FILE to a file of its name in DIR, with the same names in all of them.
Traces that are to be compared must be scrubbed together. Lines that are no events are left out. What was replaced
is told on stderr, by kind and number.

Examples:

  trace scrub run.jsonl >shared.jsonl
  trace scrub --field payload.metadata run.jsonl
  trace scrub --pattern '[a-z.]+@[a-z.]+' run.jsonl
  trace scrub -o shared failed.jsonl fixed.jsonl
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from trace_cli import params, streams
from trace_cli.errors import BadLine, TraceError
from trace_cli.event import Event
from trace_cli.reading import talk
from trace_cli.scrubbing import scrubbing

SHORT, MOST = 4, 1000  # characters and texts, from which and up to which texts of fields are looked for elsewhere

if TYPE_CHECKING:
    from tracereplay.places import Find
    from tracereplay.scrub import Scrubber


def scrub(
    events: Iterable[Event], scrubber: "Scrubber", lost: Callable[[Event, BadLine], object]
) -> Iterator[bytes]:
    """The lines of the events, scrubbed, in their order; damaged ones are `lost`, as anything may be in them.

    Memory: the different values that were replaced.
    """
    for event in events:
        try:
            yield scrubber.scrubbed(event.raw)
        except BadLine as bad:
            lost(event, bad)
        except (ValueError, RecursionError) as error:
            lost(event, BadLine(f"not readable as JSON: {str(error).partition(';')[0]}"))


@params.command(__doc__)
@params.files
@scrubbing
@click.option("-o", "--output", "folder", type=click.Path(), metavar="DIR", help="Write each FILE into DIR.")
@click.option("--force", is_flag=True, help="Overwrite what is in DIR.")
@click.option("--strict", is_flag=True, help="Parse every line whole; end with 2 at any bad one.")
def command(
    files: tuple[str, ...],
    fields: "tuple[Find, ...]",
    patterns: tuple[re.Pattern[str], ...],
    folder: str | None,
    force: bool,
    strict: bool,
) -> int:
    from tracereplay.scrub import Scrubber

    if force and not folder:
        raise TraceError("--force is about the files that -o writes", "-o DIR")
    scrubber = Scrubber(fields, patterns)
    if folder is None:
        trace = params.reading(files, strict=strict)
        output = streams.Output()
        for each in scrub(trace, scrubber, trace.lose):
            output.write(each)
        output.flush()
        status = trace.status(trace.count)
    else:
        status = _into(Path(folder), files, scrubber, force, strict)
    talk(scrubber.told())
    for text in doubts(scrubber, files):
        talk(text)
    return status


def doubts(scrubber: "Scrubber", files: tuple[str, ...]) -> Iterator[str]:
    """What may not be as it was meant: fields that are nowhere, and texts of fields that stand elsewhere too."""
    for number, found in enumerate(scrubber.found, 1):
        if not found:
            yield f"trace: --field number {number} points to nothing in these events"
    looked_for = [each for each in scrubber.chosen if len(each) >= SHORT]
    if not looked_for or len(looked_for) > MOST or not files or streams.STDIN in files:
        return
    left = set[str]()
    for event in params.reading(files):
        with suppress(BadLine, ValueError, RecursionError):
            done = scrubber.scrubbed(event.raw).decode("utf-8", "replace")
            left |= {each for each in looked_for if each in done}
    if left:
        yield f"trace: {len(left)} of the texts that --field hides stand elsewhere too: name them with --pattern"


def _into(folder: Path, files: tuple[str, ...], scrubber: "Scrubber", force: bool, strict: bool) -> int:
    """Writes each file into the folder; the exit status."""
    names = [re.sub(r"\.(gz|bz2|xz|zst)$", "", Path(each).name) for each in files]  # they are written plain
    if not files or streams.STDIN in files:
        raise TraceError("-o gives each file its name, and standard input has none", "trace scrub <FILE >OUT")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise TraceError(f"-o {folder}: two of the files are called {twice}")
    for source in files:
        if not streams.is_readable(source):
            raise TraceError(f"{source}: is no file that can be read", "nothing was written")
    status = 0
    for source, name in zip(files, names, strict=True):
        trace = params.reading((source,), strict=strict)
        with streams.created(folder / name, force) as file:
            for each in scrub(trace, scrubber, trace.lose):
                file.write(each + b"\n")
        status = max(status, trace.status(trace.count))
    return status
