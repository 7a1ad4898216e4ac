"""Print the first error of each run: what broke.

One event a run, with {"_error": {"kind", "message", "tool_name", "recovered"}} and {"_src"} as its last keys,
when the run ends; runs without an end come at the end of the input. An error is: a failed model call, unless
the SDK retried it with success; a tool result with an error; a tool result sent to the model with
is_error; an error inside a response; a run or step that ended with one; in other events and formats an error,
is_error, or a level of error or worse. Of a run that has no end, and no other error: where it broke off.

Recovered means that the same tool, or the same request, later succeeded in that run.

Examples:

  trace first-error run.jsonl
  trace first-error --unrecovered runs/*.jsonl
  trace first-error run.jsonl | trace before -n 1 -t model.request

  if trace first-error run.jsonl >error.jsonl; then echo failed; fi
"""

import click

from trace_cli import params, render
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
        trace = params.reading(files, strict=strict, pause=results.flush)
        matcher = Matcher(selection)
        events = matcher.watch(trace)
        found = 0
        for error in first_errors(events, unrecovered=unrecovered, every=every, wanted=matcher.wants):
            if found == selection.max:
                break
            results.error(error)
            found += 1
    return trace.status(found)
