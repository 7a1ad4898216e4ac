"""A small agent that prepares a quarterly report at night, recorded by the tap.

    python examples/agent.py --out runs/report.jsonl

It fails, as agents do, and the trace knows why. With a key in ANTHROPIC_API_KEY it talks to the Messages API,
else to messages_api.py, which it starts itself. To record an agent of yours, copy the lines that say `tap`.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import anthropic
import messages_api
from agenttap import Tap
from anthropic.types import Message, MessageParam, ToolParam, ToolResultBlockParam, ToolUseBlock

MODEL = "claude-sonnet-4-6"
MAX_TURNS = 20
TASK = "Prepare and publish the revenue report for 2026-Q1, compared with 2025-Q4."
PROMPT = """\
You prepare the quarterly revenue report. You run at night and nobody can answer questions: decide yourself.
Revenue is in one search index for each region, to be searched by quarter, such as 2026-Q1:
- EMEA: sales-emea
- AMER: sales-amer
- APAC: sales-apj
Search each region for both quarters, compute the growth of the group and of each region, publish the report.
A region without entries counts as 0."""

SALES = {
    "sales-emea": {"2026-Q1": 18.4, "2025-Q4": 17.6},
    "sales-amer": {"2026-Q1": 22.1, "2025-Q4": 21.3},
    "sales-apac": {"2026-Q1": 9.7, "2025-Q4": 8.8},
}

log = logging.getLogger("report")


def search(index: str, query: str) -> dict[str, Any]:
    """Find the entries of an index that match a query. Revenue is in millions of euros."""
    entries = SALES.get(index, {})  # as search engines do: an index that does not exist is an empty one
    hits = [{"quarter": quarter, "revenue": revenue} for quarter, revenue in entries.items() if query in quarter]
    return {"index": index, "searched": len(entries), "hits": hits}


def growth(name: str, current: float, previous: float) -> float:
    """The growth from one amount to another, in percent."""
    return round((current - previous) / previous * 100, 1)


def publish(title: str, report: str) -> str:
    """Publish the finished report."""
    print(f"{title}\n{report}")
    return "published"


TOOLS: dict[str, Callable[..., Any]] = {"search": search, "growth": growth, "publish": publish}


class NotPublished(Exception):
    """The run is over and there is no report."""


def run(client: anthropic.Anthropic, tap: Tap, prompt: str) -> None:
    """Ask the model, use the tools that it calls, tell it what they returned, until it calls none."""
    messages: list[MessageParam] = [{"role": "user", "content": TASK}]
    published = False
    for _ in range(MAX_TURNS):
        answer = ask(client, prompt, messages)
        messages.append({"role": "assistant", "content": answer.content})
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            break
        results = [use(tap, call) for call in calls]
        messages.append({"role": "user", "content": results})
        published |= any(
            call.name == "publish" and "is_error" not in result
            for call, result in zip(calls, results, strict=True)
        )
    if not published:
        raise NotPublished("the report was not published")


def ask(client: anthropic.Anthropic, prompt: str, messages: list[MessageParam]) -> Message:
    """One answer of the model. The first is streamed, so that whoever watches sees what it is up to."""
    request: Any = {
        "model": MODEL,
        "max_tokens": 1000,
        "system": prompt,
        "tools": [describe(tool) for tool in TOOLS.values()],
        "messages": messages,
    }
    if len(messages) > 1:
        answer: Message = client.messages.create(**request)
        return answer
    with client.messages.stream(**request) as stream:
        for text in stream.text_stream:
            print(text, end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return stream.get_final_message()


def use(tap: Tap, call: ToolUseBlock) -> ToolResultBlockParam:
    """Run the tool that the model called; what it raises goes to the model, as text."""
    arguments: Any = call.input
    log.info("tool %s", call.name)
    try:
        with tap.tool_call(call.name, arguments, call_id=call.id) as record:
            record.result = TOOLS[call.name](**arguments)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return {"type": "tool_result", "tool_use_id": call.id, "content": str(error), "is_error": True}
    return {"type": "tool_result", "tool_use_id": call.id, "content": json.dumps(record.result)}


def describe(tool: Callable[..., Any]) -> ToolParam:
    """What the model gets to know about a tool: its name, its docstring, its parameters."""
    names = {str: "string", float: "number"}
    kinds = {name: {"type": names[kind]} for name, kind in tool.__annotations__.items() if name != "return"}
    schema: dict[str, object] = {"type": "object", "properties": kinds, "required": list(kinds)}
    return {"name": tool.__name__, "description": tool.__doc__ or "", "input_schema": schema}


@contextmanager
def connect() -> Iterator[anthropic.Anthropic]:
    """A client of the Messages API, or of the stand-in when there is no key."""
    if os.environ.get("ANTHROPIC_API_KEY"):
        with anthropic.Anthropic() as client:
            yield client
        return
    with (
        messages_api.serve() as base_url,
        anthropic.DefaultHttpxClient(trust_env=False) as direct,  # no proxy between this machine and itself
        anthropic.Anthropic(base_url=base_url, api_key="sk-ant-stand-in", http_client=direct) as client,
    ):
        yield client


def prepare(out: str = "runs/report.jsonl", prompt: str = PROMPT) -> None:
    """One night's work, recorded in a trace. Raises NotPublished."""
    with connect() as client, Tap(output_path=out, name="quarterly-report") as tap:
        run(tap.wrap(client), tap, prompt)


def main() -> int:
    parser = argparse.ArgumentParser(description="Prepare the quarterly report.")
    parser.add_argument("--out", default=f"runs/report-{date.today()}.jsonl", help="the trace to write")
    parser.add_argument("--prompt", type=Path, help="a file with another system prompt")
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)-5s %(name)s: %(message)s")
    log.setLevel(logging.INFO)

    try:
        prepare(options.out, options.prompt.read_text() if options.prompt else PROMPT)
    except NotPublished as failure:
        log.error("%s", failure)
        return 1
    log.info("published")
    return 0


if __name__ == "__main__":
    sys.exit(main())
