"""Count calls, errors and tokens, and what they took and cost.

One row, or with --by one for each run, model, tool, step or day (UTC): {"calls", "errors", "retries", "orphans",
"input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost", "untold", "unpriced",
"latency_ms", "ttft_ms", "tool_calls", "tool_errors", "tool_ms"}. calls are those of a model, each attempt one;
retries are attempts that the SDK made again by itself; errors are what `trace filter --error` finds; orphans
never got an answer. input_tokens count all input, also what a cache gave (cache_read) or took (cache_write).
Times are {"p50", "p90", "p99", "max"}, exact, by the nearest rank: of answers (latency), of streamed ones to
their first byte (ttft), and of tools. What is not told is null.

Each call counts once, however often it is told, where the event that ends it is wanted; to the model that was
asked for, and to the innermost step. A row of --by tool has {"tool", "calls", "errors", "orphans",
"duration_ms"}; one of --by step "steps" and "step_ms" too, how often it ran and how long.

cost is in US dollars: as the answer says it, else by --prices, else by genai-prices (`pip install
'agent-replay-trace[prices]'`), which asks nobody. It leaves out the unpriced answers: those of a model without a
known price, and the untold ones, which do not say their tokens. A price file has dollars for a million tokens, by
model, or by a glob: {"claude-sonnet-4-6": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75},
"gpt-*": {"input": 2, "output": 8}}. There are "cache_write_1h" and "web_search" (for a thousand) as well.

Examples:

  trace stats run.jsonl
  trace stats --by model runs/*.jsonl
  trace stats --by tool run.jsonl
  trace stats --by day --prices prices.json runs/*.jsonl
  trace stats --by run runs/*.jsonl | jq -r '[.run, .cost] | @tsv'
"""

from collections.abc import Callable, Iterable, Mapping

import click

from trace_cli import params, render, spent_tables
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.grouped import GROUPS, Grouped
from trace_cli.prices import Prices, Rates
from trace_cli.selection import Matcher, Selection
from trace_cli.view import View


def stats(
    events: Iterable[Event],
    by: str | None,
    known: Prices,
    wanted: Callable[[Event], bool] = lambda event: True,
) -> Grouped:
    """The figures of a whole trace, whose `rows` are those above. Events need to know their `step`."""
    grouped = Grouped(by, known, wanted)
    grouped.read(events)
    return grouped


@params.command(__doc__)
@params.files
@click.option("--by", type=click.Choice(GROUPS), help="A row for each run, model, tool, step or day.")
@params.priced
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...],
    by: str | None,
    own: Mapping[str, Rates],
    selection: Selection,
    view: View,
    strict: bool,
) -> int:
    if selection.error:
        raise TraceError("stats counts errors beside the calls", "leave out --error")
    trace = params.reading(files, strict=strict, judging=True)
    matcher = Matcher(selection, naming=True)
    known = Prices(own)
    found = stats(matcher.watch(trace), by, known, matcher.wants)
    rows = list(found.rows())[: selection.max]
    counted = any(row.get(name) for row in rows for name in ("calls", "tool_calls", "errors", "steps"))
    with render.results(view, files) as results:
        if counted or not trace.trouble:  # of what could not be read, 0 would be a lie
            results.tables(rows, spent_tables.of_stats(rows, by))
    spent_tables.say(known, found.numbering)
    return trace.status(counted)
