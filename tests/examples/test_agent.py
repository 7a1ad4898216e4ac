"""The example agent, run as a person runs it: what it prints, and the trace that it leaves."""

import json
import os
import platform
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import agent
import messages_api
import pytest

from agent_replay_trace import Debugger

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PYTHON = Path(sys.executable).parent

ANSWER = ["model.request", "model.response"]
TOOL = ["tool.called", "tool.result"]
STORY = [
    "run.started",
    *[*ANSWER, *3 * TOOL],  # the searches for this quarter
    *[*ANSWER, *3 * TOOL],  # the searches for the quarter before
    *["model.request", "model.error", *ANSWER, *TOOL],  # an overloaded API; the growth of the group
    *[*ANSWER, *3 * TOOL],  # the growth of each region
    *ANSWER,
    "run.ended",
]


def run_agent(*options: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
    command = [sys.executable, EXAMPLES / "agent.py", *options]
    return subprocess.run(
        command, env=environment | variables, capture_output=True, text=True, timeout=60, check=False
    )


def read(trace: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in trace.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    trace = tmp_path_factory.mktemp("failed") / "run.jsonl"
    return run_agent("--out", trace), trace


def test_the_log_has_one_error_and_it_explains_nothing(
    failed: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    done, _ = failed
    errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
    assert done.returncode == 1
    assert [line.rpartition(": ")[2] for line in errors] == ["the report was not published"]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_trace_tells_the_story(failed: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    events = read(failed[1])
    assert [event["type"] for event in events] == STORY
    check_story(events)


def test_a_streamed_answer_is_recorded_as_the_message_that_it_was(
    failed: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    first, second, *_ = [event["payload"] for event in read(failed[1]) if event["type"] == "model.response"]
    assert (first["stream"], second["stream"]) == (True, False)
    assert [block["type"] for block in first["body"]["content"]] == [
        "text",
        "tool_use",
        "tool_use",
        "tool_use",
    ]
    assert first["body"]["content"][3]["input"] == {"index": "sales-apj", "query": "2026-Q1"}


def test_the_recorded_run_tells_the_same_story() -> None:
    trace = EXAMPLES / "failed-run.jsonl"
    events = read(trace)
    assert [event["type"] for event in events] == STORY
    check_story(events)
    assert events[0]["payload"]["hostname"] == "reports-1"
    text = trace.read_text()
    assert str(ROOT) not in text
    assert "sk-ant" not in text
    assert "site-packages" not in text
    assert f'"{platform.node()}"' not in text


def test_with_the_right_index_in_the_prompt_the_report_is_published(tmp_path: Path) -> None:
    prompt, trace = tmp_path / "prompt.txt", tmp_path / "run.jsonl"
    prompt.write_text(agent.PROMPT.replace("sales-apj", "sales-apac"))
    done = run_agent("--out", trace, "--prompt", prompt)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "APAC: 9.7 M EUR (10.2 %)"
    events = read(trace)
    assert Counter(event["type"] for event in events)["tool.called"] == 11
    assert events[-1]["payload"]["status"] == "ok"


def test_the_recorded_runs_differ_by_the_prompt(tmp_path: Path) -> None:
    assert (EXAMPLES / "fixed-prompt.txt").read_text() == agent.PROMPT.replace("sales-apj", "sales-apac")
    trace = EXAMPLES / "fixed-run.jsonl"
    for leak in (str(ROOT), "sk-ant", "site-packages", f'"{platform.node()}"'):
        assert leak not in trace.read_text()
    rows = Debugger.load(EXAMPLES / "failed-run.jsonl").diff(Debugger.load(trace))
    first = rows[0]
    assert (first["type"], first["cause"]) == ("model.request", "input")
    assert [change["path"] for change in first["changes"]] == ["/payload/body/system"]
    assert first["changes"][0]["words"][0]["b"] == "apac"
    assert rows[-1]["verdict"] == "tools-changed"
    assert [error["kind"] for error in rows[-1]["errors"]["gone"]] == ["tool", "run"]
    assert rows[-1]["errors"]["new"] == []


def test_with_a_key_it_talks_to_the_api_of_the_environment(tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    with messages_api.serve() as base_url:
        key = {"ANTHROPIC_API_KEY": "sk-ant-local", "ANTHROPIC_BASE_URL": base_url, "NO_PROXY": "*"}
        assert run_agent("--out", trace, **key).returncode == 1
    urls = {event["payload"]["url"] for event in read(trace) if event["type"] == "model.request"}
    assert urls == {f"{base_url}/v1/messages"}
    assert "sk-ant" not in trace.read_text()


def test_the_demo_walks_from_the_error_to_the_prompt(tmp_path: Path) -> None:
    done = run_demo(tmp_path, PYTHON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n$ ") == 13
    for words in (
        "division by zero",
        "sales-apj",
        "- APAC: sales-apj\n",
        "input: the system prompt differs",
        "gone in B",
        "replay.rerun(prepare)",
        "Reproduced: growth: ZeroDivisionError: division by zero",
        "1 failed in",
        "1 passed in",
    ):
        assert words in done.stdout


def test_replayed_twice_the_two_captures_are_the_same(tmp_path: Path) -> None:
    for name in ("first", "second"):
        trace = [PYTHON / "trace", "serve", EXAMPLES / "failed-run.jsonl", "--"]
        agent = [sys.executable, EXAMPLES / "agent.py", "--out", tmp_path / f"{name}.jsonl"]
        environment = {**os.environ, "ANTHROPIC_API_KEY": "sk-ant-unused"}
        done = subprocess.run(
            [*trace, *agent], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1  # as the agent did
        assert "recorded requests were never sent" not in done.stderr
    compared = subprocess.run(
        [PYTHON / "trace", "diff", "--stat", "first.jsonl", "second.jsonl"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert compared.returncode == 0
    assert json.loads(compared.stdout)["verdict"] == "same"
    assert [event["type"] for event in read(tmp_path / "first.jsonl")] == STORY


def test_the_demo_fails_when_the_agent_does_not(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    done = run_demo(tmp_path, tmp_path, PYTHON)
    assert done.returncode == 1
    assert done.stderr == "demo: the agent was to fail, and did not\n"


def run_demo(folder: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    before = ":".join([*map(str, path), os.environ["PATH"]])
    environment = {**os.environ, "PATH": before, "ANTHROPIC_API_KEY": "sk-ant-unused"}
    command = ["sh", EXAMPLES / "demo.sh", folder / "run.jsonl"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def check_story(events: list[dict[str, Any]]) -> None:
    """Searches found nothing without an error; three answers later a tool failed on what was made of it."""
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert {event["run_id"] for event in events} == {events[0]["run_id"]}

    results = {event["call_id"]: event["payload"] for event in events if event["type"] == "tool.result"}
    called = {event["call_id"]: event["payload"] for event in events if event["type"] == "tool.called"}
    assert set(called) == set(results)
    assert all(call_id.startswith("toolu_01") for call_id in called)
    empty = [call_id for call_id, payload in results.items() if payload["result"] == nothing_found("sales-apj")]
    assert len(empty) == 2
    assert all(results[call_id]["error"] is None for call_id in empty)

    (failed,) = [call_id for call_id, payload in results.items() if payload["error"] is not None]
    assert called[failed] == {"tool_name": "growth", "args": {"name": "APAC", "current": 0, "previous": 0}}
    assert "division by zero" in results[failed]["error"]

    answers = [event["payload"]["body"] for event in events if event["type"] == "model.response"]
    turns = [[block["id"] for block in answer["content"] if block["type"] == "tool_use"] for answer in answers]
    assert empty[0] in turns[0]
    assert failed in turns[3]

    busy = [event["payload"] for event in events if event["type"] == "model.error"]
    assert [payload["status"] for payload in busy] == [529]
    last = events[-1]["payload"]
    assert last["status"] == "error"
    assert "the report was not published" in json.dumps(last["error"])


def nothing_found(index: str) -> dict[str, Any]:
    return {"index": index, "searched": 0, "hits": []}
