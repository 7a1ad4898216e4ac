"""Item: an event as it is compared with one of another run."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from trace_cli import line
from trace_cli.following import Conversation, New

LEVELS = ("structure", "args", "text")
STRUCTURE, ARGS, TEXT = range(3)
Call = tuple[str, bytes]  # the name of a tool, a digest of its arguments


@dataclass(slots=True)
class Item:
    """An event of a run, `number` in its index. Two events are the same at a level when type, label and key are.

    `label` is the tool of a call or its result, the name of a step, the role of a message: by it and the type, an
    event is known again that changed. `keys` are digests, one for each level. `calls` are the tool calls that the
    event is, or asks for. `new` and `model` say which parts of a body count: those that are new. `asked` is the
    number of the response that asked for this call and others at once, `order` where it stands among them;
    `guessed`: by its arguments alone, so that it may belong to another conversation that asked for the same.
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
    said_by: bytes | None = None  # a digest of the name of the model; no part of keys, as it counts only where new
    asked: int | None = None
    order: tuple[Any, ...] = ()
    call_id: str | None = None
    step_id: str | None = None
    guessed: bool = False

    @property
    def shape(self) -> tuple[str, str | None]:
        """What an event is known again by when it changed."""
        return self.type, self.label


def digest(value: Any) -> bytes:
    """Equal for equal values."""
    return blake2b(line.canonical(value), digest_size=16).digest()


def call_of(name: str, told: Any) -> Call:
    """A tool call, of the arguments that it takes, which OpenAI's shapes give as text."""
    args = line.parsed(told) if isinstance(told, str) else told
    return name, digest({} if args is None else args)
