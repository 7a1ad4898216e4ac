"""The screen of a stepping session as rows: header, list of events, pane, foot. Only what shows is read."""

from functools import lru_cache

from trace_cli import links
from trace_cli.card import color_of
from trace_cli.errors import TraceError
from trace_cli.index import Index
from trace_cli.layout import Row, cut, fitted, tail
from trace_cli.state import SMALLEST, State, list_size, pane_of, pane_size, side_by_side
from trace_cli.text import visible

LONGEST = 400  # characters that are looked at of a name or a type: few screens are wider
LARGE = 400_000  # bytes of an event that is not parsed for its row in the list
KEYS = (  # what the foot says, on a wide screen and on narrow ones
    "n p step  e E error  x unrecovered  o other half  u cause  / search  f filter  c d conversation  ? help  q",
    "n p step  e error  o half  u cause  c conversation  ? help  q quit",
    "n p step  e error  o half  u cause  ? help  q quit",
)
MORE = "… more: Space"


def frame(state: State) -> list[Row]:
    """The rows of the screen, each as wide as it, from top to bottom."""
    columns, lines = state.size
    if columns < SMALLEST[0] or lines < SMALLEST[1]:
        least = f"{SMALLEST[0]}x{SMALLEST[1]} at least"
        text = f"{columns}x{lines} is too small: {least}"
        told = fitted(((text if len(text) <= columns else least, ""),), columns)
        return [told] + [fitted((), columns)] * (lines - 1)
    rows = [_header(state)]
    if not len(state.index):
        middle = "waiting for the first event …" if not state.index.complete else "no events"
        body = [((middle, "dim"),), *[()] * (lines - 3)]
        return [fitted(row, columns) for row in (*rows, *body, _foot(state))]
    width, height = list_size(state)
    pane_width, pane_height = pane_size(state)
    listed = _list(state, width, height)
    shown = pane_of(state).rows(state.scroll, pane_height + 1)
    if len(shown) > pane_height:
        shown[pane_height - 1 :] = [((MORE, "dim"),)]
    shown += [()] * (pane_height - len(shown))
    if side_by_side(state):
        rows += [
            (*fitted(left, width), (" │ ", "dim"), *fitted(right, pane_width))
            for left, right in zip(listed, shown, strict=True)
        ]
    else:
        rows += [*listed, ((f"─── {state.view} ".ljust(columns, "─"), "dim"),), *shown]
    return [fitted(row, columns) for row in (*rows, _foot(state))]


def _header(state: State) -> Row:
    """Run, position, time, tokens, cost, errors."""
    index, position = state.index, state.position
    if not len(index):
        return (("", ""),)
    run = index.run(position)
    file = index.place(position)[0]
    name = run.name or run.run_id or ("stdin" if file == "-" else file)
    since = index.since_start(position)
    reading = "" if index.complete else "+"
    parts = []
    errors = len(index.error_numbers)
    if state.filter is not None:
        chosen = state.filter
        place = f"{chosen.position(position) + 1} of " if chosen.holds(position) else ""
        what = f"with {cut(visible(chosen.text), state.size[0] // 4)}" if chosen.text else "selected"
        parts.append(f"{place}{len(chosen.numbers):,} {what}")
    if since is not None:
        parts.append(f"{since:+.3f} s")
    if run.tokens.output:
        parts.append(f"{run.tokens.input:,}→{run.tokens.output:,} tokens")
    if run.cost:
        parts.append(f"${run.cost:.4f}")
    if len(index.runs) > 1:
        parts.append(f"{len(index.runs):,} runs")
    if state.marks:
        parts.append(f"{len(state.marks)} marked")
    return (
        (f" {cut(visible(name[:LONGEST]), state.size[0] // 3)} ", "bold reverse"),
        (f"  {position} of {len(index):,}{reading}  ", "bold"),
        (f"✗ {errors:,} error{'s'[: errors != 1]}" if errors else "no errors", "bold red" if errors else "dim"),
        ("  following" if state.following else "", "green"),
        ("  " + " · ".join(parts), ""),
    )


def _foot(state: State) -> Row:
    if state.prompt is not None:
        label = {"/": "/", ":": ":", "f": "filter: "}[state.prompt.kind]
        room = state.size[0] - len(label) - 1
        return ((label, "bold"), (tail(visible(state.prompt.text), room), ""), (" ", "reverse"))
    if state.note:
        return ((visible(state.note), "yellow"),)
    if state.search is not None:
        return (
            ("search ", "dim"),
            (visible(state.search.text), "bold"),
            ("  n next  N previous  Esc ends it", "dim"),
        )
    return ((next((keys for keys in KEYS if len(keys) <= state.size[0]), KEYS[-1]), "dim"),)


def _list(state: State, width: int, height: int) -> list[Row]:
    """The rows of events around the current one, as many as fit."""
    index = state.index
    numbers = state.filter.numbers if state.filter is not None else range(len(index))
    place = state.filter.position(state.position) if state.filter is not None else state.position
    start = max(0, min(place - height // 2, len(numbers) - height))
    around = list(numbers[start : start + height])
    partner = links.partner(index, state.position)
    digits = len(str(len(index) - 1))
    rows = [_event_row(state, number, partner, digits, width) for number in around]
    return rows + [()] * (height - len(rows))


def _event_row(state: State, number: int, partner: int | None, digits: int, width: int) -> Row:
    index = state.index
    current = number == state.position
    failed = number in index.errors
    kind = index.type(number) or "(no type)"
    marks = ">" if current else " "
    marks += "●" if number in state.marks else " "
    marks += "✗" if failed else "↔" if number == partner else " "
    style = "bold red" if failed else color_of(kind)
    text = _summary(index, number, failed)
    row: Row = (
        (marks, "bold red" if failed else "bold"),
        (f"{number:>{digits}} ", "dim"),
        (f"{visible(kind[:LONGEST]):<14} ", style),
        (text, ""),
    )
    row = fitted(row, width)
    return tuple((text, f"{style} reverse".strip()) for text, style in row) if current else row


@lru_cache(maxsize=4096)
def _summary(index: Index, number: int, failed: bool) -> str:
    if index.size(number) > LARGE:
        return f"({index.size(number) / 1e6:.1f} MB)"
    try:
        said = index.event(number).summary()[:200]
    except TraceError as error:
        return visible(str(error))[:200]
    told = str(index.errors[number].get("message")) if failed else ""
    return said if "✗" in said or not told else f"✗ {visible(told)[:120]}  {said}"
