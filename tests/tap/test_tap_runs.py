"""Runs: numbering, contexts, how they end, forks and children. Whole programs where the end of one matters."""

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from agenttap import Tap
from agenttap.block import Scope
from traced import Trace


def program(text: str, trace: Trace, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program in a process of its own; its trace path is in `PATH`, its tap in `tap`."""
    start = f"from agenttap import Tap\nPATH = {str(trace.path)!r}\ntap = Tap(PATH)\n"
    return subprocess.run(
        [sys.executable, *arguments, "-c", start + text],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def runs(trace: Trace) -> dict[str, list[dict[str, Any]]]:
    """The events by run, after checking that each run's are numbered without gaps."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in trace.events():
        found.setdefault(event["run_id"], []).append(event)
    for events in found.values():
        assert [event["seq"] for event in events] == list(range(len(events)))
    return found


def test_the_default_run(trace: Trace) -> None:
    with Tap(trace.path, name="nightly", run_id="run 1", metadata={"commit": "abc"}) as tap:
        assert not trace.path.exists()  # started by its first event
        tap.record("note", x=1)
        tap.record("note", x=2)
    started, _, _, ended = trace.events()
    assert {event["run_id"] for event in trace.events()} == {"run_1-b945d8cb"}
    payload = started["payload"]
    assert payload["original"] == {"run_id": "run 1"}
    assert (payload["name"], payload["metadata"]) == ("nightly", {"commit": "abc"})
    assert (payload["pid"], payload["parent_run_id"]) == (os.getpid(), None)
    assert payload["versions"]["agenttap"] == "0.2.0"
    assert payload["versions"]["python"].startswith("3.")
    assert ended["payload"].pop("duration_ms") > 0
    assert ended["payload"] == {"status": "ok", "error": None, "exception": None, "events": 3, "dropped": 0}


def test_a_tap_that_records_nothing_leaves_nothing(trace: Trace) -> None:
    Tap(trace.path).close()
    assert not trace.path.exists()


def test_closing_twice_and_recording_afterwards(trace: Trace, capfd: pytest.CaptureFixture[str]) -> None:
    tap = Tap(trace.path)
    tap.record("note")
    tap.close()
    tap.close()
    for _ in range(3):
        tap.record("late")
    assert trace.types() == ["run.started", "note", "run.ended"]
    assert capfd.readouterr().err.count("closed") == 1


def test_an_exception_that_leaves_the_tap(trace: Trace) -> None:
    with pytest.raises(KeyError), Tap(trace.path):
        raise KeyError("lost")
    payload = trace.one("run.ended")
    assert (payload["status"], payload["error"]) == ("error", "'lost'")
    assert "test_tap_runs.py" in payload["exception"]["traceback"]


def test_runs_inside(tap: Tap, trace: Trace) -> None:
    with tap.run(name="outer", metadata={"n": 1}) as outer:
        assert tap.run_id == outer.run_id
        with pytest.raises(ValueError, match="bad"), tap.run(name="inner"), tap.step("work"):
            raise ValueError("bad")
        tap.record("note")
    tap.record("note")
    found = runs(trace)
    assert [len(events) for events in found.values()] == [3, 4, 2]
    names = {events[0]["payload"]["name"]: events for events in found.values()}
    assert names["inner"][0]["payload"]["parent_run_id"] == outer.run_id
    assert names["inner"][-1]["payload"]["error"] == "bad"
    assert names["outer"][-1]["payload"]["status"] == "ok"


@pytest.mark.parametrize(("code", "status"), [(0, "ok"), (None, "ok"), (1, "error"), ("no way", "error")])
def test_leaving_a_run_by_exit(tap: Tap, trace: Trace, code: Any, status: str) -> None:
    with pytest.raises(SystemExit), tap.run():
        sys.exit(code)
    assert trace.one("run.ended")["status"] == status


def test_tasks_and_threads_keep_their_runs_apart(tap: Tap, trace: Trace) -> None:
    async def task(number: int) -> None:
        async with tap.run(name=f"task {number}"):
            for _ in range(3):
                tap.record("note", number=number)
                await asyncio.sleep(0)
            await asyncio.to_thread(tap.record, "note", number=number)

    async def main() -> None:
        await asyncio.gather(*map(task, range(10)))

    def thread(number: int) -> None:
        with tap.run(name=f"thread {number}"):
            for _ in range(20):
                tap.record("note", number=number)

    asyncio.run(main())
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(thread, range(8)))
    found = runs(trace)
    assert len(found) == 18
    for events in found.values():
        assert events[0]["type"] == "run.started"
        assert events[-1]["type"] == "run.ended"
        assert {f" {event['payload']['number']}" for event in events[1:-1]} == {events[0]["payload"]["name"][-2:]}


def test_two_taps_have_runs_of_their_own(tap: Tap, trace: Trace, tmp_path: Path) -> None:
    with Tap(tmp_path / "other.jsonl") as other, tap.run(name="a") as run, other.run(name="b"):
        tap.record("note")
        assert tap.run_id == run.run_id != other.run_id
    assert len(runs(trace)) == 1


def test_steps(tap: Tap, trace: Trace) -> None:
    with tap.step("plan", goal="x") as plan:
        with tap.step("think") as think:
            tap.record("note")
        with pytest.raises(ValueError, match="bad"), tap.step("fail") as fail:
            raise ValueError("bad")
        tap.record_tool_call("a")
    tap.record("note")
    assert [event.get("step_id") for event in trace.events()[1:]] == [
        plan.step_id,
        *[think.step_id] * 3,
        *[fail.step_id] * 2,
        *[plan.step_id] * 2,
        None,
    ]
    assert [event["payload"]["error"] for event in trace.events("step.ended")] == [None, "bad", None]
    assert trace.events("step.started")[0]["payload"] == {
        "name": "plan",
        "attributes": {"goal": "x"},
        "parent_id": None,
    }


def test_an_uncaught_exception(trace: Trace) -> None:
    done = program("def work():\n    raise ValueError('orchestration')\ntap.record('note')\nwork()", trace)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ValueError: orchestration")
    payload = trace.one("run.ended")
    assert (payload["status"], payload["error"]) == ("error", "orchestration")
    assert "in work" in payload["exception"]["traceback"]


def test_an_uncaught_exception_before_any_event(trace: Trace) -> None:
    program("1 / 0", trace)
    assert trace.types() == ["run.started", "run.ended"]


@pytest.mark.parametrize(
    "hook",
    [
        "import sys; sys.excepthook = lambda *args: print('own hook')",  # replaces the tap's
        "import sys; old = sys.excepthook; sys.excepthook = lambda *args: (print('own hook'), old(*args))",
    ],
)
def test_a_hook_that_the_agent_sets_later(trace: Trace, hook: str) -> None:
    done = program(f"{hook}\ntap.record('note')\n1 / 0", trace)
    assert done.stdout == "own hook\n"
    assert trace.one("run.ended")["exception"]["type"] == "ZeroDivisionError"


def test_a_hook_that_the_agent_had_before(trace: Trace) -> None:
    text = "tap.close()\nimport sys; sys.excepthook = lambda *args: print('own hook')\ntap = Tap(PATH)\n1 / 0"
    assert program(text, trace).stdout == "own hook\n"
    assert trace.one("run.ended")["exception"]["type"] == "ZeroDivisionError"


def test_a_hook_that_calls_ours_and_stands_before_it(trace: Trace) -> None:
    text = """
import sys, threading, unittest.mock
for module, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "exit")):
    def wrapped(*args, before=getattr(module, name), name=name):
        print("own", name)
        before(*args)
    setattr(module, name, wrapped)
other = Tap(PATH)  # a second tap, while the agent's own hooks stand before ours
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(); thread.join()
with unittest.mock.patch("sys.exit"):
    Tap(PATH).close()
try:
    sys.exit(5)
except SystemExit as error:
    print("left with", error.code)
1 / 0
"""
    done = program(text, trace)
    assert done.stdout.split("\n")[:-1] == ["own excepthook", "own exit", "left with 5", "own excepthook"]
    assert done.stderr.count("ZeroDivisionError") == 2
    assert done.returncode == 1


def test_hooks_are_put_back(trace: Trace) -> None:
    before = sys.excepthook, threading.excepthook, sys.exit
    with Tap(trace.path):
        assert sys.excepthook is not before[0]
        assert sys.exit is not before[2]
    assert (sys.excepthook, threading.excepthook, sys.exit) == before


def test_a_thread_that_dies(trace: Trace) -> None:
    done = program(
        "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start(); t.join()\ntap.record('note')",
        trace,
    )
    assert "ZeroDivisionError" in done.stderr
    assert trace.types() == ["run.started", "note", "run.ended"]
    assert trace.one("run.ended")["exception"]["type"] == "ZeroDivisionError"


def test_an_exit_without_close(trace: Trace) -> None:
    program("tap.record('note')", trace)
    assert trace.types() == ["run.started", "note", "run.ended"]
    assert trace.one("run.ended")["status"] == "ok"


@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        ("sys.exit('cannot publish')", "error", "cannot publish"),
        ("sys.exit(3)", "error", "exit status 3"),
        ("sys.exit()", "ok", None),
        ("sys.exit(0)", "ok", None),
        # Caught, and the agent goes on.
        ("try:\n    sys.exit(1)\nexcept SystemExit:\n    tap.record_tool_call('search')", "ok", None),
        # On the way out, others still record what they see.
        ("try:\n    sys.exit(1)\nfinally:\n    tap.record('cleaned')", "error", "exit status 1"),
        # The end of a thread, not of the program.
        (
            "import threading; t = threading.Thread(target=sys.exit, args=(1,)); t.start(); t.join()",
            "ok",
            None,
        ),
    ],
)
def test_a_program_that_exits_by_itself(trace: Trace, text: str, status: str, error: str | None) -> None:
    program(f"import sys\ntap.record('note')\n{text}", trace)
    payload = trace.one("run.ended")
    assert (payload["status"], payload["error"]) == (status, error)


CAUGHT = """
import contextlib, sys, threading
try: import httpx2 as httpx
except ImportError: import httpx
@tap.tool
def cli(): sys.exit(2)
def attempt():
    with contextlib.suppress(SystemExit): cli()
def answer(request):
    attempt()
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=b"data: [DONE]")
"""


@pytest.mark.parametrize(
    "text",
    [
        "attempt(); tap.record('published')",
        "with tap.step('look'): attempt()",
        "with tap.tool_call('look'): attempt()",
        "with tap.run('task'): attempt()",
        "attempt(); t = threading.Thread(target=tap.record, args=('published',)); t.start(); t.join()",
        "client = tap.wrap(httpx.Client(transport=httpx.MockTransport(answer))); client.post('http://a/v1/messages')",
    ],
)
def test_any_event_after_an_exit_that_was_caught_shows_that_it_was(trace: Trace, text: str) -> None:
    assert program(f"tap.record('note')\n{CAUGHT}{text}", trace).returncode == 0
    assert {event["payload"]["status"] for event in trace.events("run.ended")} == {"ok"}


LEAVING = """
import asyncio, atexit, sys, threading
from concurrent.futures import ThreadPoolExecutor
def items():
    with tap.step('look'):
        yield 1
def clean():
    for _ in items(): pass
left = threading.Event()
def last():
    left.wait(20)
    clean()
def rest():
    threading.main_thread().join()
    tap.record('rest')
async def wait():
    with tap.step('wait'):
        await asyncio.sleep(20)
async def leave():
    other = asyncio.create_task(wait())
    await asyncio.sleep(0)
    sys.exit(1)
"""


@pytest.mark.parametrize(
    "text",
    [
        "with tap.step('look'), tap.tool_call('search'): sys.exit(1)",
        "for _ in items(): sys.exit(1)",  # which closes the generator, before any handler runs
        "with ThreadPoolExecutor() as pool:\n    pool.submit(last)\n    try: sys.exit(1)\n    finally: left.set()",
        "threading.Thread(target=rest).start(); sys.exit(1)",
        "atexit.register(clean); sys.exit(1)",
        "asyncio.run(leave())",
    ],
)
def test_what_is_recorded_on_the_way_out_takes_back_no_exit(trace: Trace, text: str) -> None:
    assert program(f"tap.record('note')\n{LEAVING}{text}", trace).returncode == 1
    ended = trace.one("run.ended")
    assert (ended["status"], ended["error"]) == ("error", "exit status 1")


@pytest.mark.parametrize(("code", "status"), [(0, "ok"), (None, "ok"), (2, "error"), ("no", "error")])
def test_an_exit_out_of_the_block(trace: Trace, code: object, status: str) -> None:
    tap = Tap(trace.path)
    tap.record("note")
    with pytest.raises(SystemExit), tap:
        sys.exit(code)
    assert trace.one("run.ended")["status"] == status


def test_a_tap_nobody_holds_any_more(trace: Trace) -> None:
    program("tap.record('note'); del tap; import gc; gc.collect()", trace)
    assert trace.types() == ["run.started", "note", "run.ended"]


def test_exit_with_everything_on_the_thread(trace: Trace) -> None:
    program("tap.close(); tap = Tap(PATH, blocking=False)\nfor n in range(500): tap.record('note', n=n)", trace)
    assert [event["payload"]["n"] for event in trace.events("note")] == list(range(500))
    assert trace.types()[-1] == "run.ended"


def test_exit_with_a_callback(trace: Trace) -> None:
    text = (
        "import os\ntap = Tap(writer=lambda line: os.write(1, line))\nfor n in range(500): tap.record('note', n=n)"
    )
    done = program(text, trace)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["seq"] for line in lines] == list(range(502))
    assert lines[-1]["type"] == "run.ended"


@pytest.mark.parametrize("first", ["tap.record('before')", "", "tap.run(name='task').__enter__()"])
@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)"])
def test_a_fork(trace: Trace, first: str, end: str) -> None:
    program(
        f"""
import os, sys
{first}
if (child := os.fork()) == 0:
    tap.record_tool_call('in child')
    tap.record('child')
    {end}
os.waitpid(child, 0)
tap.record('parent')
""",
        trace,
    )
    found = runs(trace)
    assert len(found) == 2
    parent = next(events for events in found.values() if any(e["type"] == "parent" for e in events))
    child = next(events for events in found.values() if events is not parent)
    assert child[0]["type"] == "run.started"
    assert child[0]["payload"]["pid"] != parent[0]["payload"]["pid"]
    assert child[0]["payload"]["parent_run_id"] == (parent[0]["run_id"] if first else None)
    assert [event["type"] for event in child[1:3]] == ["tool.called", "child"]
    if "run" not in first:
        assert parent[-1]["type"] == "run.ended"
    assert sum(event["type"] == "run.ended" for event in child) == (end == "sys.exit(0)" and "run" not in first)


def test_a_fork_of_a_fork(trace: Trace) -> None:
    program(
        """
import os
tap.record('parent')
if os.fork():
    os.wait()
else:
    tap.record('child')
    if os.fork():
        os.wait()
    else:
        tap.record('grandchild')
""",
        trace,
    )
    found = {events[1]["type"]: events for events in runs(trace).values()}
    parents = {name: events[0]["payload"]["parent_run_id"] for name, events in found.items()}
    own = {name: events[0]["run_id"] for name, events in found.items()}
    assert parents == {"parent": None, "child": own["parent"], "grandchild": own["child"]}


def test_a_fork_inside_a_run_that_both_leave(trace: Trace) -> None:
    program(
        """
import os
with tap.run(name='task'):
    child = os.fork()
    tap.record('note')
if child: os.waitpid(child, 0)
""",
        trace,
    )
    found = list(runs(trace).values())
    assert [[event["type"] for event in events] for events in found] == [["run.started", "note", "run.ended"]] * 2


def test_a_fork_with_a_busy_thread_writes_nothing_twice(trace: Trace) -> None:
    program(
        """
import os
tap.close()
tap = Tap(PATH, blocking=False)
for n in range(300): tap.record('note', n=n)
child = os.fork()
tap.record('note', n=1000)
if child: os.waitpid(child, 0)
""",
        trace,
    )
    first, second = sorted(runs(trace).values(), key=len, reverse=True)
    assert [event["payload"]["n"] for event in first[1:-1]] == [*range(300), 1000]
    assert [event["type"] for event in second] == ["run.started", "note", "run.ended"]


def test_a_fork_while_another_thread_holds_the_locks(trace: Trace) -> None:
    program(
        """
import os, threading
tap.record('note')
held, done = threading.Event(), threading.Event()
def hold():
    with tap.recorder.journal._lock, tap.recorder.journal._counting, tap.recorder.journal.feeds[0]._lock:
        held.set(); done.wait(20)
threading.Thread(target=hold).start()
held.wait(20)
if (child := os.fork()) == 0:
    tap.record('child')
    os._exit(0)
os.waitpid(child, 0)
done.set()
""",
        trace,
        "-W",
        "ignore",
    )
    assert "child" in trace.types()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(trace: Trace, tmp_path: Path, method: str) -> None:
    (tmp_path / "agent.py").write_text(
        f"""
import multiprocessing, os, sys
from agenttap import Tap
tap = Tap({str(trace.path)!r})
def work(n):
    tap.record('child', n=n)
if __name__ == '__main__':
    os.environ.update(tap.environment())
    tap.record('parent')
    processes = [multiprocessing.get_context({method!r}).Process(target=work, args=(n,)) for n in range(3)]
    for p in processes: p.start()
    for p in processes: p.join()
"""
    )
    done = subprocess.run([sys.executable, tmp_path / "agent.py"], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    parent, *children = runs(trace).values()
    assert len(children) == 3
    for events in children:
        assert [event["type"] for event in events] == ["run.started", "child", "run.ended"]
        assert events[0]["payload"]["parent_run_id"] == parent[0]["run_id"]


def test_a_parent_from_the_environment(trace: Trace) -> None:
    program("tap.record('note')", trace, AGENTTAP_PARENT_RUN_ID="run-of-the-parent")
    assert trace.one("run.started")["parent_run_id"] == "run-of-the-parent"


def test_output_from_the_environment(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"pass output_path=.*AGENTTAP_OUTPUT"):
        Tap()
    monkeypatch.setenv("AGENTTAP_OUTPUT", str(trace.path))
    with Tap() as tap:
        tap.record("note")
    assert trace.types() == ["run.started", "note", "run.ended"]


def test_disabled_by_the_environment(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTTAP_DISABLED", "1")
    client = object()
    with Tap(trace.path) as tap, tap.run(), tap.tool_call("a"):
        assert tap.wrap(client) is client
        tap.record("note")
    assert not trace.path.exists()


def test_what_importing_brings_in() -> None:
    text = "import sys, agenttap; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=True)
    unwanted = {
        "click",
        "rich",
        "jmespath",
        "httpx",
        "httpx2",
        "anthropic",
        "openai",
        "asyncio",
        "pydantic",
        "trace_cli",
    }
    assert not unwanted & set(done.stdout.split())


def test_the_start_comes_first_whatever_its_metadata_does(trace: Trace) -> None:
    shown, go = threading.Event(), threading.Event()

    class Slow:
        def __repr__(self) -> str:
            if threading.current_thread() is first:
                shown.set()
                go.wait(10)
            return "slow"

    tap = Tap(trace.path, metadata={"config": Slow()})
    first = threading.Thread(target=tap.record, args=("first",))
    first.start()
    assert shown.wait(10)
    tap.record("second")  # while the first thread is still making run.started
    go.set()
    first.join()
    tap.close()
    assert trace.types() == ["run.started", "second", "first", "run.ended"]
    assert [event["seq"] for event in trace.events()] == [0, 1, 2, 3]


def test_nobody_waits_for_a_first_write_that_hangs(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, gate, write = threading.Event(), threading.Event(), os.write

    def hanging(descriptor: int, line: Any) -> int:
        if b'"run.started"' in line:
            hangs.set()
            gate.wait(20)
        return write(descriptor, line)

    monkeypatch.setattr(os, "write", hanging)
    tap = Tap(trace.path)
    first = threading.Thread(target=tap.record, args=("first",))
    first.start()
    assert hangs.wait(10)
    began = time.monotonic()
    for _ in range(100):
        tap.record("note")
    assert time.monotonic() - began < 2.5  # a twentieth of a second for each would be five
    tap.recorder.finish()
    gate.set()
    first.join()
    tap.close()
    assert trace.types() == ["run.started", *["note"] * 100, "run.ended", "first"]
    assert [event["seq"] for event in trace.events()] == list(range(103))


def test_the_longest_wait_is_also_that_for_the_start(tap: Tap) -> None:
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with tap.recorder.current_run().lock:
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    tap.record("note")
    done.set()
    holder.join()
    assert tap.stats()["longest_wait_ms"] >= 50


def test_a_start_that_an_exception_of_a_handlers_breaks_off_is_written_once(
    trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tap = Tap(trace.path)
    monkeypatch.setattr(tap.recorder.journal, "number", lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        tap.record("kept")
    monkeypatch.undo()
    tap.record("note")
    tap.close()
    assert trace.types() == ["run.started", "kept", "note", "run.ended"]


def test_metadata_that_records_while_it_is_shown(trace: Trace) -> None:
    class Recording:
        def __repr__(self) -> str:
            tap.record("shown")
            return "config"

    tap = Tap(trace.path, metadata={"config": Recording()})
    tap.record("note")
    tap.close()
    assert set(trace.types()) == {"note", "run.ended", "run.started", "shown"}
    assert len(trace.events("run.started")) == 1
    assert [event["seq"] for event in trace.events()] == list(range(len(trace.events())))


@pytest.mark.parametrize("what", ["run", "step"])
def test_generators_that_take_turns_leave_nothing_behind_that_has_ended(trace: Trace, what: str) -> None:
    def work(name: str) -> Iterator[None]:
        with tap.run(name) if what == "run" else tap.step(name):
            yield
            yield

    with Tap(trace.path) as tap:
        left, right = work("left"), work("right")
        next(left)
        next(right)
        list(left)
        tap.record("inside.right")
        list(right)
        tap.record("outside")
    names = {event[f"{what}_id"]: event["payload"]["name"] for event in trace.events(f"{what}.started")}
    names[None] = None  # outside of any step
    found = [names[event.get(f"{what}_id")] for event in trace.events("inside.right", "outside")]
    assert found == ["right", None]


def test_a_step_ends_in_the_run_in_which_it_began(trace: Trace) -> None:
    def work(name: str) -> Iterator[None]:
        with tap.run(name), tap.step(name):
            yield

    with Tap(trace.path) as tap:
        left, right = work("left"), work("right")
        next(left)
        next(right)
        list(left)
        list(right)
    types = [[event["type"] for event in events] for events in runs(trace).values()]
    assert types == [["run.started", "step.started", "step.ended", "run.ended"]] * 2


def test_a_task_that_outlives_its_step(trace: Trace) -> None:
    async def main() -> None:
        with tap.step("outer") as outer:
            with tap.step("inner") as inner:
                task = asyncio.create_task(work())
                await asyncio.sleep(0)
            gate.set()
            await task
        assert [event["step_id"] for event in trace.events("note")] == [inner.step_id, outer.step_id]

    async def work() -> None:
        tap.record("note")
        await gate.wait()
        tap.record("note")

    gate = asyncio.Event()
    with Tap(trace.path) as tap:
        asyncio.run(main())


@pytest.mark.parametrize("what", ["run", "step"])
@pytest.mark.parametrize("overlap", [False, True])
def test_a_job_that_plans_its_successor_leaves_nothing_behind(trace: Trace, what: str, overlap: bool) -> None:
    async def job(left: int, begun: asyncio.Event) -> None:
        with tap.run("job") if what == "run" else tap.step("job"):
            begun.set()
            alive.append(sum(type(one) is Scope for one in gc.get_objects()))
            if left:
                successor = asyncio.Event()
                jobs.append(asyncio.create_task(job(left - 1, successor)))
                if overlap:
                    await successor.wait()

    async def main() -> None:
        jobs.append(asyncio.create_task(job(50, asyncio.Event())))
        while jobs:
            await jobs.pop(0)

    alive, jobs = list[int](), list[asyncio.Task[None]]()
    with Tap(trace.path) as tap:
        asyncio.run(main())
    assert len(alive) == 51
    assert alive[-1] < alive[0] + 10


def test_a_worker_of_many_runs_is_told_once_to_close(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    import multiprocessing.process
    import multiprocessing.util

    asked = []
    monkeypatch.setattr(multiprocessing.process, "parent_process", lambda: object())
    monkeypatch.setattr(multiprocessing.util, "Finalize", lambda *args, **more: asked.append(args))
    with Tap(trace.path) as tap:
        for _ in range(5):
            with tap.run():
                tap.record("note")
    assert len(asked) == 1


def test_a_signal_handler_may_record_at_any_moment(trace: Trace) -> None:
    text = """
import signal
def handler(*args):
    tap.record_tool_result("search", 1, call_id=tap.record_tool_call("search"))
    signal.setitimer(signal.ITIMER_REAL, 0.0003)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0003)
for n in range(2000):
    call = tap.record_tool_call("other")
    tap.record_tool_result("other")
signal.signal(signal.SIGALRM, signal.SIG_IGN)
"""
    assert program(text, trace).returncode == 0
    assert [event["seq"] for event in trace.events()] == list(range(len(trace.events())))


@pytest.mark.parametrize("result", [b'{"a":\n1}', b"[]", b"{", b"", None, "text", b'{"a":1}trailing}'])
def test_a_redaction_that_gives_no_object_on_one_line(trace: Trace, result: Any) -> None:
    with Tap(trace.path, redact=lambda raw: result if b"planted" in raw else raw) as tap:
        tap.record("note", text="planted")
    assert trace.types() == ["run.started", "note", "run.ended"]
    assert trace.one("note")["left_out"] == "redaction failed"


def test_a_redaction_that_records(trace: Trace) -> None:
    def redact(raw: bytes) -> bytes:
        tap.record("redacting")
        return raw

    with Tap(trace.path, redact=redact) as tap:
        tap.record("note")
    assert {"note", "redacting"} < set(trace.types())
    assert len(trace.events()) < 10
