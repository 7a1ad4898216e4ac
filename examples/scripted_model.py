"""The model of the example: reads a conversation, returns the content blocks of the next answer.

It plays a model that prepares the quarterly report of agent.py. It holds no state and knows no figures: it
calls the tools with the index names that the system prompt gives, and goes on with what they return. The same
conversation gets the same answer; another prompt makes another story.
"""

import json
import re
from typing import Any

Block = dict[str, Any]
Figures = dict[str, float]

QUARTER, QUARTER_BEFORE = "2026-Q1", "2025-Q4"


def answer(request: dict[str, Any]) -> list[Block]:
    """The next answer to the body of a Messages API request; tool calls get their ids from the server."""
    if not request.get("tools"):
        return [text("Good evening. Nobody gave me a tool, so I can only talk.")]

    messages = request["messages"]
    indexes = dict(re.findall(r"(\w+): (sales-\w+)", str(request.get("system"))))
    now, before = figures(messages, indexes, QUARTER), figures(messages, indexes, QUARTER_BEFORE)
    errors = [block["content"] for block in blocks(messages[-1]) if block.get("is_error")]
    if errors:
        return [text(f"The report is not finished: one of its figures cannot be worked out ({errors[0]}).")]

    match sum(message["role"] == "assistant" for message in messages):
        case 0:
            return [text(f"I will collect the figures for {QUARTER}."), *searches(indexes, QUARTER)]
        case 1:
            return [text(f"{found(now)} Next, {QUARTER_BEFORE}."), *searches(indexes, QUARTER_BEFORE)]
        case 2:
            return [text(f"{found(before)} Now the group."), growth("group", total(now), total(before))]
        case 3:
            changes = ", ".join(f"{name} from {before[name]} to {now[name]}" for name in indexes)
            return [text(f"Each region: {changes}."), *(growth(name, now[name], before[name]) for name in indexes)]
        case 4:
            return [text("All figures are in."), call("publish", title=QUARTER, report=report(messages, now))]
        case _:
            return [text("The report is published.")]


def figures(messages: list[Block], indexes: dict[str, str], quarter: str) -> Figures:
    """The revenue of each region in a quarter, from the search results so far; 0 where nothing was found."""
    revenue: Figures = dict.fromkeys(indexes, 0)
    for arguments, result in returned(messages, "search"):
        for name, index in indexes.items():
            hits = json.loads(result)["hits"]
            if arguments == {"index": index, "query": quarter} and hits:
                revenue[name] = hits[0]["revenue"]
    return revenue


def report(messages: list[Block], now: Figures) -> str:
    """The text to publish: a line for each region, with the growth that the tool worked out."""
    percent = {arguments["name"]: result for arguments, result in returned(messages, "growth")}
    rows = {"Group": (total(now), percent["group"])} | {name: (now[name], percent[name]) for name in now}
    return "\n".join(f"{name}: {revenue} M EUR ({change} %)" for name, (revenue, change) in rows.items())


def found(revenue: Figures) -> str:
    """What a model says that was told to carry on."""
    some = ", ".join(f"{name} {amount}" for name, amount in revenue.items() if amount)
    none = ", ".join(name for name, amount in revenue.items() if not amount)
    return f"Found {some or 'nothing'}." + (f" {none} has no entries, so I carry it as 0." if none else "")


def returned(messages: list[Block], tool: str) -> list[tuple[dict[str, Any], str]]:
    """The arguments and the result of each call of a tool in a conversation."""
    everything = [block for message in messages for block in blocks(message)]
    results = {block["tool_use_id"]: block["content"] for block in everything if block["type"] == "tool_result"}
    uses = [block for block in everything if block["type"] == "tool_use" and block["name"] == tool]
    return [(use["input"], results[use["id"]]) for use in uses]


def searches(indexes: dict[str, str], quarter: str) -> list[Block]:
    return [call("search", index=index, query=quarter) for index in indexes.values()]


def growth(name: str, current: float, previous: float) -> Block:
    return call("growth", name=name, current=current, previous=previous)


def total(revenue: Figures) -> float:
    return round(sum(revenue.values()), 1)


def call(tool: str, **arguments: Any) -> Block:
    return {"type": "tool_use", "name": tool, "input": arguments}


def text(words: str) -> Block:
    return {"type": "text", "text": words}


def blocks(message: Block) -> list[Block]:
    content = message["content"]
    return [text(content)] if isinstance(content, str) else content
