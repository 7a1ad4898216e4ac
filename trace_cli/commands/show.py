"""Show an event as a card, with the other half of its call; errors first.

The event is an anchor: the first error of each run in FILE, or what --at names. Without FILE and --at, standard
input holds anchors (events with {"_src"}, as first-error prints them), whose traces are read again. The selection
narrows down which events it may be: `--at last -t model.response` is the last response of each run.

On a terminal a card, with long texts folded (--full shows all). In a pipe the event and the other half of its
call, as the bytes that were read, with {"_error"} where it is one and {"_src"}.

Examples:

  trace show run.jsonl
  trace show --at 3 --full run.jsonl
  trace show --at last -t model.response run.jsonl
  trace first-error runs/*.jsonl | trace show
  trace filter -t tool.called --src run.jsonl | trace show -o pretty
"""

from collections.abc import Iterable, Iterator

from trace_cli import card, links, pane, params, readable, render
from trace_cli.index import Index
from trace_cli.pointing import Pointed
from trace_cli.retries import Error
from trace_cli.selection import Selection
from trace_cli.view import View


def calls(index: Index, numbers: Iterable[int]) -> Iterator[card.Shown]:
    """What the cards of these events are about, in their order; a call whose both halves are asked for once.

    Memory: the numbers of the events.
    """
    told: set[int] = set()
    for number in numbers:
        partner = links.partner(index, number)
        if number not in told:
            told |= {number} if partner is None else {number, partner}
            yield pane.shown(index, number, partner)


@params.command(__doc__)
@params.files
@params.at
@params.full
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...], at: str | None, full: bool, selection: Selection, view: View, strict: bool
) -> int:
    pointed = Pointed("show", files, at, selection, strict)
    found = 0
    with render.results(view, files) as results:
        for shown in calls(pointed.index, pointed.numbers):
            if view.pretty:
                results.card({}, readable.with_hint(card.lines(shown, full), params.FULL))
            else:
                for event, row in shown.halves:
                    results.event(event, src=True, error=Error(event, **row) if row else None)
            found += 1
    return pointed.status(found)
