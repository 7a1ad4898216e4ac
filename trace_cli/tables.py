"""Figures for eyes: tables whose cells are text, with small bars."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

BLOCKS = " ▏▎▍▌▋▊▉"
BAR = 8  # cells of the longest bar
GAP = 2  # cells between two columns


class Column(NamedTuple):
    """A heading, and the text of each row below it: figures, or `names`, or bars, which have no heading.

    `styles` are those of some texts.
    """

    name: str
    cells: Sequence[str]
    names: bool = False
    styles: Mapping[str, str] = {}


class Table(NamedTuple):
    """A title, and columns below it."""

    title: str
    columns: Sequence[Column]

    def within(self, width: int) -> Sequence[Column]:
        """The columns that are to be shown in so many cells: without the bars, if these leave names no room."""
        room = width + GAP - sum(GAP + max(map(len, (each.name, *each.cells))) for each in self.columns)
        return self.columns if room >= 0 else [each for each in self.columns if each.name]


def table(title: str, names: Sequence[Column], columns: Iterable[Column]) -> list[Table]:
    """A table of the columns that say something, behind the names of the rows; none where no column does."""
    telling = [column for column in columns if any(column.cells)]
    return [Table(title, [*names, *telling])] if telling else []


def bars(values: Iterable[float | None]) -> list[str]:
    """A bar for each value, as long as it is beside the largest one; none where there is but one to show."""
    known = list(values)
    most = max((value for value in known if value is not None), default=0)
    if len(known) < 2 or most <= 0:
        return ["" for _ in known]
    return [_bar((value or 0) / most) for value in known]


def _bar(share: float) -> str:
    eighths = max(0, round(share * BAR * 8))
    if not eighths and share > 0:
        eighths = 1
    return f"{'█' * (eighths // 8)}{BLOCKS[eighths % 8]}".rstrip()


def whole(value: float | None) -> str:
    """A number with its thousands apart; nothing for 0, and for what is not known."""
    return f"{value:,}" if value else ""


def money(value: float | None) -> str:
    """US dollars, at least two digits of them; nothing for what is not known."""
    if value is None:
        return ""
    digits = 2
    while digits < 6 and 0 < value < 10 ** (1 - digits):
        digits += 1
    return f"${value:,.{digits}f}"


def span(milliseconds: float | None) -> str:
    """A duration."""
    if milliseconds is None:
        return ""
    if not milliseconds:
        return "0 ms"
    if milliseconds < 1:
        return f"{milliseconds * 1000:.0f} µs"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"
