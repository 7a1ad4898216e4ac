"""A tap on a file in a temporary folder, and what it wrote."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from agenttap import Tap
from fakeapi import Server
from traced import Trace


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    return Trace(tmp_path / "runs" / "run.jsonl")


@pytest.fixture
def tap(trace: Trace) -> Iterator[Tap]:
    with Tap(trace.path) as tap:
        yield tap


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()
