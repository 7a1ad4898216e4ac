"""Count events, all or by the value of a field.

Alone it prints the number; with --by a row for each value, the most frequent first:
{"value": ANY, "count": N}. FIELD is a JMESPath expression over the line; events without it count as null.

Examples:

  trace count run.jsonl
  trace count --by payload.tool_name -t tool.called run.jsonl
  trace count --by payload.body.stop_reason -t model.response run.jsonl
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from trace_cli import params, render
from trace_cli.event import Event
from trace_cli.selection import Selection, count_types, select
from trace_cli.view import View


def count_by(events: Iterable[Event], field: Callable[[Event], Any]) -> Iterator[dict[str, Any]]:
    """Rows of `value` and `count`, the most frequent first, equals by first appearance.

    Memory: one entry for each value.
    """
    from trace_cli.line import dump

    counts: Counter[bytes] = Counter()
    values: dict[bytes, Any] = {}
    for event in events:
        value = field(event)
        key = dump(value)
        values.setdefault(key, value)
        counts[key] += 1
    for key, count in counts.most_common():
        yield {"value": values[key], "count": count}


@params.command(__doc__)
@params.files
@click.option("--by", type=params.FIELD, metavar="FIELD", help="A count for each value of this field.")
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...],
    by: Callable[[Event], Any] | None,
    selection: Selection,
    view: View,
    strict: bool,
) -> int:
    trace = params.reading(files, strict=strict)
    rows = list(count_by(select(trace, selection), by)) if by else []
    total = len(rows) if by else sum(count_types(trace, selection).values())
    with render.results(view, files) as results:
        if by:
            results.rows(rows)
        elif total or not trace.trouble:  # of what could not be read, 0 would be a lie
            results.text(str(total))
    return trace.status(total)
