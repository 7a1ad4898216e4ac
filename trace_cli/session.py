"""The stepping session on a terminal, or without one: keys in, frames out."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from trace_cli import layout, seeking, stepping
from trace_cli.errors import TraceError
from trace_cli.feeding import Feeder
from trace_cli.frames import frame
from trace_cli.keyboard import parse
from trace_cli.state import State
from trace_cli.terminal import Terminal

SLICE_S = 0.02  # how long filter and search go on before keys are looked at
NO_TERMINAL = (
    "no terminal to step on",
    "trace show --at 7 FILE shows one event; --keys presses keys without a terminal",
)


def on_terminal(state: State, feeder: Feeder, color: bool) -> State:
    """Runs a session until a key ends it; the state it ended in. A trace without events ends it at once.

    Raises TraceError where there is no terminal, KeyboardInterrupt on Ctrl-C.
    """
    if os.environ.get("TERM", "dumb") == "dumb":
        raise TraceError(*NO_TERMINAL)
    terminal = Terminal(*NO_TERMINAL)
    feeder.start()
    if not len(state.index):
        return state
    with terminal:
        feeder.notice = terminal.wake
        return _run(terminal, stepping.resized(state, *terminal.size()), feeder, color)


def _run(terminal: Terminal, state: State, feeder: Feeder, color: bool) -> State:
    known = 0
    while not state.ended:
        terminal.draw([layout.painted(row, color) for row in frame(state)])
        busy = seeking.waiting(state)
        for key in terminal.read(0 if busy else None):
            state = _pressed(state, key, terminal, feeder)
            if state.ended:
                return state
        if len(state.index) != known:
            state, known = stepping.grown(state, known), len(state.index)
        if busy:
            state = seeking.advance(state, _spent(time.monotonic() + SLICE_S))
    return state


def _spent(end: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > end


def _pressed(state: State, key: str, terminal: Terminal, feeder: Feeder) -> State:
    if key in ("Resize", "Resume"):
        return stepping.resized(state, *terminal.size())
    if key == "Closed":
        return replace(state, ended="quit")
    before = state.following
    if key == "F" and state.prompt is None and not before and not feeder.can_follow:
        return replace(state, note="only one plain file can be followed; a pipe is read as it grows")
    state = stepping.press(state, key)
    if state.following != before:
        feeder.follow(state.following)
    return state


def without_terminal(state: State, feeder: Feeder, keys: str) -> Iterator[tuple[str, State]]:
    """A session whose keys are given: each word, and the state behind it; of none, that at the start."""
    feeder.read_all()
    state = _settled(state)
    for word, pressed in parse(keys) or [("", [])]:
        for key in pressed:
            if not state.ended:
                state = _settled(stepping.press(state, key))
        yield word, state


def _settled(state: State) -> State:
    while seeking.waiting(state):
        state = seeking.advance(state, lambda: False)
    return state
