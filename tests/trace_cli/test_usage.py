"""What responses say of their tokens and of their price."""

from typing import Any

import pytest

from trace_cli import usage
from trace_cli.usage import Part, Tokens


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"input_tokens": 10, "output_tokens": 2}, Tokens(10, 2)),
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 3,
                "output_tokens": 2,
            },
            Tokens(18, 2, 5, 3),
        ),
        (
            {
                "input_tokens": 10,
                "cache_read_input_tokens": None,
                "cache_creation_input_tokens": None,
                "output_tokens": 0,
            },
            Tokens(10, 0),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}},
            Tokens(10, 2, 8),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": None}, Tokens(10, 2)),
        ({"input_tokens": 10, "output_tokens": 2, "input_tokens_details": {"cached_tokens": "8"}}, Tokens(10, 2)),
    ],
)
def test_tokens(told: dict[str, Any], expected: Tokens) -> None:
    assert usage.tokens({"usage": told}) == expected


@pytest.mark.parametrize(
    "told",
    [
        None,
        "12",
        [],
        {},
        {"input_tokens": 10},
        {"output_tokens": 2},
        {"input_tokens": None, "output_tokens": 2},
        {"input_tokens": "10", "output_tokens": 2},
        {"input_tokens": 10, "output_tokens": True},
        {"input_tokens": 10, "output_tokens": -2},
        {"input_tokens": 10, "output_tokens": 1 << 60},
        {"input_tokens": "10", "cache_read_input_tokens": 5, "output_tokens": 2},
        {"input_tokens": None, "cache_read_input_tokens": 5, "output_tokens": 2},
    ],
)
def test_tokens_that_are_not_told_are_unknown(told: Any) -> None:
    assert usage.tokens({"usage": told}) is None
    assert usage.text({"usage": told}) == ""


def test_cost() -> None:
    assert usage.cost({"body": {"usage": {"cost": 0.25}}}) == 0.25
    assert usage.cost({"total_cost_usd": 1, "body": None}) == 1
    assert usage.cost({"total_cost_usd": "1", "costUSD": 0.5}) == 0.5
    for told in (None, "0.1", True, float("nan"), float("inf"), [], {}):
        assert usage.cost({"costUSD": told, "body": {"usage": {"cost": told}}}) is None
    for body in (None, "text", [], {"usage": None}, {"usage": 7}):
        assert usage.cost({"body": body}) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # LiteLLM writes both spellings of one fact.
        (
            {
                "usage": {
                    "prompt_tokens": 90,
                    "completion_tokens": 2,
                    "prompt_tokens_details": {"cached_tokens": 80},
                    "cache_read_input_tokens": 80,
                }
            },
            Tokens(90, 2, 80),
        ),
        (
            {
                "usage": {
                    "input_tokens": 10,
                    "output_tokens": 5,
                    "cache_creation_input_tokens": 100,
                    "cache_read_input_tokens": 50,
                    "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
                }
            },
            Tokens(160, 5, 50, 100, 40),
        ),
        (
            {"usage": {"inputTokens": 10, "outputTokens": 5, "cacheReadInputTokens": 3, "totalTokens": 18}},
            Tokens(13, 5, 3),
        ),
        (
            {
                "usageMetadata": {
                    "promptTokenCount": 10,
                    "cachedContentTokenCount": 4,
                    "toolUsePromptTokenCount": 2,
                    "candidatesTokenCount": 5,
                    "thoughtsTokenCount": 7,
                }
            },
            Tokens(12, 12, 4),
        ),
        ({"usage": {"billed_units": {}, "tokens": {"input_tokens": 8, "output_tokens": 3}}}, Tokens(8, 3)),
        ({"model": "llama", "prompt_eval_count": 9, "eval_count": 4}, Tokens(9, 4)),
        (
            {"type": "response.completed", "response": {"usage": {"input_tokens": 1, "output_tokens": 2}}},
            Tokens(1, 2),
        ),
        (
            [{"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": n}} for n in (1, 5, 9)],
            Tokens(10, 9),
        ),
        (
            'data: {"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1}}\n\n'
            'data: {"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":6}}\n\n'
            'data: {"usageMetadata":{"promptTok',
            Tokens(10, 6),
        ),
        ('{"response":"a"}\n{"response":"","done":true,"prompt_eval_count":3,"eval_count":2}\n', Tokens(3, 2)),
        ("no usage at all", None),
        (None, None),
        ([], None),
        ({"usageMetadata": {"promptTokenCount": 10}}, None),
    ],
)
def test_the_shapes_of_other_apis(body: Any, expected: Tokens | None) -> None:
    assert usage.tokens(body) == expected


# As the API has it of a compaction, and of an advisor: the figures above the list leave out what is in it.
COMPACTED = {
    "input_tokens": 612,
    "output_tokens": 2819,
    "iterations": [
        {"type": "compaction", "input_tokens": 60385, "output_tokens": 522},
        {"type": "message", "input_tokens": 612, "output_tokens": 2819},
    ],
}


def test_iterations_count_each() -> None:
    assert usage.tokens({"usage": COMPACTED}) == Tokens(60997, 3341)
    advised = {**COMPACTED, "server_tool_use": {"web_search_requests": 2}}
    advised["iterations"] = [{**COMPACTED["iterations"][0], "model": "other"}, COMPACTED["iterations"][1]]  # type: ignore[index]
    assert usage.parts({"usage": advised}) == [
        Part("other", Tokens(60385, 522), 2),
        Part(None, Tokens(612, 2819)),
    ]
    for broken in (None, [], ["x"], [{"input_tokens": "1"}]):
        assert usage.tokens({"usage": {**COMPACTED, "iterations": broken}}) == Tokens(612, 2819)


def test_sums() -> None:
    assert Tokens(1, 2, 3, 4, 5).plus(Tokens(10, 20, 30, 40, 50)) == Tokens(11, 22, 33, 44, 55)
