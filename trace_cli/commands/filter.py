"""Print the events that are wanted, as the bytes that were read.

Whatever is not selected away is printed unchanged, in file order. With --src each line gets a last key
{"_src": {"file", "line", "offset"}} that says where it stands; --error with --src adds {"_error"} too.

Examples:

  trace filter -t tool.called run.jsonl
  trace filter --tool search --error run.jsonl
  trace filter -w 'payload.duration_ms > `1000`' run.jsonl
  trace filter -w "payload.body.stop_reason == 'max_tokens'" run.jsonl

Live, as it happens:

  tail -f run.jsonl | trace filter --error
  trace filter --error --follow run.jsonl
"""

import click

from trace_cli import params, render, streams
from trace_cli.errors import TraceError
from trace_cli.selection import Selection, select_errors
from trace_cli.view import View


@params.command(__doc__)
@params.files
@click.option("--src", is_flag=True, help="Add where each event stands, for `trace before` and the like.")
@click.option("--follow", is_flag=True, help="Wait for more at the end of FILE, across rotation, until Ctrl-C.")
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...], src: bool, follow: bool, selection: Selection, view: View, strict: bool
) -> int:
    if follow and (len(files) != 1 or streams.is_readable_once(files[0])):
        raise TraceError("--follow takes one FILE that grows", "trace filter --follow run.jsonl")
    with render.results(view, files, live=follow) as results:
        trace = params.reading(files, strict=strict, follow=follow, pause=results.flush)
        found = False
        for event, error in select_errors(trace, selection, naming=view.pretty):
            results.event(event, src=src, error=error if src or view.pretty else None)
            found = True
    return trace.status(found)
