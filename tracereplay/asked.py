"""What was asked: a request to an API, or a call of a tool, as far as it counts for finding its answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl, urlencode

from agenttap import jsonable, urls
from agenttap import redact as redaction
from agenttap.exchange import body_value

from trace_cli import line
from trace_cli.ignoring import Ignoring

# What stands where something was hidden: the tap's replacement, and the pseudonyms of `trace scrub`.
HIDDEN = re.compile(r"\[redacted\]|\[scrubbed:[a-z0-9-]+\]")
# Who asks, not what: often made anew for each run. And in which form the answer is to come, which it then does.
_NOT_WHAT = ("metadata", "user", "safety_identifier", "prompt_cache_key", "stream", "stream_options")
_URL = re.compile(r"(?P<origin>[A-Za-z][\w+.-]*://[^/?#]*)?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?", re.DOTALL)
_IN_LINE = "/payload"  # where a request stands in the line of its event

Redact = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """A request: `method`, `target` (path and query, its parameters in order) and the parsed `body`.

    `origin` is what stands before the path in its URL; it does not count.
    """

    method: str
    target: str
    body: Any
    origin: str = ""

    def shown(self) -> str:
        """What it is called in a message."""
        return f"{self.method} {self.target}"

    @property
    def streams(self) -> bool | None:
        """Whether it asks for a stream; None where its body does not tell."""
        told = self.body.get("stream") if isinstance(self.body, dict) else None
        if isinstance(told, bool):
            return told
        return False if isinstance(self.body, dict) and ("messages" in self.body or "input" in self.body) else None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, its arguments by name."""

    tool_name: str
    args: Any

    def shown(self) -> str:
        """What it is called in a message."""
        return f"the tool {self.tool_name}"


Asked = Request | ToolCall
Match = str | Callable[[Request], object]


def request(payload: Mapping[str, Any], redact: Redact | None) -> Request | str:
    """The request in the payload of a `model.request` or `http.request`; a text says why it is none to answer."""
    body, method, url = payload.get("body"), payload.get("method"), payload.get("url")
    if payload.get("truncated") is True:
        return "it was recorded truncated"
    if isinstance(body, dict) and body.get("streamed") is True and set(body) == {"streamed", "bytes"}:
        return "its body was not recorded, as it was only known while it was sent"
    if not isinstance(method, str) or not isinstance(url, str):
        return "it was recorded without its method or its url"
    return _request(method, url, body, redact)


def sent(method: str, url: str, body: bytes | None, redact: Redact | None) -> Request:
    """The request that a client sends, after the same redaction that a recording goes through."""
    return _request(method, urls.url(url), body_value(body), redact)


def _request(method: str, url: str, body: Any, redact: Redact | None) -> Request:
    # In the shape that a recording has: names of keys decide what is redacted.
    payload = redacted({"method": method, "url": url, "headers": {}, "body": body}, redact)
    # Not urlsplit: it refuses what was hidden in the place of a host.
    found = _URL.match(str(payload["url"]))
    assert found is not None  # it matches any text
    query = urlencode(sorted(parse_qsl(found["query"] or "", keep_blank_values=True)), safe="/:[]")
    target = (found["path"] or "/") + (query and f"?{query}")
    return Request(method.upper(), target, payload["body"], found["origin"] or "")


def tool_call(payload: Mapping[str, Any], redact: Redact | None) -> ToolCall:
    """The call in the payload of a `tool.called`, or one that is made now."""
    payload = redacted({"tool_name": payload.get("tool_name"), "args": payload.get("args")}, redact)
    return ToolCall(str(payload["tool_name"]), payload["args"])


def redacted(payload: dict[str, Any], redact: Redact | None) -> dict[str, Any]:
    """A payload, parsed, after redaction. Raises ValueError where that gives no object."""
    raw = jsonable.dumps(payload)
    done = raw if redact is None else redaction.checked(redact, raw)
    if done is None:
        raise ValueError("redact= did not give a JSON object for a request")
    found: dict[str, Any] = jsonable.loads(done)
    return found


class Matching:
    """Which requests and calls are the same: those with the same key.

    `match` is "body" for method, target and the whole body; "path" for method and path alone; or a function from a
    `Request` to anything. Calls of a tool are the same when their arguments are. Of a body, volatile fields do not
    count (ids, who asks, and what `trace diff` disregards), nor does what `ignore` names, JSON pointers into the
    line (/payload/body/system).

    Raises ValueError for what is no match or pointer.
    """

    def __init__(self, match: Match = "body", ignore: str | Sequence[str] = ()) -> None:
        if match not in ("body", "path") and not callable(match):
            raise ValueError(f'match={match!r}: write "body", "path", or a function of the request')
        self.match = match
        ignore = [ignore] if isinstance(ignore, str) else ignore
        self._ignoring = Ignoring([*(f"{_IN_LINE}/body/{name}" for name in _NOT_WHAT), *ignore])

    def key(self, asked: Asked) -> bytes:
        """Equal for what is the same: a hash of its canonical form."""
        if isinstance(asked, ToolCall):
            what: Any = ["tool", asked.tool_name, self.counted(asked)]
        elif callable(self.match):
            what = ["chosen", repr(self.match(asked))]
        else:
            target = asked.target if self.match == "body" else asked.target.partition("?")[0]
            what = [asked.method, target, self.counted(asked) if self.match == "body" else None]
        return blake2b(line.canonical(what), digest_size=16).digest()

    def counted(self, asked: Asked) -> Any:
        """What counts of a body, or of arguments."""
        if isinstance(asked, ToolCall):
            return self._ignoring.strip(asked.args, "payload", "args")
        body = self._ignoring.strip(asked.body, "payload", "body")
        if isinstance(body, dict) and "input" in body:
            body["input"] = self._ignoring.strip(body["input"], "payload", "body", "input")
        return body
