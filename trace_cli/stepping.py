"""The stepping session: what a key makes of a state. Pure: what it finds it finds in the index of the trace."""

from collections.abc import Callable
from dataclasses import replace

from trace_cli import links, pane, prompt
from trace_cli.errors import TraceError, first_line
from trace_cli.state import (
    Prompt,
    State,
    first,
    jump,
    last,
    lifted,
    neighbour,
    pane_size,
    scrolled,
    sought,
    to,
    to_error,
    to_unrecovered,
)


def press(state: State, key: str) -> State:
    """The state after a key; what takes time is begun, and done by `advance`."""
    if state.prompt is not None:
        return prompt.typed(state, state.prompt, key)
    if not len(state.index) and key not in ("q", "?", "Esc", "F"):
        return replace(state, note="there is no event yet")
    action = _KEYS.get(key)
    if action is None:
        known = "" if len(key) > 1 and key[0].isupper() else f"no key {key}: "
        return replace(state, note=f"{known}? shows the keys")
    try:
        return action(replace(state, note="", seek=None))
    except TraceError as error:  # the file is not what it was
        return replace(state, note=first_line(error))


def resized(state: State, columns: int, lines: int) -> State:
    """The state on a screen of another size."""
    return scrolled(replace(state, size=(columns, lines)), 0)


def grown(state: State, before: int) -> State:
    """The state after events were added to `before` of them: who follows stays at the end.

    That of a filter moves when it has looked at them, in `advance`.
    """
    if state.following and state.filter is None and state.position >= before - 1 and len(state.index) > before:
        return to(state, last(state))
    return state


def _next_event(state: State) -> State:
    return to(state, neighbour(state, 1), "this is the last event")


def _previous_event(state: State) -> State:
    return to(state, neighbour(state, -1), "this is the first event")


def _n(state: State) -> State:
    return sought(state, 1) if state.search else _next_event(state)


def _capital_n(state: State) -> State:
    return sought(state, -1) if state.search else replace(state, note="no search yet: / begins one")


def _turn(state: State, step: int) -> State:
    number = links.turn(state.index, state.position, step)
    return jump(state, number, f"no turn {'behind' if step > 0 else 'before'} this one")


def _partner(state: State) -> State:
    missing = "has no other half" if state.index.call_of[state.position] else "belongs to no call"
    return jump(state, links.partner(state.index, state.position), f"event {state.position} {missing}")


def _cause(state: State) -> State:
    return jump(state, links.cause(state.index, state.position), "nothing that led here is in this trace")


def _back(state: State) -> State:
    if not state.behind:
        return replace(state, note="no jump before this one")
    there = replace(to(state, state.behind[-1]), behind=state.behind[:-1], ahead=(state.position, *state.ahead))
    return lifted(there)


def _forward(state: State) -> State:
    if not state.ahead:
        return replace(state, note="no jump behind this one")
    there = replace(to(state, state.ahead[0]), behind=(*state.behind, state.position), ahead=state.ahead[1:])
    return lifted(there)


def _mark(state: State) -> State:
    marks = set(state.marks) ^ {state.position}
    return replace(state, marks=tuple(sorted(marks)))


def _next_mark(state: State) -> State:
    behind = (mark for mark in state.marks if mark > state.position)
    return jump(state, next(behind, state.marks[0] if state.marks else None), "no marks: m sets one")


def _note_place(state: State) -> State:
    file, row = state.index.place(state.position)
    place = f"{'stdin' if file == '-' else file}:{row}"
    return replace(state, noted=(*state.noted, place), note=place)


def _viewed(view: str) -> Callable[[State], State]:
    def switched(state: State) -> State:
        return replace(state, view=pane.CARD if state.view == view else view, scroll=0)

    return switched


def _page(part: float) -> Callable[[State], State]:
    return lambda state: scrolled(state, int(part * max(2, pane_size(state)[1] - 1)))


def _follow(state: State) -> State:
    if state.following:
        return replace(state, following=False, note="no longer following")
    there = to(state, last(state)) if len(state.index) else state
    return replace(there, following=True, note="following: F ends it")


def _ended(how: str) -> Callable[[State], State]:
    def end(state: State) -> State:
        if how == "marked" and not state.marks:
            return replace(state, note="no marks: m sets one, Enter prints the current event")
        return replace(state, ended=how)

    return end


def _escape(state: State) -> State:
    """Leaves what was entered last: a view, the search, the filter."""
    if state.view != pane.CARD:
        return replace(state, view=pane.CARD, scroll=0)
    if state.search is not None:
        return replace(state, search=None)
    return replace(state, filter=None)


def _asked(kind: str) -> Callable[[State], State]:
    def opened(state: State) -> State:
        return replace(state, prompt=Prompt(kind, state.filter.text if kind == "f" and state.filter else ""))

    return opened


_KEYS: dict[str, Callable[[State], State]] = {
    "n": _n,
    "N": _capital_n,
    "p": _previous_event,
    **dict.fromkeys(("Down", "Right"), _next_event),
    **dict.fromkeys(("Up", "Left"), _previous_event),
    "}": lambda state: _turn(state, 1),
    "{": lambda state: _turn(state, -1),
    **dict.fromkeys(("g", "Home"), lambda state: jump(state, first(state))),
    **dict.fromkeys(("G", "End"), lambda state: jump(state, last(state))),
    "e": lambda state: to_error(state, 1),
    "E": lambda state: to_error(state, -1),
    "x": to_unrecovered,
    "o": _partner,
    "u": _cause,
    "[": _back,
    "]": _forward,
    "m": _mark,
    "'": _next_mark,
    "y": _note_place,
    "c": _viewed(pane.CONVERSATION),
    "d": _viewed(pane.DELTA),
    "i": _viewed(pane.RAW),
    "?": _viewed(pane.HELP),
    "z": lambda state: scrolled(replace(state, full=not state.full), 0),
    **dict.fromkeys(("Space", " ", "PgDn"), _page(1)),
    **dict.fromkeys(("b", "PgUp"), _page(-1)),
    "Ctrl-D": _page(0.5),
    "Ctrl-U": _page(-0.5),
    "F": _follow,
    "/": _asked("/"),
    ":": _asked(":"),
    "j": _asked(":"),
    "f": _asked("f"),
    "Esc": _escape,
    "Enter": _ended("event"),
    "W": _ended("marked"),
    "q": _ended("quit"),
}
