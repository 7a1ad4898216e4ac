"""The conversations of a run, followed from its start: which one an event belongs to, what is new in a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from trace_cli import delta, message
from trace_cli.conversation import body_of
from trace_cli.event import Event

KEPT = ("previous_response_id", "conversation", "container")  # keys that name by its id what the API keeps
REACH = 64  # conversations that a request may go on with: the last ones
_Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class New:
    """What is new in a request since the one before in its conversation.

    `name` is the key of the messages in the body, `prompts` the places of the system prompts that they begin with,
    `places` those of the new messages that are no echo of the answer before; `changed` are the other keys of the
    body that differ, and `name` where such a prompt does; `dropped` counts messages that are gone.
    """

    conversation: "Conversation"
    name: str
    prompts: list[int]
    places: list[int]
    changed: list[str]
    dropped: int


class Conversation:
    """One conversation: its number, what its latest request sent, and how that was answered.

    `signature` are digests of what it began with: system prompt and tools, and the first message.
    """

    def __init__(self, number: int, first: "Sent") -> None:
        self.number = number
        self.signature = (delta.key(first.prompt), delta.key(first.messages[:1]))
        self.model: object = None  # of the latest answer
        self.open = False  # the latest request has neither answer nor error yet
        self.call_id: str | None = None  # of the latest request that has one
        self.forget()

    def forget(self) -> None:
        """No request will go on with it any more."""
        self.sent = self.before = Sent({})  # the latest request, and the one that it is compared with
        self.answer: Event | None = None  # to the latest request
        self.answer_before: Event | None = None
        self._keys: frozenset[bytes] | None = None

    @property
    def keys(self) -> frozenset[bytes]:
        """What its messages are known by."""
        if self._keys is None:
            self._keys = frozenset(map(delta.key, self.sent.messages))
        return self._keys

    def take(self, sent: "Sent", again: bool) -> None:
        """Its next request; `again`: another attempt at the latest one."""
        if not again:
            self.before, self.answer_before = self.sent, self.answer
        self.sent, self.answer, self.open, self._keys = sent, None, True, None


class Sent:
    """What a request sent: its messages, their places in the body, and as `frame` all else in it.

    Leading system prompts are no messages here; `prompts` are their places.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.name = "messages" if "messages" in body else "input"
        messages = message.messages(body)
        carried = body.get(self.name)
        places = (
            [place for place, each in enumerate(carried) if isinstance(each, dict)]
            if isinstance(carried, list)
            else [0]
        )
        leading = 0
        while leading < len(messages) and messages[leading].get("role") in ("system", "developer"):
            leading += 1
        self.echo: int | None = None  # the message that is known to be the answer before
        self.messages, self.places, self.prompts = messages[leading:], places[leading:], places[:leading]
        self.frame = {
            key: value
            for key, value in body.items()
            if key != self.name and not (key in KEPT and isinstance(value, str))
        }
        if leading:
            self.frame[self.name] = messages[:leading]

    @cached_property
    def first(self) -> bytes:
        """What the first message is known by."""
        return delta.key(self.messages[0]) if self.messages else b""

    @property
    def prompt(self) -> dict[str, Any]:
        """The system prompt and the tools."""
        return {
            key: value
            for key, value in self.frame.items()
            if key in ("system", "instructions", "tools", self.name)
        }


class Conversations:
    """Follows one run, event by event. Memory: the messages of the last REACH conversations, ids of all calls."""

    def __init__(self) -> None:
        self.all: list[Conversation] = []
        self.concurrent: set[int] = set()  # numbers of conversations that others went on beside
        self._recent: list[Conversation] = []  # the latest last
        self._of_call: dict[str, Conversation] = {}  # by the call_id of a request
        self._of_response: dict[str, Conversation] = {}  # by the id that the API gave a response
        self._in_flight: dict[str, Conversation] = {}

    def request(self, event: Event) -> New:
        """Takes a request; what is new in it."""
        body = body_of(event)
        sent = Sent(body)
        found, again = self._find(body, sent)
        if found is None:
            found = Conversation(len(self.all), sent)
            self.all.append(found)
        found.take(sent, again)
        if found in self._recent:
            self._recent.remove(found)
        self._recent.append(found)
        if len(self._recent) > REACH:
            self._recent.pop(0).forget()
        if event.call_id:
            if self._in_flight.get(found.call_id or "") is found:
                del self._in_flight[found.call_id or ""]
            if self._in_flight:  # of several, all but the first are known to be concurrent, and it is, too
                self.concurrent |= {found.number, next(iter(self._in_flight.values())).number}
            self._of_call[event.call_id] = self._in_flight[event.call_id] = found
            found.call_id = event.call_id
        return _new(found, continued=body.get("previous_response_id") is not None)

    def answered(self, event: Event) -> Conversation | None:
        """Takes a response, or the error in its stead; the conversation that it belongs to."""
        found = self._of_call.get(event.call_id or "")
        self._in_flight.pop(event.call_id or "", None)
        if found is not None:
            found.open = False
            if event.type == "model.response":
                found.answer = event
                given = body_of(event).get("id")
                if isinstance(given, str):
                    self._of_response[given] = found
        return found

    def _find(self, body: Mapping[str, Any], sent: Sent) -> tuple[Conversation | None, bool]:
        """The conversation that a request goes on with; whether it is sent again."""
        continued = body.get("previous_response_id")
        if isinstance(continued, str):
            return self._of_response.get(continued), False
        if not sent.messages:
            return None, False
        best: tuple[bool, bool, int] = (False, False, 0)
        found = None
        anew = False
        starts = not any(map(delta.is_of_the_model, sent.messages))
        for each in reversed(self._recent):
            if each.sent.first != sent.first:
                continue
            theirs = each.sent.messages
            shared = _shared(sent.messages, theirs)
            if shared == len(sent.messages) == len(theirs) and not each.open and each.answer is None:
                return each, True  # it failed
            if (starts and shared == len(sent.messages)) or _asks_something_else(sent.messages, each, shared):
                anew = True  # another one that begins with the same words
                continue
            follows = (
                each.answer is not None
                and shared < len(sent.messages)
                and delta.said(each.answer, sent.messages[shared])
            )
            rank = (follows, shared == len(theirs), shared)
            if rank > best:
                best, found = rank, each
                sent.echo = shared if follows else None
            if rank[:2] == (True, True):
                break
        return found or (None if anew else self._like(sent)), False

    def _like(self, sent: Sent) -> Conversation | None:
        """The conversation whose first messages were dropped, or that was compacted and begins anew."""
        keys = frozenset(map(delta.key, sent.messages))
        for each in reversed(self._recent):
            if each.open or not _same(each.sent.prompt, sent.prompt):
                continue
            if keys & each.keys or (each.answer and delta.begins_with(sent.messages, [each.answer])):
                return each
        return None


def _new(conversation: Conversation, continued: bool) -> New:
    """What is new in the latest request of a conversation; with `continued` all its messages are."""
    sent, before, answer = conversation.sent, conversation.before, conversation.answer_before
    names = dict.fromkeys((*before.frame, *sent.frame))
    changed = [each for each in names if not _same(before.frame.get(each), sent.frame.get(each))]
    shared = 0 if continued else _shared(sent.messages, before.messages)
    places = list(range(shared, len(sent.messages)))
    dropped = 0
    if not continued and shared < len(before.messages):
        old = {delta.key(each) for each in before.messages[shared:]}
        kept = {place for place in places if delta.key(sent.messages[place]) in old}
        dropped = len(before.messages) - shared - len(kept)
        places = [place for place in places if place not in kept]
    if answer is not None:
        places = [each for each in places if each != sent.echo and not _is_echo(sent.messages[each], answer)]
    return New(conversation, sent.name, sent.prompts, [sent.places[each] for each in places], changed, dropped)


def _asks_something_else(sent: Sequence[_Message], other: Conversation, shared: int) -> bool:
    """Whether a request and that of a conversation, which did not fail, end in other questions.

    The model, if at all, speaks only in what both begin with, as in examples.
    """
    theirs = other.sent.messages
    if not shared < min(len(sent), len(theirs)) or not (other.open or other.answer):
        return False
    return not any(map(delta.is_of_the_model, (*sent[shared:], *theirs[shared:])))


def _is_echo(sent: _Message, answer: Event) -> bool:
    return delta.is_of_the_model(sent) and delta.said(answer, sent)


def _same(a: Any, b: Any) -> bool:
    return a == b or delta.key({"content": a}) == delta.key({"content": b})


def _shared(a: Sequence[_Message], b: Sequence[_Message]) -> int:
    """How many messages both begin with."""
    differs = (
        place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y and delta.key(x) != delta.key(y)
    )
    return next(differs, min(len(a), len(b)))
