"""The servers and SDK clients of the tap's tests are those of the replay's too."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tap"))


@pytest.fixture(scope="module", autouse=True)
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Collecting garbage looks at what is new only, and no client reads certificates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("none")))
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No client outlives its test."""
    yield
    if "recorded" in sys.modules:
        made = sys.modules["recorded"].made
        while made:
            made.pop().close()
