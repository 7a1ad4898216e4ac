"""Print the conversation as it stood at a moment: what the model had been sent.

The moment is an anchor: the first error of each run in FILE, or what --at names. Without FILE and --at,
standard input holds anchors (events with {"_src"}, as first-error prints them), whose traces are read again.

The conversation is that of the last model.request at or before the anchor; where runs hold several, of sub-agents,
of the one that the anchor belongs to. Between a request and the next, what the model answered and what its tools
returned by then is added, and "inferred" is true.
{"system", "tools", "messages", "settings", "usage", "attached", "request": {…, "_src"}, "inferred"}: messages in
the shape of the API that they were sent to; settings are model, max_tokens and the like; usage is what the run
used so far; attached is the state that the agent had attached to its events last, by name, up to 64 requests back.

--delta prints only what is new since the request before in that conversation: where context was lost, compacted
or poisoned. {"request", "previous", "inferred", "changes": [{"op": "added", "removed" or "changed", "path", "a",
"b"}]}: path is a JSON pointer (/system, /messages/7), a what was, b what is. Marks for caching (cache_control)
move with every request and are no change.

Examples:

  trace context run.jsonl
  trace context --delta run.jsonl
  trace context --at 7 run.jsonl
  trace context run.jsonl | jq -r .system
  trace first-error runs/*.jsonl | trace context --delta
  trace context --at last -t model.request run.jsonl
"""

from typing import Any

import click

from trace_cli import attached, conversation, conversation_card, delta, links, params, readable, render
from trace_cli.attached import State
from trace_cli.conversation import Context, Spent
from trace_cli.event import Event
from trace_cli.index import Index
from trace_cli.pointing import Pointed
from trace_cli.reading import talk
from trace_cli.selection import Selection
from trace_cli.view import View


def row(context: Context, usage: dict[str, Any], state: dict[str, State]) -> dict[str, Any]:
    """All that the model had been sent."""
    return {
        "system": context.system,
        "tools": context.tools,
        "messages": context.messages,
        "settings": context.settings,
        "usage": usage,
        "attached": {name: known.value for name, known in state.items()},
        "request": context.request.place(),
        "inferred": context.inferred,
    }


def delta_row(context: Context, before: Event | None) -> dict[str, Any]:
    """What is new since the request `before`."""
    return {
        "request": context.request.place(),
        "previous": None if before is None else before.place(),
        "inferred": context.inferred,
        "changes": delta.changes(context, before),
    }


class Usage:
    """The tokens of each run up to an event. Asked in the order of the events, it reads each response once."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._spent: dict[int, Spent] = {}  # by run
        self._upto: dict[int, int] = {}

    def row(self, number: int, context: Context) -> dict[str, Any]:
        """The sums, and as `last` what the response known last says of its own."""
        index, run = self._index, self._index.run(number)
        spent = self._spent.setdefault(run.number, Spent())
        for each in range(self._upto.get(run.number, run.start), number + 1):
            if index.run_of[each] == run.number and index.type(each) == "model.response":
                spent.add(index.event(each))
        self._upto[run.number] = number + 1
        return {**spent.row(), "last": context.usage}


@params.command(__doc__)
@params.files
@params.at
@click.option("--delta", "only_new", is_flag=True, help="Only what is new since the request before.")
@params.full
@params.selecting
@params.viewing
def command(
    files: tuple[str, ...],
    at: str | None,
    only_new: bool,
    full: bool,
    selection: Selection,
    view: View,
    strict: bool,
) -> int:
    pointed = Pointed("context", files, at, selection, strict)
    index = pointed.index
    usage = Usage(index)
    found, without = 0, []
    with render.results(view, files) as results:
        for number in pointed.numbers:
            context = conversation.at(index.backwards(number))
            if context is None:
                without.append(number)
                continue
            found += 1
            if context.missing and not view.pretty:
                talk(f"trace: {':'.join(map(str, index.place(context.request.index)))}: {context.missing}")
            if only_new:
                before = delta.previous(context.request, links.before_of(index, context.request.index))
                lines = conversation_card.changed_lines(context, before, full)
                results.card(delta_row(context, before), readable.with_hint(lines, params.FULL))
            else:
                told = usage.row(number, context)
                state = attached.at(index.backwards(number))
                lines = conversation_card.lines(context, full, told, state)
                results.card(row(context, told, state), readable.with_hint(lines, params.FULL))
    if without:
        file, row_number = index.place(without[0])
        more = f"; nor before {len(without) - 1} more" if len(without) > 1 else ""
        talk(f"trace: {file}:{row_number}: {conversation_card.NONE}{more}")
    return pointed.status(found)
