"""What is new in a conversation since the request before: where context was lost, compacted or poisoned."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trace_cli import conversation, line, message
from trace_cli.alignment import common
from trace_cli.conversation import Context, body_of
from trace_cli.event import Event
from trace_cli.message import Parts

LONG = 40  # characters of an answer that is known again where a conversation begins anew with it
DEEP = 64  # levels of nesting in which a value is looked at
_Message = Mapping[str, Any]


def previous(request: Event, earlier: Iterable[Event]) -> Event | None:
    """The request before in the same conversation; None for its first, or when it lies too far back.

    `earlier` are the events of the run before the request, newest first; reading ends where the answer is plain.
    It is the one that was answered with the `previous_response_id`. Without one it shares the most messages, from
    the first on, and its answer comes next; else it has the same system prompt and tools and shares later messages
    (the first were dropped), or it begins anew with the text of an answer (it was compacted).
    """
    continued = body_of(request).get("previous_response_id")
    if isinstance(continued, str):
        kept = conversation.kept(continued, iter(earlier))
        return None if kept is None else kept[0]
    mine = message.parts(body_of(request))
    if not mine.messages:
        return None
    keys = [key(each) for each in mine.messages]
    frame = _frame(mine)
    starts = not any(map(is_of_the_model, mine.messages))
    answers: dict[str | None, Event] = {}
    failed: set[str | None] = set()
    most = 0
    found = like = None
    left = conversation.REACH
    for event in earlier:
        if event.type == "model.response":
            answers[event.call_id] = event
        elif event.type == "model.error":
            failed.add(event.call_id)
        if event.type != "model.request":
            continue
        left -= 1
        if not left:
            break
        theirs = message.parts(body_of(event))
        if not theirs.messages:
            continue
        their_keys = [key(each) for each in theirs.messages]
        same = _frame(theirs) == frame
        if their_keys == keys and same and key(theirs.settings) == key(mine.settings):  # another attempt
            continue
        shared = _shared(keys, their_keys)
        if starts and shared == len(keys) < len(their_keys):  # theirs began with the same words
            continue
        answer = answers.get(event.call_id)
        follows = answer is not None and 0 < shared < len(keys) and said(answer, mine.messages[shared])
        if follows and shared == len(their_keys):  # what came before it shares no more
            return event if shared >= most else found
        if most < shared == len(their_keys) and event.call_id in failed and not _is_answered(mine, shared):
            return event
        if shared > most:
            most, found = shared, event
        if like is None and same and (set(keys) & set(their_keys) or begins_with(mine.messages, answers.values())):
            like = event
    return found or like


def _frame(parts: Parts) -> bytes:
    """What stands around the messages: the system prompt and the tools."""
    return key([{"content": parts.system}, parts.tools])


def is_of_the_model(sent: _Message) -> bool:
    """Whether a message is one that the model gave."""
    return sent.get("role") == "assistant" or sent.get("type") in ("function_call", "reasoning")


def _is_answered(parts: Parts, shared: int) -> bool:
    """Whether the model answered to the first messages of a request."""
    return shared < len(parts.messages) and is_of_the_model(parts.messages[shared])


def begins_with(sent: Sequence[_Message], answers: Iterable[Event]) -> bool:
    """Whether the text of an answer is what a conversation begins with."""
    begins = "\n".join(message.text_of(each.get("content")) for each in sent[:2])
    texts = (message.answer(body_of(each)).strip() for each in answers)
    return any(len(text) >= LONG and text in begins for text in texts)


def said(answer: Event, sent: _Message) -> bool:
    """Whether a message is of an answer: the same, or with the same tool calls, or without any the same text.

    Space around the text may be gone: APIs refuse it at the end.
    """
    told = conversation.sendable(answer)
    if key(sent) in map(key, told):
        return True
    calls = _calls(told)
    if calls:
        return bool(calls & _calls([sent]))
    text = message.answer(body_of(answer)).strip()
    return bool(text) and text == message.text_of(sent.get("content")).strip()


def _calls(sent: Iterable[_Message]) -> set[Any]:
    """What tool calls are known by: their ids; without one by name and arguments."""
    calls = message.identified_tool_calls(sent)
    return {(name, key(told)) if call_id == "None" else call_id for call_id, name, told in calls}


def changes(context: Context, before: Event | None) -> list[dict[str, Any]]:
    """What is new: {"op": added, removed or changed, "path", "a", "b"}, `a` what was and `b` what is.

    Paths are JSON pointers (RFC 6901): `/system`, `/tools/N`, `/settings/NAME`, `/messages/N`; where something was
    removed, N counts in the request before.
    """
    body = body_of(before) if before is not None else {}
    was = message.parts({**body, "messages": context.kept} if context.kept else body)
    found = list(_one("/system", was.system, context.system, "content"))
    found += _tools(was.tools, context.tools)
    for name in dict.fromkeys((*was.settings, *context.settings)):
        if name == "previous_response_id":  # new with every request, as the conversation is
            continue
        pointer = f"/settings/{name.replace('~', '~0').replace('/', '~1')}"
        found += _one(pointer, was.settings.get(name), context.settings.get(name))
    return found + list(_messages(was.messages, context.messages))


def _one(path: str, a: Any, b: Any, name: str = "value") -> Iterator[dict[str, Any]]:
    if key({name: a}) == key({name: b}):
        return
    if a is None:
        yield {"op": "added", "path": path, "b": b}
    elif b is None:
        yield {"op": "removed", "path": path, "a": a}
    else:
        yield {"op": "changed", "path": path, "a": a, "b": b}


def _tools(was: Sequence[Any], now: Sequence[Any]) -> Iterator[dict[str, Any]]:
    old = dict(zip(_names(was), enumerate(was), strict=True))
    for number, (name, tool) in enumerate(zip(_names(now), now, strict=True)):
        _, before = old.pop(name, (0, None))
        yield from _one(f"/tools/{number}", before, tool)
    for number, tool in old.values():
        yield {"op": "removed", "path": f"/tools/{number}", "a": tool}


def _names(tools: Sequence[Any]) -> Iterator[tuple[str, int]]:
    """The names of tools, each with how often it came before."""
    seen: Counter[str] = Counter()
    for name in map(message.tool_of, tools):
        yield name, seen[name]
        seen[name] += 1


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
    texts = [_text(each) for each in (a, b)]
    head = _shared(*texts)
    tail = _shared(*(text[head:][::-1] for text in texts))
    return 2 * (head + tail) >= max(map(len, texts))


def _text(sent: _Message) -> str:
    """What two messages are compared by: the text of one that has nothing else, else its content as JSON."""
    content = sent.get("content", sent.get("output"))
    if all(block.get("type") == "text" for block in message.blocks(content)) and (
        text := message.text_of(content)
    ):
        return text
    return line.dump(normal(content)).decode()


def _shared(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many items both begin with."""
    differs = (place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differs, min(len(a), len(b)))


def _call_ids(sent: _Message) -> set[str]:
    found = [block.get("id") or block.get("tool_use_id") for block in message.blocks(sent.get("content"))]
    found += [call_id for call_id, _, _ in message.identified_tool_calls([sent])]
    return set(map(str, [*found, sent.get("tool_call_id"), sent.get("call_id")])) - {"None"}


def key(value: Any) -> bytes:
    """Equal for values that say the same to the model."""
    return line.canonical(normal(value))


def normal(value: Any, depth: int = 0) -> Any:
    """A value without marks for caching, nulls and empty lists; a text content is one text block.

    What is nested deeper than DEEP is left as it is.
    """
    if depth > DEEP:
        return value
    if isinstance(value, dict):
        found = {}
        for name, item in value.items():
            if item is None or item == [] or name == "cache_control":
                continue
            found[name] = normal(item, depth + 1) if isinstance(item, dict | list) else item
        if isinstance(found.get("content"), str):
            found["content"] = [{"type": "text", "text": found["content"]}]
        return found
    if isinstance(value, list):
        return [normal(item, depth + 1) if isinstance(item, dict | list) else item for item in value]
    return value
