"""Count the events of each type.

In the order in which the types first appear. {"type": TEXT or null, "count": N}

Examples:

  trace types run.jsonl
  trace types --since -3h runs/*.jsonl
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from trace_cli import params, render
from trace_cli.event import Event
from trace_cli.selection import Selection, select
from trace_cli.view import View


def count_types(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """Rows of `type` (null: none stated) and `count`, by first appearance. Memory: one entry a type."""
    counts = Counter(event.type for event in events)
    for name, count in counts.items():
        yield {"type": name or None, "count": count}


@params.command(__doc__)
@params.files
@params.selecting
@params.viewing
def command(files: tuple[str, ...], selection: Selection, view: View, strict: bool) -> int:
    trace = params.reading(files, strict=strict)
    rows = list(count_types(select(trace, selection)))
    total = sum(row["count"] for row in rows)
    with render.results(view, files) as results:
        results.rows(rows, f"Total events: {total}")
    return trace.status(total)
