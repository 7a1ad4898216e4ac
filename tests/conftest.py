"""What the tests of all folders share: `pytest --accept`, and golden cases from `tests/cases`."""

from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="rewrite what the golden cases expect; git shows it")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `case` runs for each folder `tests/cases/NAME/CASE`."""
    if "case" in metafunc.fixturenames:
        cases = sorted(cmd.parent for cmd in CASES.glob("*/*/cmd"))
        metafunc.parametrize("case", cases, ids=["-".join(case.parts[-2:]) for case in cases])


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    """Whether the expectations are to be rewritten."""
    return bool(request.config.getoption("--accept"))
