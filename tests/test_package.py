"""The wheel and the sdist: built from a clean copy, installed into an empty environment.

Takes some ten seconds, and asks the package index as pip does.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Run in the new environment: whose files are where. typed-argument-parser installs the import name `tap`.
NEIGHBOURS = """
import importlib.metadata, json
import agenttap, tap
names = "agent-replay-trace", "typed-argument-parser"
files = [{str(file) for file in importlib.metadata.files(name)} for name in names]
print(json.dumps({
    "agenttap": [agenttap.__file__, hasattr(agenttap.Tap, "wrap")],
    "tap": [tap.__file__, hasattr(tap.Tap, "parse_args")],
    "claimed by both": sorted(set.intersection(*files)),
}))
"""


def test_wheel_and_sdist_install_beside_the_other_tap(tmp_path: Path) -> None:
    # One test, so that one environment serves all: each costs seconds.
    wheel, sdist = build(clean_copy(tmp_path / "copy"), tmp_path / "dist")
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin/python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]

    run(*pip, "install", "--no-compile", wheel, "typed-argument-parser")
    check(environment)

    run(*pip, "uninstall", "--yes", "agent-replay-trace")
    assert not (environment / "bin/trace").exists()
    run(*pip, "install", "--no-compile", "--no-deps", sdist)
    check(environment)


def check(environment: Path) -> None:
    """The command answers, the man pages are where man looks, and each library is its own."""
    assert run(environment / "bin/trace", "--version").strip().endswith("0.2.0")
    for page in ("man1/trace.1", "man3/agenttap.3", "man5/trace-events.5"):
        assert (environment / "share/man" / page).read_text().strip(), page

    # -P and a folder elsewhere: the copy's own folder `tap` must not be what is imported.
    found = json.loads(run(environment / "bin/python", "-P", "-c", NEIGHBOURS, cwd=environment))
    folder = next(environment.glob("lib/python*/site-packages"))
    assert found == {
        "agenttap": [str(folder / "agenttap/__init__.py"), True],
        "tap": [str(folder / "tap/__init__.py"), True],
        "claimed by both": [],
    }


def clean_copy(folder: Path) -> Path:
    """The files that git knows or would add, without what earlier builds left."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("needs a git checkout")
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def build(source: Path, target: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel built from the sdist: what is missing in the one is missing in the other."""
    run(sys.executable, "-m", "build", "--outdir", target, source)
    (wheel,), (sdist,) = target.glob("*.whl"), target.glob("*.tar.gz")
    return wheel, sdist


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Standard output of a command; the test fails with all of its output when it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
