"""The rows of `stats` and `runs` for eyes, and what is to be said of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trace_cli.event import seconds
from trace_cli.numbering import Numbering
from trace_cli.prices import EXTRA, Prices
from trace_cli.readable import Line
from trace_cli.reading import talk
from trace_cli.tables import Column, Table, bars, money, span, table, whole
from trace_cli.text import clock, day, visible

Row = Mapping[str, Any]
_STYLES = {"ok": "green", "failed": "bold red", "incomplete": "yellow"}
LONGEST = 48  # characters of a name; of a longer one the end is shown
SHOWN = 3  # models, or runs, that are named in a line of talk


def of_stats(rows: Sequence[Row], by: str | None) -> Iterator[Table]:
    """What was called and spent, and how long that took; of tools apart."""
    names = [Column(by, _names(rows, by), names=True)] if by else []
    if by == "tool":
        columns = (_counts(rows, name) for name in ("calls", "errors", "orphans"))
        yield from table("", names, (*columns, *_times(rows, "duration_ms")))
        return
    steps = (_counts(rows, "steps", "times"), *_times(rows, "step_ms")) if by == "step" else ()
    spent = (*(_counts(rows, name) for name in ("calls", "errors", "retries", "orphans")), *_spent(rows))
    tools = (_counts(rows, "tool_calls", "calls"), _counts(rows, "tool_errors", "errors"))
    yield from table("steps", names, steps)
    yield from table("calls of a model" if steps else "", names, spent)
    yield from table("latency", names, _times(rows, "latency_ms"))
    yield from table("to the first byte of a stream", names, _times(rows, "ttft_ms"))
    yield from table("tools", names, (*tools, *_times(rows, "tool_ms")))


def _names(rows: Sequence[Row], by: str) -> list[str]:
    """What the rows are called; runs by their names, with the first part of their ids where these are the same."""
    if by != "run":
        return ["(none)" if row[by] is None else _short(str(row[by])) for row in rows]
    names = Counter(row["name"] for row in rows)
    return [
        _short(
            f"{row['name']} {row['run'][:13]}"
            if row["name"] and names[row["name"]] > 1
            else row["name"] or row["run"]
        )
        for row in rows
    ]


def _short(name: str) -> str:
    return visible(name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}")


def _counts(rows: Sequence[Row], key: str, name: str = "") -> Column:
    return Column(name or key, [whole(row[key]) for row in rows])


def _times(rows: Sequence[Row], key: str) -> list[Column]:
    spreads = [row[key] or {} for row in rows]
    columns = [Column(name, [span(each.get(name)) for each in spreads]) for name in ("p50", "p90", "p99", "max")]
    return [*columns, Column("", bars(each.get("p90") for each in spreads))]


def _spent(rows: Sequence[Row]) -> Iterator[Column]:
    costs = [row["cost"] for row in rows]
    shares = costs if any(cost is not None for cost in costs) else [row["input_tokens"] for row in rows]
    yield Column("tokens", [_tokens(row) for row in rows])
    yield Column("cached", [whole(row["cache_read_tokens"]) for row in rows])
    yield Column("cost", [_cost(row) for row in rows])
    yield Column("", bars(shares))


def _tokens(row: Row) -> str:
    return "" if row["input_tokens"] is None else f"{row['input_tokens']:,}→{row['output_tokens']:,}"


def _cost(row: Row) -> str:
    """What is known of the cost; more where some answers have no price."""
    known = money(row["cost"])
    return f"> {known}" if known and row["unpriced"] else known


def of_runs(rows: Sequence[Row]) -> Iterator[Table]:
    """One line a run."""
    states = Column("status", [row["status"] or "" for row in rows], names=True, styles=_STYLES)
    columns = (
        Column("began", _began(rows)),
        Column("took", [span(row["duration_ms"]) for row in rows]),
        Column("", bars(row["duration_ms"] for row in rows)),
        *(_counts(rows, name) for name in ("events", "errors", "missing")),
        Column("cost", [_cost(row) for row in rows]),
        Column(
            "run", [_short(str(row["name"] or row["run_id"] or row["_src"]["file"])) for row in rows], names=True
        ),
    )
    yield from table("", (states,), columns)


def _began(rows: Sequence[Row]) -> list[str]:
    """When runs began: the time, behind the day where there are several."""
    times = [seconds(row["started"]) for row in rows]
    days = [None if time is None else day(time) for time in times]
    several = len({each for each in days if each}) > 1
    clocks = [clock(time).partition(".")[0] for time in times]
    return [f"{each[5:]} {time}" if several and each else time for each, time in zip(days, clocks, strict=True)]


def troubles(rows: Sequence[Row]) -> Iterator[Line]:
    """What there is to say of runs that did not go well, or are not whole."""
    for row in rows:
        error, broke_off, gaps = row["first_error"], row["broke_off"], row["gaps"]
        told = []
        if broke_off:
            where = f" in step {_short(broke_off['step'])}" if broke_off["step"] else ""
            word = "no answer to" if broke_off["open"] else "the last event is"
            told.append((f"{word} {broke_off['type']} {broke_off['summary']}{where}", "yellow"))
        if error:
            place = f"{error['_src']['file']}:{error['_src'].get('line')}"
            after = ", recovered" if error["recovered"] else ""
            step = f" in step {_short(error['step'])}" if error["step"] else ""
            tool = f"{error['tool_name']} ✗ " if error["tool_name"] else "✗ "
            told.append((f"{place}: {tool}{error['message']}{step}{after}", "" if error["recovered"] else "red"))
        if gaps:
            ranges = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in gaps)
            more = " …" if row["missing"] > sum(b - a + 1 for a, b in gaps) else ""
            told.append((f"{row['missing']:,} events are not here: {ranges}{more}", "yellow"))
        if told:
            yield Line()
            names = " ".join(filter(None, (row["name"], row["run_id"] or row["_src"]["file"])))
            yield Line(((visible(names), "bold"),))
            yield from (Line(((visible(text), style),), 2) for text, style in told)


def say(prices: Prices, numbering: Numbering) -> None:
    """Says what the figures leave out, and what is odd about the runs."""
    if prices.unknown:
        listed = ", ".join(f"{model} ({count})" for model, count in prices.unknown.most_common(SHOWN))
        more = f" and {len(prices.unknown) - SHOWN} more" if len(prices.unknown) > SHOWN else ""
        how = f"{EXTRA}, or give them with --prices FILE" if prices.missing else "give them with --prices FILE"
        talk(f"trace: no price is known for {listed}{more}: the cost leaves them out; {how}")
    if prices.untold:
        talk(f"trace: answers that do not say their tokens: {prices.untold}; tokens and cost leave them out")
    if numbering.repeated:
        talk(f"trace: events that are there twice, and count once: {numbering.repeated}")
    for run_id, count in list(numbering.shared.items())[:SHOWN]:
        talk(f"trace: {count} runs have the id {run_id}: they are told apart by when they began")
