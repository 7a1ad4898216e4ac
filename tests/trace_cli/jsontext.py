"""JSON as it may be written: odd spaces, odd numbers, any order of keys. Strategies for hypothesis."""

import json

from hypothesis import strategies as st

SPACES = st.sampled_from(["", "", "", " ", "\t", "  \r "])
NUMBERS = st.sampled_from(
    ["0", "-0", "1.10", "1E+2", "-1.5e-300", "1" * 40, "0." + "3" * 40, "1e400", "18446744073709551616"]
)
WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(['"type":"tool.called"', '}}{"v":1,"type":"x"', "}}", "{", "\\", "\u2028", "\x00\x1b", "é"]),
)
STRINGS = st.builds(lambda word, ascii: json.dumps(word, ensure_ascii=ascii), WORDS, st.booleans())
ODD_STRINGS = st.sampled_from([r'"\ud83d"', r'"\/"', r'"\u0041"', '"\U0001f600"'])
SCALARS = st.one_of(st.sampled_from(["null", "true", "false", "NaN"]), NUMBERS, STRINGS, ODD_STRINGS)


def objects(keys: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The text of an object; no key twice."""
    pairs = st.lists(st.tuples(keys, SPACES, SPACES, values, SPACES), max_size=4, unique_by=lambda pair: pair[0])
    return st.builds(
        lambda space, found: (
            "{" + space + ",".join(f"{json.dumps(key)}{a}:{b}{value}{c}" for key, a, b, value, c in found) + "}"
        ),
        SPACES,
        pairs,
    )


def arrays(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The text of an array."""
    return st.lists(st.builds(lambda a, value, b: a + value + b, SPACES, values, SPACES), max_size=3).map(
        lambda found: "[" + ",".join(found) + "]"
    )


KEYS = st.one_of(st.sampled_from(["type", "v", "payload", "error", "é", "", "_x"]), WORDS)
VALUES = st.recursive(SCALARS, lambda inner: st.one_of(objects(KEYS, inner), arrays(inner)), max_leaves=8)
OBJECTS = objects(KEYS, VALUES)
