"""A second process for half of a large file changes nothing of what a command says, whatever is in either half."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment

LINE = b'{"v":1,"type":"%s","timestamp":"2026-05-24T03:17:04Z","run_id":"%s","seq":%d,"payload":{"a":{}}}\n'
FOREIGN = b'{"event": "note", "run_id": "r1", "payload": {}}\n'
KINDS = [(kind, run) for kind in (b"note", b"tool.called") for run in (b"r1", b"r2")]
LINES = [LINE % (kind, run, seq) for seq in range(20) for kind, run in KINDS]
ODD = {
    "nothing": {},
    "a foreign line": {60: FOREIGN},
    "a foreign line in the first half": {5: FOREIGN},
    "blank lines": {45: b"\n", 70: b"  \n"},
    "a bad line": {70: b"no JSON\n"},
    "glued lines": {65: LINES[0][:-1] + LINES[1]},
    "a cut-off line": {75: LINES[0][:50] + b"\n"},
    "a torn end": {79: LINES[79][:40]},
    "no last newline": {79: LINES[79][:-1]},
    "a NUL": {55: b"\0\n"},
    "CRLF": {number: line[:-1] + b"\r\n" for number, line in enumerate(LINES)},
    "bad lines from the middle on": dict.fromkeys(range(38, 80), b"bad\n"),
}
COMMANDS = [
    ["types"],
    ["count"],
    ["count", "-t", "tool.*"],
    ["filter", "-t", "tool.called"],
    ["filter", "--src", "-w", "seq >= `15`"],
    ["filter", "-t", "tool.*", "-m", "3"],
    ["filter", "--run", "r2", "-t", "note"],
    ["filter", "--since", "2026-05-24T03:17:04Z", "-v", "-t", "note"],
    ["before", "--at", "70", "-n", "3", "-t", "note"],
]
RUN = """
import os, sys
from trace_cli import scout, streams
large, most, log = sys.argv[1:4]
streams.LARGE = int(large)
scout.MOST = int(most)
sent = scout.sent
def noted(*given):
    found = sent(*given)
    os.write(int(log), b"sent\\n" if found else b"none\\n")
    return found
scout.sent = noted
sys.argv[1:] = sys.argv[4:]
from trace_cli.__main__ import main
main()
"""


def run(file: Path, *command: str, large: int = 0, most: int = 1000) -> tuple[bytes, bytes, int, bytes]:
    """What a command prints, says and ends with; and what was said of scouts."""
    read, write = os.pipe()
    with open(read, "rb") as noted:
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(large), str(most), str(write), *command, str(file)],
            capture_output=True,
            env=environment(),
            check=False,
            pass_fds=[write],
        )
        os.close(write)
        return done.stdout, done.stderr, done.returncode, noted.read()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor only")
@pytest.mark.parametrize("odd", ODD)
def test_no_command_can_tell(odd: str, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(ODD[odd].get(number, line) for number, line in enumerate(LINES)))
    for command in COMMANDS:
        *alone, none = run(file, *command, large=1 << 40)
        assert none == b""
        *scouted, sent = run(file, *command)
        assert scouted == alone, command
        assert sent == (b"" if "--run" in command or "-v" in command else b"sent\n"), command
        assert [*run(file, *command, most=2)][:3] == alone, command


def test_a_scout_that_fails_is_done_without(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(LINES))
    failing = RUN.replace(
        "sent = scout.sent", "sent = scout.sent\nscout._looked_through = lambda *given: 1 / 0", 1
    )
    command = [sys.executable, "-c", failing, "0", "9", "2", "count", str(file)]
    done = subprocess.run(command, capture_output=True, env=environment(), check=False)
    assert done.stdout == b"80\n"
    assert b"Error" not in done.stderr


def test_an_input_that_was_begun_is_read_from_there(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(LINES))
    with open(file, "rb") as begun:
        os.lseek(begun.fileno(), len(LINES[0]), os.SEEK_SET)
        command = [sys.executable, "-c", RUN, "0", "9", "2", "count"]
        done = subprocess.run(command, stdin=begun, capture_output=True, env=environment(), check=False)
    assert (done.stdout, done.stderr) == (b"79\n", b"")


def test_it_works_where_children_are_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(LINES))
    done = subprocess.run(
        [sys.executable, "-c", RUN, "0", "9", "2", "count", str(file)],
        capture_output=True,
        env=environment(),
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert (done.stdout, done.returncode) == (b"80\n", 0)


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    """The end of a pipe that every process of the command holds is closed when the last of them has ended."""
    file = tmp_path / "trace.jsonl"
    file.write_bytes(b"".join(LINES * 1000))
    read, write = os.pipe()
    command = [sys.executable, "-c", RUN, "0", "9", "2", "filter", "-t", "note", "-m", "1", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[write]) as process:
        os.close(write)
        assert process.stdout
        assert process.stdout.read() == LINES[0]
        with open(read, "rb") as held:
            assert held.read() == b""
    assert process.returncode == 0
