"""The stepping session, by properties: whatever keys are pressed over whatever events, the screen is whole."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_stepping import SAMPLES, indexed, pressed, settled

from trace_cli import layout, stepping
from trace_cli.frames import frame
from trace_cli.index import Index
from trace_cli.params import typed_selection
from trace_cli.reading import Reading
from trace_cli.state import State

HOSTILE = "\x1b[2J\x9b5;5H\x07\x00\u202egnp\u200b\u2066\ufeff\ud83d[bold]x[/]日本e\u0301\r\n\ttab"
NEVER_SHOWN = "\x1b\x9b\x07\x00\u202e\u200b\u2066\ufeff\ud83d\r\n\t"
SCREENS = [(120, 30), (80, 24), (60, 20), (30, 8), (200, 70), (100, 8)]
SIZES = st.sampled_from(SCREENS) | st.tuples(st.integers(30, 200), st.integers(8, 70))
SIZES |= st.tuples(st.integers(1, 200), st.integers(1, 70))  # often too small for anything

TYPES = [
    "run.started",
    "run.ended",
    "model.request",
    "model.response",
    "model.error",
    "tool.called",
    "tool.result",
]
TYPES += ["step.started", "step.ended", "http.request", "http.error", "gap", "note", "", "\x1b[2J", "日本"]
FIELDS = ["name", "body", "messages", "content", "role", "tool_name", "args", "result", "error", "message", "type"]
FIELDS += [
    "status",
    "usage",
    "output_tokens",
    "cost",
    "tools",
    "choices",
    "id",
    "tool_use_id",
    "tool_calls",
    "function",
]
FIELDS += ["arguments", "text", "exception", "duration_ms", "headers", "is_error", "output", "input", "kind"]
TEXTS = [
    "user",
    "assistant",
    "tool_use",
    "tool_result",
    "a",
    HOSTILE,
    "e\u0301\u0302" * 50,
    "日" * 50,
    "x" * 700,
    "\n" * 60,
]
LEAVES = st.none() | st.booleans() | st.integers(-10, 2**70) | st.floats(allow_nan=False) | st.sampled_from(TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=15,
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES) | LEAVES, "payload": VALUES},
    optional={
        "v": st.sampled_from([1, 2, None]),
        "timestamp": st.sampled_from(
            ["2026-05-24T03:17:00Z", "0001-01-01T00:00:00Z", "x", 1e300, 1779592620, True]
        ),
        "run_id": st.sampled_from(["r", "s", None, 5, HOSTILE]),
        "call_id": st.sampled_from(["a", "b", None, 5, HOSTILE]),
        "seq": st.integers(0, 5) | LEAVES,
        "error": VALUES,
        "message": VALUES,
    },
)
WORDS = st.sampled_from([*stepping._KEYS, ":+5s Enter", ":3:17 Enter", "ftool.* Enter", "ferrors Enter"])
WORDS |= st.just("more")
WORDS |= st.sampled_from(
    ["f--tool Space a Enter", "fpayload.error Enter", "/a Enter", "/(.|x) Enter", "/日 Enter"]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, min_size=1, max_size=10), st.integers(1, 10), st.lists(WORDS, max_size=20), SIZES)
def test_whatever_the_events_hold_the_screen_is_whole(
    tmp_path: Path, made: list[dict[str, object]], begun: int, words: list[str], size: tuple[int, int]
) -> None:
    (tmp_path / "made.jsonl").write_text("".join(json.dumps(event) + "\n" for event in made))
    events = iter(Reading([str(tmp_path / "made.jsonl")]))
    state = State(Index(), typed_selection, size)
    for word in ["more"] * begun + words:
        if word != "more":
            state = pressed(state, word) if " " in word else settled(stepping.press(state, word))
        elif event := next(events, None):
            state.index.add(event)
            state = settled(stepping.grown(state, len(state.index) - 1))
        rows = frame(state)
        text = "".join(text for row in rows for text, _ in row)
        assert len(rows) == size[1]
        assert {layout.width_of(row) for row in rows} == {size[0]}, word
        assert not set(text) & set(NEVER_SHOWN), word


KEYS = st.sampled_from([*stepping._KEYS, "Backspace", "Tab", "Delete", "q", "a", "é", ".", "*", "0", "7"])
NAMES = sorted(file.stem for file in SAMPLES.glob("*.jsonl"))
INDEXES = {name: indexed(name) for name in NAMES}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.lists(KEYS | SIZES, max_size=25),
    SIZES,
)
def test_no_key_leaves_the_trace_and_each_frame_fills_the_screen(
    name: str, keys: list[str | tuple[int, int]], size: tuple[int, int]
) -> None:
    state = State(INDEXES[name], typed_selection, size)
    for key in keys:
        if isinstance(key, str):
            state = settled(stepping.press(state, key))
        if isinstance(key, tuple):
            state = stepping.resized(state, *key)
        assert 0 <= state.position < len(state.index)
        rows = frame(state)
        assert len(rows) == state.size[1]
        assert all(layout.width_of(row) == state.size[0] for row in rows), key
