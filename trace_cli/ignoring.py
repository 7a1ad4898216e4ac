"""What does not count when two runs are compared: ids, clocks, durations, tokens, and what a user names."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from trace_cli.difference import DEEP, escaped

# Keys that differ between any two runs, wherever they stand but in what tools take and return.
# fmt: off
VOLATILE = frozenset((
    "timestamp", "ts", "time", "@timestamp", "created", "created_at", "started_at", "ended_at", "completed_at",
    "updated_at", "expires_at", "duration_ms", "durationMs", "ttft_ms", "latency_ms", "elapsed_ms", "duration",
    "latency", "elapsed", "id", "seq", "index", "run_id", "trace_id", "span_id", "parent_id", "parent_run_id",
    "parent_span_id", "step_id", "call_id", "item_id", "session_id", "sessionId", "thread_id", "request_id",
    "requestId", "response_id", "previous_response_id", "message_id", "messageId", "uuid", "parentUuid",
    "leafUuid", "logicalParentUuid",
    "tool_use_id", "tool_call_id", "toolUseID", "usage", "cost", "costUSD", "total_cost_usd", "headers", "host",
    "hostname", "pid", "attempt", "system_fingerprint", "signature", "encrypted_content", "traceback", "_src",
    "_error",
))
# fmt: on
# What an agent or its tools put into these is theirs: a "time" in there is a fact.
_THEIRS = frozenset(
    ("args", "arguments", "input", "result", "parameters", "input_schema", "metadata", "attributes")
)

# Ids in the text of an error: those of APIs, and UUIDs.
_IDS = re.compile(
    r"\b(?:req|msg|msgbatch|resp|run|call|toolu|chatcmpl|batch|file)[_-]\w{8,}|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
)
# Ports in it, as HTTP clients and Python's sockets write them.
_PORTS = re.compile(r"((?:\blocalhost|\b\d{1,3}(?:\.\d{1,3}){3}|\[::1\])(?::|', ))\d{2,5}\b")
_Pointer = tuple[str, ...]
_SENT = ("payload", "body", "input")  # the messages of OpenAI's responses API, which are no tool's


class Ignoring:
    """Takes out of JSON values what does not count. `met` lists what was, as JSON pointers, `*` for any item.

    `pointers` (RFC 6901, into a line; `*` for any key or item) are left out everywhere, `default` says whether the
    volatile keys are, too. What is taken out of a list leaves a null, so that the others keep their numbers.
    Raises ValueError for what is no pointer.
    """

    def __init__(self, pointers: Sequence[str] = (), default: bool = True) -> None:
        for each in pointers:
            if not each.startswith("/"):
                raise ValueError(
                    f"{each!r} is no JSON pointer: it begins with a slash, as /payload/body/system does"
                )
        self.default = default
        self._pointers = [tuple(map(_unescaped, each.split("/")[1:])) for each in pointers]
        self._met: set[str] = set()

    @property
    def met(self) -> list[str]:
        """What was taken out, sorted."""
        return sorted(self._met)

    def note(self, what: str) -> None:
        """Something that was left out elsewhere."""
        self._met.add(what)

    def hides(self, *path: str) -> bool:
        """Whether all that stands at a path is left out."""
        live = [each for each in self._pointers if len(each) <= len(path)]
        return bool(live) and any(all(t in ("*", p) for t, p in zip(each, path, strict=False)) for each in live)

    def error(self, text: Any, where: str = "errors") -> Any:
        """What counts of the text of an error, or of a URL: ids in it do not, nor ports of this machine."""
        if not isinstance(text, str) or not self.default:
            return text
        for name, pattern, kept in (("ids", _IDS, ""), ("ports", _PORTS, r"\1")):
            found = pattern.sub(f"{kept}#", text)
            if found != text:
                self._met.add(f"{name} in {where}")
            text = found
        return text

    def strip(self, value: Any, *path: str) -> Any:
        """A value that stands at a path of a line, without what does not count; itself it is not changed."""
        theirs = not self.default or not _THEIRS.isdisjoint(path[3:] if path[:3] == _SENT else path)
        if not self._pointers:
            return value if theirs else self._strip(value, [], theirs, _where(path), 0)
        if self.hides(*path):
            self._met.add(_where(path))
            return {} if isinstance(value, dict) else None
        live = [
            each[len(path) :]
            for each in self._pointers
            if len(each) > len(path) and all(t in ("*", p) for t, p in zip(each, path, strict=False))
        ]
        return self._strip(value, live, theirs, _where(path), 0)

    def _strip(self, value: Any, live: list[_Pointer], theirs: bool, path: str, depth: int) -> Any:
        if depth > DEEP or (theirs and not live):
            return value
        if isinstance(value, dict):
            found = {}
            for name, item in value.items():
                inner = [each[1:] for each in live if each[0] in ("*", name)] if live else live
                if (not theirs and name in VOLATILE) or () in inner:
                    self._met.add(f"{path}/{escaped(name)}")
                    continue
                if isinstance(item, dict | list):
                    item = self._strip(
                        item, inner, theirs or name in _THEIRS, f"{path}/{escaped(name)}", depth + 1
                    )
                found[name] = item
            return found
        if isinstance(value, list):
            items = []
            for number, item in enumerate(value):
                inner = [each[1:] for each in live if each[0] in ("*", str(number))] if live else live
                if () in inner:
                    self._met.add(f"{path}/*")
                    item = None
                elif isinstance(item, dict | list):
                    item = self._strip(item, inner, theirs, f"{path}/*", depth + 1)
                items.append(item)
            return items
        return value


def _where(path: Iterable[str]) -> str:
    return "".join("/*" if name.isdecimal() else f"/{escaped(name)}" for name in path)


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")
