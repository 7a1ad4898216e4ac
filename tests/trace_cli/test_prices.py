"""What tokens cost: by a file, by the library, and what is said where neither knows."""

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trace_cli import prices
from trace_cli.errors import TraceError
from trace_cli.prices import Prices
from trace_cli.usage import Part, Tokens

SONNET = "claude-sonnet-4-5-20250929"
URL = "https://api.anthropic.com/v1/messages"
NOON = 1780000000.0


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(text: str) -> Any:
        path = tmp_path / "prices.json"
        path.write_text(text)
        return prices.read(str(path))

    return read


def cost(known: Prices, tokens: Tokens, model: str | None = SONNET, url: str = URL, **part: Any) -> Any:
    return known.cost({}, [Part(None, tokens)._replace(**part)], model, url, "anthropic", NOON)


def test_a_file_of_prices(read: Any) -> None:
    own = read(
        '{"a": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6,'
        ' "web_search": 10}, "b*": {"input": 2, "output": 8.5}, "*": {"input": 0, "output": 0}}'
    )
    known = Prices(own)
    # 1000 input, of which 500 came from the cache and 200 went into it, 50 of these for an hour; 100 output.
    tokens = Tokens(1000, 100, 500, 200, 50)
    assert (
        cost(known, tokens, "a")
        == (Decimal(300 * 3 + 100 * 15) + 500 * Decimal("0.3") + 150 * Decimal("3.75") + 50 * 6) / 1_000_000
    )
    assert cost(known, tokens, "a", searches=2) - cost(known, tokens, "a") == Decimal("0.02")
    assert cost(known, tokens, "b-1") == (Decimal(1000 * 2) + 100 * Decimal("8.5")) / 1_000_000
    assert cost(known, tokens, "free") == 0
    assert not known.unknown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", ":1: not JSON"),
        ('{\n"a": \n}', ":3: not JSON"),
        ("", ":1: not JSON"),
        ("[]", "no prices by model"),
        ("{}", "no prices by model"),
        ('{"a": 3}', "'a': no prices"),
        ('{"a": {"input": 3}}', "'a': no price for output"),
        ('{"a": {"input": "3", "output": 1}}', "'a': input is no price"),
        ('{"a": {"input": -3, "output": 1}}', "'a': input is no price"),
        ('{"a": {"input": true, "output": 1}}', "'a': input is no price"),
        ('{"a": {"input": NaN, "output": 1}}', "NaN is no price"),
        ('{"a": {"input": 1e999999, "output": 1}}', "'a': input is no price"),
        ('{"a": {"input": 3, "output": 1, "cache": 1}}', "'a': no price is called 'cache'"),
        ("[" * 100_000, "no prices"),
    ],
)
def test_a_file_that_has_none(read: Any, text: str, said: str) -> None:
    with pytest.raises(TraceError, match=r"prices\.json") as caught:
        read(text)
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(TraceError, match=path.name):
            prices.read(str(path))
    (tmp_path / "latin.json").write_bytes(b'{"caf\xe9": 1}')
    with pytest.raises(TraceError, match="no prices"):
        prices.read(str(tmp_path / "latin.json"))


def test_the_library() -> None:
    """By the published prices of this model, 3 and 15 dollars, 0.30 and 3.75 for the cache, 6 for an hour."""
    known = Prices({})
    assert cost(known, Tokens(1000, 100)) == Decimal("0.0045")
    # 300 × 3 + 100 × 15 + 500 × 0.3 + 150 × 3.75 + 50 × 6, of a million
    assert cost(known, Tokens(1000, 100, 500, 200, 50)) == Decimal("0.0034125")
    assert cost(known, Tokens(1000, 100), searches=1) == Decimal("0.0145")
    # An address of one's own says nothing of the prices: those of the API whose format is spoken.
    assert cost(known, Tokens(1000, 100), url="http://127.0.0.1:1/v1/messages") == Decimal("0.0045")
    assert not known.unknown


def test_own_prices_come_first_and_the_library_knows_the_others(read: Any) -> None:
    known = Prices(read('{"mine": {"input": 1, "output": 1}}'))
    assert cost(known, Tokens(500, 500), "mine") == Decimal("0.001")
    assert cost(known, Tokens(1000, 100)) == Decimal("0.0045")


def test_what_no_one_knows_is_none_and_counted() -> None:
    known = Prices({})
    for _ in range(2):
        assert cost(known, Tokens(1000, 100), "claude-of-my-own") is None
    assert cost(known, Tokens(1000, 100), None) is None
    assert known.unknown == {"claude-of-my-own": 2, "a model without a name": 1}
    assert known.cost({}, [], SONNET, URL, "anthropic", NOON) is None
    assert known.untold == 1
    parts = [Part(None, Tokens(1000, 100)), Part("unheard-of", Tokens(1, 1))]
    assert known.cost({}, parts, SONNET, URL, "anthropic", NOON) is None  # all of it, or nothing


def test_what_an_answer_says_itself_holds() -> None:
    known = Prices({})
    assert known.cost({"body": {"usage": {"cost": 0.25}}}, [], None, "", "", None) == Decimal("0.25")
    assert known.cost({"costUSD": 0}, [Part(None, Tokens(1, 1))], SONNET, URL, "", None) == 0
    assert known.cost({"costUSD": -1}, [Part(None, Tokens(1000, 0))], SONNET, URL, "", None) == Decimal("0.003")


def test_each_part_has_the_price_of_its_model() -> None:
    parts = [Part("claude-opus-4-5", Tokens(1000, 0)), Part(None, Tokens(1000, 0))]
    assert Prices({}).cost({}, parts, SONNET, URL, "anthropic", NOON) == Decimal("0.005") + Decimal("0.003")


@pytest.mark.parametrize("when", [None, 1e300, -1e300, 0.0])
def test_clocks_that_are_out_of_their_minds(when: float | None) -> None:
    assert Prices({}).cost({}, [Part(None, Tokens(1000, 0))], SONNET, URL, "anthropic", when) == Decimal("0.003")


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    known = Prices({})
    assert cost(known, Tokens(1000, 100)) is None
    assert cost(known, Tokens(1000, 100)) is None
    assert known.missing
    assert known.unknown == {SONNET: 2}
