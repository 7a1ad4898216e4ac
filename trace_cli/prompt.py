"""What is typed in a stepping session, behind `/`, `:` and `f`, and what becomes of it."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from trace_cli.event import seconds
from trace_cli.finding import Filter, Search
from trace_cli.state import Prompt, Seek, State, jump, sought


def typed(state: State, prompt: Prompt, key: str) -> State:
    if key == "Esc" or (key == "Backspace" and not prompt.text):
        return replace(state, prompt=None)
    if key == "Enter":
        return _ACCEPTS[prompt.kind](replace(state, prompt=None, note="", seek=None), prompt.text.strip())
    if key == "Backspace":
        text = prompt.text[:-1]
    elif key == "Ctrl-U":
        text = ""
    else:
        text = prompt.text + (" " if key == "Space" else key if len(key) == 1 else "")
    return replace(state, prompt=Prompt(prompt.kind, text))


def _accept_search(state: State, text: str) -> State:
    if text:
        try:
            state = replace(state, search=Search(text))
        except ValueError as error:
            return replace(state, note=str(error))
    return sought(state, 1) if state.search else state


def _accept_filter(state: State, text: str) -> State:
    if not text:
        return replace(state, filter=None)
    try:
        return filtered(state, Filter(text, state.parse(text)))
    except ValueError as error:
        return replace(state, note=str(error))


def filtered(state: State, chosen: Filter) -> State:
    """The state with a filter, whose events have still to be looked for."""
    return replace(state, filter=chosen, seek=Seek("filter", at=state.position))


_SPAN = re.compile(r"([+-])(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?Z?")


def _accept_place(state: State, text: str) -> State:
    index = state.index
    if re.fullmatch(r"[0-9]{1,18}", text):
        known = f"no event {text}: there are 0 to {len(index) - 1}"
        return jump(state, int(text) if int(text) < len(index) else None, known)
    if span := _SPAN.fullmatch(text):
        start = index.time(index.run(state.position).start if span[1] == "+" else state.position)
        wanted = float(span[2]) * _UNITS[span[3]]
        return _at_time(state, None if start is None else start + (wanted if span[1] == "+" else -wanted))
    if of_day := _CLOCK.fullmatch(text):
        now = index.time(state.position)
        wanted = int(of_day[1]) * 3600 + int(of_day[2]) * 60 + float(of_day[3] or 0)
        return _at_time(state, None if now is None else now - now % 86400 + wanted)
    if (moment := seconds(text) if "-" in text[1:] else None) is not None:
        return _at_time(state, moment)
    return replace(state, note=f"{text!r}: write an event's number, +90s (into the run), -5s (before) or 03:17:04")


def _at_time(state: State, moment: float | None) -> State:
    """To the first event of the run at that time or later; seconds since 1970."""
    if moment is None:
        return replace(state, note="the events here have no time")
    index, run = state.index, state.index.run_of[state.position]
    start = index.runs[run].start
    later = (n for n in count(start) if n >= len(index) or (index.run_of[n] == run and index.time_of[n] >= moment))
    number = next(later)
    none = f"no event of this run at {_told(moment)} or later"
    return jump(state, number if number < len(index) else None, none)


def _told(moment: float) -> str:
    try:
        return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # so many days away that no calendar has them
        return "that time"


_ACCEPTS = {"/": _accept_search, ":": _accept_place, "f": _accept_filter}
