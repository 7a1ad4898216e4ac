"""What is selected is written as the bytes that were read; what is added is added, and tells the truth."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from inside import run
from jsontext import OBJECTS

LINES = st.lists(OBJECTS.map(str.encode), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bytes") / "trace.jsonl"


@settings(max_examples=150, deadline=None)
@given(lines=LINES)
def test_filter_writes_the_bytes_that_it_read(lines: list[bytes], trace: Path) -> None:
    content = b"".join(line + b"\n" for line in lines)
    trace.write_bytes(content)
    out, said, status = run("filter", str(trace))
    assert (out, status) == (content, 0)
    assert said in (
        "",
        f"trace: {trace}: no trace: none of its lines has a type (type, event_type, kind or event)\n",
    )


BOM = b"\xef\xbb\xbf"
WAYS: dict[str, Callable[[list[bytes]], bytes]] = {
    "lines": lambda lines: b"\n".join(lines) + b"\n",
    "no final newline": b"\n".join,
    "CRLF": lambda lines: b"\r\n".join(lines) + b"\r\n",
    "blank lines": lambda lines: b"\n\n \r\n" + b"\n\n".join(lines) + b"\n",
    "a byte order mark": lambda lines: BOM + b"\n".join(lines) + b"\n",
    "glued": lambda lines: b'{"first":0}\n' + b"".join(lines) + b"\n",
    "damage between": lambda lines: b"bad\n\xff\n".join(line + b"\n" for line in lines),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=25, deadline=None)
@given(lines=LINES)
@example(lines=[b"{}", b'{"a":1}', b"{ }"])
def test_src_is_the_last_key_and_says_where_the_line_stands(
    way: str, packed: bool, lines: list[bytes], trace: Path
) -> None:
    content = WAYS[way](lines)
    trace.write_bytes(gzip.compress(content) if packed else content)
    out, _, status = run("filter", "--src", str(trace))
    assert status == 0
    printed = [line for line in out.split(b"\n")[:-1] if not line.startswith(b'{"first":0')]
    assert len(printed) == len(lines)
    for found, line in zip(printed, lines, strict=True):
        start = found.rindex(b'"_src":{"file":')
        src, length = json.JSONDecoder().raw_decode(found[start + 7 :].decode())
        before, behind = found[:start].removesuffix(b","), found[start + 7 + length :]
        carriage = b"\r" if way == "CRLF" else b""
        assert before + behind == line + carriage, "nothing else was changed"
        assert list(src) == ["file", "line", "offset"]
        assert content[src["offset"] :].lstrip(b" \t\r").startswith(line), "the offset is the line's first byte"
        assert content[: src["offset"]].count(b"\n") == src["line"] - 1


def test_src_and_error_leave_the_line_as_it_was(trace: Path) -> None:
    line = b'{ "type":"tool.result" , "payload" : {"error":"x","n":1.10,"big":' + b"9" * 40 + b"} }"
    trace.write_bytes(line + b"\n")
    out, _, _ = run("first-error", str(trace))
    assert out.startswith(line[:-1] + b',"_error":{"kind":"tool",')
    assert b'},"_src":{' in out
    assert out.endswith(b"}}\n")
