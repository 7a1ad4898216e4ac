"""The state machine of the stepping session: each key, over the samples, and what it says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trace_cli import frames, layout, links, pane, prompt, seeking, stepping
from trace_cli.event import Event
from trace_cli.finding import Filter, Search
from trace_cli.frames import frame
from trace_cli.index import Index
from trace_cli.keyboard import parse
from trace_cli.params import typed_selection
from trace_cli.reading import Reading
from trace_cli.selection import Selection
from trace_cli.state import State
from trace_cli.text import visible

SAMPLES = Path(__file__).parents[1] / "samples"
NEVER: Callable[[], bool] = lambda: False  # noqa: E731 - time is never over


def indexed(*names: str) -> Index:
    index = Index()
    for event in Reading([str(SAMPLES / f"{name}.jsonl") for name in names]):
        index.add(event)
    index.close()
    return index


def started(*names: str) -> State:
    return State(indexed(*names), typed_selection, (120, 30))


def settled(state: State) -> State:
    while seeking.waiting(state):
        state = seeking.advance(state, NEVER)
    return state


def pressed(state: State, keys: str) -> State:
    for _, word in parse(keys):
        for key in word:
            state = settled(stepping.press(state, key))
    return state


def shown(state: State) -> str:
    return "\n".join(layout.plain(row) for row in frame(state))


@pytest.mark.parametrize(
    ("keys", "position"),
    [
        ("n", 1),
        ("nnp", 1),
        ("Down Down Up", 1),
        ("p", 0),
        ("G", 9),
        ("Gn", 9),
        ("Gg", 0),
        ("}", 1),
        ("}}", 5),
        ("}}{", 1),
        ("}}}", 5),
        ("e", 8),
        ("ee", 9),
        ("eee", 9),
        ("GE", 8),
        ("GEE", 8),
        ("x", 8),
        ("xo", 7),
        ("xoo", 8),
        ("xu", 6),
        ("xuu", 5),
        ("xuuu", 2),
        ("xuuuu", 1),
        ("xuuuuu", 1),
        ("GoG", 9),
        (":4 Enter", 4),
        ("j Space 4 Enter", 4),
        (":99 Enter", 0),
        (":+5s Enter", 5),
        (":+4.5s Enter", 5),
        ("G :-2s Enter", 7),
        (":03:17:06 Enter", 6),
        (":3:17 Enter", 0),
        (":2026-05-24T03:17:02Z Enter", 2),
        ("G :-99999999999999d Enter", 0),
        ("G :0001-01-01T00:00:00+23:00 Enter", 0),
        (":+90s Enter", 0),
        (":oops Enter", 0),
        (":4 Esc", 0),
        (":45 Backspace Enter", 4),
        (":99 Ctrl-U 4 Enter", 4),
        ("e :3 Enter [", 8),
        ("e :3 Enter [[", 0),
        ("e :3 Enter [[[", 0),
        ("e :3 Enter [[]", 8),
        ("e :3 Enter [[]]", 3),
        ("m n m n '", 0),
        ("nm nn m g ' '", 3),
        ("'", 0),
        ("/rows Enter", 8),
        ("/rows Enter n", 9),
        ("/rows Enter nn", 8),
        ("/rows Enter N", 9),
        ("/nothing-has-this Enter", 0),
        ("/Rows Enter", 0),
        ("/no.rows.\\[ Enter", 8),
        ("/[ Enter", 0),
        ("/rows Enter Esc n", 9),
        ("f tool.* Enter", 3),
        ("f tool.* Enter nn", 7),
        ("f tool.* Enter G", 8),
        ("f tool.* Enter nnnnnn", 8),
        ("f tool.* Enter np", 3),
        (":5 Enter f tool Enter", 7),
        ("G f tool Enter", 8),
        ("f tool Enter Esc n", 4),
        ("f --error Enter", 8),
        ("f errors Enter n", 9),
        ("f --tool Space write Enter", 7),
        ("f payload.error Enter", 8),
        ("f nothing.at.all Enter", 0),
        ("f payload.(( Enter", 0),
        ("f --bogus Enter", 0),
        ("f tool Enter o", 4),
        ("f tool.result Enter o", 3),
        ("f tool.result Enter e", 8),
    ],
)
def test_a_key_goes_where_it_says(keys: str, position: int) -> None:
    assert pressed(started("failed"), keys).position == position


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("p", "this is the first event"),
        ("Gn", "this is the last event"),
        ("g{", "no turn before this one"),
        ("GE e", ""),
        ("eee", "no error behind this event"),
        ("o", "event 0 belongs to no call"),
        ("u", "nothing that led here is in this trace"),
        ("[", "no jump before this one"),
        ("]", "no jump behind this one"),
        ("'", "no marks: m sets one"),
        ("W", "no marks: m sets one, Enter prints the current event"),
        ("N", "no search yet: / begins one"),
        ("Q", "no key Q: ? shows the keys"),
        (":99 Enter", "no event 99: there are 0 to 9"),
        (":+90s Enter", "no event of this run at 03:18:30Z or later"),
        (":+99999999999999d Enter", "no event of this run at that time or later"),
        (f":+{'9' * 400}s Enter", "no event of this run at that time or later"),
        (":oops Enter", "'oops': write an event's number, +90s (into the run), -5s (before) or 03:17:04"),
        ("/zzz Enter", "nothing has 'zzz'"),
        ("/[ Enter", "'[': unterminated character set at position 0"),
        ("/rows Enter nn", "went round the end"),
        ("/q1.md Enter n", ""),
        ("f tool.result Enter o", "the filter hid event 3: it is off now"),
        ("f nothing.at.all Enter", "nothing matches nothing.at.all: f changes it, Esc shows all again"),
        ("f --bogus Enter", "No such option"),
        ("f --type Enter", "Option '--type' requires an argument."),
        ("f a==1 Enter", "'a==1': a number is written between backticks: `1`"),
        ("y", "failed.jsonl:1"),
    ],
)
def test_what_is_said(keys: str, said: str) -> None:
    note = pressed(started("failed"), keys).note
    assert said in note if said else not note


def test_the_position_follows_its_event_in_and_out_of_a_filter() -> None:
    state = pressed(started("failed"), ":7 Enter f tool.* Enter")
    assert state.position == 7
    assert "3 of 4 with tool.*" in shown(state)
    assert pressed(state, "Esc").position == 7
    assert "with" not in shown(pressed(state, "f Ctrl-U Enter")).splitlines()[0]


def test_a_filter_can_be_given_from_the_start() -> None:
    state = settled(prompt.filtered(started("failed"), Filter("", Selection(tools=("write",)))))
    assert state.position == 7
    assert pressed(state, "f").prompt is not None


def test_a_selection_that_nothing_matches_is_named() -> None:
    state = settled(prompt.filtered(started("failed"), Filter("", Selection(tools=("nope",)))))
    assert state.note == "nothing matches the selection: f changes it, Esc shows all again"


def test_errors_that_are_known_late_are_in_the_filter() -> None:
    index = Index()
    for event in list(Reading([str(SAMPLES / "exhausted.jsonl")]))[:-1]:
        index.add(event)
    state = pressed(State(index, typed_selection), "ferrors Enter")
    assert state.filter is not None
    before = len(state.filter.numbers)
    index.close()  # no retry will come
    assert seeking.waiting(state)
    state = settled(state)
    assert state.filter is not None
    assert before < len(state.filter.numbers) == len(index.error_numbers)


def test_an_error_that_is_still_to_be_read_is_waited_for() -> None:
    index = Index()
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    for event in events[:5]:
        index.add(event)
    state = stepping.press(State(index, typed_selection), "e")
    state = seeking.advance(state, NEVER)
    assert (state.position, state.note) == (0, "no error yet, reading on …")
    for event in events[5:]:
        index.add(event)
    assert seeking.advance(state, NEVER).position == 8
    other = stepping.press(state, "n")
    assert seeking.advance(other, NEVER).position == 1, "another key takes the wish back"


@pytest.mark.parametrize("key", ["e", "x"])
def test_while_nothing_more_is_read_nothing_is_done(key: str) -> None:
    index = Index()
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    for event in events[:5]:
        index.add(event)
    state = stepping.press(State(index, typed_selection), key)
    assert not seeking.waiting(state)
    index.add(events[5])
    assert seeking.waiting(state)
    state = seeking.advance(state, NEVER)
    assert (state.position, seeking.waiting(state)) == (0, False)
    for event in events[6:9]:
        index.add(event)
    assert settled(state).position == 8


def test_a_filter_waits_for_its_first_event() -> None:
    index = Index()
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    index.add(events[0])
    state = pressed(State(index, typed_selection), "ftool.* Enter")
    assert (state.position, seeking.waiting(state)) == (0, False)
    for event in events[1:4]:
        index.add(event)
    assert settled(state).position == 3


def test_a_search_takes_its_time_in_slices() -> None:
    state = started("failed")
    for key in [*"/rows", "Enter"]:
        state = stepping.press(state, key)
    state = seeking.advance(state, lambda: True)
    assert (state.position, seeking.waiting(state)) == (0, True)
    assert state.note.startswith("searching … ")
    assert settled(state).position == 8


def test_who_follows_stays_at_the_end() -> None:
    index = Index()
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    for event in events[:4]:
        index.add(event)
    state = stepping.press(State(index, typed_selection), "F")
    assert (state.position, state.following) == (3, True)
    index.add(events[4])
    state = stepping.grown(state, 4)
    assert state.position == 4
    state = stepping.press(state, "p")
    index.add(events[5])
    assert stepping.grown(state, 5).position == 3
    assert not stepping.press(state, "F").following


def test_who_follows_stays_at_the_end_of_the_filter() -> None:
    index = Index()
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    for event in events[:4]:
        index.add(event)
    state = pressed(State(index, typed_selection), "ftool.result Enter F")
    places = []
    for event in events[4:]:
        before = len(index)
        index.add(event)
        state = settled(stepping.grown(state, before))
        places.append(state.position)
    assert places == [4, 4, 4, 4, 8, 8]
    assert state.filter is not None, "the filter is still there"


def test_who_follows_waits_for_the_first_event_of_the_filter() -> None:
    index = Index()
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    for event in events[:6]:
        index.add(event)
    state = settled(prompt.filtered(State(index, typed_selection), Filter("", Selection(tools=("write",)))))
    state = stepping.press(state, "F")
    places = []
    for event in events[6:]:
        before = len(index)
        index.add(event)
        state = settled(stepping.grown(state, before))
        places.append(state.position)
    assert places == [5, 7, 8, 8]


def test_who_looks_at_an_earlier_event_of_the_filter_stays_there() -> None:
    index = Index()
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    for event in events[:5]:
        index.add(event)
    state = pressed(State(index, typed_selection), "ftool.* Enter F p")
    for event in events[5:]:
        index.add(event)
    assert settled(stepping.grown(state, 5)).position == 3


LATE: list[dict[str, object]] = [  # what is told of the first event changes with each of the others
    {"type": "tool.called", "payload": {"tool_name": "search"}},
    {"type": "run.started", "payload": {"name": "report"}},
    {"type": "run.ended", "payload": {"status": "ok"}},
]


GIVEN_UP: list[dict[str, object]] = [  # that it failed for good is known by the next request
    {"type": "tool.result", "payload": {"tool_name": "write", "error": {"type": "OSError", "message": "no"}}},
    {"type": "model.request", "call_id": "a", "payload": {"url": "/", "body": {"model": "a"}}},
    {
        "type": "model.error",
        "call_id": "a",
        "payload": {"status": 500, "error": {"kind": "http", "message": "no"}},
    },
    {"type": "model.request", "call_id": "b", "payload": {"url": "/", "body": {"model": "b"}}},
    {"type": "tool.called", "payload": {"tool_name": "search"}},
]
MADE = {"late": LATE, "given-up": GIVEN_UP}


@pytest.mark.parametrize("sample", ["exhausted", "failed", "killed", "recovered", "steps", "told", *MADE])
def test_a_card_that_is_kept_tells_what_is_known_by_now(tmp_path: Path, sample: str) -> None:
    file = SAMPLES / f"{sample}.jsonl"
    if sample in MADE:
        file = tmp_path / "made.jsonl"
        head = {"v": 1, "timestamp": "2026-05-24T03:17:00Z", "run_id": "r"}
        made = [{**head, "seq": seq, **each} for seq, each in enumerate(MADE[sample])]
        file.write_text("".join(json.dumps(each) + "\n" for each in made))
    events = list(Reading([str(file)]))
    for number in range(len(events)):
        index = Index()
        for event in events[:number]:
            index.add(event)
        for step in (*events[number:], Index.close, Index.reopen):
            if isinstance(step, Event):
                index.add(step)
            else:
                step(index)
            kept = pane.pane(index, number, pane.CARD, False, 60).rows(0, 200)
            lines = pane._lines(index, number, links.partner(index, number), pane.CARD, False)
            assert kept == list(pane._wrapped(lines, 60)), f"event {number} of {len(index)}"


def written(folder: Path, *payloads: object) -> State:
    """A session over events with these payloads."""
    file = folder / "run.jsonl"
    file.write_text("".join(json.dumps({"type": "note", "payload": each}) + "\n" for each in payloads))
    index = Index()
    for event in Reading([str(file)]):
        index.add(event)
    index.close()
    return State(index, typed_selection, (120, 30))


def test_a_hit_in_a_folded_text_is_unfolded_and_scrolled_to(tmp_path: Path) -> None:
    text = "\n".join(f"line {number}" for number in range(500)).replace("line 300", "here it is")
    state = written(tmp_path, {}, {"text": text})
    assert "here it is" not in shown(pressed(state, "n"))
    assert "here it is" in shown(pressed(state, "/here Space it Space is Enter"))


@pytest.mark.parametrize("size", [(120, 30), (80, 24), (30, 8)])
def test_a_hit_is_in_sight_in_whichever_row_it_is(tmp_path: Path, size: tuple[int, int]) -> None:
    for row in range(45):
        lines = [f"line {number}" for number in range(45)]
        lines[row] = "needle here"
        state = replace(written(tmp_path, {}, {"text": "\n".join(lines)}), size=size)
        assert "needle here" in shown(pressed(state, "z /needle Enter")), row


def test_of_a_long_prompt_the_end_shows(tmp_path: Path) -> None:
    state = replace(started("failed"), size=(40, 10))
    for text in ("x" * 100, "日" * 100, "e\u0301" * 100):
        foot = shown(pressed(state, f"f{text}END")).splitlines()[-1]
        assert foot.startswith("filter: …"), foot
        assert foot.endswith(f"{text[-1]}END"), foot
    assert shown(pressed(state, "fEND")).splitlines()[-1] == "filter: END"


@pytest.mark.parametrize("text", ["café", 'say "no"', "a\\b", "日本", "x/y"])
def test_a_text_is_found_however_json_spells_it(text: str) -> None:
    for spelled in (json.dumps({"k": f"<{text}>"}), json.dumps({"k": f"<{text}>"}, ensure_ascii=False)):
        assert Search(text).matches(spelled.encode())
        assert Search(text.upper()).matches(spelled.encode()) == (text.upper() == text)
    assert not Search(text).matches(b'{"k":"other"}')


def test_a_search_without_capitals_matches_both_cases() -> None:
    assert Search("emea").matches(b'{"k":"EMEA"}')
    assert Search("em.a").matches(b'{"k":"EMEA"}')
    assert not Search("Emea").matches(b'{"k":"EMEA"}')


@pytest.mark.parametrize("key", stepping._KEYS)
def test_no_key_is_without_effect(key: str) -> None:
    state = replace(started("failed", "fine", "exhausted"), size=(60, 10))
    state = pressed(state, ":2 Enter m :15 Enter :4 Enter [ /tool Enter [")
    state = replace(state, scroll=2)
    assert (state.position, state.search is not None) == (15, True)
    after = settled(stepping.press(state, key))
    assert replace(after, note="") != replace(state, note="")


def test_views_are_entered_and_left() -> None:
    state = started("failed")
    for key, view in (("c", pane.CONVERSATION), ("d", pane.DELTA), ("i", pane.RAW), ("?", pane.HELP)):
        assert pressed(state, key).view == view
        assert pressed(state, f"{key} {key}").view == pane.CARD
        assert pressed(state, f"{key} Esc").view == pane.CARD
        assert pressed(state, f"{key} n").view == view
    assert pressed(state, "c i").view == pane.RAW


def test_a_long_card_scrolls_and_no_further_than_its_end(tmp_path: Path) -> None:
    state = written(tmp_path, {"text": "\n".join(f"line {number}" for number in range(200))})
    assert "lines hidden" in shown(state)
    state = pressed(state, "z")
    assert "… more: Space" in shown(state)
    down = pressed(state, "Space PgDn Ctrl-D")
    assert 0 < pressed(down, "b PgUp").scroll < down.scroll
    end = pressed(state, " ".join(["Space"] * 50))
    assert "line 199" in shown(end)
    assert pressed(end, "Space").scroll == end.scroll
    assert pressed(end, "z").scroll == 0
    assert pressed(end, " ".join(["b"] * 50)).scroll == 0


@pytest.mark.parametrize("size", [(14, 1), (20, 4), (29, 50), (200, 7)])
def test_a_screen_that_is_too_small_says_what_it_takes(size: tuple[int, int]) -> None:
    assert "30x8 at least" in shown(replace(started("failed"), size=size))


def test_of_names_and_types_of_megabytes_a_frame_looks_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    much = "\u00e9" * 2_000_000
    started = {"type": "run.started", "run_id": "r", "payload": {"name": much}}
    events = [{"type": much, "run_id": "r"}] * 3 + [started]
    file = tmp_path / "run.jsonl"
    file.write_text("".join(json.dumps({"v": 1, "seq": 0, **each}) + "\n" for each in events))
    state = replace(State(Index(), typed_selection, (120, 30)), position=3)
    for event in Reading([str(file)]):
        state.index.add(event)
    seen: list[int] = []
    monkeypatch.setattr(frames, "visible", lambda text: seen.append(len(text)) or visible(text))
    frame(state)
    assert 0 < max(seen) < 10_000


def test_marks_are_kept_in_order_and_end_the_session() -> None:
    state = pressed(started("failed"), ":5 Enter m g m :3 Enter m m W")
    assert (state.marks, state.ended) == ((0, 5), "marked")
    assert pressed(started("failed"), "Enter").ended == "event"
    assert pressed(started("failed"), "q").ended == "quit"


def test_x_goes_from_run_to_run() -> None:
    state = started("failed", "fine", "recovered")
    found = [state.index.event(pressed(state, keys).position).run_id for keys in ("x", "xx", "xxx")]
    assert found == ["failed", "recovered", "failed"]


def test_what_is_already_counted_shows_in_the_header() -> None:
    head = shown(pressed(started("failed", "killed"), "x m")).splitlines()[0]
    assert head == " report   8 of 18  ✗ 3 errors  +8.000 s · 1,824→88 tokens · 2 runs · 1 marked"


def test_a_trace_without_events_takes_keys_too() -> None:
    state = State(Index(), typed_selection)
    assert "waiting for the first event …" in shown(state)
    assert pressed(state, "n").note == "there is no event yet"
    assert pressed(state, "q").ended == "quit"
