"""From an agent that fails to what broke, with both halves and every call that a post-mortem needs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import anthropic
import pytest
from agenttap import Tap

from agent_replay_trace import Debugger
from trace_cli.commands.runs import runs
from trace_cli.prices import Prices
from trace_cli.reading import Reading

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import messages_api


def lookup(city):
    raise KeyError(f"no such city: {city}")


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """An agent that asks its model, calls a tool, reports it by hand, and goes on although it failed."""
    path = tmp_path_factory.mktemp("runs") / "made" / "run-1.jsonl"
    with messages_api.serve() as base_url:
        client = anthropic.Anthropic(base_url=base_url, api_key="test")
        tap = Tap(output_path=path)
        tapped = tap.wrap(client)
        assert tapped is client
        question = [{"role": "user", "content": "How is the weather?"}]
        for city in ("Bern", "Nowhere"):
            tapped.messages.create(model="claude-sonnet-4-6", max_tokens=100, messages=question)
            tap.record_tool_call(tool_name="lookup", args={"city": city})
            try:
                if city == "Bern":
                    tap.record_tool_result(tool_name="lookup", result={"sun": True}, error=None)
                else:
                    lookup(city)
            except KeyError as exc:
                tap.record_tool_result(tool_name="lookup", result=None, error=str(exc))
        tap.close()
        client.close()
    return path


def test_what_was_captured(trace):
    dbg = Debugger.load(str(trace))
    assert dbg.event_counts() == {
        "run.started": 1,
        "model.request": 2,
        "model.response": 2,
        "tool.called": 2,
        "tool.result": 2,
        "run.ended": 1,
    }
    assert dbg.count() == len(dbg.all()) == 10
    assert [event.index for event in dbg.all()] == [event.seq for event in dbg.all()] == list(range(10))
    assert [event.args for event in dbg.where(event_type="tool.called")] == [{"city": "Bern"}, {"city": "Nowhere"}]


def test_what_failed_and_what_the_model_had_said_before(trace):
    dbg = Debugger.load(trace)
    failure = dbg.first(event_type="tool.result", where=lambda event: event.error is not None)
    assert failure.tool_name == "lookup"
    assert "no such city" in failure.error
    assert failure.timestamp.endswith("Z")
    [response] = dbg.before(failure, event_type="model.response", n=1)
    assert response.seq == failure.seq - 2
    assert response.content[:200] == response.content != ""
    [request] = dbg.before(failure, event_type="model.request", n=1)
    assert request.payload["body"]["messages"][0]["content"] == request.content == "How is the weather?"
    assert [event.type for event in dbg.after(failure)] == ["run.ended"]
    assert dbg.first(event_type="no.such") is None


def test_a_walk(trace):
    session = Debugger.load(trace).step_session()
    seen = []
    answers = iter(["n", "j 8", "i", "n", "q"])
    while (event := session.next()) is not None:
        seen.append(event.index)
        assert event.event_type == event.type
        assert event.summary() == event.summary().strip()
        answer = next(answers)
        if answer == "q":
            break
        if answer.startswith("j "):
            session.jump(int(answer.split()[1]))
        elif answer == "i":
            json.dumps(event.payload, indent=2)
    assert seen == [0, 1, 8, 9]


def test_the_walk_ends(trace):
    session = Debugger.load(trace).step_session()
    session.jump(9)
    assert session.next().type == "run.ended"
    assert session.next() is None
    assert session.next() is None
    assert session.prev().type == "run.ended"
    with pytest.raises(IndexError, match="no event 10: the trace has events 0 to 9"):
        session.jump(10)


def test_a_run_that_was_killed_in_a_step(tmp_path):
    """What it was in stands in the file, and every question about the end says so."""
    path = tmp_path / "run.jsonl"
    agent = f"""
import os, signal
from agenttap import Tap
tap = Tap({str(path)!r}, name="night")
with tap.step("report"), tap.step("retrieve", region="APAC"), tap.tool_call("search", {{"q": "sales"}}):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", agent], check=False).returncode == -signal.SIGKILL
    (row,), _ = runs(Reading([str(path)]), Prices({}))
    assert (row["status"], row["name"], row["missing"]) == ("incomplete", "night", 0)
    assert (row["broke_off"]["summary"], row["broke_off"]["open"]) == ('search(q="sales")', True)
    error = Debugger.load(str(path)).first_errors()[0]
    assert (error.kind, error.step) == ("orphan", "report/retrieve")
