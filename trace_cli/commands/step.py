"""Step through a trace on the screen: events, calls, errors and what led to them.

Enter prints the current event, W the marked ones, with {"_src"}, for the next command of a pipe; q prints nothing,
and ends with status 1 where output is no terminal. The keys:

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

A filter is a type (tool.*), options as of `trace filter` (--error --tool search) or an expression; options on the
command line are the filter to begin with. A search is a regular expression over whole lines, as --grep; without
capitals it matches both cases.

No FILE, or -, is standard input, live too; keys and screen are those of the terminal. --keys presses keys without
a terminal, and prints what the screen would show after each word of them.

Examples:

  trace step run.jsonl
  trace step --at unrecovered run.jsonl
  trace step -t 'tool.*' run.jsonl
  cat runs/*.jsonl | trace step
  trace step run.jsonl | trace before -n 5
  trace step --keys 'x u c' --size 100x30 run.jsonl
"""

import re

import click

from trace_cli import layout, params, prompt, render, session, streams
from trace_cli.feeding import Feeder
from trace_cli.finding import Filter
from trace_cli.frames import frame
from trace_cli.index import Index
from trace_cli.pointing import Pointed
from trace_cli.reading import talk
from trace_cli.selection import Selection
from trace_cli.state import State
from trace_cli.view import View


def size(text: str) -> tuple[int, int]:
    """Columns and lines, of `100x30`."""
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if not found:
        raise click.BadParameter(f"{text!r}: write COLUMNSxLINES, as 100x30")
    return int(found[1]), int(found[2])


def chosen(state: State) -> list[int]:
    """The numbers of the events that a session ended with."""
    return {"event": [state.position], "marked": list(state.marks)}.get(state.ended, [])


@params.command(__doc__)
@params.files
@params.at
@click.option("--keys", metavar="KEYS", help="Press these keys, with no terminal: a frame for each word of them.")
@click.option(
    "--size",
    type=params.Parsed("size", size),
    default="100x30",
    metavar="COLUMNSxLINES",
    help="For --keys. [default: 100x30]",
)
@click.option("--frames", type=click.Choice(["text", "ansi"]), default="text", help="For --keys. [default: text]")
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...],
    at: str | None,
    keys: str | None,
    size: tuple[int, int],
    frames: str,
    selection: Selection,
    view: View,
    strict: bool,
) -> int:
    said: list[str] = []
    if at:
        pointed = Pointed("step", files, at, Selection(), strict)
        index, trace, numbers = pointed.index, pointed.trace, pointed.numbers
        if not numbers:
            talk(f"trace: no event is at {at}: without --at the session begins with the first event")
            return pointed.status(0)
    else:
        index, trace, numbers = Index(), params.reading(files, strict=strict, judging=True), [0]
    trace.say = said.append  # the screen is not free
    state = State(index, params.typed_selection, size, numbers[0], marks=tuple(numbers[1:]))
    if selection != Selection():
        state = prompt.filtered(state, Filter("", selection))
    feeder = Feeder(trace, index)
    printed = []
    if keys is None:
        state = session.on_terminal(state, feeder, view.screen_color)
    else:
        paint = layout.painted if frames == "ansi" else layout.plain
        for word, after in session.without_terminal(state, feeder, keys):
            state = after
            if not state.ended:
                printed += [f"── {word}".rstrip(), *map(paint, frame(state))]
    for text in (*said, *state.noted):
        talk(text)
    numbers = chosen(state)
    with render.results(view, files) as results:
        for text in printed:
            results.text(text)
        for number in numbers:
            results.event(index.event(number), src=True)
    if feeder.failure:
        raise feeder.failure
    left = state.ended == "quit" and keys is None and streams.is_terminal(1)
    return trace.status(numbers or left or (keys is not None and len(index)))
