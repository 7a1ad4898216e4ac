"""An event as it is compared with one of another run: what of it counts, at which level."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from trace_cli import delta, line, message
from trace_cli.difference import Excerpt
from trace_cli.event import Event
from trace_cli.following import Conversation, Conversations, New
from trace_cli.ignoring import Ignoring

LEVELS = ("structure", "args", "text")
STRUCTURE, ARGS, TEXT = range(3)
_PAYLOAD = "payload"
Call = tuple[str, bytes]  # the name of a tool, a digest of its arguments


@dataclass(slots=True)
class Item:
    """An event of a run, `number` in its index. Two events are the same at a level when type, label and key are.

    `label` is the tool of a call or its result, the name of a step, the role of a message: by it and the type, an
    event is known again that changed. `keys` are digests, one for each level. `calls` are the tool calls that the
    event is, or asks for. `new` and `model` say which parts of a body count: those that are new. `asked` is the
    number of the response that asked for this call and others at once, `order` where it stands among them.
    """

    number: int
    type: str
    label: str | None
    tool_name: str | None
    keys: tuple[bytes, bytes, bytes]
    calls: tuple[Call, ...] = ()
    conversation: Conversation | None = None
    new: New | None = None
    model: bool = False
    asked: int | None = None
    order: tuple[Any, ...] = ()
    call_id: str | None = None

    @property
    def shape(self) -> tuple[str, str | None]:
        """What an event is known again by when it changed."""
        return self.type, self.label


@dataclass(slots=True)
class _Counts:
    """What of an event counts, level by level, each beyond the one before."""

    structure: Any = None
    args: Any = None
    text: Any = None
    label: str | None = None
    calls: list[Call] = field(default_factory=list)

    def keys(self) -> tuple[bytes, bytes, bytes]:
        structure = digest(self.structure)
        args = digest([structure.hex(), self.args])
        return structure, args, args if self.text is None else digest([args.hex(), self.text])


class Comparing:
    """Makes items of the events of one run, given in their order."""

    def __init__(self, ignoring: Ignoring) -> None:
        self.conversations = Conversations()
        self._ignoring = ignoring
        self._noted: set[tuple[object, ...]] = set()  # kinds of events of which it is said what is not compared
        self._asked: dict[str, tuple[Conversation | None, int | None, Call]] = {}  # by the id of a call
        self._open: dict[Call, list[str]] = {}  # ids of calls that were asked for and not made yet
        self._called: dict[str, tuple[str, Call]] = {}  # id of a call that was made -> id that was asked for

    def item(self, event: Event, number: int) -> Item:
        """The next event."""
        make = _MAKERS.get(event.type, Comparing._other) if event.own else Comparing._foreign
        found = make(self, event, number)
        found.call_id = event.call_id
        if event.own and self._ignoring.default:
            self._note(event)
        return found

    def _note(self, event: Event) -> None:
        """Says what of an event is not compared."""
        body = event.payload.get("body")
        known = (event.type, event.step_id is None, *event.payload, *(body if isinstance(body, dict) else ()))
        if known in self._noted:
            return
        self._noted.add(known)
        note = self._ignoring.note
        for key in _HEAD:
            note(f"/{key}")
        if event.step_id is not None:
            note("/step_id")
        counted = _COUNTED.get(event.type)
        if counted is None:
            return
        for key in event.payload.keys() - counted:
            note(f"/payload/{key}")
        if event.type == "model.response" and isinstance(body, dict) and _is_known(body):
            for key in body.keys() - _SAID - {"model", "role"}:
                note(f"/payload/body/{key}")

    def _new(self, event: Event, number: int, counts: _Counts) -> Item:
        if self._ignoring.default:
            keys = counts.keys()
        else:
            everything = digest(self._ignoring.strip(event.fields))
            keys = everything, everything, everything
        return Item(number, event.type, counts.label, event.tool_name, keys, tuple(sorted(counts.calls)))

    def _request(self, event: Event, number: int) -> Item:
        new = self.conversations.request(event)
        payload = event.payload
        body = body_of(event, new, new.changed, self._ignoring)
        args = [payload.get("method"), _path(payload.get("url")), new.dropped]
        if isinstance(body, dict):
            args += [[key, delta.normal({key: body[key]})] for key in sorted(body) if key != new.name]
            args.append(self._told(body.get(new.name), message.messages(payload["body"])))
        else:
            args.append(body)
        found = self._new(event, number, _Counts(args=args))
        found.conversation, found.new = new.conversation, new
        return found

    def _told(self, stripped: Any, messages: Sequence[Mapping[str, Any]]) -> Any:
        """Some of the messages, what counts of them; the results of tools in the order of their calls."""
        if not isinstance(stripped, Excerpt):
            return stripped
        told = []
        for place, each in zip(stripped.places, stripped, strict=True):
            said, content = messages[place], each.get("content")
            if isinstance(content, list):
                each = {**each, "content": self._ordered(content, said["content"])}
            told.append((said, each))
        return delta.normal(self._ordered([each for _, each in told], [said for said, _ in told]))

    def _ordered(self, parts: Sequence[Any], said: Sequence[Any]) -> list[Any]:
        """Blocks or messages; those that bring the results of tools come last, in an order of their own."""
        return [part for _, part in sorted(zip(said, parts, strict=True), key=self._order_of)]

    def _order_of(self, part: tuple[Any, Any]) -> tuple[Any, ...]:
        said, counted = part
        call_id = _result_of(said)
        if call_id is None:
            return (0,)
        _, _, (name, _) = self._asked.get(call_id, (None, None, ("", b"")))
        return (1, name, line.canonical(counted))

    def _response(self, event: Event, number: int) -> Item:
        conversation = self.conversations.answered(event)
        payload = event.payload
        body = payload.get("body")
        counts = _Counts([payload.get("status"), payload.get("complete")])
        model = False
        if isinstance(body, Mapping):
            if conversation is not None and body.get("model") is not None:
                model, conversation.model = conversation.model != body["model"], body["model"]
            said = body_of(event, None, ["model"] if model else [], self._ignoring) or {}
            counts.calls = [_call(name, told) for name, told in message.tool_calls(said)]
            names = sorted(name for name, _ in counts.calls)
            failed = message.error_body(body)
            counts.structure += [message.stop_reason(said), names, failed is not None]
            counts.args = [sorted((name, told.hex()) for name, told in counts.calls), failed, said.get("model")]
            counts.args.append(_server_results(said))
            counts.text = _prose(said)
        else:
            counts.args = body
        found = self._new(event, number, counts)
        found.conversation, found.model = conversation, model
        self._ask(body, conversation, number)
        return found

    def _ask(self, body: Any, conversation: Conversation | None, number: int) -> None:
        """Notes the calls that a response asks for."""
        if not isinstance(body, Mapping):
            return
        asked = list(message.identified_tool_calls(message.answers(body)))
        for call_id, name, told in asked:
            call = _call(name, told)
            self._asked[call_id] = (conversation, number if len(asked) > 1 else None, call)
            self._open.setdefault(call, []).append(call_id)

    def _error(self, event: Event, number: int) -> Item:
        conversation = self.conversations.answered(event)
        payload = event.payload
        error = payload.get("error")
        stated = error if isinstance(error, Mapping) else {}
        counts = _Counts(
            [payload.get("status"), stated.get("kind")],
            [stated.get("type"), stated.get("message")],
            self._ignoring.strip(payload.get("body"), _PAYLOAD, "body"),
        )
        found = self._new(event, number, counts)
        found.conversation = conversation
        return found

    def _called_tool(self, event: Event, number: int) -> Item:
        call = _call(str(event.tool_name), event.args)
        args = self._ignoring.strip(event.args, _PAYLOAD, "args")
        hidden = self._ignoring.hides(_PAYLOAD, "args")
        counts = _Counts(args=None if hidden else args, label=event.tool_name)
        counts.calls = [_call(str(event.tool_name), counts.args)]
        found = self._new(event, number, counts)
        asked = event.call_id if event.call_id in self._asked else next(iter(self._open.get(call, ())), None)
        if asked is not None:
            self._open[self._asked[asked][2]] = [e for e in self._open[self._asked[asked][2]] if e != asked]
        if event.call_id is not None:
            self._called[event.call_id] = (asked or event.call_id, call)
        self._place(found, event, 0)
        return found

    def _place(self, item: Item, event: Event, behind: int) -> None:
        """Where a tool call or its result belongs to."""
        asked, call = self._called.get(event.call_id or "", (event.call_id or "", (str(event.tool_name), b"")))
        if asked in self._asked:
            item.conversation, item.asked, call = self._asked[asked]
        item.order = (*call, behind)

    def _tool_result(self, event: Event, number: int) -> Item:
        payload = self._ignoring.strip(event.payload, _PAYLOAD)
        failed = payload.get("error")
        kind = payload.get("exception")
        counts = _Counts(
            [failed is not None],
            [payload.get("result"), failed, kind.get("type") if isinstance(kind, Mapping) else None],
            label=event.tool_name,
        )
        found = self._new(event, number, counts)
        self._place(found, event, 1)
        return found

    def _other(self, event: Event, number: int) -> Item:
        payload = self._ignoring.strip(event.payload, _PAYLOAD)
        label = event.tool_name
        structure: Any = None
        if event.type.startswith("step."):
            label, structure = str(payload.get("name")), [payload.get("error") is not None]
        elif event.type == "run.ended":
            structure = [payload.get("status"), payload.get("error") is not None]
            payload = _without(payload, _BY_THE_TAP, "/payload", self._ignoring)
        elif event.type.startswith("http."):
            structure = [payload.get("status")]
            payload = {**payload, "url": _path(payload.get("url"))}
        return self._new(event, number, _Counts(structure, payload, label=label))

    def _foreign(self, event: Event, number: int) -> Item:
        fields = self._ignoring.strip(event.fields)
        said = fields.get("message")
        inner = said if isinstance(said, Mapping) else fields
        role = inner.get("role")
        if role == "user" and _brings_results(inner.get("content")):
            role = "tool"
        counts = _Counts(label=event.tool_name or (role if isinstance(role, str) else None))
        if role == "assistant" and "content" in inner:
            counts.calls = [_call(name, args) for _, name, args in message.identified_tool_calls([inner])]
            counts.structure = sorted(name for name, _ in counts.calls)
            counts.args = sorted((name, args.hex()) for name, args in counts.calls)
            counts.text = fields
        else:
            counts.args = fields
        if event.type in ("tool.called", "tool_call", "tool_use", "tool.call"):
            counts.calls = [_call(str(event.tool_name), event.payload.get("args", event.payload.get("input")))]
        return self._new(event, number, counts)


_MAKERS: dict[str, Callable[[Comparing, Event, int], Item]] = {
    "model.request": Comparing._request,
    "model.response": Comparing._response,
    "model.error": Comparing._error,
    "tool.called": Comparing._called_tool,
    "tool.result": Comparing._tool_result,
}
_HEAD = ("timestamp", "run_id", "seq", "call_id")
_BY_THE_TAP = ("events", "dropped")  # counted in run.ended
_COUNTED = {
    "model.request": {"method", "url", "body"},
    "model.response": {"status", "complete", "body"},
    "model.error": {"status", "error", "body"},
    "tool.called": {"tool_name", "args"},
    "tool.result": {"tool_name", "result", "error", "exception"},
}
# fmt: off
_SAID = frozenset((
    "content", "choices", "output", "stop_reason", "stop_sequence", "status", "error", "incomplete_details",
    "refusal", "type", "message", "detail",
))
# fmt: on


def document(event: Event, item: Item, other: Item | None, ignoring: Ignoring) -> dict[str, Any]:
    """What is shown of an event beside `other`, at the places where it stands in the line."""
    if not ignoring.default:
        return dict(ignoring.strip(event.fields))
    if not event.own:
        return dict(ignoring.strip(event.fields))
    payload = event.payload
    pair = [each for each in (item, other) if each is not None]
    if item.new is not None:
        changed = {name for each in pair if each.new for name in each.new.changed}
        body = body_of(event, item.new, changed, ignoring)
        return {_PAYLOAD: {"method": payload.get("method"), "url": _path(payload.get("url")), "body": body}}
    if event.type == "model.response":
        told = {key: payload[key] for key in ("status", "complete") if key in payload}
        named = ["model"] if any(each.model for each in pair) else []
        return {_PAYLOAD: {**told, "body": body_of(event, None, named, ignoring)}}
    found = ignoring.strip(payload, _PAYLOAD)
    if event.type == "run.ended":
        found = _without(found, _BY_THE_TAP, "/payload", ignoring)
    if event.type.startswith("http."):
        found = {**found, "url": _path(payload.get("url"))}
    return {_PAYLOAD: found}


def body_of(event: Event, new: New | None, changed: Iterable[str], ignoring: Ignoring) -> Any:
    """What counts of a body: of a request what changed and the new messages, of a response what it says."""
    body = event.payload.get("body")
    if not isinstance(body, dict) or ignoring.hides(_PAYLOAD, "body"):
        return None if ignoring.hides(_PAYLOAD, "body") else body
    if new is None:
        kept = {k: v for k, v in body.items() if k in _SAID or k in changed} if _is_known(body) else body
        return ignoring.strip(kept, _PAYLOAD, "body")
    named = {key: body[key] for key in changed if key in body and key != new.name}
    found = ignoring.strip(named, _PAYLOAD, "body")
    messages = body.get(new.name)
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if isinstance(messages, list):
        places = [*range(new.leading), *new.places] if new.name in changed else new.places
        stripped = {}
        for place in places:
            if place < len(messages) and not ignoring.hides(_PAYLOAD, "body", new.name, str(place)):
                stripped[place] = ignoring.strip(messages[place], _PAYLOAD, "body", new.name, str(place))
        found[new.name] = Excerpt(stripped)
    return found


def _is_known(body: Mapping[str, Any]) -> bool:
    """Whether a response is in one of the shapes whose parts are known."""
    return any(key in body for key in ("content", "choices", "output"))


def digest(value: Any) -> bytes:
    """Equal for equal values."""
    return blake2b(line.canonical(value), digest_size=16).digest()


def _call(name: str, told: Any) -> Call:
    args = line.parsed(told) if isinstance(told, str) else told
    return name, digest({} if args is None else args)


def _path(url: Any) -> Any:
    """The path of a URL: where the API stands does not count."""
    if not isinstance(url, str):
        return url
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _result_of(part: Any) -> str | None:
    """The id of the call whose result a message or a block is."""
    if not isinstance(part, Mapping):
        return None
    for name in ("tool_use_id", "tool_call_id"):
        if isinstance(part.get(name), str):
            return str(part[name])
    return str(part.get("call_id")) if part.get("type") == "function_call_output" else None


def _brings_results(content: Any) -> bool:
    """Whether a message is nothing but results of tools."""
    found = list(message.blocks(content))
    return bool(found) and all(each.get("type") == "tool_result" for each in found)


def _server_results(body: Mapping[str, Any]) -> list[Any]:
    """What server tools and MCP returned."""
    found = [
        each for each in message.blocks(body.get("content")) if str(each.get("type")).endswith("_tool_result")
    ]
    return [delta.normal(each) for each in found]


def _prose(body: Mapping[str, Any]) -> Any:
    """What a response says beside its tool calls."""
    told = list(message.answers(body))
    if not told:
        return body
    said = []
    for each in told:
        if each.get("type") == "function_call":
            continue
        content = each.get("content")
        if isinstance(content, list):
            content = [block for block in content if not _is_use(block)]
        rest = {
            name: item for name, item in each.items() if name not in ("tool_calls", "content", "usage", "model")
        }
        said.append(delta.normal({**rest, "content": content}))
    return said


def _is_use(block: Any) -> bool:
    return isinstance(block, Mapping) and block.get("type") in ("tool_use", "server_tool_use", "mcp_tool_use")


def _without(payload: dict[str, Any], names: Iterable[str], path: str, ignoring: Ignoring) -> dict[str, Any]:
    for name in names:
        if name in payload:
            ignoring.note(f"{path}/{name}")
    return {name: item for name, item in payload.items() if name not in names}
