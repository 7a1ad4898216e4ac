"""Rotation: by size, by age, by several processes at once, and from outside; no line is lost, torn or doubled."""

import gzip
import os
import re
import stat
import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agenttap import FileSink, Tap
from agenttap.rotation import Rotation
from traced import parsed

NAME = re.compile(r"run\.\d{8}T\d{6}\.\d{6}Z\.jsonl(\.gz)?")


def settle() -> None:
    """Wait for the threads that compress."""
    for thread in threading.enumerate():
        if thread.name == "agenttap-gzip":
            thread.join(30)


def rotated(folder: Path) -> list[Path]:
    """The rotated files, oldest first; the folder holds nothing else but the file itself."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix != ".part"]
    assert [path.name for path in found if not NAME.fullmatch(path.name)] in (["run.jsonl"], [])
    return [path for path in found if path.name != "run.jsonl"]


def lines(path: Path) -> list[bytes]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines(keepends=True)


def everything(folder: Path, torn: int = 0) -> list[dict[str, Any]]:
    """Every event in the folder, in the order of the names; a process may have ended while it compressed."""
    found = [path for path in sorted(folder.glob("run*")) if not Path(f"{path}.gz").exists()]
    return parsed((line for path in found for line in lines(path)), torn)


def test_by_size(tmp_path: Path) -> None:
    with Tap(tmp_path / "run.jsonl", rotate_bytes=10_000) as tap:
        for n in range(100):
            tap.record("note", n=n, text="x" * 1000)
        assert tap.recorder.journal.feeds[0].queued_bytes == 0  # nothing of this needs the thread
    settle()
    assert [event["seq"] for event in everything(tmp_path)] == list(range(102))
    files = rotated(tmp_path)
    assert len(files) > 10
    for path in files:
        assert path.suffix == ".gz"
        assert 8_000 < sum(map(len, lines(path))) <= 10_000
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_larger_than_a_file_has_one_for_itself(tmp_path: Path) -> None:
    with Tap(tmp_path / "run.jsonl", rotate_bytes=1000) as tap:
        for _ in range(3):
            tap.record("note", text="x" * 5000)
    settle()
    assert [len(lines(path)) for path in sorted(tmp_path.iterdir())] == [1, 1, 1, 1, 1]


def test_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("agenttap.rotation.time.time", lambda: now)
    sink = FileSink(tmp_path / "run.jsonl", rotate_every=timedelta(hours=1))
    for n in range(6):
        sink.write(b"%d\n" % n)
        now += 1300
    settle()
    assert [lines(path) for path in sorted(tmp_path.iterdir())] == [
        [b"0\n", b"1\n", b"2\n"],
        [b"3\n", b"4\n", b"5\n"],
    ]


def test_a_file_is_as_old_as_its_first_event(tmp_path: Path) -> None:
    """Also when the process that wrote it is long gone."""
    path = tmp_path / "run.jsonl"
    with Tap(path) as tap:
        tap.record("note")
    with Tap(path, rotate_every=3600) as tap:
        tap.record("note")
    assert rotated(tmp_path) == []
    path.write_bytes(re.sub(rb'"timestamp":"....', b'"timestamp":"2020', path.read_bytes()))
    with Tap(path, rotate_every=3600) as tap:
        tap.record("note")
    settle()
    assert [len(lines(one)) for one in sorted(tmp_path.iterdir())] == [6, 3]


@pytest.mark.parametrize("keep", [0, 3])
def test_only_the_newest_are_kept(tmp_path: Path, keep: int) -> None:
    with Tap(tmp_path / "run.jsonl", rotate_bytes=2000, keep=keep) as tap:
        for n in range(30):
            tap.record("note", n=n, text="x" * 1500)
    settle()
    assert len(rotated(tmp_path)) == keep
    left = [event["seq"] for event in everything(tmp_path)]
    assert left == list(range(32))[-len(left) :]


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    others = [
        "run.jsonl.1",
        "run.2024.jsonl",
        "run2.20260524T031704.123456Z.jsonl",
        "run.20260524T031704Z.jsonl.gz",
    ]
    for name in others:
        (tmp_path / name).write_text(name)
    with Tap(tmp_path / "run.jsonl", rotate_bytes=100, keep=0) as tap:
        tap.record("note")
    settle()
    assert {name: (tmp_path / name).read_text() for name in others} == {name: name for name in others}


def test_the_folder_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold thousands of files, on a network."""
    for day in range(10, 15):
        (tmp_path / f"run.202605{day}T000000.000000Z.jsonl").write_bytes(b'{"n":1}\n')
    looks, real = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (looks.append(path), real(path))[1])
    Rotation(str(tmp_path / "run.jsonl"), 100, None, 2).tidy()
    monkeypatch.undo()
    assert looks == [str(tmp_path)]
    assert [path.name for path in rotated(tmp_path)] == [
        f"run.202605{day}T000000.000000Z.jsonl.gz" for day in (13, 14)
    ]


@pytest.mark.parametrize("left", ["plain", "part", "both"])
def test_what_a_killed_process_left_is_finished(tmp_path: Path, left: str) -> None:
    old = tmp_path / "run.20260524T031704.123456Z.jsonl"
    old.write_bytes(b'{"n":1}\n')
    if left == "part":
        (tmp_path / f".{old.name}.gz.part").write_bytes(b"half of i")
    if left == "both":  # killed after the one was there, and before the other was removed
        Path(f"{old}.gz").write_bytes(gzip.compress(b'{"n":1}\n'))
    with Tap(tmp_path / "run.jsonl", rotate_bytes=10_000) as tap:
        tap.record("note")
    settle()
    assert rotated(tmp_path) == [Path(f"{old}.gz")]
    assert lines(Path(f"{old}.gz")) == [b'{"n":1}\n']


def test_a_file_that_somebody_writes_to_is_not_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may have been stopped between looking at the name and writing."""
    monkeypatch.setattr("agenttap.rotation.BUSY_WAIT", 0.001)
    path = tmp_path / "run.jsonl"
    slow, fast = FileSink(path, rotate_bytes=100), FileSink(path, rotate_bytes=100)
    slow.write(b"x" * 70 + b"\n")
    real = os.write

    def stopped(fd: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", real)
        fast.write(b"y" * 70 + b"\n")  # rotates
        settle()
        assert [one.name for one in rotated(tmp_path) if one.suffix == ".gz"] == []
        return real(fd, data)

    monkeypatch.setattr(os, "write", stopped)
    slow.write(b"late\n")
    slow.write(b"z" * 70 + b"\n")
    settle()
    assert [path.suffix for path in rotated(tmp_path)] == [".gz", ".gz"]
    found = b"".join(line for path in sorted(tmp_path.iterdir()) for line in lines(path))
    assert Counter(found.split()) == Counter([b"x" * 70, b"late", b"y" * 70, b"z" * 70])


def test_a_folder_where_nothing_can_be_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refused)
        with Tap(tmp_path / "run.jsonl", rotate_bytes=100) as tap:
            for _ in range(10):
                tap.record("note")
    assert [event["seq"] for event in everything(tmp_path)] == list(range(12))
    assert rotated(tmp_path) == []


def test_where_files_cannot_be_locked_nothing_is_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("agenttap.rotation.fcntl.flock", refused)
    with Tap(tmp_path / "run.jsonl", rotate_bytes=1000) as tap:
        for _ in range(20):
            tap.record("note", text="x" * 300)
    settle()
    assert {path.suffix for path in rotated(tmp_path)} == {".jsonl"}
    assert [event["seq"] for event in everything(tmp_path)] == list(range(22))


def test_a_file_that_somebody_else_has_locked(tmp_path: Path) -> None:
    import fcntl

    with Tap(tmp_path / "run.jsonl", rotate_bytes=10_000) as tap:
        tap.record("before")
        with (tmp_path / "run.jsonl").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            tap.record("meanwhile")
            assert tap.stats()["queued_bytes"] > 0
        assert tap.flush(10)
    assert [event["type"] for event in everything(tmp_path)] == ["run.started", "before", "meanwhile", "run.ended"]


def test_names_do_not_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rotation = Rotation(str(tmp_path / "run.jsonl"), 100, None, None)
    first = rotation.fresh_name()
    stamps = iter([first, first, rotation.fresh_name()])
    (tmp_path / f"{first}.gz").touch()

    class Clock:
        @staticmethod
        def now(zone: object) -> Any:
            return type("Time", (), {"strftime": lambda self, form: Path(next(stamps)).name[4:27]})()

    monkeypatch.setattr("agenttap.rotation.datetime", Clock)
    assert rotation.fresh_name() > first


def test_a_fork_rotates_too(tmp_path: Path) -> None:
    program = f"""
import os
from agenttap import Tap
tap = Tap({str(tmp_path / "run.jsonl")!r}, rotate_bytes=4000)
tap.record("before")
children = []
for _ in range(3):
    if (pid := os.fork()) == 0:
        children = []
        break
    children.append(pid)
for n in range(50):
    tap.record("note", n=n, text="x" * 200)
for child in children:
    os.waitpid(child, 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    by_run: dict[str, list[int]] = {}
    for event in everything(tmp_path):
        by_run.setdefault(event["run_id"], []).append(event["seq"])
    assert sorted(map(sorted, by_run.values())) == [list(range(52))] * 3 + [list(range(53))]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"rotate_bytes": 0}, "rotate_bytes= must be more than 0"),
        ({"rotate_every": -1.0}, "rotate_every= must be more than 0"),
        ({"rotate_bytes": 1, "keep": -1}, "keep= is a number of files"),
        ({"keep": 3}, "needs rotate_bytes= or rotate_every="),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Tap(tmp_path / "run.jsonl", **settings)


def test_on_the_disk_before_the_call_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = {name: getattr(os, name) for name in ("write", "fdatasync", "fsync")}
    for name, function in real.items():
        monkeypatch.setattr(
            os, name, lambda *args, name=name, function=function: (calls.append(name), function(*args))[1]
        )
    with Tap(tmp_path / "run.jsonl", fsync=True) as tap:
        tap.record("note")
        assert calls == ["fsync", "write", "fdatasync", "write", "fdatasync"]  # first the folder, for the new file
