"""The state of a stepping session, where things stand on its screen, and how it moves over a trace."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from trace_cli import links, pane
from trace_cli.finding import Filter, Search
from trace_cli.index import Index
from trace_cli.selection import Selection

SIDE_BY_SIDE = 100  # columns from which list and pane stand beside each other
SMALLEST = (30, 8)
REMEMBERED = 100  # jumps


@dataclass(frozen=True, slots=True)
class Seek:
    """A wish that takes time: for an `error`, the first `unrecovered` one, a hit of the `search`, or the `filter`.

    `at` is where a search stands, or of how many events it is known that they do not help; `left` how many events
    a search has still to look at.
    """

    kind: str
    step: int = 1
    at: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """A line that is being typed behind `/`, `:` or `f`."""

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """Where a session stands. `position` is the number of the current event.

    `marks` are in order; `behind` and `ahead` the places before and after in the history of jumps. `ended` says
    with what the session ended: `quit`, `event` or `marked`. `noted` are places that were asked for. `parse` makes
    a selection of what is typed as a filter, or raises ValueError.
    """

    index: Index
    parse: Callable[[str], Selection]
    size: tuple[int, int] = (100, 30)  # columns, lines
    position: int = 0
    view: str = pane.CARD
    scroll: int = 0
    full: bool = False
    marks: tuple[int, ...] = ()
    behind: tuple[int, ...] = ()
    ahead: tuple[int, ...] = ()
    filter: Filter | None = None
    search: Search | None = None
    prompt: Prompt | None = None
    seek: Seek | None = None
    note: str = ""
    following: bool = False
    noted: tuple[str, ...] = ()
    ended: str = ""


def side_by_side(state: State) -> bool:
    """Whether list and pane stand beside each other."""
    return state.size[0] >= SIDE_BY_SIDE


def list_size(state: State) -> tuple[int, int]:
    """Columns and rows of the list of events."""
    columns, lines = state.size
    if side_by_side(state):
        return max(40, min(72, columns * 2 // 5)), lines - 2
    return columns, max(3, (lines - 3) // 3)


def pane_size(state: State) -> tuple[int, int]:
    """Columns and rows of the pane."""
    columns, lines = state.size
    if side_by_side(state):
        return columns - list_size(state)[0] - 3, lines - 2
    return columns, lines - 3 - list_size(state)[1]


def pane_of(state: State) -> pane.Pane:
    """What the pane holds."""
    return pane.pane(state.index, state.position, state.view, state.full, pane_size(state)[0])


def to(state: State, number: int | None, none: str = "") -> State:
    """On an event; without one, where it was, and with a note."""
    if number is None:
        return replace(state, note=none)
    if number == state.position:
        return state
    return replace(state, position=number, scroll=0)


def jump(state: State, number: int | None, none: str = "") -> State:
    """As `to`, noted in the history; lifts a filter that hides the event."""
    if number is None or number == state.position:
        return replace(state, note="" if number is not None else none)
    behind = (*state.behind, state.position)[-REMEMBERED:]
    return lifted(replace(to(state, number), behind=behind, ahead=()))


def lifted(state: State) -> State:
    """Without its filter, if that hides the current event."""
    if state.filter is not None and not state.filter.holds(state.position):
        return replace(state, filter=None, note=f"the filter hid event {state.position}: it is off now")
    return state


def neighbour(state: State, step: int) -> int | None:
    """The next event that the filter lets through, forward or backward."""
    if state.filter is None:
        number = state.position + step
        return number if 0 <= number < len(state.index) else None
    place = state.filter.position(state.position)
    if step < 0 or state.filter.holds(state.position):
        place += step
    return state.filter.numbers[place] if 0 <= place < len(state.filter.numbers) else None


def first(state: State) -> int:
    """The first event that the filter lets through."""
    return state.filter.numbers[0] if state.filter and state.filter.numbers else 0


def last(state: State) -> int:
    """The last event that the filter lets through."""
    return state.filter.numbers[-1] if state.filter and state.filter.numbers else len(state.index) - 1


def to_error(state: State, step: int) -> State:
    """To the next error that the filter lets through, or a wish for one where more is being read."""
    number = links.error(state.index, state.position, step)
    while number is not None and state.filter and not state.filter.holds(number):
        number = links.error(state.index, number, step)
    if number is None and step > 0 and not state.index.complete:
        return replace(state, seek=Seek("error", at=len(state.index)), note="no error yet, reading on …")
    return jump(state, number, f"no error {'behind' if step > 0 else 'before'} this event")


def to_unrecovered(state: State) -> State:
    """To the first error that nothing recovered, of this run or another, or a wish for one."""
    number = links.unrecovered(state.index, state.position)
    if number is None and not state.index.complete:
        return replace(state, seek=Seek("unrecovered", at=len(state.index)), note="no error yet, reading on …")
    return jump(state, number, "no error without recovery")


def scrolled(state: State, rows: int) -> State:
    """The pane so many rows further down, up for a negative number, no further than it goes."""
    room = pane_size(state)[1]
    if len(state.index) == 0 or room < 1:
        return state
    return replace(state, scroll=pane_of(state).clamped(state.scroll + rows, room))


def sought(state: State, step: int) -> State:
    """A wish for the next hit of the search, forward or backward."""
    return replace(state, seek=Seek("search", step, state.position, len(state.index)))
