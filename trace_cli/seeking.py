"""What takes time in a stepping session, a slice at a time: filter, search, and errors that are not read yet."""

from dataclasses import replace

from trace_cli.errors import TraceError, first_line
from trace_cli.finding import Spent
from trace_cli.state import Seek, State, jump, pane_of, pane_size, scrolled, to, to_error, to_unrecovered


def waiting(state: State) -> bool:
    """Whether `advance` has something to do: not while only what is still to be read could help."""
    index, chosen, seek = state.index, state.filter, state.seek
    if not len(index):
        return False
    if chosen is not None and not chosen.complete(index):
        return True
    if seek is None:
        return False
    if seek.kind == "filter":
        return index.complete or chosen is None or bool(chosen.numbers)
    return seek.kind == "search" or index.complete or seek.at != len(index)


def advance(state: State, spent: Spent) -> State:
    """Goes on with filter and search, until done or the time is over."""
    if state.filter is not None and not state.filter.complete(state.index):
        numbers = state.filter.numbers
        at_end = state.following and (not numbers or state.position >= numbers[-1])
        try:
            state.filter.advance(state.index, spent)
        except TraceError as error:
            return replace(state, filter=None, seek=None, note=first_line(error))
        if at_end and state.filter.numbers:
            state = to(state, max(state.position, state.filter.numbers[-1]))
    seek = state.seek
    if seek is None or not len(state.index):
        return state
    try:
        return _SEEKS[seek.kind](state, seek, spent)
    except TraceError as error:  # the file is not what it was
        return replace(state, seek=None, note=first_line(error))


def _seek_error(state: State, seek: Seek, spent: Spent) -> State:
    return to_error(replace(state, seek=None, note=""), 1)


def _seek_unrecovered(state: State, seek: Seek, spent: Spent) -> State:
    return to_unrecovered(replace(state, seek=None, note=""))


def _seek_search(state: State, seek: Seek, spent: Spent) -> State:
    search, index = state.search, state.index
    if search is None:
        return replace(state, seek=None)
    at, left = seek.at, seek.left
    while left > 0 and not spent():
        left -= 1
        at = (at + seek.step) % len(index)
        if (state.filter is None or state.filter.holds(at)) and search.matches(index.raw(at)):
            round_end = at <= state.position if seek.step > 0 else at >= state.position
            note = ("the only hit" if at == state.position else "went round the end") if round_end else ""
            return _shown_hit(replace(jump(replace(state, seek=None), at), note=note))
    if left:
        done = 100 * (seek.left and len(index) - left) // len(index)
        return replace(state, seek=replace(seek, at=at, left=left), note=f"searching … {done} %")
    return replace(state, seek=None, note=f"nothing has {search.text!r}")


def _shown_hit(state: State) -> State:
    """Scrolled to the first row that has what was sought; texts are unfolded where it is hidden."""
    for full in dict.fromkeys((state.full, True)):
        there = replace(state, full=full)
        room = pane_size(there)[1] - 1  # the last row may have to say that there is more
        rows = pane_of(there).rows(0, 5_000)
        for number, row in enumerate(rows):
            if state.search and state.search.shown.search("".join(text for text, _ in row)):
                return scrolled(replace(there, scroll=max(0, number - room // 2) if number >= room else 0), 0)
    return state


def _seek_filter(state: State, seek: Seek, spent: Spent) -> State:
    """The position follows its event: it stays if the filter lets that through, else it goes to the next."""
    chosen = state.filter
    if chosen is None:
        return replace(state, seek=None)
    place = chosen.position(seek.at)
    if place < len(chosen.numbers) or chosen.complete(state.index):
        number = chosen.near(seek.at)
        if number is None and not state.index.complete:
            return state
        none = f"nothing matches {chosen.text or 'the selection'}: f changes it, Esc shows all again"
        return to(replace(state, seek=None, note=""), number, none)
    return replace(state, note=f"filtering … {100 * chosen.scanned // len(state.index)} %")


_SEEKS = {"error": _seek_error, "search": _seek_search, "filter": _seek_filter, "unrecovered": _seek_unrecovered}
