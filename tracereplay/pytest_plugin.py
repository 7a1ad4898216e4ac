"""The pytest plugin: the marker `trace`, the fixture `replay`, the option --trace-mode.

    @pytest.mark.trace("run.jsonl")
    def test_report(replay):
        replay.rerun(prepare_report)

pytest loads this in every session: nothing else is imported until a test has the marker.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .replay import Replay

_MODES = ("replay", "record-missing", "off")
_REPLAYED = pytest.StashKey[bool]()
_TO_RECORD = "pytest --trace-mode=record-missing, where CI is not set"
_UNUSED = "trace_unused"  # under which a test's report says what it did not use


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("trace", "replaying recorded runs of agents").addoption(
        "--trace-mode",
        choices=_MODES,
        default=_MODES[0],
        help="what tests with the marker trace do: answer from the recording (replay, the default); let what was "
        "not recorded go to the network and record it (record-missing; not where CI is set); nothing (off)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "trace(path, **options): answer what this test asks of a model from a recorded run; path is that of a "
        "trace beside the test, options are those of agent_replay_trace.Replay.load",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test with the marker is replayed, whether it asks for the fixture or not; before other fixtures run."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None and item.get_closest_marker("trace"):
            if "replay" in names:
                names.remove("replay")
            names.insert(0, "replay")


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Iterator["Replay"]:
    """The recorded run of the marker `trace`, as an `agent_replay_trace.Replay`.

    It answers all clients of httpx and httpx2 (`Replay.install`) while the test runs. A request that was not
    recorded fails the test, also where the agent caught the exception. What taps record is not written, unless the
    marker has `taps=True`.
    """
    marker = request.node.get_closest_marker("trace")
    if marker is None or len(marker.args) != 1 or not isinstance(marker.args[0], str | os.PathLike):
        pytest.fail('the fixture replay wants @pytest.mark.trace("run.jsonl") on its test', pytrace=False)
    from agenttap.testing import capture

    from trace_cli.errors import TraceError

    from .replay import Replay

    path = request.node.path.parent / marker.args[0]
    shown = os.path.relpath(path)
    path = path if shown.startswith("..") else Path(shown)
    options: dict[str, Any] = {"mode": _mode(request.config), **marker.kwargs}
    writing = options.pop("taps", False) or options["mode"] != "replay"
    told, wrong = list[str](), ""
    try:
        found = Replay.load(path, say=told.append, **options)
    except (TraceError, TypeError, ValueError, AttributeError) as error:
        wrong = str(error)
    if wrong:
        hint = "" if path.exists() else f"\n  to record it: {_TO_RECORD}"
        pytest.fail(f'@pytest.mark.trace("{marker.args[0]}"): {wrong}{hint}', pytrace=False)
    request.config.stash[_REPLAYED] = True
    try:
        with nullcontext() if writing else capture():
            yield found.install()
    finally:
        found.close()
    for each in told:
        request.node.user_properties.append((_UNUSED, each))
    caught = found.misses[0] if found.misses else found.failure if found.reproduced else None
    if caught and not getattr(request.node, "trace_failed", False):
        pytest.fail(f"{caught}\n  (the agent caught the exception)", pytrace=False)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The taps of agents end here: how pytest ends is no error of theirs."""
    hooks = sys.modules.get("agenttap.hooks")
    if hooks is not None and config.stash.get(_REPLAYED, False):
        for recorder in hooks.every():
            recorder.close()


def _mode(config: pytest.Config) -> str:
    mode: str = config.getoption("--trace-mode")
    in_ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return "replay" if mode == "record-missing" and in_ci else mode


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if call.when == "call" and call.excinfo is not None:
        item.trace_failed = True  # type: ignore[attr-defined]  # ours: its failure needs no second
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was recorded and not asked for, test by test."""
    told = [
        (report.nodeid, text)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "teardown"
        for name, text in report.user_properties
        if name == _UNUSED
    ]
    if told:
        terminalreporter.section("recorded, and not replayed")
        for node, text in told:
            terminalreporter.line(f"{node}: {text}")
