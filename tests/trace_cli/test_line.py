"""One line: what parsing takes, which objects stand on it, and what is said of bytes that are no object."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsontext import OBJECTS

from trace_cli import line
from trace_cli.errors import BadLine

OWN = b'{"v":1,"type":"note","timestamp":"t","run_id":"r","seq":0,"payload":{}}'


def pieces(raw: bytes) -> list[tuple[int, bytes, bool]]:
    """(offset, bytes, good) of what stands on a line."""
    return [(offset, piece, not isinstance(found, BadLine)) for offset, piece, found in line.unglue(raw)]


def test_objects_of_any_make_are_told_apart() -> None:
    assert pieces(b'{"a":1}{"b":{}} \t{"c":"}{"}') == [
        (0, b'{"a":1}', True),
        (7, b'{"b":{}}', True),
        (17, b'{"c":"}{"}', True),
    ]


@given(st.lists(OBJECTS.map(str.encode), min_size=2, max_size=4))
def test_each_object_has_its_own_bytes(objects: list[bytes]) -> None:
    assert [piece for _, piece, _ in pieces(b"".join(objects))] == objects


def test_what_is_no_json_behind_objects_is_told_by_itself() -> None:
    assert pieces(b'{"a":1}{"b"') == [(0, b'{"a":1}', True), (7, b'{"b"', False)]


def test_an_event_behind_a_cut_off_one_is_found() -> None:
    cut = b'{"v":1,"type":"note","times'
    assert pieces(cut + OWN) == [(0, cut, False), (len(cut), OWN, True)]
    assert pieces(cut + OWN + OWN) == [(0, cut, False), (len(cut), OWN, True), (len(cut + OWN), OWN, True)]
    assert pieces(OWN + cut + OWN) == [(0, OWN, True), (len(OWN), cut, False), (len(OWN + cut), OWN, True)]


def test_an_event_inside_a_damaged_payload_is_none() -> None:
    damaged = OWN[:-2] + b'"bad":\x01,"inner":' + OWN + b"}}"
    assert pieces(damaged) == [(0, damaged, False)]


def test_no_line_exhausts_the_stack_or_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    objects = line._objects

    def counted(raw: bytes) -> Any:
        nonlocal looked
        looked += 1
        return objects(raw)

    monkeypatch.setattr(line, "_objects", counted)
    raw = b'{"v":1,"type":"' * 20_000
    assert pieces(raw) == [(0, raw, False)]
    assert looked < 200


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"word", "not JSON"),
        (b"[1,2]", "a JSON array, not an object"),
        (b'"text"', "a JSON string, not an object"),
        (b"null", "a JSON null, not an object"),
        (b"true", "a JSON boolean, not an object"),
        (b'{"a":', "cut off after 5 bytes"),
        (b'{"a":"b', "cut off after 7 bytes"),
        (b'{"a":1,', "cut off after 7 bytes"),
        (b'{"a":1', "cut off after 6 bytes"),
        (b'{"a":\xff}', "invalid UTF-8 at byte 5"),
        (b'{"a":"\xc3', "invalid UTF-8 at byte 6"),
        (b'{"a":"\x01"}', "not JSON: Invalid control character at byte 6"),
        (b"{'a':1}", "not JSON: Expecting property name enclosed in double quotes at byte 1"),
        ('{"é":oh}'.encode(), "not JSON: Expecting value at byte 6"),
    ],
)
def test_says_why_bytes_are_no_object(raw: bytes, reason: str) -> None:
    with pytest.raises(BadLine) as caught:
        line.parse(raw)
    assert caught.value.reason == reason


def test_takes_what_other_writers_write() -> None:
    assert line.parse(b'{"a":Infinity,"b":"\\ud83d"}') == {"a": float("inf"), "b": "\ud83d"}


def test_splice_puts_a_last_key_in() -> None:
    assert line.splice(b'{"a":1.10} \r', _src={"n": 1}) == b'{"a":1.10,"_src":{"n":1}} \r'
    assert line.splice(b"{ }", _src=1) == b'{ "_src":1}'


@given(st.recursive(st.one_of(st.integers(), st.text(st.characters()), st.none()), st.lists, max_leaves=6))
def test_dump_takes_what_parse_gives(value: object) -> None:
    assert json.loads(line.dump(value)) == value
