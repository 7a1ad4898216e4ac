"""Traces for the tests: recorded through a tap from the local server, or put together by hand."""

import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
from agenttap import Tap
from fakeapi import MESSAGE, Reply, Server

ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 64}
NOWHERE = "http://127.0.0.1:9"  # where nothing listens


def ask(client: Any, text: str = "Hi", **more: Any) -> Any:
    """One request of the SDK's."""
    return client.messages.create(**ASK, messages=[{"role": "user", "content": text}], **more)


def streaming(client: Any, text: str = "Hi") -> Any:
    """The same, streamed: a context manager of the SDK's."""
    return client.messages.stream(**ASK, messages=[{"role": "user", "content": text}])


def said(message: Any) -> str:
    return str(message.content[0].text)


def answer(text: str) -> dict[str, Any]:
    return {**MESSAGE, "content": [{"type": "text", "text": text}]}


made: list[Any] = []  # clients, for the fixture that closes them


def client(url: str = NOWHERE, **options: Any) -> anthropic.Anthropic:
    """A client of the SDK's, which is closed when the test ends."""
    made.append(anthropic.Anthropic(**{"api_key": "none", "base_url": url, "max_retries": 0} | options))
    return made[-1]  # type: ignore[no-any-return]


def gpt(url: str = NOWHERE) -> openai.OpenAI:
    """The same of OpenAI's."""
    made.append(openai.OpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0))
    return made[-1]  # type: ignore[no-any-return]


def http() -> httpx2.Client:
    """The same without an SDK."""
    made.append(httpx2.Client())
    return made[-1]  # type: ignore[no-any-return]


def recorded(path: Path, *texts: str, replies: list[Reply], **options: Any) -> Path:
    """The trace of a client that says these texts and gets these replies."""
    server = Server()
    server.replies.extend(replies)
    with Tap(path, **options) as tap, client(server.url) as asking:
        tap.wrap(asking)
        for text in texts:
            ask(asking, text)
    server.close()
    return path


def line(seq: int, type: str, call_id: str | None = None, run_id: str = "r1", **payload: Any) -> bytes:
    """An event, as a tap writes it."""
    head = {"v": 1, "type": type, "timestamp": f"2026-05-24T03:17:{seq:02}.000000Z", "run_id": run_id, "seq": seq}
    if call_id is not None:
        head["call_id"] = call_id
    return json.dumps({**head, "payload": payload}, separators=(",", ":")).encode() + b"\n"


def request(seq: int, call_id: str, text: str, **more: Any) -> bytes:
    """A request to the Messages API; `more` are parts of the payload."""
    body = {**ASK, "messages": [{"role": "user", "content": text}]}
    told = {"provider": "anthropic", "method": "POST", "url": "https://api.test/v1/messages", "headers": {}}
    return line(seq, "model.request", call_id, **{**told, "body": body, "attempt": 1, **more})


def response(seq: int, call_id: str, text: str, **more: Any) -> bytes:
    told = {"status": 200, "headers": {"content-type": "application/json"}, "body": answer(text)}
    return line(seq, "model.response", call_id, **{**told, "stream": False, "complete": True, **more})
