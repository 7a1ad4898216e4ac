"""State that an agent attached to its events: a store, a budget, a memory, as it was at that moment."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from trace_cli.conversation import REACH
from trace_cli.event import Event


class State(NamedTuple):
    """A value, and the event that it was attached to."""

    value: Any
    event: Event


def of(event: Event) -> Mapping[str, Any]:
    """What is attached to an event, by name."""
    found = event.payload.get("attached") if b'"attached"' in event.raw else None
    return found if isinstance(found, Mapping) else {}


def at(backwards: Iterable[Event]) -> dict[str, State]:
    """What was attached last under each name, from an event back through its run."""
    found: dict[str, State] = {}
    requests = 0
    for event in backwards:
        for name, value in of(event).items():
            found.setdefault(str(name), State(value, event))
        requests += event.type == "model.request"
        if requests > REACH:  # as far as a conversation is followed
            break
    return found
