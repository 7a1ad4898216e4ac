"""Print the events that came after a moment, in its run.

The moment is an anchor: the first error of each run in FILE, or what --at names. Without FILE and --at,
standard input holds anchors (events with {"_src"}, as first-error prints them), whose traces are read again.
The anchor itself is not printed. The selection comes first, then -n, so that `-n 1 -t model.request` is the
request next to the anchor. Output is in file order, each event once, with {"_src"}.

Examples:

  trace after -n 5 run.jsonl
  trace after -n 1 -t model.response run.jsonl
  trace after --at unrecovered -n 30s run.jsonl
  trace first-error runs/*.jsonl | trace after -n 1 -t model.request
  trace after --at last -n 3 <run.jsonl
"""

from trace_cli import params, render, window
from trace_cli.around import Around
from trace_cli.selection import Selection
from trace_cli.view import View


@params.command(__doc__)
@params.files
@params.around
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...],
    at: str | None,
    size: window.Size,
    selection: Selection,
    view: View,
    strict: bool,
) -> int:
    question = Around("after", files, at, strict)
    found = 0
    with render.results(view, files) as results:
        for event in question.events(window.after, size, selection):
            results.event(event, src=True)
            found += 1
    return question.status(found)
