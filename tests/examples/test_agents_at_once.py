"""Agents that work at the same time, recorded by the tap: whose turn it was is no difference between two runs."""

import subprocess
import sys
from pathlib import Path

from agent_replay_trace import Debugger

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAM = """
import contextvars, random, sys, time
from concurrent.futures import ThreadPoolExecutor

import agent, anthropic, messages_api
from agenttap import Tap

INDEXES = {"EMEA": "sales-emea", "AMER": "sales-amer", "APAC": sys.argv[2]}


def work(client, tap, name):
    messages = [{"role": "user", "content": f"Find the revenue of {name}."}]
    while True:
        answer = client.messages.create(
            model="claude-sonnet-4-6", max_tokens=100, system=f"You search.\\n- {name}: {INDEXES[name]}",
            tools=[agent.describe(tool) for tool in agent.TOOLS.values()], messages=messages,
        )
        messages.append({"role": "assistant", "content": answer.content})
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            return
        time.sleep(random.random() / 100)  # so that the agents overtake each other
        messages.append({"role": "user", "content": [agent.use(tap, call) for call in calls]})


with agent.connect() as client, Tap(output_path=sys.argv[1], name="three") as tap, ThreadPoolExecutor() as pool:
    client = tap.wrap(client)
    agents = [pool.submit(contextvars.copy_context().run, work, client, tap, name) for name in INDEXES]
    [each.result() for each in agents]
"""


def recorded(trace: Path, index: str = "sales-apac") -> Debugger:
    """A run of three agents in threads, through the real SDK."""
    env = {"PYTHONPATH": str(EXAMPLES), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", PROGRAM, trace, index], env=env, check=True, capture_output=True)
    return Debugger.load(trace)


def test_two_runs_of_agents_at_once_are_the_same_and_differ_where_one_agent_does(tmp_path: Path) -> None:
    one, two = recorded(tmp_path / "one.jsonl"), recorded(tmp_path / "two.jsonl")
    assert len(one) == len(two) > 50
    (summary,) = one.diff(two, level="text")
    assert (summary["verdict"], summary["approximate"]) == ("same", False)

    rows = one.diff(recorded(tmp_path / "other.jsonl", "sales-apj"))
    first = rows[-1]["first_divergence"]
    assert (first["cause"], first["reason"]) == ("input", "the system prompt differs")
    apac = {event.call_id for event in one if "APAC" in event.raw.decode() or "sales-apac" in event.raw.decode()}
    apac |= {event.call_id for event in one.where("tool.*") if event.args and "apac" in str(event.args)}
    responses = {row["a"]["call_id"] for row in rows[:-1] if row["type"] == "model.request" and row["a"]}
    assert responses
    assert responses <= apac, "the other two did what they had done"
