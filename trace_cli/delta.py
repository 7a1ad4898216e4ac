"""What is new in a conversation since the request before: where context was lost, compacted or poisoned."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trace_cli import conversation, line, message
from trace_cli.alignment import common
from trace_cli.conversation import Context, body_of
from trace_cli.event import Event
from trace_cli.message import Parts

LONG = 40  # characters of an answer that is known again where a conversation begins anew with it
_Message = Mapping[str, Any]


def previous(request: Event, earlier: Iterable[Event]) -> Event | None:
    """The request before in the same conversation; None for its first, or when it lies too far back.

    `earlier` are the events of the run before the request, newest first; reading ends where the answer is plain.
    It shares the most messages, from the first on, and its answer comes next; else it has the same system prompt
    and tools and shares later messages (the first were dropped), or the text of an answer is what the conversation
    begins anew with (it was compacted).
    """
    mine = message.parts(body_of(request))
    keys = [key(each) for each in mine.messages]
    known = set(keys)
    answers: dict[str | None, Event] = {}
    texts: list[str] = []
    best: tuple[int, bool] = (0, False)
    found = like = None
    left = conversation.REACH
    for event in earlier:
        if event.type == "model.response":
            answers[event.call_id] = event
            texts.append(message.answer(body_of(event)).strip())
        if event.type != "model.request":
            continue
        left -= 1
        if not left:
            break
        theirs = message.parts(body_of(event))
        same = (theirs.system, theirs.tools) == (mine.system, mine.tools)
        if not same and not (keys and theirs.messages and key(theirs.messages[0]) == keys[0]):
            continue
        their_keys = [key(each) for each in theirs.messages]
        if their_keys == keys and theirs == mine:  # another attempt
            continue
        shared = _shared(keys, their_keys)
        follows = shared < len(keys) and _said(answers.get(event.call_id), mine.messages[shared])
        if shared and shared == len(their_keys) and (follows or (shared > 1 and event.call_id not in answers)):
            return event
        if (shared, follows) > best:
            best, found = (shared, follows), event
        if like is None and same:
            begins = "\n".join(message.text_of(each.get("content")) for each in mine.messages[:2])
            if known & set(their_keys) or any(len(text) >= LONG and text in begins for text in texts):
                like = event
    return found or like


def _said(answer: Event | None, sent: _Message) -> bool:
    """Whether a message is what was answered: by the ids of its tool calls, else by its text."""
    if answer is None:
        return False
    told = list(message.answers(body_of(answer)))
    ids = {call_id for call_id, _, _ in message.identified_tool_calls(told)}
    if ids:
        return bool(ids & {call_id for call_id, _, _ in message.identified_tool_calls([sent])})
    return message.answer(body_of(answer)) == message.text_of(sent.get("content"))


def changes(context: Context, before: Event | None) -> list[dict[str, Any]]:
    """What is new: {"op": added, removed or changed, "path", "a", "b"}, `a` what was and `b` what is.

    Paths are JSON pointers (RFC 6901): `/system`, `/tools/N`, `/settings/NAME`, `/messages/N`; where something was
    removed, N counts in the request before.
    """
    was = message.parts(body_of(before)) if before is not None else Parts(None, [], [], {})
    found = list(_one("/system", was.system, context.system))
    found += _tools(was.tools, context.tools)
    for name in dict.fromkeys((*was.settings, *context.settings)):
        pointer = f"/settings/{name.replace('~', '~0').replace('/', '~1')}"
        found += _one(pointer, was.settings.get(name), context.settings.get(name))
    return found + list(_messages(was.messages, context.messages))


def _one(path: str, a: Any, b: Any) -> Iterator[dict[str, Any]]:
    if key(a) == key(b):
        return
    if a is None:
        yield {"op": "added", "path": path, "b": b}
    elif b is None:
        yield {"op": "removed", "path": path, "a": a}
    else:
        yield {"op": "changed", "path": path, "a": a, "b": b}


def _tools(was: Sequence[Any], now: Sequence[Any]) -> Iterator[dict[str, Any]]:
    old = {message.tool_of(tool): (number, tool) for number, tool in enumerate(was)}
    for number, tool in enumerate(now):
        _, before = old.pop(message.tool_of(tool), (0, None))
        yield from _one(f"/tools/{number}", before, tool)
    for number, tool in old.values():
        yield {"op": "removed", "path": f"/tools/{number}", "a": tool}


def _messages(was: Sequence[_Message], now: Sequence[_Message]) -> Iterator[dict[str, Any]]:
    """Between what both have: a message is changed when much of it is as before, else removed; others added."""
    pairs = common([key(each) for each in was], [key(each) for each in now])
    i = j = 0
    for next_i, next_j in [*pairs, (len(was), len(now))]:
        while i < next_i or j < next_j:
            if i < next_i and j < next_j and alike(was[i], now[j]):
                yield {"op": "changed", "path": f"/messages/{j}", "a": was[i], "b": now[j]}
                i, j = i + 1, j + 1
            elif i < next_i:
                yield {"op": "removed", "path": f"/messages/{i}", "a": was[i]}
                i += 1
            else:
                yield {"op": "added", "path": f"/messages/{j}", "b": now[j]}
                j += 1
        i, j = next_i + 1, next_j + 1


def alike(a: _Message, b: _Message) -> bool:
    """Whether one message is the other, edited: the same role, and the same tool call or half of it as it was."""
    if a.get("role") != b.get("role") or a.get("type") != b.get("type"):
        return False
    if _call_ids(a) & _call_ids(b):
        return True
    texts = [line.dump(normal(each.get("content", each.get("output")))).decode() for each in (a, b)]
    head = _shared(*texts)
    tail = _shared(*(text[head:][::-1] for text in texts))
    return 2 * (head + tail) >= max(map(len, texts))


def _shared(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many items both begin with."""
    differs = (place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differs, min(len(a), len(b)))


def _call_ids(sent: _Message) -> set[Any]:
    found = {block.get("id") or block.get("tool_use_id") for block in message.blocks(sent.get("content"))}
    found |= {call_id for call_id, _, _ in message.identified_tool_calls([sent])}
    return (found | {sent.get("tool_call_id"), sent.get("call_id")}) - {None, "None"}


def key(value: Any) -> bytes:
    """Equal for values that say the same to the model."""
    return line.dump(normal(value))


def normal(value: Any) -> Any:
    """A value without marks for caching, nulls and empty lists; a text content is one text block."""
    if isinstance(value, Mapping):
        said = ((name, item) for name, item in value.items() if name != "cache_control" and item not in (None, []))
        found = {name: normal(item) for name, item in said}
        if isinstance(found.get("content"), str):
            found["content"] = [{"type": "text", "text": found["content"]}]
        return found
    return [normal(item) for item in value] if isinstance(value, list) else value
