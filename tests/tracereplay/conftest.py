"""The servers and SDK clients of the tap's tests are those of the replay's too."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tap"))

from agents import quick


@pytest.fixture(scope="module", autouse=True)
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with quick(tmp_path_factory.mktemp("none")):
        yield


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No client outlives its test."""
    yield
    if "recorded" in sys.modules:
        made = sys.modules["recorded"].made
        while made:
            made.pop().close()
