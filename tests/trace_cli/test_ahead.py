"""Reading ahead: the same blocks in the same order, the same errors, and no thread left behind."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trace_cli import search
from trace_cli.ahead import read_ahead

NAME = "trace-read-ahead"


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == NAME]


def test_the_blocks_come_in_their_order() -> None:
    blocks = [b"%d" % number for number in range(100)]
    assert list(read_ahead(iter(blocks))) == blocks
    assert list(read_ahead(iter([]))) == []
    assert not threads()


def test_what_reading_raises_comes_behind_the_blocks_before_it() -> None:
    def failing() -> Iterator[bytes]:
        yield b"1"
        yield b"2"
        raise OSError(5, "Input/output error")

    blocks = read_ahead(failing())
    assert [next(blocks), next(blocks)] == [b"1", b"2"]
    with pytest.raises(OSError, match="Input/output error"):
        next(blocks)
    assert not threads()


def test_nothing_is_read_when_nothing_more_is_wanted() -> None:
    read = []

    def endless() -> Iterator[bytes]:
        while True:
            read.append(None)
            yield b"x"

    blocks = read_ahead(endless())
    assert next(blocks) == b"x"
    assert next(blocks) == b"x"
    blocks.close()  # type: ignore[attr-defined]
    assert not threads()
    assert len(read) <= 2 + 2  # of which two were ahead


def test_it_reads_while_a_block_is_worked_on() -> None:
    second = threading.Event()

    def noting() -> Iterator[bytes]:
        yield b"1"
        second.set()
        yield b"2"

    blocks = read_ahead(noting())
    assert next(blocks) == b"1"
    assert second.wait(60)
    assert list(blocks) == [b"2"]


PIECES = st.lists(st.sampled_from([b"}{", b'"', b"\0", b"\n", b"x", '}{"ü'.encode()]), max_size=12)


@given(pieces=PIECES, start=st.integers(0, 30))
def test_a_needle_is_found_where_it_is(pieces: list[bytes], start: int) -> None:
    block = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "WORTH_IT", 0)
        find = search.finder(block)
        for needle in (b'}{"', b"x", b"xx"):
            place = min(start, len(block))
            assert find(needle, place) == block.find(needle, place)


def test_a_block_lives_as_long_as_its_finder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "WORTH_IT", 0)
    finds = [search.finder(b"x" * size + b'}{"' + b"%d" % size) for size in range(1000)]
    assert [find(b'}{"', 0) for find in finds] == list(range(1000))
    assert finds[0] is not bytes.find
