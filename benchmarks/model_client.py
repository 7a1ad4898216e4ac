"""The agent's side of a model call: the real SDK, a fresh conversation for each call, plain or streamed."""

import time
from typing import Any, NamedTuple

import anthropic
from contents import events


class Times(NamedTuple):
    first: float  # seconds to the first text; of a plain call, to its end
    total: float  # seconds


def client(base_url: str) -> anthropic.Anthropic:
    """Return a client with a pool of its own, which goes through no proxy and never tries again."""
    direct = anthropic.DefaultHttpxClient(trust_env=False)
    return anthropic.Anthropic(base_url=base_url, api_key="benchmark", http_client=direct, max_retries=0)


def request(seed: int) -> dict[str, Any]:
    """Return the arguments of a call: a conversation of about 8 KB that no other seed gives."""
    ((_, payload),) = events(8 << 10, 1, seed)
    texts = [message["content"][0] for message in payload["messages"]]
    joined = "\n\n".join(block.get("text") or block["content"] for block in texts)
    messages = [{"role": "user", "content": joined}]
    return {"model": payload["model"], "max_tokens": payload["max_tokens"], "messages": messages}


def plain(client: anthropic.Anthropic, asked: dict[str, Any]) -> Times:
    began = time.perf_counter()
    client.messages.create(**asked)
    total = time.perf_counter() - began
    return Times(total, total)


def streamed(client: anthropic.Anthropic, asked: dict[str, Any]) -> Times:
    began, first = time.perf_counter(), 0.0
    with client.messages.stream(**asked) as stream:
        for _ in stream.text_stream:
            first = first or time.perf_counter() - began
    return Times(first, time.perf_counter() - began)
