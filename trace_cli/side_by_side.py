"""Two runs beside each other, as lines: what it amounts to, the events that differ, what both took."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from trace_cli import line, readable
from trace_cli.comparison import Comparison, Difference
from trace_cli.readable import Line, Pair, Shown, Span, said
from trace_cli.side import Side
from trace_cli.streams import STDIN
from trace_cli.text import lines as text_lines
from trace_cli.text import visible
from trace_cli.usage import number

VERDICTS = {
    "same": "nothing differs",
    "output-drift": "only the model's words differ",
    "input-changed": "the agent was given something else, and did the same",
    "results-changed": "tools returned something else, and the agent did the same",
    "events-changed": "other events differ; the tools were called in the same way",
    "args-changed": "the same tools were called, with other arguments",
    "tools-reordered": "the same tools were called, in another order",
    "tools-changed": "other tools were called, or more or fewer",
    "regression": "B has an error that nothing recovered, and A has not",
}
_MARKS = {"equal": ("│", "dim"), "changed": ("~", "yellow"), "removed": ("-", "red"), "added": ("+", "green")}
PLACES = 20  # of one event that are shown
LONG = 1000  # characters of a place from which on it is folded
_OLD, _NEW = "bold red", "bold green"


def head(comparison: Comparison, summary: Mapping[str, Any]) -> Iterator[Line]:
    """Who is to blame, what it amounts to, and which run is which."""
    first = summary["first_divergence"]
    if first is not None:
        cause = f"{first['cause']}: " if first["cause"] else ""
        yield Line(((f"{cause}{visible(first['reason'])}", "bold"), (f"  {_where(first)}", "dim")))
    verdict = summary["verdict"]
    style = "bold green" if not summary["differ"] else "bold red" if verdict == "regression" else "bold yellow"
    yield Line(((verdict, style), (f"  {VERDICTS[verdict]}", "")))
    for error in summary["errors"]["new"]:
        yield _error("new in B", error, "red")
    for error in summary["errors"]["gone"]:
        yield _error("gone in B", error, "green")
    for name, side in (("A", comparison.a), ("B", comparison.b)):
        yield Line(((f"{name} ", "bold"), (visible(_run(side)), "dim")))


def _where(row: Mapping[str, Any]) -> str:
    return ", ".join(_place(row[side]["_src"]) for side in ("a", "b") if row[side])


def _place(src: Mapping[str, Any]) -> str:
    return f"{_name(src['file'])}:{src.get('line')}"


def _name(file: str) -> str:
    return "stdin" if file == STDIN else visible(str(file))


def _error(name: str, error: Mapping[str, Any], style: str) -> Line:
    told = " ".join(str(each) for each in (error.get("tool_name"), error.get("message")) if each)
    return Line(((f"{name} ✗ ", style), (visible(told), style), (f"  {_place(error['_src'])}", "dim")))


def _run(side: Side) -> str:
    if not side.events:
        return "nothing"
    file = _name(side.index.place(side.run.start)[0])
    told = (file, side.run.name, side.run.run_id, f"{side.events} events", "" if side.run.ended else "no end")
    return "  ".join(each for each in told if each)


def events(comparison: Comparison, shown: Sequence[Difference], *, marks: bool, full: bool) -> Iterator[Shown]:
    """The events that are shown, those that are not as a count."""
    behind = 0
    for each in shown:
        yield from _left_out(comparison.all[behind : each.place])
        yield from difference(comparison, each, comparison.row(each), marks=marks, full=full)
        behind = each.place + 1
    yield from _left_out(comparison.all[behind:])


def _left_out(differences: Sequence[Difference]) -> Iterator[Line]:
    counts = Counter("equal" if each.op == "equal" else "different" for each in differences)
    told = [f"{count:,} {name} event{'s'[: count != 1]}" for name, count in counts.items()]
    if told:
        yield said(f"── {', '.join(told)}", "dim")


def difference(
    comparison: Comparison, each: Difference, row: Mapping[str, Any], *, marks: bool, full: bool
) -> Iterator[Shown]:
    """An event beside its partner, and below it what differs; with `marks` in characters, not in colours alone."""
    mark, style = _MARKS[each.op]
    left, right = (_event(side, item) for side, item in ((comparison.a, each.a), (comparison.b, each.b)))
    yield Pair(left, right, (mark, style), cut=True)
    if row.get("cause") and not row["downstream"]:
        yield said(f"{row['cause']}: the runs differ from here on", "bold", 2)
    changes = row.get("changes", ())
    shown = changes if full else changes[:PLACES]
    for change in shown:
        yield said(change["path"], "cyan", 2)
        for old, new in _values(change, marks, full):
            yield Pair(old, new, _MARKS[change["op"]])
    if len(changes) > len(shown):
        yield said(f"… {len(changes) - len(shown):,} places hidden", readable.HIDDEN, 2)


def _event(side: Side, item: Any) -> Line:
    if item is None:
        return Line()
    event = side.index.event(item.number)
    failed = item.number in side.index.errors
    kind = visible(event.type or item.label or "(no type)")
    return Line(
        (
            (f"{event.src.get('line')}: ", "dim"),
            (kind, "bold red" if failed else "bold"),
            (f"  {event.summary()}", ""),
        )
    )


def _values(change: Mapping[str, Any], marks: bool, full: bool) -> Iterator[tuple[Line, Line]]:
    """What was and what is, a line each; of a long text the places that differ."""
    if "words" in change and not full:
        for hunk in change["words"]:
            yield from _beside(*(_hunk(hunk, side, change[side], marks) for side in ("a", "b")))
        return
    sides = []
    for side, style in (("a", _OLD), ("b", _NEW)):
        shown = list(_value(change[side], full)) if side in change else []
        painted = [
            Line(tuple((text, own or style) for text, own in each.spans), 2 + each.indent) for each in shown
        ]
        if marks and len(painted) == 1:
            painted = [Line(((_marked(painted[0].plain, side, True), style),), painted[0].indent)]
        sides.append(painted)
    yield from _beside(*sides)


def _hunk(hunk: Mapping[str, str], side: str, text: str, marks: bool) -> list[Line]:
    """A place in a text, with what stands around it on its line."""
    before = hunk["before"].rpartition("\n")[2]
    after = hunk["after"].partition("\n")[0]
    begins = before != hunk["before"] or text.startswith(before + hunk[side])
    ends = after != hunk["after"] or text.endswith(hunk[side] + after)
    style = _OLD if side == "a" else _NEW
    if len(hunk[side]) > LONG:
        return list(readable.text_lines(hunk[side], style=style, indent=2))
    spans = [(before if begins else f"…{before}", ""), (_marked(hunk[side], side, marks), style)]
    return list(_split([*spans, (after if ends else f"{after}…", "")]))


def _value(value: Any, full: bool) -> Iterator[Line]:
    if isinstance(value, dict | list):
        yield from readable.value_lines(value, full=full)
    else:
        yield from readable.text_lines(value if isinstance(value, str) else line.dump(value).decode(), full=full)


def _beside(left: Sequence[Line], right: Sequence[Line]) -> Iterator[tuple[Line, Line]]:
    yield from zip_longest(left, right, fillvalue=Line())


def _marked(text: str, side: str, marks: bool) -> str:
    """A text that differs, in the marks of wdiff where colours do not tell."""
    if not marks or not text:
        return text
    return f"[-{text}-]" if side == "a" else f"{{+{text}+}}"


def _split(spans: Sequence[Span]) -> Iterator[Line]:
    """Spans of a text with newlines as lines."""
    row: list[Span] = []
    for text, style in spans:
        first, *rest = text_lines(text)
        row.append((first, style))
        for each in rest:
            yield Line(tuple(row), 2)
            row = [(each, style)]
    yield Line(tuple(row), 2)


def tail(summary: Mapping[str, Any]) -> Iterator[Line]:
    """How many events differ, what both runs took, and what was not compared."""
    counts = [f"{summary[op]:,} {op}" for op in ("equal", "changed", "added", "removed")]
    if summary["drifted"]:
        other = "words" if summary["level"] == "args" else "arguments or words"
        counts[0] += f" ({summary['drifted']:,} with other {other})"
    yield said(", ".join(counts), "bold")
    if summary["approximate"]:
        yield said("the runs are too long for an exact alignment: another one may pair more events", "yellow")
    told = (
        f"{name.removesuffix('_ms').replace('_', ' ')} {_figure(name, sides['a'])} → {_figure(name, sides['b'])}"
        for name, sides in summary["metrics"].items()
        if sides["a"] is not None or sides["b"] is not None
    )
    yield said(", ".join(told))
    if summary["ignored"]:
        yield said(f"not compared: {' '.join(summary['ignored'])}", "dim")


def _figure(name: str, value: Any) -> str:
    if number(value) is None:
        return "?"
    if name == "duration_ms":
        return f"{value / 1000:,.1f} s" if value >= 1000 else f"{value:,.0f} ms"
    return f"${value:,.4f}" if name == "cost" else f"{value:,}"
