"""What every command that reads traces promises, whatever it is asked: found from the commands themselves.

The traces hold a run with an error in its middle, so that each command has something to find.
"""

import bz2
import gzip
import json
import lzma
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from processes import SAMPLES, Done, environment, shell, until_read
from readers import NAMES, READERS, is_endless

from trace_cli import cli

COMMANDS = Path(cli.COMMANDS)

GOOD = (SAMPLES / "failed.jsonl").read_bytes()
LINES = GOOD.splitlines(keepends=True)
FROM_STDIN = dict.fromkeys(("before", "after", "show", "context"), "--at first-error")  # else stdin holds anchors

reader = pytest.mark.parametrize("name", READERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.jsonl").write_bytes(GOOD)
    return tmp_path


def found_in(done: Done) -> list[Any]:
    """What was printed; where it stood may differ."""
    return [without_places(json.loads(each)) for each in done.lines]


def without_places(row: Any) -> Any:
    """A row, and the rows in it, without `_src`."""
    if not isinstance(row, dict):
        return row
    return {key: without_places(value) for key, value in row.items() if key != "_src"}


@cache
def expected(name: str) -> list[Any]:
    """What the command prints of the good lines."""
    done = shell(f"trace {name} failed.jsonl", SAMPLES)
    assert (done.err, done.status) == ("", 0)
    return found_in(done)


# What is read


@reader
def test_reads_standard_input_as_it_reads_a_file(name: str, folder: Path) -> None:
    for line in (f"trace {name} - <good.jsonl", f"cat good.jsonl | trace {name} {FROM_STDIN.get(name, '')}"):
        done = shell(line, folder)
        assert (found_in(done), done.err, done.status) == (expected(name), "", 0), line


@reader
def test_reads_several_files_as_one_stream(name: str, folder: Path) -> None:
    (folder / "start.jsonl").write_bytes(b"".join(LINES[:4]))
    (folder / "rest.jsonl").write_bytes(b"".join(LINES[4:]))
    for line in (f"trace {name} start.jsonl rest.jsonl", f"trace {name} start.jsonl - <rest.jsonl"):
        done = shell(line, folder)
        assert (found_in(done), done.err, done.status) == (expected(name), "", 0), line


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip in two members": lambda raw: gzip.compress(raw[:700]) + gzip.compress(raw[700:]),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}


@reader
@pytest.mark.parametrize("packer", PACKERS)
def test_unpacks_by_content_whatever_the_name(name: str, packer: str, folder: Path) -> None:
    (folder / "packed.jsonl").write_bytes(PACKERS[packer](GOOD))
    for line in (f"trace {name} packed.jsonl", f"trace {name} - <packed.jsonl"):
        done = shell(line, folder)
        assert (found_in(done), done.err, done.status) == (expected(name), "", 0), line


@reader
def test_reads_what_is_a_pipe_but_has_a_name(name: str, folder: Path) -> None:
    done = shell(f"trace {name} <(cat good.jsonl)", folder)
    assert (found_in(done), done.err, done.status) == (expected(name), "", 0)


# What is unusual, and read without a word

HARMLESS = {
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "byte order marks of joined files": b"".join(b"\xef\xbb\xbf" + line for line in LINES),
    "CRLF": GOOD.replace(b"\n", b"\r\n"),
    "blank lines": b"\n  \n\t\r\n" + GOOD.replace(b"\n", b"\n\n"),
    "no final newline": GOOD.rstrip(b"\n"),
    "spaces around objects": b"".join(b" " + line.rstrip() + b"\t\n" for line in LINES),
    "other key order": b"".join(
        json.dumps(dict(reversed(json.loads(line).items()))).encode() + b"\n" for line in LINES
    ),
}


@reader
@pytest.mark.parametrize("what", HARMLESS)
def test_reads_on_past_what_does_no_harm(name: str, what: str, folder: Path) -> None:
    (folder / "odd.jsonl").write_bytes(HARMLESS[what])
    done = shell(f"trace {name} odd.jsonl", folder)
    assert (found_in(done), done.err, done.status) == (expected(name), "", 0)


UNUSUAL = {
    "NaN": b'{"type":"note","run_id":"other","n":NaN,"inf":-Infinity}\n',
    "a lone surrogate": b'{"type":"note","run_id":"other","text":"cut \\ud83d"}\n',
    "numbers beyond double precision": b'{"type":"note","run_id":"other","n":1' + b"0" * 400 + b"}\n",
    "deep nesting": b'{"type":"note","run_id":"other","n":' + b"[" * 900 + b"]" * 900 + b"}\n",
    "no type, no time, nothing": b"{}\n",
    "odd types everywhere": b'{"type":[],"timestamp":{},"run_id":7,"seq":"x","call_id":1,"payload":[]}\n',
    "a line of 30 MB": b'{"type":"note","run_id":"other","text":"' + b"long " * 6_000_000 + b'"}\n',
}


@reader
@pytest.mark.parametrize("what", UNUSUAL)
def test_takes_any_object_for_an_event(name: str, what: str, folder: Path) -> None:
    (folder / "odd.jsonl").write_bytes(LINES[0] + UNUSUAL[what] + b"".join(LINES[1:]))
    done = shell(f"trace {name} odd.jsonl", folder)
    assert (done.err, done.status) == ("", 0)


# What is damaged: told, skipped, and the rest delivered


def with_bad_line(bad: bytes) -> bytes:
    return b"".join(LINES[:2]) + bad + b"".join(LINES[2:])


DAMAGED = {
    "words": (with_bad_line(b"oops\n"), "bad.jsonl:3: not JSON"),
    "an array": (with_bad_line(b"[1]\n"), "bad.jsonl:3: a JSON array, not an object"),
    "a number": (with_bad_line(b"12\n"), "bad.jsonl:3: a JSON number, not an object"),
    "a cut-off line": (with_bad_line(LINES[3][:90] + b"\n"), "bad.jsonl:3: cut off after 90 bytes"),
    "an event behind a cut-off one": (
        LINES[0] + LINES[1] + LINES[3][:90] + b"".join(LINES[2:]),
        "bad.jsonl:3: cut off after 90 bytes, another event follows",
    ),
    "invalid UTF-8": (with_bad_line(b'{"type":"caf\xe9"}\n'), "bad.jsonl:3: invalid UTF-8 at byte 12"),
    "too deep nesting": (
        with_bad_line(b'{"n":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"),
        "bad.jsonl:3: nested too deeply",
    ),
    "a number of too many digits": (with_bad_line(b'{"n":' + b"1" * 5000 + b"}\n"), "bad.jsonl:3: not readable"),
    "binary in the middle": (with_bad_line(b"\0\x01\x02\n"), "bad.jsonl:3: not JSON"),
}


@reader
@pytest.mark.parametrize("what", DAMAGED)
def test_tells_a_bad_line_and_goes_on(name: str, what: str, folder: Path) -> None:
    content, said = DAMAGED[what]
    (folder / "bad.jsonl").write_bytes(content)
    done = shell(f"trace {name} bad.jsonl", folder)
    assert (found_in(done), done.status) == (expected(name), 0)
    assert done.err.startswith(said)
    assert done.err.count("\n") <= 2  # the line, and a hint
    assert shell(f"trace {name} --strict bad.jsonl", folder).status == 2


@reader
def test_reads_objects_glued_together_as_the_events_that_they_are(name: str, folder: Path) -> None:
    (folder / "glued.jsonl").write_bytes(GOOD.replace(b"\n", b"", 6))
    done = shell(f"trace {name} glued.jsonl", folder)
    assert (found_in(done), done.status) == (expected(name), 0)
    assert done.err == "glued.jsonl:1: 7 objects on one line, read as the events that they are\n"


@reader
def test_a_torn_last_line_is_told_and_changes_no_status(name: str, folder: Path) -> None:
    (folder / "torn.jsonl").write_bytes(GOOD + b'{"v":1,"type":"tool.called","times')
    done = shell(f"trace {name} torn.jsonl", folder)
    assert (found_in(done), done.status) == (expected(name), 0)
    assert done.err == "torn.jsonl:11: torn last line, 34 bytes: the writer was cut off\n"
    assert shell(f"trace {name} -t none torn.jsonl", folder).status == 1


@reader
def test_nothing_found_and_something_unread_is_trouble(name: str, folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(b"oops\n" + GOOD)
    assert shell(f"trace {name} -t none bad.jsonl", folder).status == 2


@reader
@pytest.mark.parametrize("packer", ["gzip", "bz2", "xz", "zstd"])
def test_says_that_compressed_bytes_are_cut_off(name: str, packer: str, folder: Path) -> None:
    (folder / "cut").write_bytes(PACKERS[packer](GOOD)[:-40])
    done = shell(f"trace {name} cut", folder)
    assert done.status == 2
    assert "trace: cut: compressed data is cut off" in done.err


# What cannot be read at all

UNREADABLE = {
    "a missing file": ("missing.jsonl", "trace: missing.jsonl: No such file or directory"),
    "a directory": (".", "trace: .: is a directory; name its files: ./*.jsonl"),
    "a binary file": ("/bin/sh", "trace: /bin/sh: a binary file, not JSONL"),
    "UTF-16": ("utf16", "trace: utf16: UTF-16, not UTF-8; convert it"),
    "damaged compression": ("damaged.gz", "trace: damaged.gz: compressed data is damaged"),
}


@reader
@pytest.mark.parametrize("what", UNREADABLE)
def test_names_a_file_that_cannot_be_read_and_reads_the_others(name: str, what: str, folder: Path) -> None:
    (folder / "utf16").write_bytes(GOOD.decode().encode("utf-16"))
    (folder / "damaged.gz").write_bytes(gzip.compress(b"x")[:10] + b"\xff" * 50)
    file, said = UNREADABLE[what]
    done = shell(f"trace {name} {file} good.jsonl", folder)
    assert (found_in(done), done.status) == (expected(name), 2)
    assert done.err.startswith(said)
    assert done.err.count("\n") == 1


@reader
def test_an_empty_file_holds_nothing(name: str, folder: Path) -> None:
    done = shell(f": >empty; trace {name} -t none empty good.jsonl", folder)
    assert (done.err, done.status) == ("trace: empty: empty\n", 1)


# Ways in and out that are closed


@reader
def test_says_that_standard_input_is_closed(name: str, folder: Path) -> None:
    for line in (f"trace {name} <&-", f"trace {name} - <&-"):
        done = shell(line, folder)
        assert (done.out, done.status) == (b"", 2), line
        assert "standard input is closed" in done.err


@reader
def test_says_that_standard_output_is_closed_or_full(name: str, folder: Path) -> None:
    for line, said in (
        (f"trace {name} good.jsonl >&-", "trace: standard output is closed\n"),
        (
            f"trace {name} good.jsonl >/dev/full",
            "trace: cannot write to standard output: No space left on device\n",
        ),
        (f"trace {name} -o pretty good.jsonl >/dev/full", "trace: cannot write to standard output: No space left"),
    ):
        done = shell(line, folder)
        assert done.err.startswith(said), line
        assert done.status == 2, line


@reader
def test_works_without_standard_error(name: str, folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(b"oops\n" + GOOD)
    for end in ("2>&-", "2>/dev/full"):
        done = shell(f"trace {name} bad.jsonl {end}", folder)
        assert (found_in(done), done.status) == (expected(name), 0), end


@reader
@pytest.mark.parametrize("output", ["jsonl", "pretty"])
def test_is_quiet_when_its_reader_has_seen_enough(name: str, output: str, folder: Path) -> None:
    with open(folder / "many.jsonl", "wb") as many:
        for number in range(2000):
            run = b'"run_id":"%d"' % number
            many.write(b'{"type":"model.request",%s,"payload":{"body":{"system":"s"}}}\n' % run)
            many.write(b'{"type":"tool.called",%s,"payload":{"tool_name":"s"}}\n' % run)
            many.write(b'{"type":"tool.result",%s,"payload":{"tool_name":"s","error":"no"}}\n' % run)
            many.write(b'{"type":"note",%s,"payload":{}}\n' % run)
    done = shell(f"trace {name} -o {output} many.jsonl | head -n 1; exit ${{PIPESTATUS[0]}}", folder)
    assert (len(done.lines), done.err, done.status) == (1, "", 0)


@reader
def test_ends_with_130_when_interrupted(name: str, folder: Path) -> None:
    arguments = ["trace", name, *FROM_STDIN.get(name, "").split()]
    running = subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert running.stdin
    running.stdin.write(GOOD)
    running.stdin.flush()
    until_read(running.stdin)
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    _, err = running.communicate()
    assert err == b""


# What is asked


@reader
def test_prints_json_lines_into_a_pipe(name: str, folder: Path) -> None:
    done = shell(f"trace {name} good.jsonl | cat", folder)
    assert done.out.endswith(b"\n")
    for line in done.lines:
        json.loads(line)


@reader
def test_nothing_found_is_a_no(name: str, folder: Path) -> None:
    done = shell(f"trace {name} -t none good.jsonl", folder)
    assert (done.err, done.status) == ("", 1)


WRONG = {
    "an unknown option": "--bogus",
    "an unreadable expression": "-w 'payload.(('",
    "a bare number": "-w 'payload.status == 429'",
    "an unreadable pattern": "-g '('",
    "a pattern too large": "-g 'a{99999999999}'",
    "an unknown output": "-o xml",
    "no time": "--since noon",
    "no number": "-m some",
}


@reader
@pytest.mark.parametrize("what", WRONG)
def test_bad_usage_is_told_with_where_to_look(name: str, what: str, folder: Path) -> None:
    done = shell(f"trace {name} {WRONG[what]} good.jsonl", folder)
    assert (done.out, done.status) == (b"", 2)
    assert done.err.startswith(f"trace {name}: ")
    assert done.err.endswith(f"  see: trace {name} --help\n")


@pytest.mark.parametrize("name", NAMES)
def test_help_and_the_list_of_commands_say_what_it_does(name: str, folder: Path) -> None:
    done = shell(f"trace {name} --help", folder)
    first = (COMMANDS / f"{name.replace('-', '_')}.py").read_text().splitlines()[0].strip('"')
    assert (done.err, done.status) == ("", 0)
    assert first in " ".join(done.out.decode().split())
    assert first in " ".join(shell("trace --help", folder).out.decode().split())
    assert shell(f"trace {name} -h", folder).out == done.out


def examples() -> list[Any]:
    """The shell lines in the commands' docstrings that end by themselves."""
    found = []
    for name in NAMES:
        for line in (COMMANDS / f"{name.replace('-', '_')}.py").read_text().split('"""')[1].splitlines():
            if line.startswith("  ") and "trace " in line and not is_endless(line):
                found.append(pytest.param(line.strip(), id=line.strip()))
    return found


@pytest.mark.parametrize("line", examples())
def test_the_examples_of_the_help_run(line: str, folder: Path) -> None:
    (folder / "run.jsonl").write_bytes(GOOD)
    (folder / "last-week.jsonl.gz").write_bytes(gzip.compress(GOOD))
    shutil.copy(SAMPLES / "prices.json", folder)
    (folder / "runs").mkdir()
    for sample in ("failed",) if "fixture" in line else ("failed", "killed"):
        (folder / f"runs/{sample}.jsonl").write_bytes((SAMPLES / f"{sample}.jsonl").read_bytes())
    for place in (".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"):
        (folder / place).mkdir(parents=True)
    if "diff" in line:
        (folder / "good.jsonl").write_bytes((SAMPLES / "fine.jsonl").read_bytes())
    if "scrub" in line:
        for name in ("failed", "fixed"):
            (folder / f"{name}.jsonl").write_bytes(GOOD)
    done = shell(line, folder, env={"HOME": str(folder)})
    talk = [each for each in done.err.splitlines() if not each.startswith(("scrubbed: ", "test_"))]
    assert talk == []
    assert done.status in (0, 1)
