"""Event: what one line means."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from trace_cli.errors import BadLine
from trace_cli.head import CALL_ID, RUN_ID, SEQ, SPAN_ID, STEP_ID, TIMESTAMP, TRACE_ID, TYPE, head_fields

TYPE_KEYS = ("type", "event_type", "kind", "event")
TIME_KEYS = ("timestamp", "ts", "time", "@timestamp")
_LONG_NUMBER = re.compile(r"\d{9,}(\.\d+)?$")
HEAD_KEYS = {"v", *TYPE_KEYS, *TIME_KEYS, "run_id", "seq", "call_id", "step_id", "_src", "_error"}


class Event:
    """One line of a trace. Its bytes are `raw` (no newline); they are parsed only when something asks.

    `head` is that of a canonical line (`lines.heads`): what a head says is read from it alone. `may_flag_error` is
    False where the line is known to have no key that ends in `_error`: is_error, or the _error of a command.
    `file`, `line` (from 1) and `offset` (decompressed bytes) say where it stands; `index` counts from 0 over
    all that was read. Attributes that a line lacks are None, an absent type is "". `step` is the path of the step
    that it stands in (`steps.Steps`), where somebody followed those.
    """

    step: str | None = None

    def __init__(
        self,
        raw: bytes,
        head: re.Match[bytes] | None = None,
        fields: dict[str, Any] | None = None,
        file: str = "-",
        line: int = 1,
        offset: int = 0,
        index: int = 0,
        damaged: Callable[["Event", BadLine], None] | None = None,
    ) -> None:
        self.raw = raw
        self.file = file
        self.line = line
        self.offset = offset
        self.index = index
        self.head = head
        self.may_flag_error = True
        self._damaged = damaged
        if fields is not None:
            self.fields = fields
        self.type = head[TYPE].decode() if head else _first_text(self.fields, TYPE_KEYS)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The whole line, parsed. Of a line that turns out damaged behind its head: what the head says."""
        from trace_cli import line

        try:
            return line.parse(self.raw)
        except BadLine as bad:
            if self.head is None:
                raise
            if self._damaged:
                self._damaged(self, bad)
            return head_fields(self.head)

    def _id(self, group: int, name: str) -> str | None:
        if self.head:
            raw = self.head[group]
            return None if raw is None else raw.decode()
        found = self.fields.get(name)
        return found if isinstance(found, str) else None

    @property
    def event_type(self) -> str:
        """The same as `type`."""
        return self.type

    @property
    def own(self) -> bool:
        """Whether the line is in the format of trace-events(5)."""
        if self.head:
            return True
        return self.fields.get("v") == 1 and isinstance(self.fields.get("payload"), dict)

    @property
    def timestamp(self) -> str | None:
        """The time as it was written; RFC 3339 in our own format."""
        if self.head:
            return self.head[TIMESTAMP].decode()
        found = next((self.fields[key] for key in TIME_KEYS if self.fields.get(key) is not None), None)
        return None if found is None else str(found)

    @cached_property
    def time(self) -> float | None:
        """Seconds since 1970, UTC. Numbers are read as seconds, or by their size as ms, µs or ns."""
        return seconds(self.timestamp)

    @property
    def run_id(self) -> str | None:
        """The run's id, as text."""
        if self.head:
            return self.head[RUN_ID].decode()
        found = self.fields.get("run_id")
        return None if found is None else str(found)

    @property
    def run(self) -> tuple[str | None, str | None]:
        """What tells runs apart: the `run_id`, or without one the file."""
        run_id = self.run_id
        return (run_id, None) if run_id is not None else (None, self.file)

    @property
    def seq(self) -> int | None:
        """The number of the event in its run, from 0."""
        if self.head:
            return int(self.head[SEQ])
        found = self.fields.get("seq")
        return found if isinstance(found, int) else None

    @property
    def call_id(self) -> str | None:
        """What pairs a request with its response, and a tool call with its result."""
        return self._id(CALL_ID, "call_id")

    @property
    def step_id(self) -> str | None:
        """The enclosing step."""
        return self._id(STEP_ID, "step_id")

    @property
    def span(self) -> tuple[str, str] | None:
        """The `trace_id` and `span_id` of OpenTelemetry, if both are there."""
        ids = self._id(TRACE_ID, "trace_id"), self._id(SPAN_ID, "span_id")
        return ids if ids[0] and ids[1] else None  # type: ignore[return-value]

    @cached_property
    def payload(self) -> dict[str, Any]:
        """The payload; of a foreign line without one, all that is not head."""
        found = self.fields.get("payload")
        if isinstance(found, dict):
            return found
        return {key: value for key, value in self.fields.items() if key not in HEAD_KEYS}

    def _ends_with(self, key: bytes) -> bool:
        """Whether a key may be the last of the line, with a value of some size."""
        return self.raw.find(key, -4096) >= 0

    @property
    def carried(self) -> dict[str, Any] | None:
        """The `_src` that an earlier command put into the line, or None."""
        found = self.fields.get("_src") if self._ends_with(b'"_src"') else None
        if not isinstance(found, dict) or not isinstance(found.get("offset"), int):
            return None
        file = found.get("file")
        return found if isinstance(file, str) and _is_file_name(file) else None

    @property
    def judged(self) -> dict[str, Any] | None:
        """The `_error` that an earlier command put into the line, or None."""
        found = self.fields.get("_error") if self.may_flag_error and self._ends_with(b'"_error"') else None
        return found if isinstance(found, dict) else None

    @property
    def src(self) -> dict[str, Any]:
        """Where the event stands: `file`, `line`, `offset`. A line that carries its `_src` keeps it."""
        return self.carried or {"file": self.file, "line": self.line, "offset": self.offset}

    def place(self) -> dict[str, Any]:
        """The head of the event, and where it stands: enough to find it again."""
        names = ("run_id", "seq", "call_id", "timestamp")
        return {**{name: getattr(self, name) for name in names}, "_src": self.src}

    @property
    def tool_name(self) -> str | None:
        """The tool of a tool call or its result."""
        found = self.payload.get("tool_name", self.payload.get("tool"))
        return found if isinstance(found, str) else None

    @property
    def args(self) -> Any:
        """The arguments of a tool call."""
        return self.payload.get("args")

    @property
    def result(self) -> Any:
        """What a tool returned."""
        return self.payload.get("result")

    @property
    def error(self) -> str | None:
        """The error that the event itself states, as text. Whether it counts as one: `run_errors`."""
        from trace_cli import message

        return message.error_text(self.payload.get("error", self.fields.get("error")))

    @property
    def failure(self) -> str | None:
        """The same, with the type of the exception before it where there was one."""
        from trace_cli import message

        stated = self.error
        return None if stated is None else message.with_type(stated, self.payload.get("exception"))

    @property
    def content(self) -> str:
        """The text of a model's message: what it answered, or of a request the last message sent; else ""."""
        from trace_cli import message

        body = self.payload.get("body", self.payload.get("message"))
        if not isinstance(body, Mapping):
            return body if isinstance(body, str) else ""
        return message.last_sent(body) if self.type.endswith(".request") else message.answer(body)

    def summary(self) -> str:
        """One line that says what happened, safe to print: control characters are escaped."""
        from trace_cli import summary
        from trace_cli.text import visible

        around = self.step
        if around is not None and self.type.startswith("step."):  # which says its own name
            around = around.rpartition("/")[0]
        return visible(f"[{around}] {summary.of(self)}" if around else summary.of(self))

    def __repr__(self) -> str:
        return f"<Event {self.index} {self.type or '(no type)'} {self.file}:{self.line}>"


def seconds(timestamp: str | None) -> float | None:
    """Seconds since 1970 of a time as traces write it (RFC 3339, or a number of s, ms, µs or ns)."""
    if timestamp is None:
        return None
    if not _LONG_NUMBER.match(timestamp):  # fromisoformat takes 1712123112345 for the year 1712
        try:
            found = datetime.fromisoformat(timestamp)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            pass
    try:
        number = float(timestamp)
    except ValueError:
        return None
    if not abs(number) < 1e20:  # NaN and infinity too
        return None
    while abs(number) > 1e11:
        number /= 1000
    return number


def _is_file_name(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _first_text(fields: dict[str, Any], keys: tuple[str, ...]) -> str:
    return next((fields[key] for key in keys if isinstance(fields.get(key), str)), "")
