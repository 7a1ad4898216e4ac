"""A trace that is still being written: each match is shown before anything else is written."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import pytest
from processes import TIMEOUT_S, environment, until_read

from trace_cli import streams


class Running:
    """A running `trace`: write to it, read what it prints, line by line."""

    def __init__(self, *arguments: str, stdin: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            ["trace", *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        self._got = b""

    def write(self, text: bytes) -> None:
        """To its standard input; comes back when it was read."""
        pipe = self.process.stdin
        assert pipe
        pipe.write(text)
        pipe.flush()
        until_read(pipe)

    def line(self) -> bytes:
        """The next line that it prints; fails when none comes."""
        assert self.process.stdout
        while b"\n" not in self._got:
            self._got += read_some(self.process.stdout)
        line, _, self._got = self._got.partition(b"\n")
        return line

    def until_at(self, file: Path, offset: int) -> None:
        """Waits until it has read a file up to an offset."""
        deadline = time.monotonic() + TIMEOUT_S
        while self._position(file) != offset:
            assert time.monotonic() < deadline, "the file is not read"
            os.sched_yield()

    def until_idle(self) -> None:
        """Waits until it sleeps, or has ended."""
        deadline = time.monotonic() + TIMEOUT_S
        while Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2][0] not in "SZ":
            assert time.monotonic() < deadline, "it never waits"
            os.sched_yield()

    def _position(self, file: Path) -> int | None:
        folder = Path(f"/proc/{self.process.pid}")
        for number in os.listdir(folder / "fd"):
            try:
                if (folder / "fd" / number).samefile(file):
                    return int((folder / "fdinfo" / number).read_text().split()[1])
            except OSError:
                continue
        return None

    def interrupt(self) -> tuple[bytes, bytes, int]:
        """Ctrl-C: what it printed yet, what it said, and its status."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self._got + out, err, self.process.returncode

    def end(self) -> tuple[bytes, bytes, int]:
        """The end of its input."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self._got + out, err, self.process.returncode


def read_some(pipe: IO[bytes]) -> bytes:
    assert select.select([pipe], [], [], TIMEOUT_S)[0], "nothing is printed"
    got = os.read(pipe.fileno(), 1 << 16)
    assert got, "it has ended"
    return got


@contextmanager
def running(*arguments: str, stdin: int = subprocess.PIPE) -> Iterator[Running]:
    started = Running(*arguments, stdin=stdin)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


def event(number: int, kind: str = "note", run_id: str = "r", **payload: object) -> bytes:
    fields = f'"run_id":"{run_id}","seq":{number}'
    inner = ",".join(f'"{key}":"{value}"' for key, value in payload.items())
    return b'{"v":1,"type":"%b","timestamp":"2026-05-24T03:17:04Z",%b,"payload":{%b}}' % (
        kind.encode(),
        fields.encode(),
        inner.encode(),
    )


def failed(number: int) -> bytes:
    return event(number, "tool.result", tool_name="search", error="no")


@pytest.mark.parametrize(
    "arguments", [["-t", "tool.*"], ["--error"], ["--src", "-g", "search"], ["-o", "pretty", "--error"]]
)
def test_a_match_is_seen_before_the_next_line_is_written(arguments: list[str]) -> None:
    with running("filter", *arguments) as trace:
        for number in range(5):
            trace.write(event(2 * number) + b"\n" + failed(2 * number + 1) + b"\n")
            while b"search" not in trace.line():  # where it is pretty, the run is named first
                pass
        assert trace.end() == (b"", b"", 0)


def test_a_line_is_whole_before_it_is_seen() -> None:
    with running("filter") as trace:
        for line in (event(0), event(1)):
            trace.write(line[:30])
            trace.write(line[30:])
            trace.write(b"\n")
            assert trace.line() == line


def test_a_failed_attempt_is_seen_as_soon_as_no_retry_can_save_it() -> None:
    request = b'{"type":"model.request","run_id":"r","call_id":"%b","payload":{"url":"u","attempt":%b}}\n'
    error = b'{"type":"model.error","run_id":"r","call_id":"%b","payload":{"status":%b,"error":{}}}'
    with running("filter", "--error") as trace:
        trace.write(request % (b"a", b"1") + error % (b"a", b"400") + b"\n")
        assert trace.line() == error % (b"a", b"400")
        trace.write(request % (b"b", b"1") + error % (b"b", b"429") + b"\n")
        trace.write(request % (b"c", b"2") + error % (b"c", b"400") + b"\n")
        assert [trace.line(), trace.line()] == [error % (b"b", b"429"), error % (b"c", b"400")]


def test_the_first_error_is_seen_when_its_run_ends() -> None:
    with running("first-error") as trace:
        trace.write(failed(0) + b"\n" + event(1, "run.ended", status="ok") + b"\n")
        assert trace.line().startswith(failed(0)[:-1])


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [(["types"], 2), (["filter"], 3), (["before", "--at", "last"], 2), (["first-error"], 1)],
)
def test_an_input_that_does_not_block_is_read_to_its_end(arguments: list[str], printed: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with running(*arguments, stdin=reading) as trace:
        os.close(reading)
        with open(writing, "wb", buffering=0) as pipe:
            for line in (failed(0), event(1), event(2)):
                pipe.write(line + b"\n")
                until_read(pipe)
                trace.until_idle()
        out, err, status = trace.end()
    assert (out.count(b"\n"), err, status) == (printed, b"", 0)


def test_ctrl_c_ends_with_130_and_loses_nothing() -> None:
    with running("filter") as trace:
        trace.write(event(0) + b"\n")
        assert trace.line() == event(0)
        assert trace.interrupt() == (b"", b"", 130)


def test_ctrl_c_prints_what_was_found_in_an_input_that_never_pauses() -> None:
    endless = 'echo \'{"type":"wanted"}\'; exec yes \'{"type":"other"}\''
    with subprocess.Popen(["sh", "-c", endless], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        with running("filter", "-t", "wanted", stdin=writer.stdout.fileno()) as trace:
            writer.stdout.close()
            read = Path(f"/proc/{trace.process.pid}/io")
            while int(read.read_text().split()[1]) < 5_000_000:
                assert trace.process.poll() is None
                os.sched_yield()
            assert trace.interrupt() == (b'{"type":"wanted"}\n', b"", 130)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def append(file: Path, text: bytes) -> None:
    with open(file, "ab") as grown:
        grown.write(text)


def test_follow_goes_on_across_all_that_happens_to_a_file(file: Path) -> None:
    append(file, event(0) + b"\n")
    with running("filter", "--follow", str(file)) as trace:
        assert trace.line() == event(0)

        append(file, event(1) + b"\n")
        assert trace.line() == event(1), "it grew"

        append(file, event(2)[:40])
        trace.until_at(file, file.stat().st_size)
        append(file, event(2)[40:] + b"\n")
        assert trace.line() == event(2), "a half-written line was completed"

        old = file.rename(file.with_suffix(".1"))
        append(old, event(3) + b"\n")
        append(file, event(4) + b"\n")
        assert [trace.line(), trace.line()] == [event(3), event(4)], "it was rotated"

        trace.until_at(file, file.stat().st_size)
        os.truncate(file, 0)
        trace.until_at(file, 0)
        append(file, event(5) + b"\n")
        assert trace.line() == event(5), "it was truncated"

        file.unlink()
        append(file, event(6) + b"\n")
        assert trace.line() == event(6), "it was replaced"

        assert trace.interrupt() == (b"", b"", 130)


def test_follow_says_where_the_events_of_each_file_stand(file: Path) -> None:
    append(file, event(0) + b"\n" + event(1) + b"\n")
    with running("filter", "--follow", "--src", str(file)) as trace:
        assert b'"line":1,"offset":0}' in trace.line()
        assert b'"line":2,' in trace.line()
        file.rename(file.with_suffix(".1"))
        append(file, event(2) + b"\n")
        assert b'"line":1,"offset":0}' in trace.line()


def test_follow_loses_nothing_that_was_written_just_before_a_rotation(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(file, b"a\n")

    def rotated_as_it_is_looked_at(name: str) -> os.stat_result:
        if not file.with_suffix(".1").exists():
            append(file, b"b\n")
            file.rename(file.with_suffix(".1"))
            append(file, b"c\n")
        return os.stat(name)

    system = SimpleNamespace(stat=rotated_as_it_is_looked_at, fstat=os.fstat)
    monkeypatch.setattr(streams, "os", system)
    files = streams.follow(str(file), streams.nothing)
    assert b"".join(next(files)) == b"a\nb\n"
    assert next(next(files)) == b"c\n"


def test_follow_tells_bad_lines_and_goes_on(file: Path) -> None:
    append(file, b"oops\n" + event(0) + b"\n")
    with running("filter", "--follow", str(file)) as trace:
        assert trace.line() == event(0)
        assert trace.interrupt() == (b"", f"{file}:1: not JSON; skipped\n".encode(), 130)


def test_follow_waits_at_an_empty_file(file: Path) -> None:
    file.touch()
    with running("filter", "--follow", str(file)) as trace:
        trace.until_at(file, 0)
        append(file, event(0) + b"\n")
        assert trace.line() == event(0)
        assert trace.interrupt() == (b"", b"", 130)


def test_follow_ends_when_enough_was_found(file: Path) -> None:
    append(file, event(0) + b"\n")
    with running("filter", "--follow", "-m", "2", str(file)) as trace:
        assert trace.line() == event(0)
        append(file, event(1) + b"\n")
        assert trace.end() == (event(1) + b"\n", b"", 0)
