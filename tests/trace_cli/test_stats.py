"""`trace stats` and `trace runs`: figures computed by hand, and what must not count twice nor stop them."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import Done, shell

from trace_cli.commands.runs import runs
from trace_cli.commands.stats import stats
from trace_cli.event import Event
from trace_cli.figures import Spread
from trace_cli.prices import Prices
from trace_cli.reading import Reading

EXAMPLES = Path(__file__).parents[2] / "examples"
DEMO = EXAMPLES / "failed-run.jsonl"
RATES = {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75}


def told(folder: Path, *events: dict[str, Any] | str, name: str = "t.jsonl") -> Path:
    """A trace of these events: their heads are made up where they have none."""
    lines = []
    for seq, each in enumerate(events):
        if isinstance(each, str):
            lines.append(each)
            continue
        stamp = f"2026-05-24T03:00:{seq % 60:02}.000000Z"
        lines.append(json.dumps({"v": 1, "timestamp": stamp, "run_id": "r", "seq": seq, "payload": {}, **each}))
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def ask(call: str, model: str = "m", **more: Any) -> dict[str, Any]:
    return {"type": "model.request", "call_id": call, "payload": {"body": {"model": model}, "attempt": 1, **more}}


def answer(call: str, usage: Any = None, model: str = "m", **more: Any) -> dict[str, Any]:
    body = {"model": model, **({} if usage is None else {"usage": usage})}
    return {"type": "model.response", "call_id": call, "payload": {"body": body, "status": 200, **more}}


def use(inputs: Any, output: Any = 1, **more: Any) -> dict[str, Any]:
    return {"input_tokens": inputs, "output_tokens": output, **more}


def asked(line: str, folder: Path) -> Done:
    return shell(line, folder, env={"TRACE_PRICES": str(folder / "prices.json")})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prices.json").write_text(json.dumps({"m": RATES}))
    return tmp_path


def rows(line: str, folder: Path, said: str = "", status: int = 0) -> list[Any]:
    done = asked(line, folder)
    assert (done.err, done.status) == (said, status)
    return [json.loads(each) for each in done.lines]


def test_the_demo_by_hand(folder: Path) -> None:
    """Computed from the file on paper: five answers, ten tool calls, one attempt that was made again."""
    (row,) = rows(f"env -u TRACE_PRICES trace stats {DEMO}", folder)
    assert row == {
        "calls": 6,
        "errors": 2,  # of growth, and of the run
        "retries": 1,
        "orphans": 0,
        "input_tokens": 26 + 277 + 540 + 636 + 844,
        "output_tokens": 108 + 119 + 60 + 121 + 28,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cost": round((2323 * 3 + 436 * 15) / 1_000_000, 9),
        "untold": 0,
        "unpriced": 0,
        "latency_ms": {"p50": 1.541, "p90": 34.342, "p99": 34.342, "max": 34.342},
        "ttft_ms": {"p50": 3.39, "p90": 3.39, "p99": 3.39, "max": 3.39},
        "tool_calls": 10,
        "tool_errors": 1,
        "tool_ms": {"p50": 0.013, "p90": 0.024, "p99": 0.489, "max": 0.489},
    }
    assert rows(f"trace stats --by tool {DEMO}", folder) == [
        {
            "tool": "search",
            "calls": 6,
            "errors": 0,
            "orphans": 0,
            "duration_ms": {"p50": 0.006, "p90": 0.024, "p99": 0.024, "max": 0.024},
        },
        {
            "tool": "growth",
            "calls": 4,
            "errors": 1,
            "orphans": 0,
            "duration_ms": {"p50": 0.017, "p90": 0.489, "p99": 0.489, "max": 0.489},
        },
    ]
    for by, name in (("model", "claude-sonnet-4-6"), ("day", "2026-11-25"), ("step", None)):
        (found,) = rows(f"env -u TRACE_PRICES trace stats --by {by} {DEMO}", folder)
        assert found[by] == name
        assert (found["calls"], found["cost"], found["latency_ms"]) == (6, row["cost"], row["latency_ms"])


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=300))
def test_percentiles_are_those_of_the_nearest_rank(values: list[float]) -> None:
    spread = Spread()
    for value in values:
        spread.add(value)
    found = spread.row()
    assert found is not None
    for percent in (50, 90, 99):
        least = found[f"p{percent}"]
        assert least in values
        assert sum(value <= least for value in values) * 100 >= percent * len(values)
        assert sum(value < least for value in values) * 100 < percent * len(values)
    assert found["max"] == max(values)


def test_usage_counts_once_a_call(folder: Path) -> None:
    told(folder, ask("c1"), ask("c1"), answer("c1", use(10)), answer("c1", use(10)))
    (row,) = rows("trace stats t.jsonl", folder)
    assert (row["calls"], row["orphans"], row["input_tokens"], row["output_tokens"]) == (1, 0, 10, 1)
    told(folder, ask("c1"), answer("c1", use(10)), ask("c1"), answer("c1", use(10)), ask("c1"))
    (row,) = rows("trace stats t.jsonl", folder)  # calls with one name
    assert (row["calls"], row["orphans"], row["input_tokens"]) == (3, 1, 20)


def test_a_file_and_its_copy_count_once(folder: Path) -> None:
    path = told(folder, {"type": "run.started"}, ask("c1"), answer("c1", use(10)), {"type": "run.ended"})
    once = rows("trace stats t.jsonl", folder)
    said = "trace: events that are there twice, and count once: 4\n"
    assert rows("gzip -k t.jsonl && trace stats t.jsonl t.jsonl.gz", folder, said) == once
    assert len(rows(f"trace runs {path} {path}", folder, said)) == 1


def test_answers_are_counted_without_their_requests_and_these_without_answers(folder: Path) -> None:
    told(folder, answer("c1", use(10), duration_ms=5), ask("c2"), {"type": "tool.called", "call_id": "t1"})
    (row,) = rows("trace stats t.jsonl", folder)
    assert (row["calls"], row["orphans"], row["tool_calls"], row["errors"]) == (2, 2, 1, 0)
    assert (row["input_tokens"], row["latency_ms"]["p50"]) == (10, 5)


def test_what_an_answer_does_not_tell_is_null_and_said(folder: Path) -> None:
    told(folder, answer("c1"))
    said = "trace: answers that do not say their tokens: 1; tokens and cost leave them out\n"
    (row,) = rows("trace stats t.jsonl", folder, said)
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cost", "latency_ms", "ttft_ms", "tool_ms")
    assert [row[name] for name in names] == [None] * 7
    assert (row["untold"], row["unpriced"]) == (1, 1)


def test_an_unknown_price_is_null_and_said(folder: Path) -> None:
    told(folder, ask("c1", "own-1"), answer("c1", use(10), "own-1"), ask("c2"), answer("c2", use(1000, 0)))
    said = "trace: no price is known for own-1 (1): the cost leaves them out; give them with --prices FILE\n"
    assert [
        (row["model"], row["cost"], row["unpriced"])
        for row in rows("trace stats --by model t.jsonl", folder, said)
    ] == [
        ("own-1", None, 1),
        ("m", 0.003, 0),
    ]
    (row,) = rows("trace stats t.jsonl", folder, said)
    assert (row["cost"], row["unpriced"], row["input_tokens"]) == (0.003, 1, 1010)


@pytest.mark.parametrize(
    "usage",
    [
        "12",
        [],
        {},
        use("10"),
        use(None),
        use(1.5),
        use(True),
        use(-1),
        use(1 << 80),
        use([1]),
        {"input_tokens": 10},
        {"iterations": [use("1")]},
        {"iterations": "x", "input_tokens": {}},
    ],
)
def test_usage_that_is_none_stops_nothing(folder: Path, usage: Any) -> None:
    told(folder, ask("c1"), answer("c1", usage), ask("c2"), answer("c2", use(1000, 0)))
    said = "trace: answers that do not say their tokens: 1; tokens and cost leave them out\n"
    (row,) = rows("trace stats t.jsonl", folder, said)
    assert (row["calls"], row["input_tokens"], row["cost"], row["untold"]) == (2, 1000, 0.003, 1)


def test_a_stream_that_was_cut_off_counts_what_it_told(folder: Path) -> None:
    cut = {**answer("c1", use(1000, 0)), "type": "model.error"}
    cut["payload"]["error"] = {"kind": "connection", "message": "reset"}
    busy = {"type": "model.error", "call_id": "c2", "payload": {"status": 529, "body": None, "duration_ms": 3}}
    told(folder, ask("c1"), cut, ask("c2"), busy)
    (row,) = rows("trace stats t.jsonl", folder)
    assert (row["calls"], row["input_tokens"], row["cost"], row["latency_ms"]) == (2, 1000, 0.003, None)


def test_a_model_is_the_one_that_was_asked_for_and_is_priced_by_the_one_that_answered(folder: Path) -> None:
    told(folder, ask("c1", "auto"), answer("c1", use(1000, 0), "m"), ask("c2", "auto"))
    (row,) = rows("trace stats --by model t.jsonl", folder)
    assert (row["model"], row["calls"], row["orphans"], row["cost"]) == ("auto", 2, 1, 0.003)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"),
        ("https://x/model/us.anthropic.claude-v1%3A0/converse", "us.anthropic.claude-v1:0"),
    ],
)
def test_a_model_may_stand_in_the_url(folder: Path, url: str, name: str) -> None:
    told(folder, {**ask("c1"), "payload": {"url": url, "body": {}}})
    (row,) = rows("trace stats --by model t.jsonl", folder)
    assert (row["model"], row["orphans"]) == (name, 1)


def test_errors_of_a_model_are_those_that_no_retry_mended(folder: Path) -> None:
    def busy(call: str) -> dict[str, Any]:
        payload = {"status": 529, "error": {"kind": "http", "message": "busy"}}
        return {"type": "model.error", "call_id": call, "payload": payload}

    told(
        folder,
        *(ask("c1"), busy("c1"), ask("c2", attempt=2), answer("c2", use(1))),
        *(ask("c3", "other"), busy("c3"), ask("c4", "other", attempt=2), busy("c4")),
        {"type": "run.ended", "payload": {"status": "error", "error": "busy"}},
    )
    found = rows("trace stats --by model t.jsonl", folder)
    assert [(row["model"], row["calls"], row["errors"], row["retries"]) for row in found] == [
        ("m", 2, 0, 1),
        ("other", 2, 2, 1),
    ]
    assert rows("trace stats t.jsonl", folder)[0]["errors"] == 3
    assert len(asked("trace filter --error t.jsonl", folder).lines) == 3


def transcript(message_id: str, output: int, request: str = "req_1") -> str:
    message = {"id": message_id, "role": "assistant", "model": "m", "usage": use(1000, output)}
    return json.dumps(
        {"type": "assistant", "timestamp": "2026-05-24T03:00:00Z", "requestId": request, "message": message}
    )


def test_a_transcript_tells_a_message_several_times(folder: Path) -> None:
    """Once for each of its blocks, with output that goes up; and again where the session is gone on with."""
    first = [
        transcript("a", 1),
        transcript("b", 7),
        transcript("a", 9),
        '{"type":"user","message":{"role":"user"}}',
    ]
    told(folder, *first, name="one.jsonl")
    told(folder, *first, transcript("c", 5), name="two.jsonl")
    (row,) = rows("trace stats one.jsonl two.jsonl", folder)
    assert (row["calls"], row["input_tokens"], row["output_tokens"]) == (3, 3000, 9 + 7 + 5)


def test_a_long_transcript_needs_no_memory_for_what_it_told(folder: Path) -> None:
    told(folder, *(transcript(f"m{n}", 1) for n in range(300)), *(transcript(f"m{n}", 1) for n in range(300)))
    (row,) = rows("trace stats t.jsonl", folder)
    assert (row["calls"], row["output_tokens"]) == (300, 300)


def test_clocks_that_run_backwards(folder: Path) -> None:
    back = {**answer("c1", use(1)), "timestamp": "2026-05-24T02:00:00.000000Z"}
    ahead = {**answer("c2", use(1)), "timestamp": "2026-05-24T04:00:00.000000Z"}
    told(folder, ask("c1"), back, {**ask("c2"), "timestamp": "2026-05-24T03:59:58.500000Z"}, ahead)
    (row,) = rows("trace stats t.jsonl", folder)
    assert row["latency_ms"]["p50"] == row["latency_ms"]["max"] == 1500
    told(folder, ask("c1"), back, answer("c3", use(1), duration_ms=-5))
    (row,) = rows("trace stats t.jsonl", folder)
    assert row["latency_ms"] is None
    (run,) = rows("trace runs t.jsonl", folder)
    assert run["duration_ms"] == 2000
    told(folder, ask("c1"), back)
    assert rows("trace runs t.jsonl", folder)[0]["duration_ms"] is None


def test_the_selection_narrows_down_what_counts(folder: Path) -> None:
    told(
        folder,
        {"type": "step.started", "step_id": "s1", "payload": {"name": "plan", "parent_id": None}},
        {**ask("c1"), "step_id": "s1"},
        {**answer("c1", use(10)), "step_id": "s1"},
        {"type": "step.ended", "step_id": "s1", "payload": {"name": "plan", "duration_ms": 5}},
        ask("c2"),
        answer("c2", use(5)),
    )
    assert [
        rows(f"trace stats {option} t.jsonl", folder)[0]["input_tokens"]
        for option in ("", "--step plan", "-v --step plan", "--since +4s", "--until +4s")
    ] == [15, 10, 5, 5, 10]
    by_step = rows("trace stats --by step t.jsonl", folder)
    assert [(row["step"], row["steps"], row["input_tokens"]) for row in by_step] == [("plan", 1, 10), (None, 0, 5)]
    assert by_step[0]["step_ms"]["max"] == 5
    assert len(rows("trace stats --by step -m 1 t.jsonl", folder)) == 1
    (nothing,) = rows("trace stats --run nobody t.jsonl", folder, status=1)
    assert nothing["calls"] == 0


def test_runs_of_a_night(folder: Path) -> None:
    def one(run_id: str, *events: dict[str, Any], start: int = 0) -> Iterable[dict[str, Any]]:
        for seq, each in enumerate(events):
            yield {**each, "run_id": run_id, "seq": start + seq}

    started = {"type": "run.started", "payload": {"name": "night"}}
    told(
        folder,
        *one(
            "good",
            started,
            ask("c1"),
            answer("c1", use(1000, 0)),
            {"type": "run.ended", "payload": {"status": "ok", "duration_ms": 7}},
        ),
        *one("bad", started, {"type": "run.ended", "payload": {"status": "error", "error": "ValueError: x"}}),
        *one(
            "killed",
            started,
            ask("c9"),
            {"type": "tool.called", "call_id": "t", "payload": {"tool_name": "search", "args": {"q": 1}}},
        ),
        *one("quiet", started, {"type": "note", "payload": {"message": "so far"}}),
        *one("torn", started),
        *one(
            "torn",
            {"type": "note"},
            {"type": "tap.dropped", "payload": {"count": 3, "from_seq": 4, "to_seq": 6}},
            start=3,
        ),
        *one("torn", {"type": "note"}, start=9),
        {"type": "note", "run_id": None, "v": None, "seq": None},
    )
    found = {row["run_id"]: row for row in rows("trace runs t.jsonl", folder)}
    assert [(row["run_id"], row["status"]) for row in found.values()] == [
        ("good", "ok"),
        ("bad", "failed"),
        ("killed", "incomplete"),
        ("quiet", "incomplete"),
        ("torn", "incomplete"),
        (None, None),
    ]
    assert (found["good"]["duration_ms"], found["good"]["cost"], found["good"]["events"]) == (7, 0.003, 4)
    assert found["bad"]["first_error"]["message"] == "ValueError: x"
    killed = found["killed"]["broke_off"]
    assert (killed["type"], killed["summary"], killed["open"]) == ("tool.called", "search(q=1)", True)
    quiet = found["quiet"]["broke_off"]
    assert (quiet["type"], quiet["summary"], quiet["open"]) == ("note", "so far", False)
    assert (found["torn"]["missing"], found["torn"]["gaps"]) == (7, [[1, 2], [4, 8]])
    assert [row["name"] for row in found.values()] == ["night"] * 5 + [None]


def test_what_comes_behind_the_end_of_a_run_changes_nothing_of_it(folder: Path) -> None:
    def failing(error: str) -> dict[str, Any]:
        return {"type": "tool.result", "payload": {"tool_name": "x", "error": error}}

    ended = {"type": "run.ended", "payload": {"status": "ok", "error": None}}
    told(folder, {"type": "run.started"}, failing("first"), ended, failing("second"))
    (row,) = rows("trace runs t.jsonl", folder)
    assert (row["status"], row["errors"], row["first_error"]["message"]) == ("ok", 2, "first")


def test_what_runs_tells_is_an_anchor(folder: Path) -> None:
    for key, name in (("first_error", "failed"), ("broke_off", "killed")):
        (folder / "t.jsonl").write_bytes((Path(__file__).parents[1] / f"samples/{name}.jsonl").read_bytes())
        done = asked(f"trace runs --prices prices.json t.jsonl 2>&- | jq -c .{key} | trace show", folder)
        assert (done.err, done.status) == ("", 0)
        assert b'"toolu_2"' in done.out


def test_many_gaps_are_counted_and_the_first_listed(folder: Path) -> None:
    told(folder, *({"type": "note", "seq": seq} for seq in range(0, 200, 2)))
    (row,) = rows("trace runs t.jsonl", folder)
    assert (row["missing"], len(row["gaps"])) == (99, 20)
    done = asked("trace runs -o pretty t.jsonl", folder)
    assert b"99 events are not here: 1, 3," in done.out
    assert done.out.decode().rstrip().endswith("…")


def test_runs_with_one_id_are_told_apart_and_said(folder: Path) -> None:
    events = [{"type": "run.started"}, {"type": "run.ended", "payload": {"status": "ok"}}]
    later = [{**each, "timestamp": "2026-05-24T04:00:00.000000Z"} for each in events]
    told(folder, *events, *({**each, "seq": seq} for seq, each in enumerate(later)))
    said = "trace: 2 runs have the id r: they are told apart by when they began\n"
    assert [row["events"] for row in rows("trace runs t.jsonl", folder, said)] == [2, 2]
    assert len(rows("trace stats --by run t.jsonl", folder, said, status=1)) == 0


def test_error_is_no_option_of_them(folder: Path) -> None:
    told(folder, ask("c1"))
    for name in ("stats", "runs"):
        done = asked(f"trace {name} --error t.jsonl", folder)
        assert done.status == 2
        assert "leave out --error" in done.err


def test_the_order_of_events_of_several_runs_does_not_count(folder: Path) -> None:
    """As where several processes write to one file."""
    made = [
        [
            {**each, "run_id": f"r{n}", "seq": seq}
            for seq, each in enumerate((ask("c1"), answer("c1", use(n, 1), duration_ms=n)))
        ]
        for n in range(1, 30)
    ]
    expected = None
    for seed in range(3):
        chance = random.Random(seed)
        left = [list(run) for run in made]
        mixed = []
        while left:
            run = chance.choice(left)
            mixed.append(run.pop(0))
            left = [each for each in left if each]
        told(folder, *mixed)
        found = rows("trace stats t.jsonl", folder)
        assert expected in (None, found)
        expected = found
    assert expected is not None
    assert expected[0]["input_tokens"] == sum(range(1, 30))


def test_from_python() -> None:
    def events() -> Iterable[Event]:
        return Reading([str(DEMO)])

    (row,) = stats(events(), None, Prices({})).rows()
    (run,), _ = runs(events(), Prices({}))
    assert row["calls"] == run["calls"] == 6


def test_a_session_that_is_gone_on_with_keeps_its_calls(folder: Path) -> None:
    first = [transcript(f"m{n}", 1) for n in range(5)]
    told(folder, *first, name="one.jsonl")
    told(folder, *first, transcript("new", 1), name="two.jsonl")
    assert [row["calls"] for row in rows("trace runs one.jsonl two.jsonl", folder)] == [5, 1]


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"assistant","requestId":{"a":1},"message":{"id":"m","model":"m","usage":{"input_tokens":1,"output_tokens":1}}}',
        '{"type":"n","_error":{"kind":"tool","message":"m","tool_name":["a"],"step":{"x":1},"recovered":[]}}',
        '{"type":"n","error":"x","_src":{"file":"x","offset":3}}',
        '{"v":1,"type":"n","run_id":"r","timestamp":"t","seq":-5,"payload":{}}',
    ],
)
def test_odd_lines_stop_nothing(folder: Path, line: str) -> None:
    (folder / "t.jsonl").write_text(f"{line}\n" * 2)
    for command in ("stats", "stats --by tool", "stats --by step", "runs", "runs -o pretty"):
        done = asked(f"trace {command} t.jsonl", folder)
        assert done.status in (0, 1), done.err


def test_calls_of_one_name_with_other_bodies(folder: Path) -> None:
    def busy(call: str) -> dict[str, Any]:
        return {"type": "model.error", "call_id": call, "payload": {"status": 429, "error": {"kind": "http"}}}

    def asks(call: str, body: str, attempt: int = 1) -> dict[str, Any]:
        return ask(call, body, attempt=attempt)

    told(
        folder,
        *(asks("c1", "b1"), busy("c1"), asks("c1", "b2"), busy("c1"), asks("c1", "b2", 2), answer("c1", use(1))),
        *(asks("c7", "b3"), busy("c7"), asks("c5", "b1", 2), answer("c5", use(1))),
    )
    for command in ("stats", "runs", "first-error", "filter --error"):
        assert asked(f"trace {command} t.jsonl", folder).status in (0, 1)


def test_sums_beyond_all_digits(folder: Path) -> None:
    told(folder, *({**answer(f"c{n}"), "payload": {"body": {"usage": {"cost": 9.9e14}}}} for n in range(12_000)))
    (row,) = rows("trace stats t.jsonl", folder)
    assert row["cost"] == pytest.approx(12_000 * 9.9e14)


def test_an_end_that_could_not_be_recorded_is_one(folder: Path) -> None:
    lost = {
        "type": "tap.dropped",
        "payload": {"count": 1, "bytes": 0, "reason": "this event could not be put together"},
    }
    tool = {"type": "tool.called", "call_id": "t", "payload": {"tool_name": "x"}}
    told(folder, {"type": "run.started"}, ask("c"), {**lost, "call_id": "c"}, tool, {**lost, "call_id": "t"})
    (row,) = rows("trace stats t.jsonl", folder)
    assert (row["calls"], row["tool_calls"], row["orphans"], row["untold"]) == (1, 1, 0, 0)
    (run,) = rows("trace runs t.jsonl", folder)
    assert (run["status"], run["broke_off"]["open"]) == ("incomplete", False)
    assert asked("trace first-error t.jsonl", folder).status == 1


def test_how_a_run_ended_is_known_or_not(folder: Path) -> None:
    def ended(*payloads: dict[str, Any]) -> str | None:
        told(folder, {"type": "run.started"}, *({"type": "run.ended", "payload": each} for each in payloads))
        (row,) = rows("trace runs t.jsonl", folder)
        return row["status"]  # type: ignore[no-any-return]

    assert ended({"status": "ok"}) == "ok"
    assert ended({"status": "error"}) == ended({"error": "x"}) == "failed"
    assert ended({"status": "error", "error": "x"}, {"status": "ok"}) == "failed"
    assert ended({}) is None  # what is left of a damaged one


def test_what_claude_code_says_itself_is_no_call(folder: Path) -> None:
    told(folder, transcript("a", 1), transcript("b", 1).replace('"m"', '"<synthetic>"'))
    assert rows("trace stats t.jsonl", folder)[0]["calls"] == 1


@pytest.mark.parametrize("depth", [300, 985, 1020])
def test_names_that_are_nested_as_deep_as_can_be_parsed(folder: Path, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    head = '{"v":1,"timestamp":"2026-05-24T03:00:00.000000Z","run_id":"r","call_id":"c","step_id":"s"'
    (folder / "t.jsonl").write_text(
        f'{head},"type":"run.started","seq":0,"payload":{{"name":{deep}}}}}\n'
        f'{head},"type":"step.started","seq":1,"payload":{{"name":{deep}}}}}\n'
        f'{head},"type":"model.response","seq":2,"payload":{{"body":{deep},"attached":{{"a":{deep}}}}}}}\n'
        f'{{"type":"n","run_id":{deep},"timestamp":{deep},"error":{deep}}}\n'
    )
    for command in (
        "stats --by step",
        "runs -o pretty",
        "filter -o pretty",
        "show -o pretty",
        "context --at last",
    ):
        done = asked(f"trace {command} t.jsonl", folder)
        assert done.status in (0, 1), done.err
