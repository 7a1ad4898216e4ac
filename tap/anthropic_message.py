"""The events of an Anthropic message -> the message, as if it had not been streamed."""

from typing import Any

from .jsonable import raw_json
from .pieces import Pieces


class Message:
    """A message while its events come in. A second start voids what came before it."""

    def __init__(self) -> None:
        self.complete = False
        self.message: dict[str, Any] | None = None
        self.blocks: dict[int, _Block] = {}

    def take(self, kind: str, event: dict[str, Any]) -> bool:
        """Work one event in; False if it is none of a message's."""
        if kind == "message_start" and isinstance(event.get("message"), dict):
            self.message = dict(event["message"])
            content = self.message.get("content")
            told = enumerate(content if isinstance(content, list) else [])
            self.blocks = {index: _Block(dict(block)) for index, block in told if isinstance(block, dict)}
            return True
        if kind == "message_stop":
            self.complete = True
        if self.message is None:
            return kind == "ping"
        index = event.get("index")
        if kind == "content_block_start" and isinstance(index, int):
            block = event.get("content_block")
            self.blocks[index] = _Block(dict(block) if isinstance(block, dict) else {"type": None})
            match block:
                case {"type": "fallback", "to": {"model": str(model)}}:  # another model took over
                    self.message["model"] = model
            return True
        if kind == "content_block_delta" and isinstance(index, int) and isinstance(event.get("delta"), dict):
            block = self.blocks.get(index)
            return block is not None and block.take(event["delta"])
        if kind == "message_delta":
            self._close(event)
            return True
        return kind in ("content_block_stop", "message_stop", "ping")

    def _close(self, event: dict[str, Any]) -> None:
        assert self.message is not None
        delta, usage = event.get("delta"), event.get("usage")
        if isinstance(delta, dict):
            # null says that there is nothing to tell, but for the keys that only this event fills.
            self.message |= {k: v for k, v in delta.items() if v is not None or k.startswith("stop_")}
        if isinstance(usage, dict):
            before = self.message.get("usage")
            told = {k: v for k, v in usage.items() if v is not None}
            self.message["usage"] = (before if isinstance(before, dict) else {}) | told
        for key in event.keys() - {"type", "delta", "usage"}:
            if event[key] is not None:
                self.message[key] = event[key]

    def done(self) -> dict[str, Any] | None:
        if self.message is None:
            return None
        if self.blocks:
            self.message["content"] = [self.blocks[index].done() for index in sorted(self.blocks)]
        return self.message


class _Block:
    """One content block while its deltas come in. Text is kept in pieces, so that long streams stay linear."""

    def __init__(self, block: dict[str, Any]) -> None:
        self.block = block
        self.pieces = Pieces()
        self.input: list[str] = []

    def take(self, delta: dict[str, Any]) -> bool:
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                self.pieces.add(self.block, "text", text)
            case {"type": "thinking_delta", "thinking": str(text)}:
                self.pieces.add(self.block, "thinking", text)
            case {"type": "compaction_delta", **rest}:
                if isinstance(rest.get("content"), str):
                    self.pieces.add(self.block, "content", rest["content"])
                self.block |= {k: v for k, v in rest.items() if k != "content" and v is not None}
            case {"type": "signature_delta", "signature": signature}:
                self.block["signature"] = signature
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self.input.append(text)
            case {"type": "citations_delta", "citation": citation}:
                if not isinstance(self.block.get("citations"), list):
                    self.block["citations"] = []
                self.block["citations"].append(citation)
            case _:
                return False
        return True

    def done(self) -> dict[str, Any]:
        self.pieces.join()
        text = "".join(self.input)
        if text:
            # Put in as it came: numbers keep their digits.
            whole = raw_json(text.encode("utf-8", "surrogatepass"))
            if whole is not None:
                self.block["input"] = whole
            else:  # cut off, by max_tokens or by the connection
                self.block["partial_json"] = text
        return self.block
