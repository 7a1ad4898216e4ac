"""Compare two runs: what changed, and what made the first event change.

A and B each hold one run (- is standard input); of several, --run-a and --run-b pick one, also out of one file.
Events are aligned, not numbered: an extra step makes no other one differ. A request counts by what is new in it
since the one before. Ids, times, durations, tokens and headers are not compared; the summary lists what was not.

One object for each event that differs: {"op": "changed", "added" or "removed", "a", "b", "type", "tool_name",
"similarity", "cause", "downstream", "changes": [{"op", "path", "a", "b"}]}. a and b say where the event and its
partner stand; path is a JSON pointer into the event; a long text has "words" too, the places in it. The first one
has the cause of all that is downstream of it: input (prompt, model, tools or settings differ), environment (the
same call, another result) or decision (the same context, another answer). run_id, seq and _src, of b or else of a,
make each object an anchor for other commands.

The last object is the summary: {"op": "summary", "verdict", "differ", "first_divergence", "equal", "changed",
"added", "removed", "errors", "ignored", "metrics", …}. Verdicts, of which the gravest is told: same, output-drift,
input-changed, results-changed, events-changed, args-changed, tools-reordered, tools-changed, regression (an error
in B that nothing recovered, and that A has not).

The exit status is 0 where the runs are the same at the level, 1 where they differ, 2 for trouble.

Examples:

  trace diff good.jsonl run.jsonl
  trace diff --stat good.jsonl run.jsonl
  trace diff -t tool.called --level structure good.jsonl run.jsonl
  trace diff --first good.jsonl run.jsonl | trace show
  trace diff -q --ignore /payload/body/system good.jsonl run.jsonl
  zcat last-week.jsonl.gz | trace diff - run.jsonl
"""

import click

from trace_cli import params, readable, render, side_by_side
from trace_cli.comparison import Comparison
from trace_cli.ignoring import Ignoring
from trace_cli.item import LEVELS
from trace_cli.selection import Selection
from trace_cli.two_runs import TwoRuns
from trace_cli.view import View


@params.command(__doc__)
@click.argument("files", nargs=-1, metavar="A [B]", type=click.Path())
@click.option("--run-a", metavar="ID", help="The run of A, by id or name; a glob too. [default: its only one]")
@click.option("--run-b", metavar="ID", help="The run of B.")
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="args",
    help="What makes runs differ: which tools are called (structure), also with what and what they return (args), "
    "also what the model says (text). [default: args]",
)
@click.option("--first", is_flag=True, help="Only the first event that differs.")
@click.option("--stat", is_flag=True, help="Only the summary.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing but the exit status.")
@click.option(
    "-U",
    "--context",
    "around",
    type=click.IntRange(min=0),
    metavar="N",
    help="Equal events around each. [default: 3 on a terminal, else 0]",
)
@click.option(
    "--ignore",
    multiple=True,
    type=params.POINTER,
    metavar="JSONPOINTER",
    help="Do not compare this: /payload/body/system; * is any key or item; repeatable.",
)
@click.option(
    "--no-default-ignore",
    "default_ignore",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Compare ids, times and all else too.",
)
@params.full
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...],
    run_a: str | None,
    run_b: str | None,
    level: str,
    first: bool,
    stat: bool,
    quiet: bool,
    around: int | None,
    ignore: tuple[str, ...],
    default_ignore: bool,
    full: bool,
    selection: Selection,
    view: View,
    strict: bool,
) -> int:
    ignoring = Ignoring(ignore, default_ignore)
    runs = TwoRuns(files, run_a, run_b, selection, ignoring, strict)
    if not runs.readable:
        return 2
    comparison = Comparison(runs.a, runs.b, level, ignoring)
    status = runs.status(comparison.differ)
    if quiet:
        return status
    shown = [] if stat else comparison.shown((3 if view.pretty else 0) if around is None else around, first)
    with render.results(view, files) as results:
        if not view.pretty:
            results.rows(map(comparison.row, shown))
            results.rows([comparison.summary()])
            return status
        summary = comparison.summary()
        results.lines(side_by_side.head(comparison, summary))
        if not stat:
            lines = side_by_side.events(comparison, shown, marks=not view.color, full=full)
            results.lines(readable.with_hint(lines, params.FULL))
        results.lines(side_by_side.tail(summary))
    return status
