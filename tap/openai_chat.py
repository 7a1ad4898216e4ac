"""The chunks of an OpenAI chat or text completion -> the completion, as if it had not been streamed.

Many others speak this format, and not all of them exactly: what is lenient here is so for a stream that was seen.
"""

from typing import Any

from .pieces import Pieces

# Told anew in every chunk by some, and never in parts.
_TOLD_ONCE = {"id", "role", "type", "format"}
# Entries of a list of content parts that have no index: one of the same type goes on with the one before it.
_PARTS = ("text", "thinking")
_MAX_DEPTH = 20


def is_chunk(event: dict[str, Any]) -> bool:
    """Say whether an event's data is a chunk of a completion."""
    choices = event.get("choices")
    return isinstance(choices, list) or (choices is None and event.get("object") == "chat.completion.chunk")


class Completion:
    """A chat or text completion while its chunks come in. Deltas are joined, anything else is told anew."""

    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._whole: dict[int, Any] = {}  # messages that came whole, beside the deltas or in place of them
        self._pieces = Pieces()

    @property
    def complete(self) -> bool:
        """Whether every choice that was seen has its `finish_reason`: some providers send no `[DONE]`."""
        return bool(self._choices) and all(choice.get("finish_reason") for choice in self._choices.values())

    def take(self, kind: str, event: dict[str, Any]) -> bool:
        """Work one chunk in; False if it is none."""
        if not is_chunk(event):
            return False
        for key, value in event.items():
            if key == "choices":
                self._body.setdefault("choices", [])
            elif key in ("id", "object", "created", "model"):
                self._body[key] = self._body.get(key) or value  # a first chunk with filter results has them empty
            elif key not in ("error", "obfuscation"):
                _tell(self._body, key, value)
        for position, choice in enumerate(event.get("choices") or []):
            if isinstance(choice, dict):
                self._take_choice(position, choice)
        return True

    def _take_choice(self, position: int, told: dict[str, Any]) -> None:
        index = told.get("index")
        index = index if isinstance(index, int) else position
        choice = self._choices.setdefault(index, {})
        for key, value in told.items():
            if key == "delta":
                message = choice.setdefault("message", {})
                if isinstance(value, dict):
                    self._join(message, value)
            elif key == "message":
                self._whole[index] = value
            elif key == "text" and isinstance(value, str):
                self._pieces.add(choice, key, value)
            elif key == "finish_reason":
                choice[key] = value or choice.get(key, value)  # some tell it anew, as ""
            elif key == "logprobs":
                _extend(choice, value)
            else:
                _tell(choice, key, value)

    def _join(self, joined: dict[str, Any], delta: dict[str, Any], depth: int = 0) -> None:
        for key, value in delta.items():
            before = joined.get(key)
            if value is None:
                joined.setdefault(key, None)
            elif depth == _MAX_DEPTH:
                self._pieces.put(joined, key, value)
            elif isinstance(value, str):
                self._join_text(joined, key, value)
            elif isinstance(value, dict):
                if not isinstance(before, dict):
                    self._pieces.put(joined, key, {})
                self._join(joined[key], value, depth + 1)
            elif isinstance(value, list):
                if not isinstance(before, list):
                    text = self._pieces.get(joined, key)
                    self._pieces.put(joined, key, [{"type": "text", "text": text}] if text else [])
                for entry in value:
                    self._join_entry(joined[key], entry, depth + 1)
            else:
                self._pieces.put(joined, key, value)

    def _join_text(self, joined: dict[str, Any], key: str, text: str) -> None:
        before = joined.get(key)
        if key in _TOLD_ONCE:
            joined[key] = before or text
        elif key == "name":  # comes in one piece, in parts, or again and again
            joined[key] = text if before in (None, "", text) else f"{before}{text}"
        elif isinstance(before, list):  # content that was a list of parts so far
            self._join_entry(before, {"type": "text", "text": text}, 0)
        else:
            self._pieces.add(joined, key, text)

    def _join_entry(self, entries: list[Any], told: Any, depth: int) -> None:
        """Work an entry of a list in: into that with the same index or id, or as a new one."""
        if not isinstance(told, dict):
            entries.append(told)
            return
        entry = _find(entries, told)
        if entry is None:
            entry = {}
            after = [n for n, one in enumerate(entries) if 0 <= _index(told) < _index(one)]
            entries.insert(after[0] if after else len(entries), entry)
        self._join(entry, told, depth)

    def done(self) -> dict[str, Any]:
        self._pieces.join()
        for index, message in self._whole.items():
            self._choices[index]["message"] = self._choices[index].get("message") or message
        if self._choices:
            self._body["choices"] = [self._choices[index] for index in sorted(self._choices)]
        kind = self._body.get("object") or "chat.completion"
        self._body["object"] = kind.removesuffix(".chunk") if isinstance(kind, str) else kind
        return self._body


def _tell(holder: dict[str, Any], key: str, value: Any) -> None:
    """Set a key to what was told last. Null takes nothing back, and an object adds to the one before it."""
    before = holder.get(key)
    if isinstance(before, dict) and isinstance(value, dict):
        holder[key] = before | value
    elif before is None or value is not None:
        holder[key] = value


def _extend(choice: dict[str, Any], told: Any) -> None:
    """Make the lists in a choice's `logprobs` longer."""
    before = choice.get("logprobs")
    if not isinstance(before, dict) or not isinstance(told, dict):
        _tell(choice, "logprobs", told)
        return
    for key, value in told.items():
        if isinstance(value, list) and isinstance(before.get(key), list):
            before[key] += value
        else:
            _tell(before, key, value)


def _find(entries: list[Any], told: dict[str, Any]) -> dict[str, Any] | None:
    """Return the entry that `told` goes on with, or None if it begins one."""
    index, id = told.get("index"), told.get("id")
    if isinstance(index, int):
        found = next((one for one in reversed(entries) if isinstance(one, dict) and _index(one) == index), None)
        # Some give every call the same index. Others give every part of one call another id.
        another = id and _named(told) and found is not None and found.get("id") not in (None, "", id)
        return None if another else found
    if id:
        return next((one for one in reversed(entries) if isinstance(one, dict) and one.get("id") == id), None)
    last = entries[-1] if entries else None
    if not isinstance(last, dict):
        return None
    if "type" in told and any(key in told for key in _PARTS):
        return last if last.get("type") == told["type"] and "index" not in last else None
    return last if "function" in told and not _named(told) else None


def _index(entry: Any) -> int:
    index = entry.get("index") if isinstance(entry, dict) else None
    return index if isinstance(index, int) else -1


def _named(call: dict[str, Any]) -> bool:
    function = call.get("function")
    return isinstance(function, dict) and bool(function.get("name"))
