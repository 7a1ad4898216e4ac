"""Traces to measure the viewer with: made up by a seed, shaped as agents leave them, never committed."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

WORDS = [
    "revenue",
    "region",
    "index",
    "search",
    "result",
    "model",
    "tool",
    "growth",
    "quarter",
    "figure",
    "report",
]
START = datetime(2026, 5, 24, 3, 17, tzinfo=UTC)


def write(path: Path, megabytes: float, seed: int = 1) -> None:
    """Writes runs, one after the other, until the file is so large.

    Each request carries the conversation so far, so that a line has some 17 KB in the mean and 150 at most; one
    tool call in a hundred fails.
    """
    random = Random(seed)
    left = int(megabytes * 1e6)
    with open(path, "wb") as file:
        number = 0
        while left > 0:
            number += 1
            for line in _run(random, f"run-{number:05}", START + timedelta(minutes=number)):
                left -= file.write(line)
                if left <= 0:
                    break


def long_run(random: Random, run_id: str, events: int) -> Iterator[bytes]:
    """The lines of one run of so many events: conversations of 20 turns, compacted into the next one's prompt."""
    lines = _Lines(run_id, START)
    yield lines.line("run.started", None, {"name": "long", "metadata": None})
    body: dict[str, Any] = {"model": "claude-test-1", "max_tokens": 4096, "system": _text(random, 60)}
    messages: list[dict[str, Any]] = []
    for turn in range((events - 2) // 4):
        if turn % 20 == 0:
            messages = [{"role": "user", "content": f"{turn}: {_text(random, 20)}"}]
        call, use = f"model_{run_id}_{turn}", _use(random, f"toolu_{run_id}_{turn}")
        sent = {"method": "POST", "url": "https://api.example.com/v1/messages", "headers": {}, "attempt": 1}
        yield lines.line("model.request", call, {**sent, "body": {**body, "messages": messages}})
        answer = {"role": "assistant", "content": [{"type": "text", "text": _text(random, 12)}, use]}
        usage = {"input_tokens": 1000, "output_tokens": 200}
        told = {**answer, "stop_reason": "tool_use", "usage": usage}
        yield lines.line("model.response", call, {"status": 200, "body": told, "duration_ms": 2000.2})
        found = _text(random, random.randint(5, 40))
        yield lines.line("tool.called", use["id"], {"tool_name": use["name"], "args": use["input"]})
        yield lines.line("tool.result", use["id"], {"tool_name": use["name"], "result": found, "error": None})
        result = {"type": "tool_result", "tool_use_id": use["id"], "content": found}
        messages = [*messages, answer, {"role": "user", "content": [result]}]
    yield lines.line("run.ended", None, {"status": "ok", "error": None, "duration_ms": 1000.5})


def _run(random: Random, run_id: str, start: datetime) -> Iterator[bytes]:
    """The lines of one run of 20 to 60 turns."""
    lines = _Lines(run_id, start)
    yield lines.line("run.started", None, {"name": f"task {run_id}", "metadata": None})
    tools = [{"name": f"tool{each}", "description": _text(random, 40)} for each in range(12)]
    body: dict[str, Any] = {
        "model": "claude-test-1",
        "max_tokens": 4096,
        "system": _text(random, 600),
        "tools": tools,
    }
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"{run_id}: {_text(random, 50)}"}]
    for turn in range(random.randint(20, 60)):
        call = f"model_{run_id}_{turn}"
        sent = {"method": "POST", "url": "https://api.example.com/v1/messages", "headers": {}, "attempt": 1}
        yield lines.line("model.request", call, {**sent, "body": {**body, "messages": messages}})
        asked = [_use(random, f"toolu_{run_id}_{turn}_{each}") for each in range(random.randint(1, 3))]
        content = [{"type": "text", "text": _text(random, 60)}, *asked]
        usage = {"input_tokens": 1000 + 100 * turn, "output_tokens": 200}
        answer = {"role": "assistant", "content": content, "stop_reason": "tool_use", "usage": usage}
        yield lines.line("model.response", call, {"status": 200, "body": answer, "duration_ms": 2000.2})
        results = []
        for use in asked:
            named = {"tool_name": use["name"]}
            yield lines.line("tool.called", use["id"], {**named, "args": use["input"]})
            error = f"failed: {_text(random, 3)}" if random.random() < 0.01 else None
            text = error or _text(random, random.randint(20, 500))
            yield lines.line(
                "tool.result", use["id"], {**named, "result": None if error else text, "error": error}
            )
            results.append({"type": "tool_result", "tool_use_id": use["id"], "content": text})
        messages = [*messages, {"role": "assistant", "content": content}, {"role": "user", "content": results}]
    yield lines.line("run.ended", None, {"status": "ok", "error": None, "duration_ms": 1000.5})


def _use(random: Random, call_id: str) -> dict[str, Any]:
    name = f"tool{random.randint(0, 11)}"
    return {"type": "tool_use", "id": call_id, "name": name, "input": {"query": _text(random, 8)}}


def _text(random: Random, words: int) -> str:
    return " ".join(random.choices(WORDS, k=words))


class _Lines:
    """The lines of one run in the format of trace-events(5), 50 ms between two."""

    def __init__(self, run_id: str, start: datetime) -> None:
        self._run_id = run_id
        self._time = start
        self._seq = 0

    def line(self, kind: str, call_id: str | None, payload: dict[str, Any]) -> bytes:
        head: dict[str, Any] = {"v": 1, "type": kind, "timestamp": f"{self._time:%Y-%m-%dT%H:%M:%S.%fZ}"}
        head |= {"run_id": self._run_id, "seq": self._seq}
        if call_id is not None:
            head["call_id"] = call_id
        self._time += timedelta(milliseconds=50)
        self._seq += 1
        return json.dumps({**head, "payload": payload}, separators=(",", ":")).encode() + b"\n"
