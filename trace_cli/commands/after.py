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

from typing import Any

from trace_cli import around, params, window


@params.command(__doc__)
@params.files
@params.around
@params.selecting
@params.viewing
def command(**asked: Any) -> int:
    return around.answer("after", window.after, **asked)
