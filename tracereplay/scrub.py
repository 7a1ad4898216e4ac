"""Secrets and chosen parts of a trace -> stable pseudonyms, all other bytes as they were.

The same value gets the same name wherever it is replaced, so that a scrubbed trace still replays and compares.
Names are counted, not computed: nothing of a value can be found out from its name.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agenttap import credentials, jsonable, logprobs
from agenttap import redact as redaction
from agenttap.assembly import hides_secret, parsed
from agenttap.rules import OWN_KEYS

from trace_cli import line

from . import raw
from .asked import HIDDEN
from .places import HEAD, Find, Path

# What the tap's detectors find, in words for a name.
_KINDS = {
    "authorizations": "authorization",
    "header lines": "header",
    "named": "credential",
    "assigned": "credential",
    "logins": "login",
    "pem": "private-key",
}
_LEFT_OUT = b'{"left_out":"something in this stream was scrubbed"}'

Tree = dict[Any, Any]


class Scrubber:
    """Replaces in events, line by line, what the tap's own rules find, `fields` point to and `patterns` match.

    `counts` are the values that were replaced, `names` the different ones, by kind. Memory: the different values.
    """

    def __init__(self, fields: Sequence[Find] = (), patterns: Sequence[re.Pattern[str]] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self.names: Counter[str] = Counter()
        self._fields = fields
        self.found = [0] * len(fields)  # how many parts each of them has pointed to
        self.chosen: set[str] = set()  # the texts in them
        self._patterns = patterns
        self._named: dict[Any, tuple[str, str]] = {}
        redaction.PREFILTER.load()

    def scrubbed(self, event: bytes) -> bytes:
        """The line of an event, without what is to be hidden. Raises ValueError for what is no JSON object.

        Its head stays: ids, type and time name nobody, and readers need them.
        """
        parsed = line.parse(event)
        for kind, number in _NUMBERED.findall(event):  # names that are taken
            self.names[kind.decode()] = max(self.names[kind.decode()], int(number))
        done = self._in_fields(event, parsed) if self._fields else event
        head, payload = _behind_head(self._headers(done))
        done = head + self._secrets(payload)
        for pattern in self._patterns:
            done = self._matches(done, pattern)
        if _STREAMED.match(event):
            done = self._stream(done, done != event)
        return done

    def told(self) -> str:
        """What was replaced, by kind and number."""
        if not self.counts:
            return "scrubbed: nothing"
        different = Counter(kind for kind, _ in self._named.values()) | Counter(logprobs=1)
        kinds = (f"{self.counts[kind]} × {kind} ({different[kind]} different)" for kind in sorted(self.counts))
        return f"scrubbed: {', '.join(kinds)}"

    def _name(self, kind: str, value: Any) -> str:
        key = (type(value).__name__, value)
        if key not in self._named:
            self.names[kind] += 1
            self._named[key] = kind, f"[scrubbed:{kind}-{self.names[kind]}]"
        kind, name = self._named[key]  # what found it first
        self.counts[kind] += 1
        return name

    def _secrets(self, payload: bytes) -> bytes:
        if b'"logprobs"' in payload:
            hidden = logprobs.hide(payload, self._plainly, credentials.REPLACEMENT)
            if hidden != payload:
                self.counts["logprobs"] += 1
            payload = hidden
        pieces, at = list[bytes](), 0
        for start, end, detector in redaction.found(payload):
            secret = payload[start:end]
            if HIDDEN.fullmatch(secret.decode("utf-8", "replace")):
                continue
            name = self._name(_KINDS.get(detector, "key"), _spelled(secret))
            is_key = _IN_KEY.match(payload, end) is not None  # as the tap names it, so that requests still match
            pieces += (payload[at:start], (credentials.REPLACEMENT if is_key else name).encode())
            at = end
        return b"".join((*pieces, payload[at:])) if pieces else payload

    def _plainly(self, text: bytes) -> bytes:
        """A text as it would be without names and counts: for finding out whether there is something in it."""
        done: bytes = redaction.default(text)
        for pattern in self._patterns:
            done = pattern.sub(lambda found: credentials.REPLACEMENT if found[0] else "", _decoded(done)).encode()
        return done

    def _stream(self, event: bytes, changed: bool) -> bytes:
        """A stream without what is hidden in it over several pieces."""
        payload = line.parse(event).get("payload")
        if not isinstance(payload, dict):
            return event
        text = _decoded(event)
        chunks, body = payload.get("chunks"), payload.get("body")
        if isinstance(body, str) and payload.get("stream") is True and self._hides(body):
            changed = True
            text = _decoded(_replaced(text, {"payload": {"body": None}}, lambda text: _LEFT_OUT))
        if isinstance(chunks, list):
            joined = "".join(str(each[1]) for each in chunks if isinstance(each, list) and len(each) == 2)
            if changed or self._hides(joined):
                text = _decoded(_replaced(text, {"payload": {"chunks": None}}, lambda text: _LEFT_OUT))
        return _encoded(text)

    def _hides(self, stream: str) -> bool:
        """Whether there is something to hide in a stream, or in what its events say one after another."""
        text = _encoded(stream)
        return self._plainly(text) != text or bool(hides_secret(parsed(text), self._plainly))

    def _headers(self, event: bytes) -> bytes:
        """Credential headers, whatever is in them."""
        if b'"headers"' not in event:
            return event
        payload = line.parse(event).get("payload")
        headers = payload.get("headers") if isinstance(payload, dict) else None
        if not isinstance(headers, dict):
            return event
        texts = {name: value for name, value in headers.items() if isinstance(value, str)}
        kept = credentials.headers(texts)
        hidden = [name for name, value in texts.items() if kept[name] != value and not HIDDEN.fullmatch(value)]
        if not hidden:
            return event
        tree = {"payload": {"headers": dict.fromkeys(hidden)}}
        return _replaced(_decoded(event), tree, lambda text: self._leaves(text, "header"))

    def _in_fields(self, event: bytes, parsed: Any) -> bytes:
        tree: Tree = {}
        for number, find in enumerate(self._fields):
            for path in find(parsed):
                self.found[number] += 1
                if path and (path[0] == "payload" or not _HEAD_KEYS.issuperset(path[:1])):
                    _plant(tree, path)
        if not tree:
            return event
        return _replaced(_decoded(event), tree, lambda text: self._leaves(text, "field"))

    def _leaves(self, text: str, kind: str) -> bytes:
        """A JSON value with each text, number and boolean in it replaced."""
        spans = [span for _, span in raw.members(text)] or list(raw.items(text))
        if not spans:
            value = jsonable.loads(text)
            if value in (None, "", {}, []) or (isinstance(value, str) and HIDDEN.fullmatch(value)):
                return _encoded(text)
            if kind == "field" and isinstance(value, str):
                self.chosen.add(value)
            return line.dump(self._name(kind, value))
        return _spliced(text, [(span, self._leaves(text[slice(*span)], kind)) for span in spans])

    def _matches(self, event: bytes, pattern: re.Pattern[str]) -> bytes:
        """Every string, keys too but those of trace-events(5); not what was replaced before."""

        def passed(found: re.Match[bytes]) -> bytes:
            if found[2] and found[1] in OWN_KEYS:
                return found[0]
            text = jsonable.loads(found[1])
            kept = HIDDEN.findall(text)
            parts = [pattern.sub(renamed, part) for part in HIDDEN.split(text)]
            done = "".join(part + name for part, name in zip(parts, [*kept, ""], strict=True))
            return found[0] if done == text else line.dump(done) + (found[2] or b"")

        def renamed(found: re.Match[str]) -> str:
            return self._name("pattern", found[0]) if found[0] else ""

        head, body = _behind_head(event)
        return head + _STRING.sub(passed, body)


# In valid JSON every quote outside a string begins one. What follows tells whether it is a key.
_NUMBERED = re.compile(rb"\[scrubbed:([a-z-]+)-([0-9]{1,9})\]")
_HEAD_KEYS = frozenset(HEAD)
_STREAMED = re.compile(rb'\{"v":1,"type":"(?:model|http)\.(?:response|error)"')  # what may have chunks
_IN_KEY = re.compile(rb'[^"\\]{0,200}"\s*:')  # behind a part of an object's key
_STRING = re.compile(rb'("(?:[^"\\]|\\.)*+")(\s*:)?')


def _behind_head(event: bytes) -> tuple[bytes, bytes]:
    """The head of an event in our own format (ids, type, time), which names nobody, and the rest."""
    from trace_cli.head import match

    found = match(event)
    end = found.end() - 1 if found else 0
    return event[:end], event[end:]


def _plant(tree: Tree, path: Path) -> None:
    """Puts a path into a tree of keys and numbers; a part within one that is there already is none of its own."""
    for name in path[:-1]:
        if name in tree and tree[name] is None:
            return
        tree = tree.setdefault(name, {})
    if path:
        tree[path[-1]] = None


def _replaced(text: str, tree: Tree, change: Callable[[str], bytes]) -> bytes:
    """The JSON `text` with the values at the leaves of a tree changed."""
    return _spliced(text, [(span, change(text[slice(*span)])) for span in sorted(_spans(text, tree, 0))])


def _spans(text: str, tree: Tree, start: int) -> Iterator[raw.Span]:
    parts: Any = list(raw.members(text, start)) or list(enumerate(raw.items(text, start)))
    for name, span in parts:
        if name in tree:
            if tree[name] is None:
                yield span
            else:
                yield from _spans(text, tree[name], span[0])


def _spliced(text: str, changes: list[tuple[raw.Span, bytes]]) -> bytes:
    pieces, at = list[bytes](), 0
    for (start, end), changed in changes:
        pieces += (_encoded(text[at:start]), changed)
        at = end
    return b"".join((*pieces, _encoded(text[at:])))


def _decoded(event: bytes) -> str:
    return event.decode("utf-8", "surrogatepass")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _spelled(secret: bytes) -> str:
    """The text that a part of a JSON string means; as it stands where that is nothing whole."""
    try:
        found = jsonable.loads(b'"%b"' % secret)
    except ValueError:
        return secret.decode("utf-8", "replace")
    return str(found)
