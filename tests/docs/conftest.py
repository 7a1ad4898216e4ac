"""What the documentation is run against: the recorded run of the example, under the names that the texts use."""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# generate and messages_api; and trace_cli, which the folder tests/trace_cli would hide
sys.path[:0] = [str(ROOT / "man"), str(ROOT / "examples"), str(ROOT)]

import messages_api  # noqa: E402


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """A folder with run.jsonl, the run with a better prompt in fixed, good and last-week, and copies in runs/."""
    recorded = ROOT / "examples" / "failed-run.jsonl"
    shutil.copy(recorded, tmp_path / "run.jsonl")
    fixed = ROOT / "examples" / "fixed-run.jsonl"
    for name in ("fixed", "good", "failed"):
        shutil.copy(fixed, tmp_path / f"{name}.jsonl")
    (tmp_path / "last-week.jsonl.gz").write_bytes(gzip.compress(fixed.read_bytes()))
    shutil.copy(ROOT / "tests" / "samples" / "prices.json", tmp_path)
    (tmp_path / "runs").mkdir()
    text = recorded.read_text()
    run_id = text.partition('"run_id":"')[2].partition('"')[0]
    for number in "12":
        (tmp_path / "runs" / f"{number}.jsonl").write_text(text.replace(run_id, run_id[:-1] + number))
    mended = tmp_path / "mended"
    mended.mkdir()
    for module in (ROOT / "examples").glob("*.py"):
        shutil.copy(module, tmp_path)
        text = module.read_text().replace("/ previous * 100, 1)", "/ previous * 100, 1) if previous else None")
        (mended / module.name).write_text(text)
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """An environment with this `trace` and nothing of the reader's own taste."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture
def run_program(traces: Path, environment: dict[str, str]) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Runs a text as a Python program in `traces`, whose model is the example's stand-in."""

    def run(program: str) -> "subprocess.CompletedProcess[str]":
        (traces / "program.py").write_text(program)
        with messages_api.serve() as base_url:
            return subprocess.run(
                [sys.executable, "program.py"],
                cwd=traces,
                env={
                    **environment,
                    "ANTHROPIC_BASE_URL": base_url,
                    "ANTHROPIC_API_KEY": "sk-ant-readme",
                    "NO_PROXY": "*",
                },
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

    return run
