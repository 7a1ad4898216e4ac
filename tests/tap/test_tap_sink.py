"""Where lines go, and what happens when they cannot: nothing is lost silently, and the agent never hears of it."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from agenttap import Tap, guard
from agenttap import feed as feed_module
from agenttap import tap as tap_module
from agenttap.backlog import OVERHEAD, Record
from agenttap.event import NOWHERE
from agenttap.feed import HELP
from agenttap.file import FileSink
from agenttap.journal import Journal
from agenttap.run import Run
from agenttap.sink import CallbackSink
from agenttap.wanted import Wanted
from traced import Trace, parsed


@pytest.fixture(autouse=True)
def _speak_again() -> None:
    """What was said on stderr in one test may be said again in the next."""
    guard._told.clear()


class Gated:
    """An output whose writes wait for a gate, or fail while `failing`."""

    direct: bool = True
    patience: int | None = None
    name = "gated"
    calling: int | None = None
    wanted: Wanted | None = None

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.stuck = False
        self.entered = threading.Event()
        self.failing: Exception | None = None
        self.failed = threading.Event()
        self.lines: list[dict[str, Any]] = []
        self.closed = False

    def write(self, line: bytes) -> None:
        self.entered.set()
        if not self.gate.wait(20):
            self.stuck = True
        if self.failing is not None:
            self.failed.set()
            raise self.failing
        self.lines.append(json.loads(line))
        self.closed = False  # as a file is opened again

    def has(self, line: bytes) -> bool:
        return json.loads(line) in self.lines

    def reset(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def note(run: Run, size: int = 10, **payload: Any) -> Record:
    return Record(run, "note", None, NOWHERE, json.dumps(payload).encode(), size)


def queue(journal: Journal, record: Record) -> None:
    """Let an event wait, as if there had been no time to write it."""
    journal._intake.append(record)
    journal.number()


def seqs(lines: list[dict[str, Any]]) -> list[int]:
    return [line["seq"] for line in lines]


def test_a_line_is_there_when_the_call_returns(tap: Tap, trace: Trace) -> None:
    for n in range(100):
        tap.record("note", n=n)
        assert trace.events()[-1]["payload"] == {"n": n}
    assert tap.recorder.journal.feeds[0]._thread is None  # none was needed


def test_a_line_is_one_write(tap: Tap, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    tap.record("note")
    sizes: list[int] = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: (sizes.append(len(data)), real(fd, data))[1])
    tap.record("note", text="x" * 5_000_000)
    monkeypatch.undo()
    assert sizes == [len(trace.raw.splitlines(keepends=True)[-1])]


def test_folders_and_modes(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "run.jsonl"
    with Tap(path) as tap:
        tap.record("note")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_relative_path_outlives_chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Tap("run.jsonl") as tap:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        tap.record("note")
    assert (tmp_path / "run.jsonl").exists()


@pytest.mark.parametrize("tail", [b'{"v":1,"type":"to', b'{"v":1}\n', b""])
def test_an_unterminated_tail_is_healed(trace: Trace, tail: bytes) -> None:
    trace.path.parent.mkdir()
    trace.path.write_bytes(tail)
    with Tap(trace.path) as tap:
        tap.record("note")
    first, *rest = trace.raw.splitlines(keepends=True)
    assert trace.raw.startswith(tail)
    if tail:
        assert first == tail.rstrip(b"\n") + b"\n"
    assert all(json.loads(line) for line in rest)
    assert len(trace.raw.splitlines()) == 3 + bool(tail)


def test_a_short_write_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FileSink(tmp_path / "f")
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    file.write(b"abcdefgh\n")
    assert (tmp_path / "f").read_bytes() == b"abcdefgh\n"


def test_a_write_that_breaks_off_spoils_no_other_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FileSink(tmp_path / "f")
    real, calls = os.write, iter(range(10))

    def write(fd: int, data: bytes) -> int:
        if next(calls) == 1:
            raise OSError(28, "No space left on device")
        return real(fd, data[:3])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        file.write(b"abcdefgh\n")
    monkeypatch.undo()
    file.write(b"abcdefgh\n")
    assert (tmp_path / "f").read_bytes() == b"abc\nabcdefgh\n"


def test_a_fragment_is_ended_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with room for three bytes, then for one, then for all."""
    file, real, room = FileSink(tmp_path / "f"), os.write, [3, 0, 1, 0, 0]

    def write(fd: int, data: bytes) -> int:
        fits = room.pop(0) if room else len(data)
        if not fits:
            raise OSError(28, "No space left on device")
        return real(fd, data[:fits])

    monkeypatch.setattr(os, "write", write)
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            file.write(b"abcdefgh\n")
    file.write(b"abcdefgh\n")
    file.write(b"ijk\n")
    assert (tmp_path / "f").read_bytes() == b"abc\nabcdefgh\nijk\n"


@pytest.mark.parametrize("reused", [True, False])
def test_a_descriptor_that_the_agent_has_closed(trace: Trace, tmp_path: Path, reused: bool) -> None:
    """As a daemon does with all that it inherits. The number may be the agent's own file by then."""
    own = tmp_path / "own"
    program = f"""
import os
from agenttap import Tap
tap = Tap({str(trace.path)!r})
tap.record("one")
number = tap.recorder.journal.feeds[0].sink._fd
os.closerange(3, 64)
if {reused}:
    own = os.open({str(own)!r}, os.O_RDWR | os.O_CREAT)
    os.dup2(own, number)
tap.record("two")
if {reused}:
    os.dup2(own, tap.recorder.journal.feeds[0].sink._fd)
tap.close()
if {reused}:
    os.fstat(number), os.fstat(own)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert trace.types() == ["run.started", "one", "two", "run.ended"]
    if reused:
        assert own.read_bytes() == b""


@pytest.mark.parametrize("read", [True, False])
def test_a_pipe_that_nobody_reads(tmp_path: Path, read: bool) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    program = f"""
import sys, time
from agenttap import Tap
tap = Tap({str(path)!r})
tap.record("note", text="x" * 200_000)
print("went on", flush=True)
sys.stdin.read()
assert not {read} or tap.flush(20)
began = time.monotonic()
tap.close()
assert time.monotonic() - began < 10
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "went on\n"
            if read:
                with path.open("rb") as reader:
                    process.stdin.close()
                    lines = [json.loads(line) for line in reader.read().splitlines()]
                assert [line["type"] for line in lines] == ["run.started", "note", "run.ended"]
            else:
                process.stdin.close()
            assert process.wait(60) == 0
        finally:
            process.kill()


def pipe(tmp_path: Path) -> tuple[Path, int]:
    """A pipe and its reader, who does not wait."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path, os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def test_a_pipe_whose_reader_is_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it took of a line is not handed over again."""
    monkeypatch.setattr("agenttap.file.PIPE_WAIT", 0)
    path, reader = pipe(tmp_path)
    sink, read = FileSink(path), b""
    lines = [b"%d" % n * size + b"\n" for n, size in enumerate((10, 300_000, 4095, 65_535, 70_000, 1_000_000, 1))]
    for line in lines:
        while True:
            try:
                sink.write(line)
                break
            except BlockingIOError:
                read += os.read(reader, 50_000)
    sink.close()
    while piece := os.read(reader, 100_000):
        read += piece
    os.close(reader)
    assert read == b"".join(lines)


def test_events_through_a_pipe_whose_reader_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It reads only when the writer could not go on. What finds no room in the queue is told of, on one line."""
    monkeypatch.setattr("agenttap.file.PIPE_WAIT", 0)
    monkeypatch.setattr("agenttap.feed.RETRY_FIRST", 0.001)
    path, reader = pipe(tmp_path)
    stuck, read = threading.Event(), []

    class Sink(FileSink):
        def write(self, line: bytes) -> None:
            try:
                super().write(line)
            except BlockingIOError:
                stuck.set()
                raise

    def slowly() -> None:
        while not closed.is_set():
            if stuck.wait(0.01):
                stuck.clear()
                read.append(os.read(reader, 65_536))

    closed = threading.Event()
    thread = threading.Thread(target=slowly)
    tap = Tap(sinks=[Sink(path)], max_queue_bytes=2_000_000)
    for n in range(10):
        tap.record("note", n=n, text="x" * 300_000)
    thread.start()
    assert tap.flush(30)
    tap.close()
    closed.set()
    thread.join()
    os.set_blocking(reader, True)
    while piece := os.read(reader, 65_536):
        read.append(piece)
    os.close(reader)
    events = [json.loads(line) for line in b"".join(read).splitlines()]
    (gap,) = [event["payload"] for event in events if event["type"] == "tap.dropped"]
    assert seqs(events) == [n for n in range(12) if not gap["from_seq"] <= n < gap["to_seq"]]
    assert gap["count"] == tap.stats()["dropped"]
    assert capfd.readouterr().err.count("cannot write") == 1  # not for each line


def test_a_line_that_a_pipe_took_half_of_is_ended_for_another_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agenttap.file.PIPE_WAIT", 0)
    path, reader = pipe(tmp_path)
    sink, line = FileSink(path), b"x" * 100_000 + b"\n"
    with pytest.raises(BlockingIOError):
        sink.write(line)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        sink.write(line)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        sink.write(line)
    read = os.read(reader, 10)
    assert read == b"\n" + b"x" * 9
    read += os.read(reader, 100_000)
    # Another line in its place: what was taken of the first is ended.
    sink.write(b"other\n")
    sink.close()
    read += os.read(reader, 100_000)
    os.close(reader)
    torn, other = read.splitlines()[1:]
    assert set(torn) == {ord("x")}
    assert other == b"other"


def test_an_exception_in_the_middle_of_a_write_to_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a signal handler raises it, where the agent's thread must write because there is no other."""
    path, reader = pipe(tmp_path)
    sink, real = FileSink(path), os.write

    def write(fd: int, data: bytes) -> int:
        real(fd, data[:3])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(KeyboardInterrupt):
        sink.write(b"first\n")
    monkeypatch.undo()
    assert sink.has(b"first\n")  # nobody knows; once too few is better than twice
    sink.write(b"second\n")
    monkeypatch.setattr("agenttap.file.PIPE_WAIT", 0)
    line = b"x" * 100_000 + b"\n"
    with pytest.raises(BlockingIOError):
        sink.write(line)
    assert not sink.has(line)
    read = os.read(reader, 100_000)
    sink.write(line)
    read += os.read(reader, 100_000)
    assert read.splitlines() == [b"fir", b"second", line[:-1]]
    sink.close()
    os.close(reader)


def test_a_full_disk_that_has_room_again(trace: Trace) -> None:
    """A real limit of the operating system, in a process of its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from agenttap import Tap
tap = Tap({str(trace.path)!r})
tap.record("before")
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
for n in range(50): tap.record("note", n=n, text="x" * 100)
assert not tap.flush(0.2)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert tap.flush(10)
tap.record("after")
""",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot write") == 1
    events = parsed(trace.raw.splitlines(), torn=1)
    assert seqs(events) == list(range(54))
    assert [event["payload"]["n"] for event in events if event["type"] == "note"] == list(range(50))


def test_a_path_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    tap = Tap(tmp_path / "file" / "run.jsonl")
    for _ in range(5):
        tap.record("note")
    assert tap.stats()["written"] == 0
    (tmp_path / "file").unlink()
    assert tap.flush(10)  # tried again
    tap.close()
    assert len((tmp_path / "file" / "run.jsonl").read_text().splitlines()) == 7
    assert capfd.readouterr().err.count("cannot write") == 1


def test_what_could_not_be_written_at_the_end_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    tap = Tap(tmp_path / "file" / "run.jsonl")
    tap.record("note")
    began = time.monotonic()
    tap.close()
    assert time.monotonic() - began < 4
    assert "3 events could not be written" in capfd.readouterr().err
    assert tap.stats()["dropped"] == 3


@pytest.mark.parametrize("what", ["folder", "file", "renamed"])
def test_a_file_that_vanishes_is_made_again(tap: Tap, trace: Trace, what: str) -> None:
    tap.record("before")
    if what == "folder":
        shutil.rmtree(trace.path.parent)
    elif what == "file":
        trace.path.unlink()
    else:
        trace.path.rename(trace.path.with_suffix(".old"))
    tap.record("after")
    assert trace.types() == ["after"]
    assert stat.S_IMODE(trace.path.stat().st_mode) == 0o600


def test_many_threads(trace: Trace) -> None:
    with Tap(trace.path) as tap, ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda n: tap.record("note", n=n, text="x" * n), range(2000)))
    assert seqs(trace.events()) == list(range(2002))
    assert sorted(event["payload"]["n"] for event in trace.events("note")) == list(range(2000))


def test_several_processes_on_one_file(trace: Trace) -> None:
    text = f"""
from agenttap import Tap
with Tap({str(trace.path)!r}) as tap:
    for n in range(30): tap.record("note", n=n, text="x" * 300_000)
"""
    processes = [subprocess.Popen([sys.executable, "-c", text]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    by_run: dict[str, list[int]] = {}
    # An empty line may stand where a process found another one in the middle of its line.
    for event in map(json.loads, filter(None, trace.raw.splitlines())):
        by_run.setdefault(event["run_id"], []).append(event["seq"])
    assert list(by_run.values()) == [list(range(32))] * 4


# --- the lock, the queue and the thread ------------------------------------------------------------------------


def test_nobody_waits_for_a_write_that_hangs() -> None:
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    output.gate.clear()
    hanging = threading.Thread(target=journal.put, args=(note(run, n=0),))
    hanging.start()
    assert output.entered.wait(10)
    waits = []
    for n in range(1, 50):
        began = time.monotonic()
        journal.put(note(run, n=n))
        waits.append(time.monotonic() - began)
    assert not output.stuck
    assert sorted(waits)[25] < 0.005  # only the first waits for the lock at all
    output.gate.set()
    hanging.join()
    assert journal.flush(10)
    assert seqs(output.lines) == list(range(50))
    assert [line["payload"]["n"] for line in output.lines] == list(range(50))
    journal.put(note(run, n=50))
    journal.close()
    assert len(output.lines) == 51


def test_after_one_slow_write_the_next_is_at_once() -> None:
    """The machine may have stood still, and not the sink: and the agent may be killed at any moment."""
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    journal.feeds[0].start = lambda: True  # type: ignore[method-assign]  # no thread takes part
    for n in range(3):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("agenttap.feed.SLOW_WRITE", -1)
            journal.put(note(run))
        journal.put(note(run))
        assert len(output.lines) == 2 * n + 2


def test_a_write_is_waited_for_once() -> None:
    """However long it takes already: it may be done, and the writer wait for the interpreter only."""
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    journal.feeds[0].start = lambda: True  # type: ignore[method-assign]  # no thread takes part
    output.gate.clear()
    writing = threading.Thread(target=journal.put, args=(note(run),))
    writing.start()
    assert output.entered.wait(10)
    feed = journal.feeds[0]
    assert feed._began is not None
    feed._began -= 10
    waits: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        real = feed_module.holding

        def holding(lock: Any, timeout: float, *rest: Any, **named: Any) -> Any:
            if lock is feed._lock:
                waits.append(timeout)
            return real(lock, timeout, *rest, **named)

        patch.setattr(feed_module, "holding", holding)
        for _ in range(3):
            journal.put(note(run))
    assert waits == [feed_module.LOCK_WAIT, 0, 0]
    output.gate.set()
    writing.join()
    journal.put(note(run))
    assert seqs(output.lines) == list(range(5))


def test_after_slow_writes_the_thread_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    monkeypatch.setattr("agenttap.feed.SLOW_WRITE", -1)
    journal.put(note(run))
    journal.put(note(run))
    monkeypatch.undo()
    output.gate.clear()
    journal.put(note(run))
    assert not output.stuck  # it would have hung there
    output.gate.set()
    assert journal.flush(10)
    writers: list[str] = []
    write = output.write
    monkeypatch.setattr(
        output, "write", lambda line: (writers.append(threading.current_thread().name), write(line))
    )
    journal.put(note(run))
    assert writers == ["MainThread"]  # once drained, at once again
    assert seqs(output.lines) == [0, 1, 2, 3]
    journal.close()


def test_loss_is_an_event_where_it_happened() -> None:
    output, run, other = Gated(), Run(None, None, None, None), Run(None, None, None, None)
    journal = Journal([output], max_queue_bytes=10 * (10 + OVERHEAD))
    output.failing = OSError(28, "No space left on device")
    for n in range(25):
        journal.put(note(run, n=n))
    journal.put(note(other))
    assert output.failed.wait(10)
    output.failing = None
    assert journal.flush(10)
    journal.put(note(run, n=25))
    journal.put(Record(run, "run.ended", None, NOWHERE, b'{"status":"ok"}', 0, counts=True))
    mine = [line for line in output.lines if line["run_id"] == run.run_id]
    assert [line["type"] for line in mine] == ["note"] * 10 + ["tap.dropped", "note", "run.ended"]
    dropped = mine[10]["payload"]
    assert dropped == {"count": 15, "bytes": 150, "reason": "the queue is full", "from_seq": 10, "to_seq": 24}
    assert seqs(mine) == [*range(10), 24, 25, 26]
    assert mine[-1]["payload"] == {"status": "ok", "events": 26, "dropped": 15}
    assert [line["payload"]["count"] for line in output.lines if line["run_id"] == other.run_id] == [1]
    assert journal.feeds[0].dropped == 16
    assert journal.feeds[0].queued_bytes == 0
    journal.close()


def test_each_loss_is_told_in_its_place() -> None:
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output], max_queue_bytes=100 + 2 * OVERHEAD)
    output.failing = OSError(28, "No space left on device")
    for size in (90, 20 + OVERHEAD, 10, 10, 30):  # the second, and the last two, find no room
        journal.put(note(run, size))
    assert output.failed.wait(10)
    output.failing = None
    assert journal.flush(10)
    told = [(line["type"], line["seq"], line["payload"].get("count")) for line in output.lines]
    assert told == [("note", 0, None), ("tap.dropped", 1, 1), ("note", 2, None), ("tap.dropped", 4, 2)]
    journal.close()


def test_what_is_queued_is_written_by_whoever_comes() -> None:
    """Otherwise a busy agent's threads only ever add to the queue, and the one writer thread lags behind them."""
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    journal.feeds[0].start = lambda: True  # type: ignore[method-assign]  # no thread takes part
    for n in range(3):
        queue(journal, note(run, n=n))
    journal.put(note(run, n=3))
    assert [line["payload"]["n"] for line in output.lines] == [0, 1, 2, 3]
    for n in range(40):
        queue(journal, note(run, n=n))
    journal.put(note(run, n=40))
    assert len(output.lines) == 4 + HELP + 1  # no more than that at once
    for _ in range(3):
        journal.put(note(run, n=99))
    assert [line["payload"]["n"] for line in output.lines[4:]] == [*range(41), 99, 99, 99]
    assert seqs(output.lines) == list(range(48))
    assert journal.feeds[0].queued_bytes == 0


def test_nobody_waits_for_what_is_still_to_be_made() -> None:
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    making, made = threading.Event(), threading.Event()

    def later() -> tuple[str, bytes, bool]:
        making.set()
        assert made.wait(20)
        return "late", b"{}", False

    journal.start()
    journal.put_from_finaliser(Record(run, "", None, NOWHERE, b"", 0, later=later))
    assert making.wait(10)
    journal.put(note(run))
    assert output.lines == []
    made.set()
    assert journal.flush(10)
    assert [line["type"] for line in output.lines] == ["late", "note"]
    journal.close()


def test_a_thread_that_hangs_is_woken_once() -> None:
    """Not once for each event that comes meanwhile, which would take memory for ever."""
    output, run = Gated(), Run(None, None, None, None)
    output.direct = False
    journal = Journal([output], max_queue_bytes=10 * OVERHEAD)
    output.gate.clear()
    journal.put(note(run))
    assert output.entered.wait(10)
    for _ in range(100):
        journal.put(note(run))
    assert journal.feeds[0]._wake.qsize() == 1
    output.gate.set()
    assert journal.flush(10)
    journal.close()


def test_what_comes_while_the_thread_gives_up_is_written() -> None:
    """It is woken for it while it waits to try the other again."""
    output, run, tries = Gated(), Run(None, None, None, None), iter(range(20))
    output.direct, output.patience = False, 3
    journal = Journal([output])
    written = threading.Event()

    def write(line: bytes) -> None:
        attempt = next(tries)
        if attempt == 4:  # before the last pause
            late = Record(run, "", None, NOWHERE, b"", 0, later=lambda: ("late", b"{}", False))
            journal.put_from_finaliser(late)
        if attempt < 6:  # neither the event nor its gap
            raise RuntimeError
        output.lines.append(json.loads(line))
        written.set()

    output.write = write  # type: ignore[method-assign]
    journal.put(note(run))
    assert written.wait(10)
    assert [line["type"] for line in output.lines] == ["late"]
    journal.close()


def test_what_waits_is_counted_with_what_it_takes_in_memory() -> None:
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    journal.feeds[0].start = lambda: True  # type: ignore[method-assign]  # no thread takes part
    for _ in range(3):
        queue(journal, note(run, 10))
    assert journal.feeds[0].queued_bytes == 3 * (10 + OVERHEAD)


def test_what_is_held_has_its_room() -> None:
    """Also when what came meanwhile has filled the queue."""
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output], max_queue_bytes=20_000)
    journal.feeds[0].start = lambda: True  # type: ignore[method-assign]  # no thread takes part
    assert journal.hold(10_000)
    queue(journal, note(run, 10_000))
    queue(journal, note(run, 10_000))
    assert journal.feeds[0].dropped == 1
    held = Record(run, "", None, NOWHERE, b"", 10_000, later=lambda: ("late", b"{}", False), held=10_000)
    queue(journal, held)
    assert journal.feeds[0].dropped == 1
    assert journal.held() == 0


def test_closing_while_a_write_hangs() -> None:
    """Nothing is written after the end, and whoever hung closes the output after it."""
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])
    output.gate.clear()
    hanging = threading.Thread(target=journal.put, args=(note(run),))
    hanging.start()
    assert output.entered.wait(10)
    journal.put(note(run))
    journal.close(0.05)
    assert journal.feeds[0].dropped == 1
    assert not output.closed
    output.gate.set()
    hanging.join()
    assert output.closed
    journal.put(note(run))
    assert journal.feeds[0].dropped == 2
    assert seqs(output.lines) == [0]


def test_closing_while_others_record(trace: Trace) -> None:
    for _ in range(20):
        tap, stop = Tap(trace.path), threading.Event()
        tap.record("note")

        def work(tap: Tap = tap, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                tap.recorder.journal.put(note(tap.recorder._default))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        tap.close()
        stop.set()
        for thread in threads:
            thread.join()
        output = tap.recorder.journal.feeds[0].sink
        assert isinstance(output, FileSink)
        assert output._fd == -1
        assert tap.stats()["queued_bytes"] == 0
    by_run: dict[str, list[int]] = {}
    for event in trace.events():
        # Where the queue was full, the gap tells which numbers it stands for.
        first = event["payload"]["from_seq"] if event["type"] == "tap.dropped" else event["seq"]
        by_run.setdefault(event["run_id"], []).extend(range(first, event["seq"] + 1))
    assert all(numbers == list(range(len(numbers))) for numbers in by_run.values())


# --- signal handlers -------------------------------------------------------------------------------------------


def test_a_handler_that_raises_again_and_again(trace: Trace) -> None:
    """Timeouts by SIGALRM, thousands of them: no lock is left held, and no number is lost or given twice."""
    program = f"""
import random, signal, time
from agenttap import Tap
class Timeout(BaseException): pass
def handler(*_): raise Timeout
tap = Tap({str(trace.path)!r})
tap.record("first")
random.seed(1)
signal.signal(signal.SIGALRM, handler)
for _ in range(3000):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(.0001, .0004))
        while True: tap.record("note")
    except Timeout: pass
    signal.setitimer(signal.ITIMER_REAL, 0)
lines = open({str(trace.path)!r}, "rb").read().count(b"\\n")
tap.record("last")
assert open({str(trace.path)!r}, "rb").read().count(b"\\n") >= lines + 1
tap.close()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    events = trace.events()
    assert seqs(events) == list(range(len(events)))
    assert [event["type"] for event in events[-2:]] == ["last", "run.ended"]


@pytest.mark.parametrize("bytes_first", [0, 3, 10_000])
@pytest.mark.parametrize("queued", [False, True])
def test_an_exception_in_the_middle_of_a_write(
    tap: Tap, trace: Trace, monkeypatch: pytest.MonkeyPatch, bytes_first: int, queued: bool
) -> None:
    """Whether the line is there decides whether it is written again."""
    tap.record("note", n=0)
    run, real = tap.recorder._default, os.write
    if queued:
        monkeypatch.setattr(tap.recorder.journal.feeds[0], "start", lambda: True)  # no thread takes part
        queue(tap.recorder.journal, note(run, n=1))

    def write(fd: int, data: bytes) -> int:
        if bytes_first:
            real(fd, data[:bytes_first])
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(KeyboardInterrupt):
        tap.record("note", n=2 if queued else 1)
    monkeypatch.undo()
    tap.record("note", n=3)
    tap.close()
    whole, torn = [], []
    for line in trace.raw.splitlines(keepends=True):
        try:
            whole.append(json.loads(line))
        except ValueError:
            torn.append(line)
    assert seqs(whole) == list(range(len(whole)))
    assert torn == ([b'{"v\n'] if bytes_first == 3 else [])
    told = [event["payload"]["n"] for event in whole if event["type"] == "note"]
    assert told == ([0, 1, 2, 3] if queued else [0, 1, 3])
    assert tap.stats()["written"] == len(whole)
    assert tap.stats()["queued_bytes"] == 0


def test_a_handler_that_records_in_the_middle_of_a_write(
    tap: Tap, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def write(fd: int, data: bytes) -> int:
        if b'"outer"' in data:
            tap.record("inner")  # as a handler does that interrupts right here
        return real(fd, data)

    monkeypatch.setattr(os, "write", write)
    began = time.monotonic()
    tap.record("outer")
    assert tap.flush(10)
    assert time.monotonic() - began < 5
    assert trace.types() == ["run.started", "outer", "inner"]
    assert seqs(trace.events()) == [0, 1, 2]


def test_a_handler_that_records_while_the_thread_is_started(trace: Trace) -> None:
    program = """
import signal, threading
from agenttap import Tap
lines = []
tap = Tap(writer=lines.append)
start = threading.Thread.start
def interrupted(self):
    signal.raise_signal(signal.SIGUSR1)
    return start(self)
threading.Thread.start = interrupted
signal.signal(signal.SIGUSR1, lambda *_: tap.record("inner"))
tap.record("outer")
tap.close()
assert sum(b'"inner"' in line for line in lines) == 1, lines
assert sum(b'"outer"' in line for line in lines) == 1, lines
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


# --- callbacks -------------------------------------------------------------------------------------------------


def test_a_callback_gets_every_line_on_another_thread() -> None:
    lines: list[tuple[str, bytes]] = []
    with Tap(writer=lambda line: lines.append((threading.current_thread().name, line))) as tap:
        for n in range(100):
            tap.record("note", n=n)
    assert {name for name, _ in lines} == {"agenttap"}
    assert seqs([json.loads(line) for _, line in lines]) == list(range(102))
    assert all(line.endswith(b"\n") for _, line in lines)


def test_a_callback_that_raises(capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[dict[str, Any]] = []

    def fussy(line: bytes) -> None:
        event = json.loads(line)
        if event["payload"].get("n") in (3, 4):
            raise RuntimeError("not this one")
        lines.append(event)

    with Tap(writer=fussy) as tap:
        for n in range(7):
            tap.record("note", n=n)
    assert [line["payload"]["n"] for line in lines if line["type"] == "note"] == [0, 1, 2, 5, 6]
    lost = [line["payload"] for line in lines if line["type"] == "tap.dropped"]
    assert sum(each["count"] for each in lost) == 2
    assert lost[0]["reason"].startswith("RuntimeError at test_tap_sink.py:")
    assert tap.stats()["dropped"] == 2
    assert "RuntimeError at test_tap_sink.py:" in capfd.readouterr().err


def test_a_callback_that_always_raises_costs_no_more_than_the_drain() -> None:
    def never(line: bytes) -> None:
        raise RuntimeError

    tap = Tap(writer=never)
    tap.record("note")
    began = time.monotonic()
    tap.close()
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("what", [SystemExit, KeyboardInterrupt, type("Panic", (BaseException,), {})])
def test_a_callback_cannot_end_the_thread(what: type[BaseException]) -> None:
    lines: list[dict[str, Any]] = []

    def writer(line: bytes) -> None:
        event = json.loads(line)
        if event["type"] == "poison":
            raise what
        lines.append(event)

    with Tap(writer=writer) as tap:
        tap.record("poison")
        tap.record("note")
        assert tap.flush(10)
    assert [line["type"] for line in lines] == ["run.started", "tap.dropped", "note", "run.ended"]
    assert seqs(lines) == [0, 1, 2, 3]
    assert tap.stats()["dropped"] == 1


def test_work_for_later_cannot_end_the_thread() -> None:
    output, run = Gated(), Run(None, None, None, None)
    journal = Journal([output])

    def later() -> tuple[str, bytes, bool]:
        raise SystemExit

    journal.start()
    journal.put_from_finaliser(Record(run, "", None, NOWHERE, b"", 0, later=later))
    assert journal.flush(10)
    journal.put(note(run))
    assert [line["type"] for line in output.lines] == ["tap.dropped", "note"]
    journal.close()


def test_what_is_recorded_on_the_thread_is_kept() -> None:
    """By a generator of the agent's, say, that is collected there."""
    output, run = Gated(), Run(None, None, None, None)
    output.direct = False
    journal = Journal([output])

    def later() -> tuple[str, bytes, bool]:
        journal.put(note(run))
        return "late", b"{}", False

    journal.start()
    journal.put_from_finaliser(Record(run, "", None, NOWHERE, b"", 0, later=later))
    assert journal.flush(10)
    journal.close()
    assert [line["type"] for line in output.lines] == ["late", "note"]


def test_a_callback_that_records(trace: Trace) -> None:
    taps: list[Tap] = []
    lines: list[bytes] = []

    def recursive(line: bytes) -> None:
        lines.append(line)
        taps[0].record("from the callback")

    with Tap(writer=recursive) as tap:
        taps.append(tap)
        tap.record("note")
    assert len(lines) == 3
    assert tap.stats()["dropped"] == 3


def test_everything_on_the_thread(trace: Trace) -> None:
    with Tap(trace.path, blocking=False) as tap:
        for n in range(1000):
            tap.record("note", n=n)
    assert seqs(trace.events()) == list(range(1002))


def test_what_only_threads_write_is_redacted_there(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    where: list[str] = []
    real = tap_module.redaction.checked

    def checked(*args: Any) -> Any:
        where.append(threading.current_thread().name)
        return real(*args)

    monkeypatch.setattr(tap_module.redaction, "checked", checked)
    payload = {"password": "hunter2", "list": [1]}
    with Tap(trace.path, blocking=False) as tap:
        tap.record("note", **payload)
        payload["list"].append(2)  # type: ignore[attr-defined]  # what is recorded is what it was
    assert trace.one("note") == {"password": "[redacted]", "list": [1]}
    assert set(where) == {"agenttap"}
    where.clear()
    with Tap(trace.path, blocking=False, redact=[lambda text: text]) as tap:  # the agent's own: on its own thread
        tap.record("note")
    assert set(where) == {"MainThread"}


def test_a_full_queue_is_full_for_what_is_still_to_be_redacted_too(trace: Trace) -> None:
    gate = threading.Event()
    with Tap(writer=lambda line: gate.wait(20), max_queue_bytes=100_000) as tap:
        for _ in range(100):
            tap.record("note", text="x" * 10_000)
        assert tap.stats()["queued_bytes"] < 150_000
        assert tap.stats()["dropped"] > 80
        gate.set()


def test_an_event_that_is_too_large(trace: Trace) -> None:
    with Tap(trace.path, max_event_bytes=100_000) as tap:
        tap.record_tool_result("read", result="x" * 200_000, error="half")
    payload = trace.one("tool.result")
    assert payload["truncated"] is True
    assert payload["bytes"] > 200_000
    assert (payload["tool_name"], payload["error"]) == ("read", "half")
    assert "result" not in payload


def test_without_redaction(trace: Trace) -> None:
    with Tap(trace.path, redact=None) as tap:
        tap.record("note", password="hunter2")
    assert trace.one("note") == {"password": "hunter2"}


def test_a_redaction_of_ones_own(trace: Trace) -> None:
    with Tap(trace.path, redact=lambda raw: raw.replace(b"Ada", b"someone")) as tap:
        tap.record("note", who="Ada")
    assert trace.one("note") == {"who": "someone"}


def test_a_redaction_that_fails_lets_nothing_out(trace: Trace, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(raw: bytes) -> bytes:
        if b"run.started" in raw or b"pid" in raw:
            return raw
        raise RuntimeError("broken rule")

    with Tap(trace.path, redact=broken) as tap:
        tap.record("note", password="hunter2")
    assert trace.one("note") == {"left_out": "redaction failed", "bytes": 22}
    assert "RuntimeError at test_tap_sink.py:" in capfd.readouterr().err


def test_nothing_is_quoted_that_no_redaction_has_seen(trace: Trace, capfd: pytest.CaptureFixture[str]) -> None:
    def rule(raw: bytes) -> bytes:
        raise ValueError(f"cannot parse {raw!r}")

    def writer(line: bytes) -> None:
        if b'"note"' in line:
            raise ConnectionError("POST https://logs.example/in?api_key=hunter2 failed")
        lines.append(line)

    lines: list[bytes] = []
    with Tap(trace.path, redact=rule) as tap:
        tap.record("note", password="hunter2")
    with Tap(writer=writer) as tap:
        tap.record("note")
    assert any(b"tap.dropped" in line for line in lines)
    assert b"hunter2" not in trace.raw + b"".join(lines)
    said = capfd.readouterr().err
    assert "hunter2" not in said
    assert "ConnectionError" in said


def test_secrets_in_what_tools_say(tap: Tap, trace: Trace) -> None:
    key = "ghp_" + "a1B2" * 9
    tap.record_tool_call(
        "fetch", {"url": f"https://app:{key}@git.example/x", "headers": {"Authorization": "Basic x"}}
    )
    try:
        raise ConnectionError(f"401 for {key}")
    except ConnectionError as exc:
        tap.record_tool_result("fetch", error=exc)
    with pytest.raises(ValueError, match="bad"), tap.run(metadata={"api_key": "hunter2"}):
        raise ValueError(f"bad key {key}")
    assert b"a1B2" not in trace.raw
    assert b"hunter2" not in trace.raw
    assert trace.one("tool.result")["error"] == "401 for [redacted]"


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container at its limit of threads, or while the interpreter goes down."""

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lines: list[bytes] = []
    monkeypatch.setattr(threading.Thread, "start", start)
    with Tap(writer=lines.append) as tap:
        tap.record("note")
    assert len(lines) == 3


def test_the_callback_output() -> None:
    lines: list[bytes] = []
    output = CallbackSink(lines.append)
    output.write(b"a\n")
    output.close()
    assert lines == [b"a\n"]


# --- killed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beside", ["", "threading.Thread(target=lambda: exec('while True: pass'), daemon=True).start()"]
)
@pytest.mark.parametrize("size", [1_000, 32_000, 256_000])
def test_killed_straight_after_an_event(trace: Trace, size: int, beside: str) -> None:
    """SIGKILL by the process itself, in the instruction after the call."""
    text = f"""
import os, signal, threading
from agenttap import Tap
{beside}
tap = Tap({str(trace.path)!r})
for n in range(20):
    tap.record_tool_call("work", {{"n": n, "text": "x" * {size}}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", text], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [event["payload"]["args"]["n"] for event in trace.events("tool.called")] == list(range(20))


def test_terminated(trace: Trace) -> None:
    text = f"""
import os, signal
from agenttap import Tap
tap = Tap({str(trace.path)!r})
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
tap.record("note")
os.kill(os.getpid(), signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", text], timeout=60).returncode == -signal.SIGTERM
    assert trace.types() == ["run.started", "note"]
