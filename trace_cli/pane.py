"""The pane beside the list: the card of an event, its conversation, what is new in it, its raw JSON, or help."""

import re
from collections.abc import Iterator
from functools import lru_cache

from trace_cli import attached, card, conversation, conversation_card, delta, layout, links, readable
from trace_cli.errors import TraceError
from trace_cli.index import Index
from trace_cli.layout import Row
from trace_cli.readable import Line, said

CARD, CONVERSATION, DELTA, RAW, HELP = "card", "conversation", "delta", "raw", "help"
KEPT = 16  # panes whose rows stay in memory
ENOUGH = 50_000  # rows of a pane; behind them nobody scrolls

HELP_COLUMN = 38  # where the second column begins
HELP_TEXT = """\
n p ↓ ↑   next, previous event        { }      turn before, next turn
e E       next, previous error        x        first error without recovery
o         call to result, and back    u        what led here
[ ]       back, forward after jumps   g G      first, last event
:7 j7     event 7                     :+90s    90 s into the run
:-5s      5 s before this event       :03:17   that time of day
/         search; n N next, previous  f        filter; Esc ends either
m '       mark, next mark             y        note FILE:LINE for the end
Space b   scroll down, up             z        unfold long texts, fold
c         the conversation here       d        what is new in it
i         raw JSON                    F        follow a file that grows
Enter     end, print this event       W        end, print the marked ones
q         end, print nothing          ?        these keys
"""


class Pane:
    """The rows of a pane, laid out as far as they were asked for."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rest = rows
        self._rows: list[Row] = []
        self.whole = False

    def rows(self, start: int, count: int) -> list[Row]:
        """`count` rows from `start` on, fewer at the end."""
        self._lay_out(start + count)
        return self._rows[start : start + count]

    def clamped(self, start: int, count: int) -> int:
        """The nearest start from which `count` rows are filled."""
        self._lay_out(start + count)
        return max(0, min(start, len(self._rows) - count))

    def end(self, count: int) -> int:
        """The start of the last `count` rows."""
        self._lay_out(ENOUGH)
        return max(0, len(self._rows) - count)

    @property
    def laid_out(self) -> int:
        """How many rows there are, as far as is known."""
        return len(self._rows)

    def _lay_out(self, upto: int) -> None:
        while len(self._rows) < min(upto, ENOUGH) and not self.whole:
            row = next(self._rest, None)
            if row is None:
                self.whole = True
            else:
                self._rows.append(row)


def pane(index: Index, number: int, view: str, full: bool, width: int) -> Pane:
    """The pane of an event at a width; kept for as long as nothing more is known of the event."""
    if view == HELP:
        return Pane(_wrapped((said(each) for each in _help(width)), width))
    partner = links.partner(index, number)
    run = index.run(number)
    known = (index.complete, run.ended, run.name, _error_known(index, number), _error_known(index, partner))
    return _pane(index, number, partner, view, full, width, known)


def _error_known(index: Index, number: int | None) -> object:
    """What can still change of what is told of an event's error."""
    error = None if number is None else index.errors.get(number)
    return error and str(error.get("recovered"))


def _help(width: int) -> list[str]:
    """The keys, in two columns or in one."""
    rows = HELP_TEXT.splitlines()
    if width >= max(map(len, rows)):
        return rows
    halves = [row[:HELP_COLUMN] for row in rows] + [row[HELP_COLUMN:] for row in rows]
    return ["{:<10}{}".format(*re.split("  +", half.strip(), maxsplit=1)) for half in halves]


@lru_cache(maxsize=KEPT)
def _pane(
    index: Index, number: int, partner: int | None, view: str, full: bool, width: int, known: tuple[object, ...]
) -> Pane:
    return Pane(_wrapped(_lines(index, number, partner, view, full), width))


def _wrapped(lines: Iterator[Line], width: int) -> Iterator[Row]:
    for each in lines:
        yield from layout.wrapped(each, width)


def _lines(index: Index, number: int, partner: int | None, view: str, full: bool) -> Iterator[Line]:
    try:
        if view == RAW:
            yield from readable.json_lines(index.raw(number))
        elif view == CONVERSATION:
            yield from conversation_card.lines(
                conversation.at(index.backwards(number)), full, state=attached.at(index.backwards(number))
            )
        elif view == DELTA:
            yield from _new_lines(index, number, full)
        else:
            yield from card.lines(shown(index, number, partner), full)
    except TraceError as error:
        yield from readable.text_lines(str(error), style="red")


def _new_lines(index: Index, number: int, full: bool) -> Iterator[Line]:
    context = conversation.at(index.backwards(number))
    before = (
        None if context is None else delta.previous(context.request, links.before_of(index, context.request.index))
    )
    yield from conversation_card.changed_lines(context, before, full)


def shown(index: Index, number: int, partner: int | None) -> card.Shown:
    """What the card of an event is about."""
    run = index.run(number)
    return card.Shown(
        index.event(number),
        None if partner is None else index.event(partner),
        index.errors.get(number),
        None if partner is None else index.errors.get(partner),
        run.name,
        index.since_start(number),
        run.ended or index.complete,
    )
