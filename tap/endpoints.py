"""Which requests go to a generation endpoint of a model's API, and whose wire format they speak."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .jsonable import loads

Keys = frozenset[str]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A generation endpoint: how its path ends, and what tells a request to it from one to something else.

    `provider` is whose wire format it speaks, None where the body must tell or nobody can. A body of the endpoint
    has all the keys of one of `bodies`: other services have messages, responses and chats too.
    """

    path: re.Pattern[str]
    provider: str | None
    bodies: tuple[Keys, ...]


def _endpoint(path: str, provider: str | None, *bodies: str) -> Endpoint:
    return Endpoint(re.compile(path + r"\Z"), provider, tuple(frozenset(keys.split()) for keys in bodies))


# The first that fits counts. Sources: the reference of each API, and what its SDK sends.
_ENDPOINTS = (
    # Anthropic; also Vertex (rawPredict) and Bedrock (invoke), whose paths are below
    _endpoint("/messages", "anthropic", "model messages", "anthropic_version messages"),
    _endpoint("/v1/complete", "anthropic", "model prompt max_tokens_to_sample"),
    # OpenAI, and the many that imitate it: Azure (with the model in the path), Mistral, Groq, vLLM, OpenRouter
    _endpoint("/chat/completions", "openai", "messages"),
    _endpoint("/deployments/.+/completions", "openai", "prompt"),
    _endpoint("/completions", "openai", "model prompt", "model messages", "agent_id messages"),
    _endpoint(
        "/responses",
        "openai",
        *("model input", "model prompt", "model conversation", "model previous_response_id", "model instructions"),
        "prompt input",  # the prompt, kept by the API, names the model
    ),
    # Google
    _endpoint(r":(?:stream)?[gG]enerateContent", "gemini", "contents"),
    _endpoint(r":(?:streamR|r)awPredict", None, "anthropic_version", "model messages"),
    # Amazon Bedrock: the body is the one of whoever made the model
    _endpoint(
        r"/model/.+/invoke(?:-with-response-stream)?",
        None,
        *("anthropic_version", "messages", "prompt", "inputText", "message", "inputs"),
    ),
    _endpoint(r"/model/.+/converse(?:-stream)?", "bedrock", "messages"),
    _endpoint("/v2/chat", "cohere", "model messages"),
    _endpoint("/v1/chat", "cohere", "model message"),
    _endpoint("/api/chat", "ollama", "model messages"),
    _endpoint("/api/generate", "ollama", "model prompt"),
)

# Paths that end like one of the above, of something else at the same APIs.
_OTHERS = re.compile(
    r"(?:/threads/[^/]+/messages"  # OpenAI's assistants: adds a message, generates nothing
    r"|/count-tokens:rawPredict)\Z"  # Vertex's way of counting
)


def classify(method: str, path: str, body: bytes | None, *, sure: bool = False) -> tuple[str, str | None]:
    """Return family ("model" or "http") and provider of a request, by the path of its URL and its body.

    The client of an SDK goes where its SDK sends it, so the path is enough. When it must be `sure`, as for a
    client that may be anybody's, the body has to be one that this endpoint takes: a JSON object with the keys of
    one.
    `body` is None when it is only known while it is sent.
    """
    if method.upper() != "POST" or _OTHERS.search(path) is not None:
        return "http", None
    path = path.rstrip("/")
    fitting = [one for one in _ENDPOINTS if one.path.search(path) is not None]
    if not fitting:
        return "http", None
    if sure:
        keys = _keys(body)
        fitting = [one for one in fitting if any(wanted <= keys.keys() for wanted in one.bodies)]
        if not fitting:
            return "http", None
    provider = fitting[0].provider
    if provider is None and body is not None and b'"anthropic_version"' in body:
        provider = "anthropic"
    return "model", provider


def _keys(body: bytes | None) -> Mapping[str, Any]:
    """Return the object that a body is, or an empty one."""
    try:
        found = loads(body or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
