"""What a tap wrote, as a test wants to look at it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def bare(value: Any) -> Any:
    """A body without nulls, without the padding, and without what the SDKs add of their own."""
    if isinstance(value, dict):
        own = ("parsed", "parsed_arguments", "parsed_output", "obfuscation")
        return {k: bare(v) for k, v in value.items() if v is not None and k not in own}
    return [bare(one) for one in value] if isinstance(value, list) else value


def parsed(lines: Iterable[bytes], torn: int = 0) -> list[dict[str, Any]]:
    """The events in these lines; at most `torn` of them may be none, where the room ended."""
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            torn -= bool(line.strip())
            assert torn >= 0, line
    return found


class Trace:
    """The file a tap writes, as a test wants to look at it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def raw(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def events(self, *types: str) -> list[dict[str, Any]]:
        """Every event so far, or those of some types. Fails on a line that is not one."""
        found = parsed(self.raw.splitlines())
        return [event for event in found if not types or event["type"] in types]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def one(self, type: str) -> Any:
        """The payload of the only event of this type."""
        (event,) = self.events(type)
        return event["payload"]
