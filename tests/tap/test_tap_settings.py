"""Mistakes of wiring: what a tap is told is looked at when it is told."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest
from agenttap import FileSink, Tap
from traced import Trace

KB = 1 << 10


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Tap("run.jsonl", sinks="other.jsonl"), "sinks= takes a list of sinks, such as ['other.jsonl']"),
        (lambda: Tap(sinks=None), "sinks= takes a list of sinks"),
        (lambda: Tap(sinks=FileSink("x.jsonl")), "sinks= takes a list of sinks"),
        (lambda: Tap(sinks=Path("x.jsonl")), "sinks= takes a list of sinks"),
        (lambda: Tap(sinks=[5]), "a sink is a path, a function"),
        (lambda: Tap(5), "output_path= is the path of a file, not 5"),
        (lambda: Tap(print), "functions go to writer="),
        (lambda: Tap(""), "the path of a file to write to is empty"),
        (lambda: Tap(sinks=[""]), "the path of a file to write to is empty"),
        (lambda: FileSink(b"x"), "FileSink takes the path of a file, not b'x'"),
        (lambda: Tap("a", sinks=["./a"]), "each event would be written twice to"),
        (lambda: Tap("a", max_queue_bytes=None), "max_queue_bytes= is a number of bytes"),
        (lambda: Tap("a", max_queue_bytes="64M"), "max_queue_bytes= is a number of bytes, such as 67108864"),
        (lambda: Tap("a", max_queue_bytes=0), "max_queue_bytes= must be more than 0"),
        (lambda: Tap("a", max_event_bytes=-1), "max_event_bytes= must be more than 0"),
        (lambda: Tap("a", rotate_bytes="5"), "rotate_bytes= is a number of bytes, not '5'"),
        (lambda: Tap("a", rotate_every="1h"), "rotate_every= is a number of seconds or a timedelta, not '1h'"),
        (lambda: Tap("a", rotate_bytes=9, keep="5"), "keep= is a number of files, not '5'"),
        (lambda: Tap("a", rotate_bytes=9, keep=2.5), "keep= is a number of files, not 2.5"),
        (lambda: Tap("a", rotate_bytes=9, keep=True), "keep= is a number of files, not True"),
        (lambda: Tap("a").wrap(anthropic.Anthropic), "Anthropic is a class: pass Anthropic()"),
        (lambda: Tap("a").tool("search"), "write @tap.tool(name='search')"),
        (lambda: Tap("a").tool(property(lambda self: 1)), "@tap.tool goes below @property"),
    ],
)
def test_a_mistake_is_told_at_once(
    wrong: Callable[[], Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((TypeError, ValueError), match=re.escape(said)):
        wrong()
    assert list(tmp_path.iterdir()) == []


def test_a_path_from_a_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ValueError, match=r"'run.jsonl' is a path from the working directory, which is not there"):
        Tap("run.jsonl")


@pytest.mark.parametrize(
    ("value", "on"),
    [("", True), ("0", True), ("false", True), ("No", True), (" off ", True), ("1", False), ("yes", False)],
)
def test_turned_off_by_the_environment(
    trace: Trace, monkeypatch: pytest.MonkeyPatch, value: str, on: bool
) -> None:
    monkeypatch.setenv("AGENTTAP_DISABLED", value)
    with Tap(trace.path) as tap:
        tap.record("note")
    assert trace.path.exists() is on


@pytest.mark.parametrize(
    "gives", [lambda raw: raw.decode(), lambda raw: None, lambda raw: raw + b"\n", lambda raw: b"[]"]
)
def test_a_redaction_that_gives_back_something_else(
    trace: Trace, capfd: pytest.CaptureFixture[str], gives: Any
) -> None:
    with Tap(trace.path, redact=gives) as tap:
        tap.record("note", secret="hunter2")
    assert trace.events("note")[0]["payload"]["left_out"] == "redaction failed"
    (line,) = capfd.readouterr().err.splitlines() or ["said before"]
    assert line == "said before" or "payloads are left out" in line


def test_ids_that_were_different_stay_different(trace: Trace) -> None:
    with Tap(trace.path) as tap:
        for given in ("a/b", "a b", "客-甲", "顧-乙"):
            with tap.run(run_id=given):
                tap.record_tool_result("t", call_id=given)
    results = trace.events("tool.result")
    assert len({event["run_id"] for event in results}) == 4
    assert len({event["call_id"] for event in results}) == 4
    assert all(re.fullmatch(r"[\w.:-]+", event["run_id"], re.ASCII) for event in results)


def test_class_and_static_methods_are_tools(tap: Tap, trace: Trace) -> None:
    class Tools:
        @tap.tool
        @classmethod
        def kind(cls, n: int) -> str:
            return f"{cls.__name__}{n}"

        @tap.tool
        @staticmethod
        def twice(n: int) -> int:
            return 2 * n

    assert (Tools.kind(1), Tools().kind(2), Tools.twice(3), Tools().twice(4)) == ("Tools1", "Tools2", 6, 8)
    assert [event["payload"]["args"] for event in trace.events("tool.called")] == [{"n": n} for n in (1, 2, 3, 4)]


def test_an_error_whose_class_cannot_be_asked(tap: Tap, trace: Trace) -> None:
    class Unbound:
        @property
        def __class__(self) -> Any:  # type: ignore[override]
            raise RuntimeError("working outside of context")

    tap.record_tool_result("t", error=Unbound())
    assert "Unbound" in trace.events("tool.result")[0]["payload"]["error"]


def test_rules_leave_the_names_of_the_format(trace: Trace) -> None:
    with Tap(trace.path, redact=[str.upper, "error|args"]) as tap:
        tap.record_tool_call("search", {"args": 1, "of": "x"})
    assert trace.events("tool.called")[0]["payload"] == {"tool_name": "SEARCH", "args": {"args": 1, "OF": "X"}}


@pytest.mark.parametrize("timeout", [None, float("inf"), 10])
def test_flush_takes_any_time(tap: Tap, timeout: float | None) -> None:
    tap.record("note")
    assert tap.flush(timeout)


def test_a_writer_that_refuses_everything_is_told_of_with_the_number(capfd: pytest.CaptureFixture[str]) -> None:
    def full(line: bytes) -> None:
        raise OSError(28, "No space left on device")

    with Tap(writer=full) as tap:
        for _ in range(3):
            tap.record("note")
    assert tap.stats()["dropped"] == 5
    first, last = capfd.readouterr().err.splitlines()
    assert "cannot write to" in first
    assert "No space left on device; will retry" in first
    assert "5 events could not be written to" in last


def test_what_is_said_is_one_line(trace: Trace, capfd: pytest.CaptureFixture[str]) -> None:
    path = trace.path.parent / "new\nline\x1b[31m.jsonl"
    path.mkdir(parents=True)  # a folder where a file is wanted
    with Tap(path) as tap:
        tap.record("note")
    said = capfd.readouterr().err
    assert said.count("\n") == len(said.splitlines()) == said.count("agenttap[")
    assert "\\n" in said
    assert "\x1b" not in said


def test_hanging_sinks_hold_up_the_exit_once(tmp_path: Path) -> None:
    program = f"""
import time
from agenttap import Tap
taps = [Tap(writer=lambda line: time.sleep(60)) for _ in range(4)]
taps += [Tap({str(tmp_path / "good.jsonl")!r}, blocking=False)]
for tap in taps: tap.record("note")

"""
    began = os.times().elapsed
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, stderr=subprocess.DEVNULL)
    assert os.times().elapsed - began < 7  # not 2 seconds for each
    assert Trace(tmp_path / "good.jsonl").types() == ["run.started", "note", "run.ended"]
