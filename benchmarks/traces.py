"""Traces to measure the viewer with: made up by a seed, shaped as agents leave them, never committed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson
import texts

START = datetime(2026, 5, 24, 3, 17, tzinfo=UTC)
LARGEST = 195_000  # bytes of a request, at which a conversation ends


@dataclass(frozen=True)
class Shape:
    """How the lines of a trace look."""

    turns: tuple[int, int] = (5, 62)  # of a run
    growing: bool = True  # each request carries the conversation so far, or only its last turn
    unicode: bool = False
    shuffled: bool = False  # the payload first, then the rest of the head
    failing: float = 0.01  # the share of tool calls that fail
    decoys: bool = False  # payloads that hold lines of a trace, as objects and in strings


AGENT = Shape()
SHAPES = {
    "agent": AGENT,
    "unicode": replace(AGENT, unicode=True),
    "shuffled": replace(AGENT, shuffled=True),
    "late": replace(AGENT, failing=0),
    "decoys": replace(AGENT, decoys=True),
    "narrow": replace(AGENT, growing=False),
}


def write(path: Path, megabytes: float, shape: Shape = AGENT, seed: int = 1) -> None:
    """Writes whole runs, one after the other, until the file is so large; in the very last one a tool fails."""
    random = Random(seed)
    with open(path, "wb") as file:
        number, last = 0, False
        while not last:
            number += 1
            last = file.tell() > megabytes * 1e6
            for line in run(random, f"run-{number:06}", START + timedelta(minutes=number), shape, last):
                file.write(line)


def write_files(folder: Path, count: int) -> list[Path]:
    """So many files of one short run each."""
    shape = replace(AGENT, turns=(2, 4))
    paths = [folder / f"{number:04}.jsonl" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(b"".join(run(Random(number), f"run-{number:04}", START, shape, number == count - 1)))
    return paths


def write_small(path: Path, count: int) -> None:
    """So many events of about 200 bytes, of two types."""
    random = Random(1)
    with open(path, "wb") as file:
        lines = _Lines("run-000001", START, AGENT)
        for number in range(count // 2):
            call, name = f"toolu_{number:08}", {"tool_name": f"tool{random.randrange(12)}"}
            file.write(lines.line("tool.called", call, {**name, "args": {"query": f"quarter {number % 40}"}}))
            file.write(lines.line("tool.result", call, {**name, "result": number % 7, "error": None}))


def long_run(random: Random, run_id: str, events: int) -> Iterator[bytes]:
    """The lines of one run of so many events: conversations of 20 turns, compacted into the next one's prompt."""
    lines = _Lines(run_id, START, AGENT)
    yield lines.line("run.started", None, {"name": "long", "metadata": None})
    agent = _Agent(random, run_id, AGENT, one_call=True)
    for turn in range((events - 2) // 4):
        if turn % 20 == 0:
            agent.begin(f"{turn}: {texts.prose(random, 150)}")
        yield from agent.turn(lines, turn, random.randint(30, 300))
    yield lines.line("run.ended", None, {"status": "ok", "error": None, "duration_ms": 1000.5})


def run(random: Random, run_id: str, start: datetime, shape: Shape, fails: bool) -> Iterator[bytes]:
    """The lines of one run. Where it fails, it does so with its last tool call."""
    lines = _Lines(run_id, start, shape)
    yield lines.line("run.started", None, {"name": f"task {run_id}", "metadata": None})
    agent = _Agent(random, run_id, shape)
    agent.begin(f"{run_id}: {texts.prose(random, 300, shape.unicode)}")
    turns = random.randint(*shape.turns)
    for turn in range(turns):
        last = turn == turns - 1 or agent.size > LARGEST
        if not shape.growing:
            agent.begin(f"{turn}: {texts.prose(random, 100, shape.unicode)}")
        size = int(min(random.lognormvariate(6.6, 0.9), 20_000)) if shape.growing else random.randint(50, 900)
        yield from agent.turn(lines, turn, size, fails and last)
        if last:
            break
    error = "the report is incomplete" if fails else None
    ended = {"status": "error" if error else "ok", "error": error, "duration_ms": 1000.5}
    yield lines.line("run.ended", None, ended)


class _Agent:
    """A conversation that grows with every turn. `size` is that of its messages, in bytes."""

    def __init__(self, random: Random, run_id: str, shape: Shape, one_call: bool = False) -> None:
        self.size = 0
        self._random = random
        self._run_id = run_id
        self._shape = shape
        self._calls = (1,) if one_call else (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)  # of one turn, each as likely
        self._messages: list[bytes] = []
        schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
        tools = [
            {"name": f"tool{each}", "description": texts.prose(random, 60), "input_schema": schema}
            for each in range(4)
        ]
        body = {"model": "claude-test-1", "max_tokens": 4096, "system": texts.prose(random, 400), "tools": tools}
        sent = {"provider": "anthropic", "method": "POST", "url": "https://api.example.com/v1/messages"}
        headers = {"content-type": "application/json", "authorization": "[redacted]", "anthropic-version": "1"}
        whole = orjson.dumps({**sent, "headers": headers, "attempt": 1, "body": {**body, "messages": []}})
        self._request = whole.removesuffix(b"]}}")

    def begin(self, prompt: str) -> None:
        """Forgets what was said."""
        self._messages, self.size = [], 0
        self._say("user", prompt)

    def _say(self, role: str, content: Any) -> None:
        self._messages.append(orjson.dumps({"role": role, "content": content}))
        self.size += len(self._messages[-1])

    def turn(self, lines: "_Lines", turn: int, size: int, fails: bool = False) -> Iterator[bytes]:
        """A model call and the tool calls it asks for, each returning some `size` characters."""
        random, shape = self._random, self._shape
        call = f"model_{self._run_id}_{turn}"
        yield lines.bytes("model.request", call, self._request + b",".join(self._messages) + b"]}}")
        uses = [self._use(f"toolu_{self._run_id}_{turn}_{each}") for each in range(random.choice(self._calls))]
        content = [{"type": "text", "text": texts.prose(random, size // 4, shape.unicode)}, *uses]
        usage = {"input_tokens": 1000 + 100 * turn, "output_tokens": 200}
        answer = {"role": "assistant", "content": content, "stop_reason": "tool_use", "usage": usage}
        told = {"status": 200, "headers": {"request-id": f"req_{turn}"}, "body": answer, "duration_ms": 2000.2}
        yield lines.line("model.response", call, told)
        results = []
        for use in uses:
            named = {"tool_name": use["name"]}
            yield lines.line("tool.called", use["id"], {**named, "args": use["input"]})
            failed = (fails and use is uses[-1]) or random.random() < shape.failing
            text = texts.prose(random, 30) if failed else texts.any_kind(random, size, shape.unicode)
            told = {"result": None, "error": f"failed: {text}"} if failed else {"result": text, "error": None}
            yield lines.line("tool.result", use["id"], {**named, **told, "duration_ms": 3.25})
            result = {"type": "tool_result", "tool_use_id": use["id"], "content": text}
            results.append({**result, "is_error": True} if failed else result)
        self._say("assistant", content)
        self._say("user", results)

    def _use(self, call_id: str) -> dict[str, Any]:
        asked: dict[str, Any] = {"query": texts.prose(self._random, 40, self._shape.unicode)}
        if self._shape.decoys:
            decoy = {"v": 1, "type": self._random.choice(["tool.called", "tool.result", "run.ended"])}
            asked |= {"event": {**decoy, "payload": {}}, "text": orjson.dumps(decoy).decode()}
        return {"type": "tool_use", "id": call_id, "name": f"tool{self._random.randrange(4)}", "input": asked}


class _Lines:
    """The lines of one run in the format of trace-events(5), 50 ms between two."""

    def __init__(self, run_id: str, start: datetime, shape: Shape) -> None:
        self._run_id = run_id
        self._time = start
        self._seq = 0
        self._shuffled = shape.shuffled

    def line(self, kind: str, call_id: str | None, payload: dict[str, Any]) -> bytes:
        return self.bytes(kind, call_id, orjson.dumps(payload))

    def bytes(self, kind: str, call_id: str | None, payload: bytes) -> bytes:
        """One line of a payload that is JSON already."""
        head: dict[str, Any] = {"v": 1, "type": kind, "timestamp": f"{self._time:%Y-%m-%dT%H:%M:%S.%fZ}"}
        head |= {"run_id": self._run_id, "seq": self._seq}
        if call_id is not None:
            head["call_id"] = call_id
        self._time += timedelta(milliseconds=50)
        self._seq += 1
        if self._shuffled:
            return b'{"payload":%b,%b\n' % (payload, orjson.dumps(head)[1:])
        return b'%b,"payload":%b}\n' % (orjson.dumps(head)[:-1], payload)
