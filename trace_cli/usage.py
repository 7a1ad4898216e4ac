"""What a response says of its tokens and of its price, in the shapes of the many APIs."""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from typing import Any, NamedTuple

from trace_cli import line


class Tokens(NamedTuple):
    """Tokens of one response, or of several. `input` counts all input, also what a cache gave or took.

    `cache_write` are those that a cache took, `cache_write_1h` those of them that it keeps for an hour.
    """

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0

    def plus(self, other: "Tokens") -> "Tokens":
        """The sums of both."""
        return Tokens(*(one + two for one, two in zip(self, other, strict=True)))


NONE = Tokens(0, 0)


class Part(NamedTuple):
    """What one model did for a response. `model` is None for the one that the response is of."""

    model: str | None
    tokens: Tokens
    searches: int = 0  # on the web, which are charged by the piece


def tokens(body: Any) -> Tokens | None:
    """The tokens that a response tells of; None where it does not, or not as whole numbers."""
    found = parts(body)
    return total(part.tokens for part in found) if found else None


def total(each: Iterable[Tokens]) -> Tokens:
    """The sums of all."""
    return reduce(Tokens.plus, each, NONE)


def parts(body: Any) -> list[Part]:
    """The same by the models that had a part in it; nothing where it is not told, or not as whole numbers.

    Of a body in pieces (a list, or the text of a stream) the last piece that tells counts: such counts go up.

    Anthropic lists as `iterations` what the figures above them leave out: compactions, advisors, models before a
    fallback.
    """
    usage = next(_usages(body), {})
    iterations = usage.get("iterations")
    each = (
        [(item.get("model"), _tokens(item)) for item in iterations if isinstance(item, Mapping)]
        if isinstance(iterations, list)
        else []
    )
    tools = usage.get("server_tool_use")
    searches = (_count(tools.get("web_search_requests")) if isinstance(tools, Mapping) else None) or 0
    if each and all(known is not None for _, known in each):
        found = [Part(model if isinstance(model, str) else None, known) for model, known in each if known]
        return [found[0]._replace(searches=searches), *found[1:]]
    known = _tokens(usage)
    return [] if known is None else [Part(None, known, searches)]


def _usages(body: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in a body that tell of tokens, the last first."""
    if isinstance(body, Mapping):
        for inner in (body, body.get("message"), body.get("response")):
            if not isinstance(inner, Mapping):
                continue
            for key in ("usage", "usageMetadata"):
                if isinstance(usage := inner.get(key), Mapping):
                    yield usage
            if "prompt_eval_count" in inner:  # Ollama
                yield inner
    elif isinstance(body, list):
        for item in reversed(body):
            yield from _usages(item)
    elif isinstance(body, str):
        for text in reversed(body.splitlines()):
            text = text.removeprefix("data:").strip()
            if text.startswith("{") and ("sage" in text or "_count" in text):
                piece = line.parsed(text)
                yield from _usages(piece if isinstance(piece, dict) else None)


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """The tokens in one of the shapes that usage has. None where they are no whole numbers.

    Anthropic and Bedrock count cached input beside the rest, OpenAI, Gemini and those that follow them within it.
    """
    inner = usage.get("tokens")
    if isinstance(inner, Mapping):  # Cohere
        usage = inner
    details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    within = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    plain, out = _first(usage, _INPUT), _first(usage, _OUTPUT)
    read, write = _first(usage, _CACHE_READ) or 0, _first(usage, _CACHE_WRITE) or 0
    if plain is None or out is None:
        return None
    by_time = usage.get("cache_creation")
    hour = (_count(by_time.get("ephemeral_1h_input_tokens")) if isinstance(by_time, Mapping) else None) or 0
    if "promptTokenCount" in usage:  # Gemini
        within = _count(usage.get("cachedContentTokenCount"))
        plain += _count(usage.get("toolUsePromptTokenCount")) or 0
        out += _count(usage.get("thoughtsTokenCount")) or 0
    if within is not None or "prompt_tokens" in usage:
        return Tokens(plain, out, min(plain, within or read), min(plain, write), 0)
    return Tokens(plain + read + write, out, read, write, min(hour, write))


_INPUT = ("input_tokens", "prompt_tokens", "inputTokens", "promptTokenCount", "prompt_eval_count")
_OUTPUT = ("output_tokens", "completion_tokens", "outputTokens", "candidatesTokenCount", "eval_count")
_CACHE_READ = ("cache_read_input_tokens", "cacheReadInputTokens")
_CACHE_WRITE = ("cache_creation_input_tokens", "cacheWriteInputTokens")


def _first(usage: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((_count(usage[key]) for key in keys if key in usage), None)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def text(body: Any) -> str:
    """Tokens as `in→out`, all input counted (cached too); "" if it is not said."""
    found = tokens(body)
    return f"{found.input}→{found.output} tokens" if found else ""


def cost(payload: Mapping[str, Any]) -> float | None:
    """What a response or a result says that it cost, in US dollars: as OpenRouter and Claude Code write it."""
    body = payload.get("body")
    told = body.get("usage") if isinstance(body, Mapping) else None
    values = [payload.get("total_cost_usd"), payload.get("costUSD")]
    values.append(told.get("cost") if isinstance(told, Mapping) else None)
    return next((found for value in values if (found := number(value)) is not None), None)


def duration(payload: Mapping[str, Any], key: str = "duration_ms") -> float | None:
    """Milliseconds that a payload tells of; None where it does not, or where they are negative."""
    found = number(payload.get(key))
    return found if found is not None and found >= 0 else None


def number(value: Any) -> float | None:
    """A finite number that is no truth value; else None."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
    return value if known else None
