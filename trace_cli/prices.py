"""What tokens cost, in US dollars: by a price file of the user's, and by genai-prices, where it is installed."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from trace_cli import streams, usage
from trace_cli.errors import TraceError
from trace_cli.usage import Part

MILLION = 1_000_000
FORM = '{"claude-sonnet-4-6": {"input": 3, "output": 15, "cache_read": 0.3}, "gpt-*": {…}}'
EXTRA = "pip install 'agent-replay-trace[prices]'"
_KEYS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "web_search")
# Whose prices those are, by the API whose format is spoken.
_PROVIDERS = {"anthropic": "anthropic", "openai": "openai", "gemini": "google", "bedrock": "aws"}

Rates = dict[str, Decimal]  # by _KEYS


def read(name: str) -> dict[str, Rates]:
    """The prices in a file, by the models that they are for, globs too, in their order.

    FORM shows it: dollars for a million tokens. What a cache gave or took costs as other input does unless it is
    told, and what is kept for an hour (`cache_write_1h`) as what is kept for less; `web_search` is for a thousand
    searches, else they cost nothing. Raises TraceError where it is not so.
    """
    try:
        with streams.open_input(name) as file:
            text = file.read().decode()
        found = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
    except OSError as error:
        raise TraceError(f"{name}: {error.strerror or error}", f"write a price file: {FORM}") from None
    except json.JSONDecodeError as error:
        raise TraceError(f"{name}:{error.lineno}: not JSON: {error.msg}", f"write prices so: {FORM}") from None
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise TraceError(
            f"{name}: no prices: {error or type(error).__name__}", f"write prices so: {FORM}"
        ) from None
    if not isinstance(found, dict) or not found:
        raise TraceError(f"{name}: no prices by model", f"write prices so: {FORM}")
    return {model: _rates(name, model, rates) for model, rates in found.items()}


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no price")


def _rates(name: str, model: str, rates: Any) -> Rates:
    where = f"{name}: {model!r}"
    if not isinstance(rates, dict):
        raise TraceError(f"{where}: no prices: not an object", f"write prices so: {FORM}")
    for key, value in rates.items():
        if key not in _KEYS:
            raise TraceError(f"{where}: no price is called {key!r}", f"there are {', '.join(_KEYS)}")
        if not isinstance(value, Decimal) or not 0 <= value <= MILLION:
            raise TraceError(
                f"{where}: {key} is no price", "write dollars for a million tokens, such as 3 or 0.25"
            )
    if missing := [key for key in _KEYS[:2] if key not in rates]:
        raise TraceError(f"{where}: no price for {missing[0]}", f"write prices so: {FORM}")
    return dict(rates)


class Prices:
    """The prices of a command. `unknown` counts responses without one, by model, `untold` those without tokens."""

    def __init__(self, own: Mapping[str, Rates]) -> None:
        self.unknown: Counter[str] = Counter()
        self.untold = 0
        self.missing = False  # the library was wanted, and is not installed
        self._own = own
        self._library: Any = None
        self._places: dict[tuple[str, str, str], dict[str, str]] = {}  # where the library has a model

    def cost(
        self,
        payload: Mapping[str, Any],
        parts: list[Part],
        model: str | None,
        url: str,
        provider: str,
        when: float | None,
    ) -> Decimal | None:
        """What a response cost: as it says itself, or by its tokens; None where a price is not known.

        `payload` is the response's, `parts` as `usage.parts` has them. `model` is the one that answered, `url` and
        `provider` are the request's, `when` is in seconds since 1970.
        """
        stated = usage.cost(payload)
        if stated is not None and stated >= 0:
            return Decimal(str(stated))
        if not parts:
            self.untold += 1
            return None
        total = Decimal(0)
        for part in parts:
            name = part.model or model
            price = None if name is None else self._price(name, part, url, provider, when)
            if price is None:
                self.unknown[name or "a model without a name"] += 1
                return None
            total += price
        return total

    def _price(self, model: str, part: Part, url: str, provider: str, when: float | None) -> Decimal | None:
        rates = self._own.get(model) or next(
            (rates for glob, rates in self._own.items() if fnmatchcase(model, glob)), None
        )
        return _by_rates(rates, part) if rates else self._listed(model, part, url, provider, when)

    def _listed(self, model: str, part: Part, url: str, provider: str, when: float | None) -> Decimal | None:
        """The price that the library has."""
        if self.missing:
            return None
        if self._library is None:
            try:
                import genai_prices
            except ImportError:
                self.missing = True
                return None
            self._library = genai_prices
        tokens = part.tokens
        used = self._library.Usage(
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cache_read or None,
            cache_write_tokens=tokens.cache_write or None,
            cache_write_1h_tokens=tokens.cache_write_1h or None,
            web_searches=part.searches or None,
        )
        key = (model, url, provider)
        known = self._places.get(key)
        # Whose prices: whose URL it is; else whose format; else who has a model that is called so.
        owner = _PROVIDERS.get(provider, "")
        tried: list[dict[str, str]] = [{"provider_api_url": url}, {"provider_id": owner}, {}]
        for place in [known] if known is not None else tried:
            try:
                found = self._library.calc_price(used, model, genai_request_timestamp=_moment(when), **place)
            except (LookupError, ValueError):  # no such model there; tokens that make no sense
                continue
            self._places[key] = place
            price: Decimal = found.total_price
            return price
        return None


def _moment(when: float | None) -> datetime | None:
    try:
        return None if when is None else datetime.fromtimestamp(when, UTC)
    except (ValueError, OverflowError, OSError):  # a clock that is out of its mind
        return None


def _by_rates(rates: Rates, part: Part) -> Decimal:
    tokens = part.tokens
    read, write = rates.get("cache_read", rates["input"]), rates.get("cache_write", rates["input"])
    hour = rates.get("cache_write_1h", write)
    plain = max(0, tokens.input - tokens.cache_read - tokens.cache_write)
    total = (
        plain * rates["input"]
        + tokens.output * rates["output"]
        + tokens.cache_read * read
        + (tokens.cache_write - tokens.cache_write_1h) * write
        + tokens.cache_write_1h * hour
    )
    return total / MILLION + part.searches * rates.get("web_search", Decimal(0)) / 1000
