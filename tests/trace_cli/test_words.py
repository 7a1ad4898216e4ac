"""Where two texts differ, word by word."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trace_cli import words
from trace_cli.words import Hunk, hunks

TEXT = st.text(alphabet="ab .\n\té-", max_size=60)


def applied(text: str, found: list[Hunk]) -> str:
    """The first text with each hunk put in: they stand in their order, between what both have."""
    made = ""
    for hunk in found:
        place = text.index(hunk.before + hunk.a + hunk.after) + len(hunk.before)
        made += text[:place] + hunk.b
        text = text[place + len(hunk.a) :]
    return made + text


@pytest.fixture(params=["words", "lines"])
def most(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "lines":
        monkeypatch.setattr(words, "MOST", 40)


def test_a_word_in_a_sentence() -> None:
    assert hunks("Search in sales-apj for it", "Search in sales-apac for it") == [
        Hunk("Search in sales-", "apj", "apac", " for it")
    ]
    assert hunks("same", "same") == []
    assert hunks("", "new") == [Hunk("", "", "new", "")]
    assert hunks("old", "") == [Hunk("", "old", "", "")]


def test_places_with_hardly_a_word_between_them_are_one() -> None:
    assert hunks("a big red dog runs away over there", "a small red cat runs away over there") == [
        Hunk("a ", "big red dog", "small red cat", " runs away over there")
    ]
    far = hunks("one two three four five six seven", "1 two three four five six 7")
    assert [(each.a, each.b) for each in far] == [("one", "1"), ("seven", "7")]


def test_what_is_around_is_whole_words_and_short() -> None:
    text = " ".join(f"word{each}" for each in range(40))
    (found,) = hunks(text, text.replace("word20", "other"))
    assert len(found.before) <= words.AROUND
    assert found.before.startswith(("word", " word"))
    assert found.after.startswith(" word21")


@pytest.mark.usefixtures("most")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT)
def test_the_second_text_is_the_first_with_what_differs(a: str, b: str) -> None:
    found = hunks(a, b)
    assert "".join(each.a for each in found) in a or len(found) > 1
    kept = len(a) - sum(len(each.a) for each in found)
    assert kept == len(b) - sum(len(each.b) for each in found)
    assert bool(found) == (a != b)


@given(st.lists(st.sampled_from(["one", "two", "three"]), max_size=30), st.data())
def test_hunks_can_be_put_in(items: list[str], data: st.DataObject) -> None:
    numbered = [f"{item}{number}" for number, item in enumerate(items)]  # so that each place is known by its words
    other = [data.draw(st.sampled_from([item, f"x{item}", ""])) for item in numbered]
    a, b = " ".join(numbered), " ".join(other)
    assert applied(a, hunks(a, b)) == b


def test_a_huge_text_is_compared_where_its_lines_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST", 100_000)  # pairs of lines, not of words
    lines = [f"line {each} of many" for each in range(300)]
    other = [*lines]
    other[150] = "line 150 of few"
    (found,) = hunks("\n".join(lines), "\n".join(other))
    assert (found.a, found.b) == ("many", "few")
