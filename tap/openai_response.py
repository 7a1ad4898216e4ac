"""The events of an OpenAI response -> the response, as if it had not been streamed."""

from collections.abc import Callable
from typing import Any

from .pieces import Pieces

# The last two are how other servers of this format end a response.
_TERMINAL = ("response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done")

# What grows: the name in the type of its event -> where in the output item it is, and its key there.
_TEXTS = {
    "output_text": ("content", "text"),
    "refusal": ("content", "refusal"),
    "reasoning_text": ("content", "text"),
    "reasoning_summary_text": ("summary", "text"),
    "function_call_arguments": (None, "arguments"),
    "mcp_call_arguments": (None, "arguments"),
    "custom_tool_call_input": (None, "input"),
    "code_interpreter_call_code": (None, "code"),
    "apply_patch_call_operation_diff": ("operation", "diff"),
}
_PARTS = {"content_part": "content", "reasoning_part": "content", "reasoning_summary_part": "summary"}
_MAX_PARTS = 10_000


class Response:
    """A response while its events come in.

    Its terminal event holds the whole of it. Without one, or when that has no output, the output is put together
    from the items, their parts and the deltas.
    """

    def __init__(self) -> None:
        self.complete = False
        self._response: dict[str, Any] | None = None
        self._items: dict[int, dict[str, Any]] = {}
        self._pieces = Pieces()

    def take(self, kind: str, event: dict[str, Any]) -> bool:
        """Work one event in; False if it is of no known type."""
        if not kind.startswith("response."):
            return kind == "keepalive"
        response, index = event.get("response"), event.get("output_index")
        if isinstance(response, dict):
            if not self.complete:
                self._response, self.complete = response, kind in _TERMINAL
            return True
        if not isinstance(index, int):
            return False
        _, name, *rest = kind.split(".")
        if name == "output_item" and isinstance(event.get("item"), dict):
            self._items[index] = event["item"]
            return True
        item = self._items.get(index)
        if item is None:  # its beginning never came
            item = {"id": event["item_id"]} if "item_id" in event else {}
        taken = self._take_part(item, name, ".".join(rest), event)
        if taken:
            self._items[index] = item
        return taken

    def _take_part(self, item: dict[str, Any], name: str, what: str, event: dict[str, Any]) -> bool:
        if name in _TEXTS and what in ("delta", "done"):
            return self._take_text(item, name, what, event)
        match name, what, event:
            case _, "added" | "done", {"part": dict(part)} if name in _PARTS:
                place = _place(item, _PARTS[name], event)
                if place is not None:
                    parts, number = place
                    parts[number] = part
                return place is not None
            case "output_text", "annotation.added", {"annotation": annotation}:
                place = _place(item, "content", event)
                if place is not None:
                    part = place[0][place[1]]
                    if not isinstance(part.get("annotations"), list):
                        part["annotations"] = []
                    part["annotations"].append(annotation)
                return place is not None
            case "image_generation_call", "partial_image", {"partial_image_b64": image}:
                item["partial_image_b64"] = image  # the last one; the item, when it is done, has the image
                return True
            case "shell_call_command", "added" | "delta" | "done", _:
                return self._take_command(item, what, event)
            case "shell_call_output_content", "delta" | "done", _:
                return self._take_output(item, what, event)
        if name.endswith(("_call", "_list_tools", "compaction")) and what.isidentifier() and "delta" not in event:
            item["status"] = what
            return True
        return False

    def _take_text(self, item: dict[str, Any], name: str, what: str, event: dict[str, Any]) -> bool:
        parts, key = _TEXTS[name]
        holder = item
        if parts == "operation":
            holder = _object(item, parts)
        elif parts is not None:
            place = _place(item, parts, event)
            if place is None:
                return False
            holder = place[0][place[1]]
            if not holder:  # its beginning never came
                holder["type"] = name.replace("reasoning_summary", "summary")
        if isinstance(event.get("logprobs"), list) and what == "delta" and event["logprobs"]:
            before = holder.get("logprobs")
            if not isinstance(before, list):
                before = holder["logprobs"] = []
            before += event["logprobs"]
        if what == "delta" and isinstance(event.get("delta"), str):
            self._pieces.add(holder, key, event["delta"])
        elif what == "done" and key in event:
            self._pieces.put(holder, key, event[key])
        else:
            return False
        return True

    def _take_command(self, item: dict[str, Any], what: str, event: dict[str, Any]) -> bool:
        number, told = event.get("command_index"), event.get("delta" if what == "delta" else "command")
        commands = _filled(_object(item, "action"), "commands", number, str)
        if commands is None or not isinstance(number, int) or not isinstance(told, str):
            return False
        if what == "delta":
            self._pieces.add(commands, number, told)
        else:
            self._pieces.put(commands, number, told)
        return True

    def _take_output(self, item: dict[str, Any], what: str, event: dict[str, Any]) -> bool:
        if what == "done" and isinstance(event.get("output"), list):
            item["output"] = event["output"]
            return True
        place = _place(item, "output", event)
        if place is None or not isinstance(event.get("delta"), dict):
            return False
        for key, text in event["delta"].items():
            if isinstance(text, str):
                self._pieces.add(place[0][place[1]], key, text)
        return True

    def done(self) -> dict[str, Any] | None:
        self._pieces.join()
        if self._response is None and not self._items:
            return None
        body = self._response or {"object": "response"}
        if self._items and (not self.complete or not body.get("output")):
            told = body.get("output")
            before = dict(enumerate(told)) if isinstance(told, list) else {}
            items = before | self._items
            body["output"] = [items[index] for index in sorted(items)]
        return body


def failure(event: dict[str, Any]) -> Any:
    """Return the error of a `response.failed` event."""
    match event:
        case {"response": {"error": error}} if error:
            return error
    return {"message": "the response failed"}


def _object(item: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object `item[key]`, made where there is none."""
    found = item.get(key)
    if not isinstance(found, dict):
        found = item[key] = {}
    return found


def _place(item: dict[str, Any], key: str, event: dict[str, Any]) -> tuple[list[Any], int] | None:
    """Return the list of an item that an event is about and the number of the part in it, which is there."""
    number: Any = next((event[k] for k in ("content_index", "summary_index", "command_index") if k in event), None)
    parts = _filled(item, key, number, dict)
    if parts is None or not isinstance(parts[number], dict):
        return None
    return parts, number


def _filled(holder: dict[str, Any], key: str, number: Any, new: Callable[[], Any]) -> list[Any] | None:
    """Return the list `holder[key]`, made long enough for `number`; None if that is no number of a part."""
    if not isinstance(number, int) or not 0 <= number < _MAX_PARTS:
        return None
    parts = holder.get(key)
    if not isinstance(parts, list):
        parts = holder[key] = []
    while len(parts) <= number:
        parts.append(new())
    return parts
