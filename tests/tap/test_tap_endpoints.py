"""Which requests are calls of a model, in which format, and which belong to somebody else."""

import json
from typing import Any

import pytest
from agenttap.endpoints import classify

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
VERSIONED = {"anthropic_version": "bedrock-2023-05-31", "messages": ASK["messages"], "max_tokens": 1}
CONTENTS = {"contents": [{"parts": [{"text": "Hi"}]}]}
VERTEX = "/v1/projects/p/locations/l/publishers"

GENERATION: list[tuple[str, dict[str, Any], str | None]] = [
    ("/v1/messages", ASK, "anthropic"),
    ("/messages", ASK, "anthropic"),
    ("/anthropic/v1/messages/", ASK, "anthropic"),
    ("/v1/complete", {"model": "m", "prompt": "Hi", "max_tokens_to_sample": 1}, "anthropic"),
    (f"{VERTEX}/anthropic/models/claude:rawPredict", VERSIONED, "anthropic"),
    (f"{VERTEX}/anthropic/models/claude:streamRawPredict", VERSIONED, "anthropic"),
    (f"{VERTEX}/mistralai/models/mistral:rawPredict", ASK, None),
    ("/model/anthropic.claude-v2:1/invoke", VERSIONED, "anthropic"),
    ("/model/arn:aws:bedrock:eu:1:inference-profile/eu.claude/invoke", VERSIONED, "anthropic"),
    ("/model/anthropic.claude/invoke-with-response-stream", VERSIONED, "anthropic"),
    ("/model/amazon.titan/invoke", {"inputText": "Hi"}, None),
    ("/model/meta.llama3/invoke", {"prompt": "Hi"}, None),
    ("/model/anthropic.claude/converse", {"messages": []}, "bedrock"),
    ("/model/anthropic.claude/converse-stream", {"messages": []}, "bedrock"),
    ("/v1/chat/completions", ASK, "openai"),
    ("/openai/deployments/x/chat/completions", {"messages": []}, "openai"),
    ("/openai/v1/chat/completions", ASK, "openai"),
    ("/openai/deployments/x/completions", {"prompt": "Hi"}, "openai"),
    ("/v1/completions", {"model": "m", "prompt": "Hi"}, "openai"),
    ("/v1/fim/completions", {"model": "m", "prompt": "Hi", "suffix": ""}, "openai"),
    ("/v1/agents/completions", {"agent_id": "a", "messages": []}, "openai"),
    ("/v1/responses", {"model": "m", "input": "Hi"}, "openai"),
    ("/openai/responses", {"model": "m", "previous_response_id": "resp_1"}, "openai"),
    ("/v1/responses", {"prompt": {"id": "pmpt_1"}, "input": "Hi"}, "openai"),
    ("/v1beta/models/gemini:generateContent", CONTENTS, "gemini"),
    ("/v1beta/models/gemini:streamGenerateContent", CONTENTS, "gemini"),
    (f"{VERTEX}/google/models/gemini:generateContent", CONTENTS, "gemini"),
    ("/v2/chat", ASK, "cohere"),
    ("/v1/chat", {"model": "m", "message": "Hi"}, "cohere"),
    ("/api/chat", ASK, "ollama"),
    ("/api/generate", {"model": "m", "prompt": "Hi"}, "ollama"),
]

# Other paths of the same APIs.
BESIDE = [
    "/v1/messages/count_tokens",
    "/v1/messages/batches",
    "/v1/files",
    "/v1/threads/thread_1/messages",
    "/v1/chat/completions/chatcmpl_1",
    "/v1/responses/resp_1/cancel",
    "/v1/embeddings",
    "/api/embed",
    "/v1beta/models/gemini:embedContent",
    "/v1beta/models/gemini:countTokens",
    f"{VERTEX}/anthropic/models/count-tokens:rawPredict",
    "/model/anthropic.claude/count-tokens",
    "/oauth/token",
]

# What tools send to paths that look like a model's.
OF_TOOLS: list[tuple[str, Any]] = [
    ("/v1/messages", {"to": "someone", "body": "the model says: messages"}),
    ("/v1/messages", {"messages": [{"to": "someone"}]}),
    ("/v1/messages", {"data": ASK}),
    ("/v1/messages", [ASK]),
    ("/v1/messages", "model messages"),
    ("/v1/responses", {"survey": 1, "input": "yes"}),
    ("/completions", {"prompt": "Hi"}),
    ("/v1/chat/completions", {"user": "x"}),
    ("/v1/chat", {"message": "Hi"}),
    ("/api/chat", {"messages": []}),
    ("/api/generate", {"template": "invoice"}),
    ("/lambda/f/invoke", VERSIONED),
    ("/model/train/invoke", {"job": 1}),
    ("/page:generateContent", {"title": "x"}),
]


@pytest.mark.parametrize(("path", "body", "provider"), GENERATION)
@pytest.mark.parametrize("sure", [False, True])
def test_a_generation_endpoint(path: str, body: dict[str, Any], provider: str | None, sure: bool) -> None:
    assert classify("POST", path, json.dumps(body).encode(), sure=sure) == ("model", provider)
    assert classify("GET", path, None, sure=sure) == ("http", None)


@pytest.mark.parametrize("path", BESIDE)
def test_other_paths_of_the_same_apis(path: str) -> None:
    every_key = {key: "x" for _, body, _ in GENERATION for key in body}
    assert classify("POST", path, json.dumps(every_key).encode()) == ("http", None)
    assert classify("POST", path, json.dumps(every_key).encode(), sure=True) == ("http", None)


@pytest.mark.parametrize(("path", "body"), OF_TOOLS)
def test_a_tool_is_taken_for_no_model(path: str, body: Any) -> None:
    assert classify("POST", path, json.dumps(body).encode(), sure=True) == ("http", None)


@pytest.mark.parametrize("body", [None, b"", b"\xff", b'{"model":"m","messages":[', b"model=m&messages=x"])
def test_a_body_that_tells_nothing(body: bytes | None) -> None:
    assert classify("POST", "/v1/messages", body, sure=True) == ("http", None)
    assert classify("POST", "/v1/messages", body) == ("model", "anthropic")  # an SDK's client goes nowhere else
