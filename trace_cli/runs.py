"""Which run of a trace is meant: its only one, or by id or name."""

from fnmatch import fnmatchcase

from trace_cli.errors import TraceError
from trace_cli.index import Index, Run
from trace_cli.text import clock, visible

SHOWN = 20  # runs that an error lists


def chosen(index: Index, wanted: str | None, label: str, option: str) -> Run:
    """The run whose id or name is `wanted`, a glob too; without one the only one. An empty trace has an empty run.

    Raises TraceError, which lists the runs, where it is not one. `option` is how to say which.
    """
    found = [run for run in index.runs if wanted is None or _is(index, run, wanted)]
    if len(found) == 1:
        return found[0]
    if not index.runs and wanted is None:
        return Run(0, 0, None)
    if not found:
        raise TraceError(f"{label}: no run is {wanted!r}", _listed(index, index.runs, "its runs"))
    several = f"{len(found)} runs" if wanted is None else f"{len(found)} runs that are {wanted!r}"
    raise TraceError(f"{label}: holds {several}", _listed(index, found, f"say which one with {option}"))


def _is(index: Index, run: Run, wanted: str) -> bool:
    first = index.event(run.start)
    original = first.payload.get("original") if first.type == "run.started" else None
    given = original.get("run_id") if isinstance(original, dict) else None
    return any(isinstance(name, str) and fnmatchcase(name, wanted) for name in (run.run_id, run.name, given))


def _listed(index: Index, runs: list[Run], title: str) -> str:
    if not runs:
        return f"{title}: none"
    rows = [_row(index, run) for run in runs[:SHOWN]]
    if len(runs) > SHOWN:
        rows.append(f"    and {len(runs) - SHOWN} more")
    return "\n".join([f"{title}:", *rows])


def _row(index: Index, run: Run) -> str:
    told = (clock(index.time(run.start)), run.run_id or index.place(run.start)[0], run.name or "")
    return visible(f"    {' '.join(told)}".rstrip())
