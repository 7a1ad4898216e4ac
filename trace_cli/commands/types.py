"""Count the events of each type.

In the order in which the types first appear. {"type": TEXT or null, "count": N}

Examples:

  trace types run.jsonl
  trace types --since -3h runs/*.jsonl
"""

from trace_cli import params, render
from trace_cli.selection import Selection, count_types
from trace_cli.view import View


@params.command(__doc__)
@params.files
@params.selecting
@params.viewing
def command(files: tuple[str, ...], selection: Selection, view: View, strict: bool) -> int:
    trace = params.reading(files, strict=strict)
    counts = count_types(trace, selection)
    rows = [{"type": name or None, "count": count} for name, count in counts.items()]
    total = sum(counts.values())
    with render.results(view, files) as results:
        results.rows(rows, f"Total events: {total}")
    return trace.status(total)
