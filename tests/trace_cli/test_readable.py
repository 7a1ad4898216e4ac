"""Values and messages as lines, and lines as rows: all is said, nothing is obeyed, and no row is too wide."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from trace_cli import layout, readable
from trace_cli.readable import Line, said

HOSTILE = [
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "\x9b2J",
    "\u202egnp.exe",
    "[bold]x[/] [/]",
    "a\u0300\u0301\u0302" * 30,
    "日本語" * 40,
    "👨‍👩‍👧" * 20,
    "tag\U000e0041\U000e0042",
    "zero\u200bwidth\ufeff",
    "\ud83d",
    "كتاب " * 20,
    "x" * 500,
]
MARKS = "\x1b\x07\x9b\u202e\u200b\ufeff\U000e0041\ud83d"


def rows_of(lines: list[Line], width: int) -> list[str]:
    return [layout.plain(row) for line in lines for row in layout.wrapped(line, width)]


@given(st.text(max_size=200) | st.sampled_from(HOSTILE), st.integers(4, 80), st.integers(0, 90))
def test_no_row_is_wider_than_it_may_be_and_nothing_is_lost(text: str, width: int, indent: int) -> None:
    line = said(text, indent=indent)
    rows = list(layout.wrapped(line, width))
    assert all(layout.width_of(row) <= width for row in rows)
    shift = min(indent, width // 2)
    shown = "".join("".join(text for text, _ in row)[shift:] for row in rows)
    assert shown.replace(" ", "") == line.plain.replace(" ", "")
    fitted = [layout.fitted(row, width) for row in rows]
    assert all(layout.width_of(row) == width for row in fitted)
    assert layout.width_of(layout.fitted(line.spans, width)) == width


@pytest.mark.parametrize("text", HOSTILE)
def test_payloads_are_shown_never_obeyed(text: str) -> None:
    for value in (text, {text: text}, [text], {"code": f"a\n{text}\nb"}):
        shown = "\n".join(line.plain for line in readable.value_lines(value, full=True))
        assert not set(shown) & set(MARKS)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    assert all("\x1b" not in each.plain for each in readable.json_lines(json.dumps({text: text}).encode()))


def test_words_stay_whole_where_they_fit() -> None:
    assert rows_of([said("the quick brown fox jumps", indent=2)], 14) == ["  the quick", "  brown fox", "  jumps"]


def test_objects_are_read_key_by_key_and_code_with_its_newlines() -> None:
    value = {
        "path": "a.py",
        "code": "def f():\n\treturn 1",
        "n": 1.5,
        "items": [1, {"k": "long " * 20}],
        "none": {},
    }
    assert [" " * line.indent + line.plain for line in readable.value_lines(value)] == [
        'path: "a.py"',
        "code: ",
        "  def f():",
        "      return 1",
        "n: 1.5",
        "items: ",
        "  - 1",
        "  - ",
        f'    k: "{"long " * 20}"',
        "none: {}",
    ]


def test_a_text_that_is_json_is_read_as_such() -> None:
    assert [line.plain for line in readable.value_lines('{"hits": 0}')] == ["hits: 0"]
    assert [line.plain for line in readable.value_lines("{not json")] == ["{not json"]


def test_long_texts_are_folded_with_a_count_of_what_is_hidden() -> None:
    text = "\n".join(f"line {number}" for number in range(1_000))
    shown = [line.plain for line in readable.text_lines(text)]
    assert shown[0] == "line 0"
    assert shown[-1] == "line 999"
    assert f"… {1_000 - len(shown) + 1} lines hidden" in shown
    assert len([*readable.text_lines(text, full=True)]) == 1_000
    (row,) = readable.text_lines("x" * 5_000)
    assert row.plain.endswith(" … 4,000 characters hidden")
    (row,) = readable.text_lines("x" * 5_000, full=True)
    assert row.plain == "x" * 5_000


def test_of_a_huge_text_the_count_is_right_too() -> None:
    text = "\n".join(f"line {number}" for number in range(100_000))
    shown = [line.plain for line in readable.text_lines(text)]
    assert f"… {100_000 - len(shown) + 1:,} lines hidden" in shown
    (row,) = readable.text_lines("x" * 1_000_000)
    assert row.plain.endswith(" … 999,000 characters hidden")


def test_what_is_hidden_is_never_one_line_alone() -> None:
    text = "\n".join("abcdefghijklmno")
    assert [line.plain for line in readable.text_lines(text)] == list("abcdefghijklmno")


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PRINTABLE,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
        max_leaves=20,
    )
)
def test_raw_json_is_spread_out_and_each_token_kept(value: object) -> None:
    raw = json.dumps({"value": value, "more": [1]}).encode()
    shown = "\n".join(" " * line.indent + line.plain for line in readable.json_lines(raw))
    assert json.loads(shown) == json.loads(raw)
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", raw.decode())


def test_raw_json_keeps_its_digits() -> None:
    lines = [line.plain for line in readable.json_lines(b'{"a":1.10,"b":[12345678901234567890123,{}],"c":[]}')]
    assert lines == ["{", '"a": 1.10,', '"b": [', "12345678901234567890123,", "{}", "],", '"c": []', "}"]


ANTHROPIC = [
    {"role": "user", "content": "What grew?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "t1", "name": "growth", "input": {"name": "APAC"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "division by zero", "is_error": True},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 4000}},
        ],
    },
]
OPENAI = [
    {"role": "user", "content": "What grew?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "t1", "function": {"name": "growth", "arguments": '{"name":"APAC"}'}}],
    },
    {"role": "tool", "tool_call_id": "t1", "content": "4.1"},
    {"type": "function_call", "call_id": "t2", "name": "growth", "arguments": "{"},
    {"type": "function_call_output", "call_id": "t2", "output": "3.8"},
]


def test_messages_are_shown_in_the_shapes_of_both_vendors() -> None:
    from trace_cli.message import tool_names

    def shown(sent: list[dict[str, object]]) -> list[list[str]]:
        names = tool_names(sent)
        return [[line.plain for line in readable.message_lines(each, names)] for each in sent]

    assert shown(ANTHROPIC) == [
        ["What grew?"],
        ["(thinking)", "hm", "Let me see.", '→ growth(name="APAC")'],
        ["✗ growth", "division by zero", "(image image/png, 4,078 bytes)"],
    ]
    assert shown(OPENAI) == [
        ["What grew?"],
        ['→ growth(name="APAC")'],
        ["← growth", "4.1"],
        ["→ growth", "{"],
        ["← growth", "3.8"],
    ]


def test_a_wide_character_never_straddles_the_edge() -> None:
    assert all(cell_len(row) <= 5 for row in rows_of([said("日本語日本語")], 5))
