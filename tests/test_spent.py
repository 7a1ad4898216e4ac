"""What recorded answers cost: through an SDK's client and a tap, then `trace stats`. Figures made by hand."""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import anthropic
import pytest
import yaml
from agenttap import Tap

from trace_cli.commands.stats import stats
from trace_cli.prices import Prices
from trace_cli.reading import Reading

sys.path.insert(0, str(Path(__file__).parent / "tap"))
from fakeapi import Server, plain

DATA = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recordings are not here")
EVENTS = "text/event-stream; charset=utf-8"

# Calls, input and output tokens, and millionths of a dollar: read off the files, and multiplied by the prices of
# the models: Haiku 4.5 1 and 5 dollars, Sonnet 4.5 and 4.6 3 and 15, Opus 4.1 15 and 75, 4.6 and 4.7 5 and 25.
BY_HAND = {
    "vcr/llm-anthropic__test_async_prompt.yaml": (2, 17 + 32, 10 + 16, 49 * 3 + 26 * 15),
    "vcr/llm-anthropic__test_prompt.yaml": (1, 17, 10, 17 * 3 + 10 * 15),
    "vcr/llm-anthropic__test_stream_events_tool_calls.yaml": (1, 543, 40, 543 + 40 * 5),
    "vcr/llm-anthropic__test_thinking_prompt.yaml": (1, 46, 84, 46 * 3 + 84 * 15),
    "vcr/llm-anthropic__test_tools.yaml": (2, 542 + 678, 62 + 82, 1220 + 144 * 5),
    # and a search on the web, of which a thousand cost ten dollars
    "vcr/llm-anthropic__test_web_search.yaml": (1, 10423, 341, 10423 * 15 + 341 * 75 + 10_000),
    "vcr/pydantic-ai__test_anthropic_model_thinking_part_redacted.yaml": (
        2,
        92 + 168,
        196 + 232,
        260 * 3 + 428 * 15,
    ),
    "vcr/pydantic-ai__test_anthropic_text_editor_code_execution_tool.yaml": (1, 10490, 469, 10490 * 3 + 469 * 15),
    # What is listed as iterations is charged, and not in the sums above the list.
    "sse/anthropic-compaction.1.chunks.txt": (1, 60385 + 612, 522 + 2819, 60997 * 5 + 3341 * 25),
    "sse/anthropic-advisor-20250301.1.chunks.txt": (
        1,
        1051 + 2728 + 3676,
        35 + 3880 + 3356,
        (1051 + 3676) * 3 + (35 + 3356) * 15 + 2728 * 5 + 3880 * 25,
    ),
    # The counts at the end of a stream are sums, in the place of those at its beginning.
    "sse/anthropic-json-tool.1.chunks.txt": (1, 849, 47, None),
    "sse/anthropic-web-search-tool.1.chunks.txt": (1, 15665, 795, None),
}


def answers(name: str) -> Iterator[tuple[bytes, str]]:
    """The body and the type of each answer of a model in a file."""
    path = DATA / name
    if path.suffix == ".txt":
        events = [json.loads(line) for line in path.read_text().splitlines()]
        yield (
            "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode(),
            EVENTS,
        )
        return
    for each in yaml.safe_load(path.read_text())["interactions"]:
        answer = each["response"]
        kind = next(value[0] for key, value in answer["headers"].items() if key.lower() == "content-type")
        body = json.dumps(answer["parsed_body"]) if "parsed_body" in answer else answer["body"]["string"]
        raw = body.encode() if isinstance(body, str) else body
        yield gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw, kind


@pytest.mark.parametrize("name", BY_HAND)
def test_tokens_and_cost_are_those_computed_by_hand(name: str, tmp_path: Path) -> None:
    calls, tokens_in, tokens_out, millionths = BY_HAND[name]
    server = Server()
    server.replies.extend(plain(body, kind=kind) for body, kind in answers(name))
    with Tap(tmp_path / "run.jsonl") as tap, anthropic.Anthropic(api_key="k", base_url=server.url) as client:
        tap.wrap(client)
        for _ in range(len(server.replies)):
            client._client.post(f"{server.url}/v1/messages", json={"model": "any", "messages": []})
    server.close()
    known = Prices({})
    (row,) = stats(Reading([str(tmp_path / "run.jsonl")]), None, known).rows()
    assert (row["calls"], row["input_tokens"], row["output_tokens"]) == (calls, tokens_in, tokens_out)
    assert row["untold"] == 0
    if millionths is not None:
        assert row["cost"] == millionths / 1_000_000
        assert not known.unknown
