"""Lines → rows of a given width, counted in the cells of a terminal; rows → escape sequences."""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.style import Style

from trace_cli.readable import Line, Shown, Span

Row = tuple[Span, ...]


def width_of(row: Iterable[Span]) -> int:
    """Cells that a row takes."""
    return sum(cell_len(text) for text, _ in row)


def wrapped(line: Line, width: int) -> Iterator[Row]:
    """The rows of a line: broken at a space, which is left out, where the last half has one; else anywhere."""
    indent = " " * min(line.indent, width // 2)
    room = width - len(indent)
    start: Row = ((indent, ""),) if indent else ()
    text = line.plain
    if len(text) <= 2 * room and cell_len(text) <= room:
        yield (*start, *line.spans)
        return
    position = 0
    while position < len(text):
        end = upto = _fitting(text, position, room)
        if end < len(text):
            space = text.rfind(" ", position + (end - position) // 2 + 1, end + 1)
            if space > 0:
                end, upto = space, space + 1
        yield (*start, *_cut(line.spans, position, end))
        position = upto


NARROW = 60  # cells; where there are fewer, pairs stand one below the other


def rows(shown: Shown, width: int) -> Iterator[Row]:
    """The rows of a line, or of two lines beside each other."""
    if isinstance(shown, Line):
        yield from wrapped(shown, width)
    elif width < NARROW:
        equal = shown.mark[0] not in "~-+"
        for side, mark in ((shown.left, "-"), (shown.right, "+"))[: 1 if equal else 2]:
            if side.spans:
                marked = Line(((f"{' ' if equal else mark} ", shown.mark[1]), *side.spans), side.indent)
                yield from _broken(marked, width, shown.cut)
    else:
        half = (width - 3) // 2
        sides = (_broken(side, half, shown.cut) for side in (shown.left, shown.right))
        text, style = shown.mark
        for left, right in zip_longest(*sides, fillvalue=()):
            yield (*fitted(left, half), (f" {text} ", style), *right)


def _broken(line: Line, width: int, cut: bool) -> Iterator[Row]:
    if cut:
        yield fitted(((" " * line.indent, ""), *line.spans), width)
    else:
        yield from wrapped(line, width)


def _fitting(text: str, start: int, room: int) -> int:
    """Where the piece of `text` from `start` on that fits into `room` cells ends: at least one character."""
    end = min(start + room, len(text))
    piece = text[start:end]
    if piece.isascii():
        return end
    while (over := cell_len(piece) - room) > 0 and len(piece) > 1:
        piece = piece[: -max(1, over // 2)]
    end = start + len(piece)
    while end < len(text) and cell_len(text[start : end + 1]) <= room:  # what takes no room of its own
        end += 1
    return end


def _cut(spans: Iterable[Span], start: int, end: int) -> Iterator[Span]:
    """The spans between two characters of their text, counted over all of them."""
    for text, style in spans:
        if start < len(text) and end > 0 and (piece := text[max(start, 0) : end]):
            yield piece, style
        start, end = start - len(text), end - len(text)


def fitted(row: Row, width: int) -> Row:
    """A row cut to a width, with an ellipsis, or filled up with spaces."""
    cells = width_of(row)
    if cells <= width:
        return (*row, (" " * (width - cells), "")) if cells < width else row
    shown: list[Span] = []
    room = width - 1
    for text, style in row:
        cells = cell_len(text)
        if cells > room:
            shown += [(set_cell_size(text, room), style), ("…", style)]
            break
        shown.append((text, style))
        room -= cells
    return tuple(shown)


def cut(text: str, width: int) -> str:
    """A text of at most so many cells, with an ellipsis where it was longer."""
    return text if cell_len(text) <= width else plain(fitted(((text, ""),), max(width, 1)))


def tail(text: str, width: int) -> str:
    """The end of a text, at most so many cells of it, with an ellipsis where it was longer."""
    if cell_len(text) <= width:
        return text
    start = len(text)
    while start and cell_len(text[start - 1 :]) < width:
        start -= 1
    return f"…{text[start:]}"


def plain(row: Iterable[Span]) -> str:
    """The text of a row, without what is blank behind it."""
    return "".join(text for text, _ in row).rstrip()


def painted(row: Iterable[Span], color: bool = True) -> str:
    """A row for a terminal; without `color` bold and reversed text still stand out."""
    return "".join(_style(style, color).render(text, color_system=ColorSystem.STANDARD) for text, style in row)


@cache
def _style(name: str, color: bool) -> Style:
    found = Style.parse(name)
    return found if color else Style(reverse=found.reverse, bold=found.bold)
