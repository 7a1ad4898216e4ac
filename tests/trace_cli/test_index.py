"""The index: what it says of each event, that its bytes come back, and which events are errors."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trace_cli.errors import TraceError
from trace_cli.index import Index
from trace_cli.reading import Reading

SAMPLES = Path(__file__).parents[1] / "samples"
NAMES = sorted(file.stem for file in SAMPLES.glob("*.jsonl"))


def indexed(*files: Path | str) -> Index:
    index = Index()
    for event in Reading([str(file) for file in files]):
        index.add(event)
    index.close()
    return index


@pytest.mark.parametrize("name", NAMES)
def test_gives_back_every_event_as_it_was_read(name: str) -> None:
    file = SAMPLES / f"{name}.jsonl"
    index = indexed(file)
    read = list(Reading([str(file)]))
    assert len(index) == len(read) > 0
    for number, event in enumerate(read):
        again = index.event(number)
        assert (again.raw, again.type, again.src, again.index) == (event.raw, event.type, event.src, number)
        assert (index.type(number), index.place(number)) == (event.type, (event.file, event.line))
        assert (index.time(number), index.size(number)) == (event.time, len(event.raw))


@pytest.mark.parametrize("pack", [gzip.compress, lambda raw: raw.replace(b"\n", b"\r\n")])
def test_gives_back_what_was_packed_or_odd(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / "trace"
    file.write_bytes(pack((SAMPLES / "failed.jsonl").read_bytes()))
    index = indexed(file)
    assert [json.loads(index.raw(number))["seq"] for number in range(len(index))] == list(range(10))


def test_tells_runs_apart_with_their_names_and_starts() -> None:
    index = indexed(SAMPLES / "interleaved.jsonl", SAMPLES / "failed.jsonl")
    assert [(run.name, index.event(run.start).type) for run in index.runs][-1] == ("report", "run.started")
    for number in range(len(index)):
        event = index.event(number)
        assert index.event(index.run(number).start).run == event.run
        assert all(each.run == event.run for each in index.backwards(number))
    assert index.since_start(len(index) - 1) == 9


def test_errors_are_those_that_first_error_knows() -> None:
    index = indexed(SAMPLES / "failed.jsonl", SAMPLES / "recovered.jsonl", SAMPLES / "killed.jsonl")
    assert index.error_numbers == sorted(index.errors)
    failed, recovered, killed = index.runs
    assert index.errors[8]["message"] == "ValueError: no rows [/] in q1"
    assert (failed.first, failed.unrecovered) == (8, 8)
    assert recovered.first is not None
    assert recovered.unrecovered is not None
    assert recovered.first < recovered.unrecovered
    assert index.errors[recovered.first]["recovered"] is True
    assert index.errors[recovered.unrecovered]["recovered"] is False
    assert killed.first == len(index) - 1
    assert index.errors[killed.first]["kind"] == "orphan"


def test_a_call_that_is_answered_after_all_is_no_orphan() -> None:
    events = list(Reading([str(SAMPLES / "failed.jsonl")]))
    index = Index()
    for event in events[:4]:
        index.add(event)
    index.close()
    assert index.errors[3]["kind"] == "orphan"
    assert index.runs[0].first == 3
    index.reopen()
    assert (index.errors, index.error_numbers, index.runs[0].first) == ({}, [], None)
    for event in events[4:]:
        index.add(event)
    index.close()
    assert index.error_numbers == [8, 9]


def test_says_that_a_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    raw = (SAMPLES / "failed.jsonl").read_bytes()
    file.write_bytes(raw)
    index = indexed(file)
    file.write_bytes(raw.replace(b'"tool.called"', b'"tool.caller"'))
    with pytest.raises(TraceError, match=r"run.jsonl:4: changed"):
        index.event(3)
    file.write_bytes(raw[:2000])
    with pytest.raises(TraceError, match="became shorter"):
        index.event(9)


def test_takes_tens_of_bytes_an_event(tmp_path: Path) -> None:
    import tracemalloc

    file = tmp_path / "many.jsonl"
    event = b'{"v":1,"type":"note","timestamp":"2026-05-24T03:17:04.123456Z","run_id":"r","seq":%d,"payload":{}}\n'
    file.write_bytes(b"".join(event % number for number in range(20_000)))
    index = Index()
    reading = iter(Reading([str(file)]))
    for _ in range(5_000):
        index.add(next(reading))
    tracemalloc.start()
    for each in reading:
        index.add(each)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken / 15_000 < 100
