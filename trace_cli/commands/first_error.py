"""Print the first error of each run: what broke.

One event a run, with {"_error": {"kind", "message", "tool_name", "step", "recovered"}} and {"_src"} as its last
keys, when the run ends; runs without an end come at the end of the input. An error is: a failed model call, unless
the SDK retried it with success; a tool result with an error; a tool result sent to the model with
is_error; an error inside a response; a run or step that ended with one; in other events and formats an error,
is_error, or a level of error or worse. Of a run that has no end, and no other error: the call it broke off in.

Recovered means that the same tool, or the same request, later succeeded in that run.

Examples:

  trace first-error run.jsonl
  trace first-error --unrecovered runs/*.jsonl
  trace first-error run.jsonl | trace before -n 1 -t model.request

  if trace first-error run.jsonl >error.jsonl; then echo failed; fi
"""

from itertools import islice

import click

from trace_cli import params, render
from trace_cli.reading import talk
from trace_cli.run_errors import RunErrors
from trace_cli.selection import Matcher, Selection
from trace_cli.verdicts import first_errors
from trace_cli.view import View


@params.command(__doc__)
@params.files
@click.option("--unrecovered", is_flag=True, help="The first error that was never recovered.")
@click.option("--any", "every", is_flag=True, help="Count failed attempts that the SDK retried with success too.")
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...], unrecovered: bool, every: bool, selection: Selection, view: View, strict: bool
) -> int:
    with render.results(view, files) as results:
        trace = params.reading(files, strict=strict, pause=results.flush, judging=True)
        matcher = Matcher(selection)
        events = matcher.watch(trace)
        found = 0
        unended: list[RunErrors] = []
        errors = first_errors(
            events, unrecovered=unrecovered, every=every, wanted=matcher.wants, unended=unended.append
        )
        for error in islice(errors, selection.max):
            results.error(error)
            found += 1
    if unended:
        names = [str(run.name or "without a name") for run in unended[:3]]
        more = f" and {len(unended) - 3} more" if len(unended) > 3 else ""
        talk(f"trace: no error, but no end either, in run {', run '.join(names)}{more}: killed, or still running")
    return trace.status(found)
