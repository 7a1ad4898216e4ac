"""What of an event counts in a comparison, at the places where it stands in its line."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from trace_cli import delta, message
from trace_cli.difference import Excerpt
from trace_cli.event import Event
from trace_cli.following import KEPT, New
from trace_cli.ignoring import Ignoring
from trace_cli.item import Item

_PAYLOAD = "payload"
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


def left_out(event: Event) -> Iterator[str]:
    """What of an event in our own format never counts, as JSON pointers."""
    yield from (f"/{key}" for key in _HEAD)
    if event.step_id is not None:
        yield "/step_id"
    if event.span is not None:
        yield from ("/trace_id", "/span_id")
    if event.type == "run.ended":
        yield from (f"/payload/{key}" for key in _BY_THE_TAP if key in event.payload)
    counted = _COUNTED.get(event.type)
    if counted is None:
        return
    yield from (f"/payload/{key}" for key in event.payload.keys() - counted)
    body = event.payload.get("body")
    if event.type == "model.request" and isinstance(body, dict):
        yield from (f"/payload/body/{key}" for key in KEPT if isinstance(body.get(key), str))
    if event.type == "model.response" and isinstance(body, dict) and _is_known(body):
        yield from (f"/payload/body/{key}" for key in body.keys() - _SAID - {"model", "role"})


def document(event: Event, item: Item | None, other: Item | None, ignoring: Ignoring) -> dict[str, Any]:
    """What counts of an event beside `other`, at the places where it stands in the line."""
    if not ignoring.default or not event.own:
        return dict(ignoring.strip(event.fields))
    payload = event.payload
    pair = [each for each in (item, other) if each is not None]
    if item is not None and item.new is not None:
        changed = {name for each in pair if each.new for name in each.new.changed}
        body = body_of(event, item.new, changed, ignoring)
        return {_PAYLOAD: {"method": payload.get("method"), "url": path_of(payload.get("url")), "body": body}}
    if event.type == "model.response":
        told = {key: payload[key] for key in ("status", "complete") if key in payload}
        named = ["model"] if any(each.model for each in pair) else []
        return {_PAYLOAD: {**told, "body": body_of(event, None, named, ignoring)}}
    found = ignoring.strip(payload, _PAYLOAD)
    if event.type == "run.ended":
        found = {key: value for key, value in found.items() if key not in _BY_THE_TAP}
    if event.type.startswith("http."):
        found = {**found, "url": ignoring.error(path_of(payload.get("url"), query=True), "URLs")}
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
        places = [*new.prompts, *new.places] if new.name in changed else new.places
        odd = [place for place, each in enumerate(messages) if not isinstance(each, dict)]
        places = sorted((*places, *odd)) if odd else places  # nothing says which of those are new
        stripped = {}
        for place in places:
            if not ignoring.hides(_PAYLOAD, "body", new.name, str(place)):
                stripped[place] = ignoring.strip(messages[place], _PAYLOAD, "body", new.name, str(place))
        found[new.name] = Excerpt(stripped)
    elif messages is not None:
        found[new.name] = ignoring.strip(messages, _PAYLOAD, "body", new.name)
    return found


def _is_known(body: Mapping[str, Any]) -> bool:
    """Whether a response is in one of the shapes whose parts are known."""
    return any(key in body for key in ("content", "choices", "output"))


def path_of(url: Any, query: bool = False) -> Any:
    """The path of a URL, with its query where that is wanted: where the API stands does not count."""
    if not isinstance(url, str):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.path}?{parts.query}" if query and parts.query else parts.path


def result_of(part: Any) -> str | None:
    """The id of the call whose result a message or a block is."""
    if not isinstance(part, Mapping):
        return None
    for name in ("tool_use_id", "tool_call_id"):
        if isinstance(part.get(name), str):
            return str(part[name])
    return str(part.get("call_id")) if part.get("type") == "function_call_output" else None


def brings_results(content: Any) -> bool:
    """Whether a message is nothing but results of tools."""
    found = list(message.blocks(content))
    return bool(found) and all(each.get("type") == "tool_result" for each in found)


def server_results(body: Mapping[str, Any]) -> list[Any]:
    """What server tools and MCP returned."""
    found = [
        each for each in message.blocks(body.get("content")) if str(each.get("type")).endswith("_tool_result")
    ]
    return [delta.normal(each) for each in found]


def prose(body: Mapping[str, Any]) -> Any:
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
