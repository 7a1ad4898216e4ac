"""The events of a run → items, which are compared: what of each counts at which level."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trace_cli import delta, line, message
from trace_cli.counted import (
    body_of,
    brings_results,
    document,
    left_out,
    path_of,
    prose,
    result_of,
    server_results,
)
from trace_cli.difference import Excerpt
from trace_cli.event import Event
from trace_cli.following import Conversation, Conversations
from trace_cli.ignoring import Ignoring
from trace_cli.item import Call, Item, call_of, digest

_PAYLOAD = "payload"
_NO_ID = ("None", "")  # of a call, as some servers imitate OpenAI's API


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
        self._steps: dict[str, str | None] = {}  # by the id of a call: the step in which it was asked for
        self._open: dict[Call, list[str]] = {}  # ids of calls that were asked for and not made yet
        self._called: dict[str, tuple[str, Call]] = {}  # id of a call that was made -> id that was asked for

    def item(self, event: Event, number: int) -> Item:
        """The next event."""
        make = _MAKERS.get(event.type, Comparing._other) if event.own else Comparing._foreign
        found = make(self, event, number)
        found.call_id, found.step_id = event.call_id, event.step_id
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
        for pointer in left_out(event):
            self._ignoring.note(pointer)

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
        args = [payload.get("method"), path_of(payload.get("url")), new.dropped]
        if isinstance(body, dict):
            args += [[key, delta.normal({key: body[key]})] for key in sorted(body) if key != new.name]
            args.append(self._told(body.get(new.name), payload["body"].get(new.name)))
        else:
            args.append(body)
        found = self._new(event, number, _Counts(args=args))
        found.conversation, found.new = new.conversation, new
        return found

    def _told(self, stripped: Any, messages: Any) -> Any:
        """Some of the messages, what counts of them; the results of tools in an order of their own."""
        if not isinstance(stripped, Excerpt) or not isinstance(messages, list):
            return stripped
        told = []
        for place, each in zip(stripped.places, stripped, strict=True):
            said = messages[place]
            content = each.get("content") if isinstance(each, Mapping) else None
            if isinstance(content, list):
                each = {**each, "content": self._ordered(content, said["content"])}
            told.append((said, each))
        return delta.normal(self._ordered([each for _, each in told], [said for said, _ in told]))

    def _ordered(self, parts: Sequence[Any], said: Sequence[Any]) -> list[Any]:
        """Blocks or messages; those that bring the results of tools come last, in an order of their own.

        Which result of a tool belongs to which of its calls, the events of the tool tell.
        """
        return [part for _, part in sorted(zip(said, parts, strict=True), key=self._order_of)]

    def _order_of(self, part: tuple[Any, Any]) -> tuple[Any, ...]:
        said, counted = part
        call_id = result_of(said)
        if call_id is None and not (isinstance(said, Mapping) and said.get("role") == "tool"):
            return (0,)
        _, _, (name, _) = self._asked.get(call_id or "", (None, None, ("", b"")))
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
            said = body_of(event, None, ["model"], self._ignoring) or {}
            counts.calls = [call_of(name, told) for name, told in message.tool_calls(said)]
            names = sorted(name for name, _ in counts.calls)
            failed = message.error_body(body)
            counts.structure += [message.stop_reason(said), names, failed is not None]
            counts.args = [sorted((name, told.hex()) for name, told in counts.calls), failed]
            counts.args.append(server_results(said))
            counts.text = prose(said)
        else:
            counts.args = body
        found = self._new(event, number, counts)
        found.conversation, found.model = conversation, model
        if isinstance(body, Mapping):
            found.said_by = digest(said.get("model"))
        self._ask(event, conversation, number)
        return found

    def _ask(self, event: Event, conversation: Conversation | None, number: int) -> None:
        """Notes the calls that a response asks for."""
        body = event.payload.get("body")
        if not isinstance(body, Mapping):
            return
        asked = list(message.identified_tool_calls(message.answers(body)))
        for place, (call_id, name, told) in enumerate(asked):
            call = call_of(name, told)
            if call_id in _NO_ID:
                call_id = f"{number}/{place}"
            self._asked[call_id] = (conversation, number if len(asked) > 1 else None, call)
            self._steps[call_id] = event.step_id
            self._open.setdefault(call, []).append(call_id)

    def _error(self, event: Event, number: int) -> Item:
        conversation = self.conversations.answered(event)
        payload = event.payload
        error = payload.get("error")
        stated = error if isinstance(error, Mapping) else {}
        counts = _Counts(
            [payload.get("status"), stated.get("kind")],
            [stated.get("type"), self._ignoring.error(stated.get("message"))],
            self._ignoring.strip(payload.get("body"), _PAYLOAD, "body"),
        )
        found = self._new(event, number, counts)
        found.conversation = conversation
        return found

    def _called_tool(self, event: Event, number: int) -> Item:
        call = call_of(str(event.tool_name), event.args)
        args = self._ignoring.strip(event.args, _PAYLOAD, "args")
        hidden = self._ignoring.hides(_PAYLOAD, "args")
        counts = _Counts(args=None if hidden else args, label=event.tool_name)
        counts.calls = [call_of(str(event.tool_name), counts.args)]
        found = self._new(event, number, counts)
        asked = event.call_id if event.call_id in self._asked else self._likely(call, event.step_id)
        if asked is not None:
            self._open[self._asked[asked][2]] = [e for e in self._open[self._asked[asked][2]] if e != asked]
        if event.call_id is not None:
            self._called[event.call_id] = (asked or event.call_id, call)
        self._place(found, event, 0)
        return found

    def _likely(self, call: Call, step_id: str | None) -> str | None:
        """The id that was asked for of a call that was made with another one: of the same step, else the first."""
        left = self._open.get(call, ())
        return next((each for each in left if self._steps[each] == step_id), next(iter(left), None))

    def _place(self, item: Item, event: Event, behind: int) -> None:
        """Where a tool call or its result belongs to."""
        asked, call = self._called.get(event.call_id or "", (event.call_id or "", (str(event.tool_name), b"")))
        if asked in self._asked:
            item.conversation, item.asked, call = self._asked[asked]
            item.guessed = asked != event.call_id
        item.order = (*call, behind)

    def _tool_result(self, event: Event, number: int) -> Item:
        payload = self._ignoring.strip(event.payload, _PAYLOAD)
        failed = self._ignoring.error(payload.get("error"))
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
        elif event.type.startswith("http."):
            structure = [payload.get("status")]
        counted = document(event, None, None, self._ignoring)
        payload = counted.get(_PAYLOAD)
        if isinstance(payload, dict) and "error" in payload:
            payload = {**payload, "error": self._ignoring.error(payload["error"])}
        return self._new(event, number, _Counts(structure, payload, label=label))

    def _foreign(self, event: Event, number: int) -> Item:
        fields = self._ignoring.strip(event.fields)
        said = fields.get("message")
        inner = said if isinstance(said, Mapping) else fields
        role = inner.get("role")
        if role == "user" and brings_results(inner.get("content")):
            role = "tool"
        counts = _Counts(label=event.tool_name or (role if isinstance(role, str) else None))
        if role == "assistant" and "content" in inner:
            counts.calls = [call_of(name, args) for _, name, args in message.identified_tool_calls([inner])]
            counts.structure = sorted(name for name, _ in counts.calls)
            counts.args = sorted((name, args.hex()) for name, args in counts.calls)
            counts.text = fields
        else:
            counts.args = fields
        if event.type in ("tool.called", "tool_call", "tool_use", "tool.call"):
            counts.calls = [call_of(str(event.tool_name), event.payload.get("args", event.payload.get("input")))]
        return self._new(event, number, counts)


_MAKERS: dict[str, Callable[[Comparing, Event, int], Item]] = {
    "model.request": Comparing._request,
    "model.response": Comparing._response,
    "model.error": Comparing._error,
    "tool.called": Comparing._called_tool,
    "tool.result": Comparing._tool_result,
}
