"""Print one row for each run: how it went, how long it took, what it cost.

In the order in which the runs appear: {"run_id", "name", "status", "started", "duration_ms", "events", "missing",
"gaps", "errors", "first_error", "broke_off", "calls", "retries", "tool_calls", "input_tokens", "output_tokens",
"cost", "unpriced", "_src"}. status is ok, failed (the run ended in an error) or incomplete: it has no end, so it
was killed, or still runs. For formats that tell of no end, and
of an end that is damaged, it is null. first_error is the one that `trace
first-error` finds: {"kind", "message", "tool_name", "step", "recovered"}. broke_off is what an incomplete run was
in, an open call or else its last event: {"type", "summary", "step", "open"}. Both have what makes them anchors for
other commands: {"run_id", "seq", "call_id", "timestamp", "_src"}.

missing counts the numbers that are not there (seq goes up without gaps, so events were lost, or filtered away);
gaps are the first of these ranges, [from, to]. Two runs may have one id: a later run.started begins another. What
is there twice, as in a file and its copy, counts once. Tokens and cost are those of `trace stats`.

Examples:

  trace runs runs/*.jsonl
  trace runs --since -12h runs/*.jsonl
  trace runs runs/*.jsonl | jq -r 'select(.status != "ok") | .run_id'
  trace runs runs/*.jsonl | jq -c '.first_error // empty' | trace show
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from trace_cli import params, render, spent_tables, usage
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.grouped import Grouped
from trace_cli.numbering import Run
from trace_cli.prices import Prices, Rates
from trace_cli.run_errors import ORPHAN, RunErrors
from trace_cli.selection import Matcher, Selection
from trace_cli.view import View

GAPS = 20  # that a row lists


def runs(
    events: Iterable[Event], known: Prices, wanted: Callable[[Event], bool] = lambda event: True
) -> tuple[list[dict[str, Any]], Grouped]:
    """The rows of the runs that have a wanted event, and what was read. Events need to know their `step`.

    Memory: an entry a run, with its first error; for each that has no end its last event and its open calls.
    """
    errors: dict[int, dict[str, Any]] = {}

    def ended(run: Run, judge: RunErrors) -> None:
        first = judge.first
        if first and first.kind != ORPHAN and run.number not in errors:  # events may come behind its end
            errors[run.number] = {**first.row(), "recovered": bool(first.recovered), **first.event.place()}

    seen: set[object] = set()

    def noting() -> Iterator[Event]:
        for event in events:
            if event.run not in seen and wanted(event):
                seen.add(event.run)
            yield event

    grouped = Grouped("run", known, ended=ended)
    grouped.read(noting())
    listed = (run for run in grouped.numbering.runs if run.key in seen)
    return [_row(run, grouped, errors.get(run.number)) for run in listed], grouped


def _row(run: Run, grouped: Grouped, error: Mapping[str, Any] | None) -> dict[str, Any]:
    figures = grouped.figures(run.number)
    spent = figures.spent()
    gaps = run.gaps
    return {
        "run_id": run.run_id,
        "name": run.name,
        "status": status(run),
        "started": run.first_timestamp,
        "duration_ms": duration_ms(run),
        "events": run.events,
        "missing": sum(last - first + 1 for first, last in gaps),
        "gaps": gaps[:GAPS],
        "errors": figures.errors,
        "first_error": error,
        "broke_off": broke_off(run, grouped),
        "calls": figures.calls,
        "retries": figures.retries,
        "tool_calls": figures.tool_calls,
        **{name: spent[name] for name in ("input_tokens", "output_tokens", "cost", "unpriced")},
        "_src": run.src,
    }


def status(run: Run) -> str | None:
    """How a run went; None where its format tells of no end."""
    if run.ended is None:
        return "incomplete" if run.own else None
    payload = run.ended.payload
    if run.own and not ("status" in payload or "error" in payload):  # damaged: nobody knows
        return None
    return "failed" if payload.get("error") is not None or payload.get("status") == "error" else "ok"


def duration_ms(run: Run) -> float | None:
    """How long a run took: as its end says; else from its first event to its last, if the clock went forward."""
    if run.ended and usage.number(run.ended.payload.get("duration_ms")) is not None:
        return usage.duration(run.ended.payload)
    if run.first_time is None or run.last_time is None or run.last_time < run.first_time:
        return None
    return round((run.last_time - run.first_time) * 1000, 3)


def broke_off(run: Run, grouped: Grouped) -> dict[str, Any] | None:
    """What a run without an end was in: the call that it made last and that has no answer; else its last event."""
    if status(run) != "incomplete":
        return None
    call = grouped.open.get(run.number)
    event = call.event if call else run.last
    if event is None:
        return None
    step, event.step = event.step, None  # told beside the summary
    told = {"type": event.type, "summary": event.summary(), "step": step, "open": call is not None}
    return {**told, **event.place()}


@params.command(__doc__)
@params.files
@params.priced
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...], own: Mapping[str, Rates], selection: Selection, view: View, strict: bool
) -> int:
    if selection.error:
        raise TraceError("runs tells of errors anyhow", "leave out --error")
    trace = params.reading(files, strict=strict, judging=True)
    matcher = Matcher(selection, naming=True)
    known = Prices(own)
    rows, found = runs(matcher.watch(trace), known, matcher.wants)
    rows = rows[: selection.max]
    with render.results(view, files) as results:
        results.tables(rows, spent_tables.of_runs(rows))
        results.lines(spent_tables.troubles(rows))
    spent_tables.say(known, found.numbering)
    return trace.status(rows)
