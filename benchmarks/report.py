"""Figures → tables: plain text of at most WIDTH columns, or Markdown as the README shows it."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from recorders import LOGGING, OTEL

Figures = dict[str, Any]  # what `capture.py --json` prints: "machine", and for each part its rows

WIDTH = 100  # columns of the plain text, at most
_REDACTION = "what redaction adds"


def text(figures: Figures) -> str:
    """Return a table for each part that there is."""
    machine = "\n".join(
        fill(value, WIDTH, initial_indent=f"{name + ':':10}", subsequent_indent=" " * 10, break_on_hyphens=False)
        for name, value in figures["machine"].items()
    )
    return "\n\n".join([machine, *(section(figures[part]) for part, section in _TEXT.items() if part in figures)])


def markdown(figures: Figures) -> str:
    """Return the same in short: ratios instead of times."""
    machine = figures["machine"]
    measured = f"Measured {machine['date']} on {machine['cpu']}, {machine['kernel']}, {machine['python']}"
    parts = [section(figures[part]) for part, section in _MARKDOWN.items() if part in figures]
    if "cost" in figures:
        parts.insert(0, _overview(figures["cost"], figures.get("loss", [])))
    return "\n\n".join([*parts, f"{measured}; {machine['versions']}."])


# --- plain text ------------------------------------------------------------------------------------------------


def _cost(blocks: list[Figures]) -> str:
    header = ["", "median µs", "p99 µs", f"× {OTEL}", f"× {LOGGING}", "CPU µs"]
    tables = []
    for block in blocks:
        rows = []
        for row in block["rows"]:
            ratios = [_ratio(row["to_otel"]), _ratio(row["to_logging"])]
            rows.append(
                [row["recorder"], f"{row['median']:.1f}", f"{row['p99']:.1f}", *ratios, f"{row['cpu']:.0f}"]
            )
        for name, added in block["redaction"].items():
            rows.append([f"({_REDACTION}, {name})", f"{added:.1f}", "", "", "", ""])
        tables.append(f"{block['mode']}, {block['size']}\n" + _table(header, rows))
    title = "What one event costs: the time of the call, and the CPU of the process with what it does later"
    return "\n\n".join([title, *tables])


def _loss(rows: list[Figures]) -> str:
    header = ["", "mode", "runs", "recorded", "lost", "", "worst run"]
    lines = [
        [
            row["recorder"],
            row["mode"],
            str(len(row["lost"])),
            str(sum(row["recorded"])),
            str(sum(row["lost"])),
            f"{sum(row['lost']) / sum(row['recorded']):.1%}",
            f"{max(row['lost'])} of {max(row['recorded'])}",
        ]
        for row in rows
    ]
    return "What is lost when the process is killed (SIGKILL) right after its last call\n\n" + _table(
        header, lines
    )


def _calls(rows: list[Figures]) -> str:
    header = ["", "", "first token ms", "added", "", "total ms", "added", "", "CPU ms"]
    lines = [
        [
            row["client"],
            row["kind"],
            *(f"{row['first']:.2f}", f"{row['first_added']:+.2f}", f"{row['first_added'] / row['first']:+.2%}"),
            *(f"{row['total']:.2f}", f"{row['total_added']:+.2f}", f"{row['total_added'] / row['total']:+.2%}"),
            f"{row['cpu']:.2f}",
        ]
        for row in rows
    ]
    return "What a model call takes, through the SDK, from a server that answers after 100 ms\n\n" + _table(
        header, lines
    )


def _memory(rows: list[Figures]) -> str:
    header = ["", *(f"{calls} calls" for calls in rows[0]["calls"])]
    lines = [[row["client"], *(f"{peak / 1024:.1f} MiB" for peak in row["peaks"])] for row in rows]
    return "Peak of resident memory after so many model calls, half of them streamed\n\n" + _table(header, lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in (header, *rows)
    )


# --- Markdown --------------------------------------------------------------------------------------------------


def _overview(blocks: list[Figures], losses: list[Figures]) -> str:
    """One row for each recorder, as multiples of OpenTelemetry's: the time of the call for one event, and the CPU
    of the process with what it does later; and what a kill costs.
    """
    header = ["call / CPU of one event", *(f"{block['size']}, {block['mode']}" for block in blocks)]
    cpus = [next(row["cpu"] for row in block["rows"] if row["recorder"] == OTEL) for block in blocks]
    lost: dict[str, tuple[int, int]] = {}
    for row in losses:
        missing, recorded = lost.get(row["recorder"], (0, 0))
        lost[row["recorder"]] = (missing + sum(row["lost"]), recorded + sum(row["recorded"]))
    if lost:
        header.append("lost on SIGKILL")
    lines = []
    for rows in zip(*(block["rows"] for block in blocks), strict=True):
        name = rows[0]["recorder"]
        if rows[0]["to_otel"] is None:  # no recorder
            continue
        cells = [
            f"{row['median']:.0f} / {row['cpu']:.0f} µs"
            if name == OTEL
            else f"{_ratio(row['to_otel'])} / {cpu:.2f}"
            for row, cpu in ((row, row["cpu"] / of_otel) for row, of_otel in zip(rows, cpus, strict=True))
        ]
        if lost:
            missing, recorded = lost[name]
            cells.append(f"{missing / recorded:.0%}" if missing in (0, recorded) else f"{missing / recorded:.1%}")
        lines.append([name, *cells])
    return _pipes(header, lines)


def _calls_short(rows: list[Figures]) -> str:
    header = ["model call through the SDK", "first token", "added", "total", "added"]
    lines = [
        [
            f"{row['kind']}, {row['client']}",
            *(f"{row['first']:.1f} ms", f"{row['first_added'] / row['first']:+.2%}"),
            *(f"{row['total']:.1f} ms", f"{row['total_added'] / row['total']:+.2%}"),
        ]
        for row in rows
    ]
    return _pipes(header, lines)


def _memory_short(rows: list[Figures]) -> str:
    header = ["peak memory after", *(f"{calls} calls" for calls in rows[0]["calls"])]
    return _pipes(header, [[row["client"], *(f"{peak / 1024:.1f} MiB" for peak in row["peaks"])] for row in rows])


def _pipes(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))


def _ratio(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"


_TEXT = {"cost": _cost, "loss": _loss, "calls": _calls, "memory": _memory}
_MARKDOWN = {"calls": _calls_short, "memory": _memory_short}
