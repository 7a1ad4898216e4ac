"""Everything that can happen to a process and its disk, with real ones: what was recorded is there afterwards.

Slow: `make test-faults`.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from agenttap import Tap
from fakeapi import MESSAGE, STREAM, Server, Wire, plain, stream
from test_tap_rotation import everything
from traced import Trace

pytestmark = pytest.mark.faults

RUNS, MAY_LOSE = 100, 5
KB = 1024


def run(program: str, *arguments: str, status: int = 0, timeout: float = 300) -> str:
    """Run a program of its own that must not say anything on stderr but for the tap's own lines; return those."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


# --- killed ----------------------------------------------------------------------------------------------------

# Forks a child for each run, which kills itself or is killed. What the SDK makes and imports when it is first used
# is here before: only what is recorded, and what stands beside it, takes the time of a child.
MANY = """
import os, signal, sys, threading, time
from agenttap import Tap
folder, url, runs, size, beside, kind = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:]
if kind != "tool":
    import anthropic
    ask = dict(model="m", max_tokens=1, messages=[{"role": "user", "content": "first"}])
    with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as other:
        other.messages.create(**ask)
        with other.messages.stream(**ask) as events: events.until_done()
    client = anthropic.Anthropic(api_key="k", base_url=url, max_retries=0)

def busy():
    while True: pass

def child(n):
    if beside == "busy":
        threading.Thread(target=busy, daemon=True).start()
    tap = Tap(f"{folder}/{n}.jsonl")
    put = tap.recorder.journal.put
    def measured(record):
        put(record)
        if tap.stats()["longest_wait_ms"] > 20: open(f"{folder}/{n}.waited", "w").close()
    tap.recorder.journal.put = measured
    text = f"{n} " + "x" * size
    if kind == "tool":
        for k in range(5):
            tap.record_tool_call("work", {"k": k, "text": text})
            tap.record_tool_result("work", text)
    else:
        tap.wrap(client)
        ask = dict(model="m", max_tokens=1, messages=[{"role": "user", "content": text}])
        client.messages.create(**ask)
        if kind == "request":
            client.messages.create(**ask, extra_headers={"x-kill": str(os.getpid())})
        elif kind == "stream":
            with client.messages.stream(**ask) as events: events.until_done()
            time.sleep(0.2)  # what the writer thread is allowed
    os.kill(os.getpid(), signal.SIGKILL)

for n in range(runs):
    pid = os.fork()
    if pid == 0:
        try: child(n)
        finally: os._exit(7)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
"""


def kill_or_answer(size: int) -> Any:
    """Answer with a message of that size, or kill whoever asked to be killed when the request is here."""
    whole = plain({**MESSAGE, "content": [{"type": "text", "text": "y" * size}]})
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "y" * 1000}}
    streamed = stream(*STREAM[:4], *[text] * (size // 1000), *STREAM[4:])

    def reply(wire: Wire) -> None:
        if "x-kill" in wire.request.headers:
            os.kill(int(wire.request.headers["x-kill"]), signal.SIGKILL)
        elif b'"stream":true' in wire.request.body.replace(b": ", b":"):
            streamed(wire)
        else:
            whole(wire)

    return reply


def complete(folder: Path, ends: list[str]) -> list[Trace]:
    """The traces that end with these types, which all must that had no bad luck.

    An agent waits for 20 ms at most. Where the machine stands still for longer, an event is left to the thread,
    and is lost with it: that may be a few times, in children that measured such a wait themselves.
    """
    found = []
    for n in range(RUNS):
        trace = Trace(folder / f"{n}.jsonl")
        if trace.types()[-len(ends) :] == ends:
            found.append(trace)
        else:
            assert (folder / f"{n}.waited").exists(), (n, trace.types())
    assert len(found) >= RUNS - MAY_LOSE
    return found


class Always(list[Any]):
    """Replies that never run out."""

    def popleft(self) -> Any:
        return self[0]


@pytest.mark.parametrize("beside", ["alone", "busy"])
@pytest.mark.parametrize("size", [1 * KB, 4 * KB, 32 * KB, 256 * KB])
@pytest.mark.parametrize("kind", ["tool", "request", "response"])
def test_killed(tmp_path: Path, server: Server, kind: str, size: int, beside: str) -> None:
    """SIGKILL straight after the last tool event or plain response, or when the server has the last request."""
    server.replies = Always([kill_or_answer(size)])  # type: ignore[assignment]
    run(MANY, str(tmp_path), server.url, str(RUNS), str(size), beside, kind)
    expected = {
        "tool": ["run.started", *["tool.called", "tool.result"] * 5],
        "request": ["run.started", "model.request", "model.response", "model.request"],
        "response": ["run.started", "model.request", "model.response"],
    }[kind]
    for trace in complete(tmp_path, expected):
        assert trace.types() == expected
        assert trace.raw.endswith(b"\n")
        assert trace.path.stem in json.dumps(trace.events()[1]["payload"])


@pytest.mark.parametrize("beside", ["alone", "busy"])
@pytest.mark.parametrize("size", [1 * KB, 256 * KB])
def test_killed_a_moment_after_a_stream(tmp_path: Path, server: Server, size: int, beside: str) -> None:
    server.replies = Always([kill_or_answer(size)])  # type: ignore[assignment]
    runs = 20
    run(MANY, str(tmp_path), server.url, str(runs), str(size), beside, "stream")
    for n in range(runs):
        trace = Trace(tmp_path / f"{n}.jsonl")
        assert trace.types() == ["run.started", *["model.request", "model.response"] * 2]
        streamed = trace.events()[-1]["payload"]
        assert (streamed["stream"], streamed["complete"]) == (True, True)
        assert streamed["body"]["content"][0]["text"] == "Hello" + "y" * (size // 1000 * 1000) + " there"


@pytest.mark.parametrize("beside", ["alone", "busy"])
def test_killed_straight_after_what_follows_a_stream(tmp_path: Path, server: Server, beside: str) -> None:
    """The tool that kills the process: memory, most often."""
    server.replies = Always([kill_or_answer(1 * KB)])  # type: ignore[assignment]
    program = MANY.replace(
        "time.sleep(0.2)  # what the writer thread is allowed", 'tap.record_tool_call("work", {})'
    )
    run(program, str(tmp_path), server.url, str(RUNS), str(1 * KB), beside, "stream")
    complete(tmp_path, ["model.response", "tool.called"])


@pytest.mark.parametrize(
    "end", ["os._exit(0)", "os.kill(os.getpid(), signal.SIGTERM)", "os.abort()", "sys.exit(0)", ""]
)
def test_other_ends(trace: Trace, end: str) -> None:
    program = f"""
import os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from agenttap import Tap
tap = Tap(sys.argv[1])
for n in range(100): tap.record("note", n=n, text="x" * 10_000)
{end}
"""
    status = {"os.k": -signal.SIGTERM, "os.a": -signal.SIGABRT}.get(end[:4], 0)
    assert run(program, str(trace.path), status=status) == ""
    ended = ["run.ended"] if end[:3] in ("sys", "") else []
    assert trace.types() == ["run.started", *["note"] * 100, *ended]


def drop_half_a_line(path: Path) -> None:
    """A kill in the middle of write(2) may leave a part of the line: the event was not recorded yet."""
    if path.exists():
        raw = path.read_bytes()
        path.write_bytes(raw[: raw.rfind(b"\n") + 1])


def test_killed_while_it_rotates(tmp_path: Path) -> None:
    """At any moment: no event that was recorded is missing, and none is there twice but in a file and its .gz."""
    program = """
import os, sys
from agenttap import Tap
tap = Tap(sys.argv[1] + "/run.jsonl", rotate_bytes=50_000)
for n in range(100_000):
    tap.record("note", n=n, text="x" * 5000)
    os.write(1, b"%d\\n" % n)
"""
    for attempt in range(10):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            last = -1
            while last < 100 + 37 * attempt:
                last = int(process.stdout.readline())
            process.kill()
            last = int((process.stdout.read().split() or [last])[-1])
        drop_half_a_line(folder / "run.jsonl")
        numbers = [event["payload"]["n"] for event in everything(folder) if event["type"] == "note"]
        assert numbers[: last + 1] == list(range(last + 1))
        assert len(numbers) <= last + 2  # the last one may not have been told


# --- processes -------------------------------------------------------------------------------------------------


def test_four_processes_and_one_rotating_file(tmp_path: Path) -> None:
    program = """
import sys
from agenttap import Tap
with Tap(sys.argv[1] + "/run.jsonl", rotate_bytes=15_000_000) as tap:
    for n in range(12): tap.record("note", n=n, text="x" * 5_000_000)  # as much as may wait for a slow disk
"""
    processes = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(4)]
    assert [process.wait(300) for process in processes] == [0] * 4
    by_run: dict[str, list[int]] = {}
    for event in everything(tmp_path):  # fails at a bad line
        by_run.setdefault(event["run_id"], []).append(event["seq"])
    # In the order of the names also the order is right.
    assert list(by_run.values()) == [list(range(14))] * 4
    # 240 MB, and a file may get a line of each process beyond its 15 MB, as they look before they write.
    assert len(list(tmp_path.glob("run.*.jsonl*"))) >= 7


APP = """
import os, sys
from agenttap import Tap
tap = Tap(os.environ["TRACE"], name="server", rotate_bytes=20_000)
if os.environ["FIRST"]:
    tap.record("before the fork")

@tap.tool
def work(number):
    return {"number": number, "text": "x" * 500}

def app(environ, start_response):
    with tap.run(name=environ["PATH_INFO"]):
        work(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.mark.parametrize("first", ["", "1"])
def test_a_pre_forking_server(tmp_path: Path, first: str) -> None:
    """gunicorn with the tap made before its workers are forked."""
    (tmp_path / "app.py").write_text(APP)
    folder = tmp_path / "trace"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--threads", "4"]
    options = ["--bind", f"127.0.0.1:{port}", "--worker-tmp-dir", str(tmp_path), "app:app"]
    environment = os.environ | {"TRACE": str(folder / "run.jsonl"), "FIRST": first}
    with subprocess.Popen([*command, *options], cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        booted = 0
        while booted < 3:
            booted += b"Booting worker" in process.stderr.readline()
        with ThreadPoolExecutor(12) as pool:
            paths = [f"/{n}" for n in range(300)]
            answers = list(
                pool.map(lambda path: urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").read(), paths)
            )
        assert answers == [b"ok"] * 300
        process.terminate()
        process.stderr.read()
        assert process.wait(60) == 0
    events = everything(folder)
    by_run: dict[str, list[Any]] = {}
    for event in events:
        by_run.setdefault(event["run_id"], []).append(event)
    tasks = {
        each[0]["payload"]["name"]: each for each in by_run.values() if each[0]["payload"]["name"] != "server"
    }
    assert sorted(tasks) == sorted(paths)
    for each in tasks.values():
        assert [event["type"] for event in each] == ["run.started", "tool.called", "tool.result", "run.ended"]
        assert [event["seq"] for event in each] == [0, 1, 2, 3]
    assert len({each[0]["payload"]["pid"] for each in tasks.values()}) > 1  # several workers had a part in it


def test_threads(trace: Trace) -> None:
    """32, each with a run of its own, beside the default run that all of them add to."""

    def work(n: int) -> None:
        with tap.run(name=str(n)):
            for k in range(50):
                with tap.tool_call("work", {"n": n, "k": k, "text": "x" * 1000 * (k % 30)}) as call:
                    call.result = n

    with Tap(trace.path) as tap:
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(work, range(32)))
        assert tap.stats()["dropped"] == 0
    by_run: dict[str, list[Any]] = {}
    for event in trace.events():
        by_run.setdefault(event["run_id"], []).append(event)
    assert all([event["seq"] for event in each] == list(range(len(each))) for each in by_run.values())
    assert Counter(map(len, by_run.values()))[102] == 32
    for each in by_run.values():
        ids = [event["call_id"] for event in each if event["type"] == "tool.called"]
        assert ids == [event["call_id"] for event in each if event["type"] == "tool.result"]


def test_a_thousand_tasks(trace: Trace) -> None:
    async def work(tap: Tap, n: int) -> None:
        async with tap.run(name=str(n)), tap.tool_call("work", {"n": n}) as call:
            await asyncio.sleep(0)
            call.result = n
            await asyncio.sleep(0)

    async def main(tap: Tap) -> None:
        await asyncio.gather(*(work(tap, n) for n in range(1000)))

    with Tap(trace.path) as tap:
        asyncio.run(main(tap))
    by_run: dict[str, list[Any]] = {}
    for event in trace.events():
        by_run.setdefault(event["run_id"], []).append(event)
    assert len(by_run) == 1000
    for each in by_run.values():
        assert [event["seq"] for event in each] == [0, 1, 2, 3]
        assert str(each[2]["payload"]["result"]) == each[0]["payload"]["name"]


# --- disks -----------------------------------------------------------------------------------------------------


def test_a_full_disk_while_files_are_rotated(tmp_path: Path) -> None:
    """No room for what is to be compressed either: a limit on the size of files, then none."""
    program = """
import resource, signal, sys, threading
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from agenttap import Tap
tap = Tap(sys.argv[1] + "/run.jsonl", rotate_bytes=30_000)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (40, hard))
for n in range(200): tap.record("note", n=n, text="x" * 1000)
assert not tap.flush(0.2)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert tap.flush(20)
tap.close()
for thread in threading.enumerate():
    if thread.name == "agenttap-gzip": thread.join(30)
"""
    assert run(program, str(tmp_path)).count("cannot write") == 1
    assert len(list(tmp_path.glob("run.*.jsonl.gz"))) > 3
    numbers = [event["payload"]["n"] for event in everything(tmp_path, torn=1) if event["type"] == "note"]
    assert numbers == list(range(200))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder for everybody: pytest's own are for its user only."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_a_read_only_file(open_folder: Path) -> None:
    path = open_folder / "run.jsonl"
    path.write_bytes(b"")
    path.chmod(0o444)
    program = """
import os, sys
from agenttap import Tap
if os.getuid() == 0: os.setuid(65534)  # nobody: to root no file is read-only
tap = Tap(sys.argv[1])
for n in range(10): tap.record("note", n=n)
print("recorded", flush=True)
sys.stdin.readline()
assert tap.flush(20)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "recorded\n"
        assert path.read_bytes() == b""
        path.chmod(0o666)
        process.stdin.write("\n")
        process.stdin.flush()
        said = process.stderr.read()
        assert process.wait(60) == 0, said
    assert said.count("agenttap") == 1
    assert "Permission denied" in said
    assert Trace(path).types() == ["run.started", *["note"] * 10, "run.ended"]


@pytest.mark.parametrize("blocking", [True, False])
def test_a_file_system_that_hangs(trace: Trace, blocking: bool) -> None:
    """One write waits with it, every other thread goes on; what is too much meanwhile is counted."""
    program = f"""
import os, sys, threading, time
from agenttap import Tap
tap = Tap(sys.argv[1], blocking={blocking}, max_queue_bytes=3_000_000)
tap.record("before")
tap.flush()
gate, hung, real = threading.Event(), threading.Event(), os.write
def write(fd, data):
    if fd != 2 and (b"agenttap" not in threading.current_thread().name.encode() or not {blocking}):
        hung.set()
        gate.wait()
    return real(fd, data)
os.write = write
first = threading.Thread(target=tap.record, args=("note",), kwargs=dict(n=0))
first.start()
assert hung.wait(20)
if {blocking}: assert first.is_alive()
else: first.join()
waits = []
for n in range(1, 1001):
    began = time.monotonic()
    tap.record("note", n=n, text="x" * 5000)
    waits.append(time.monotonic() - began)
os.write = real
gate.set()
first.join()
assert tap.flush(30)
assert sorted(waits)[500] < 0.005, sorted(waits)[500]
print(tap.stats()["dropped"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(trace.path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    dropped = int(done.stdout)
    assert dropped > 100
    notes = [event["payload"]["n"] for event in trace.events("note")]
    (gap,) = trace.events("tap.dropped")
    assert gap["payload"]["count"] == dropped
    assert len(notes) + dropped == 1001
    # Each number is there, or lies in the gap.
    seqs = [event["seq"] for event in trace.events() if event["type"] != "tap.dropped"]
    lost = list(range(gap["payload"]["from_seq"], gap["payload"]["to_seq"] + 1))
    assert sorted(seqs + lost) == list(range(len(seqs) + dropped))
    assert trace.one("run.ended")["dropped"] == dropped


# --- payloads, and the end of the interpreter ------------------------------------------------------------------


def test_a_result_of_200_megabytes(trace: Trace) -> None:
    with Tap(trace.path) as tap:
        tap.record_tool_call("read", {"path": "everything"})
        tap.record_tool_result("read", "é" * 100_000_000)
        tap.record("after")
    payload = trace.one("tool.result")
    assert payload["truncated"] is True
    assert payload["bytes"] > 100_000_000  # at least: its characters were counted, not encoded
    assert trace.types() == ["run.started", "tool.called", "tool.result", "after", "run.ended"]


def test_the_interpreter_goes_down(trace: Trace) -> None:
    """Recording from finalisers, from threads that are still at it, and after the tap was closed by the exit."""
    program = """
import atexit, sys, threading, time
from agenttap import Tap
tap = None
atexit.register(lambda: tap.record("too late"))
tap = Tap(sys.argv[1])
class Last:
    def __init__(self): self.tap = tap
    def __del__(self): self.tap.record("finalised")
last = Last()
last.cycle = last
def work():
    while True: tap.record("note", text="x" * 1000)
for _ in range(4): threading.Thread(target=work, daemon=True).start()
while tap.stats()["written"] < 100: time.sleep(0.01)
"""
    for _ in range(20):
        for line in run(program, str(trace.path)).splitlines():
            assert "the tap is closed" in line or "could not be written" in line
        events = trace.events()
        assert [event["type"] for event in events].count("run.ended") == 1
        assert [event["seq"] for event in events] == list(range(len(events)))
        trace.path.unlink()


def test_many_runs_leave_nothing_behind(trace: Trace) -> None:
    """Memory stays flat, also with a sink that loses events all the time."""
    program = """
import gc, sys, threading, tracemalloc
from agenttap import Tap
tap = Tap(sys.argv[1], sinks=[lambda line: threading.Event().wait()], max_queue_bytes=10_000)
def some(count):
    for n in range(count):
        with tap.run(name=str(n)), tap.tool_call("work", {"n": n}): pass
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
some(500)
tracemalloc.start()
before = some(500)
after = some(3000)
print(tap.stats()["dropped"] > 15_000, after - before, flush=True)
import os; os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(trace.path)], capture_output=True, text=True, timeout=60
    )
    dropped, grown = done.stdout.split()
    assert dropped == "True"
    assert int(grown) < 200_000
