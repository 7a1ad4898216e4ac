"""The manual pages: made from the commands as they are, free of faults, their examples runnable."""

import re
import shutil
import subprocess
from pathlib import Path

import generate
import pytest

from trace_cli import __version__
from trace_cli.cli import summary

ROOT = Path(__file__).parents[2]
MAN = ROOT / "man"
PAGES = sorted(MAN.glob("*.[1-9]"))
GENERATED = dict(generate.pages())

_ROFF = {r"\(aq": "'", r"\(ga": "`", r"\(dq": '"', r"\(ti": "~", r"\(ha": "^", r"\-": "-", r"\e": "\\", r"\&": ""}


def examples(page: Path) -> list[str]:
    """The lines between .EX and .EE that are commands."""
    shown = re.findall(r"^\.EX\n(.*?)^\.EE$", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = "".join(shown).splitlines()
    plain = [re.sub(r"\\(?:\(..|.)", lambda found: _ROFF[found[0]], line) for line in lines]
    return [line for line in plain if re.match(r"(cat|if|tail|trace) ", line)]


def is_endless(command: str) -> bool:
    """Whether an example goes on until Ctrl-C."""
    return "tail -f" in command or ("--follow" in command and " -m " not in command)


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_the_page_is_what_its_command_makes(path: Path) -> None:
    assert path.read_text() == GENERATED[path], "make man"


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    assert sorted(MAN.glob("trace-*.1")) == sorted(GENERATED)


def test_the_main_page_lists_the_commands() -> None:
    source = (MAN / "trace.1").read_text().replace(r"\-", "-")
    assert f'"agent-replay-trace {__version__}"' in source.partition("\n")[0]
    names = [path.stem.removeprefix("trace-") for path in GENERATED]
    listed = re.findall(r"^\.TP\n\.B (\S+)\n(.+)\n", source.partition(".SH COMMANDS")[2].partition(".SH")[0], re.M)
    assert listed == [(name, summary(name)) for name in names]
    assert re.findall(r"^\.BR trace-(\S+) \(1\),$", source, re.M) == names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_has_no_faults(page: Path) -> None:
    if mandoc := shutil.which("mandoc"):
        # Pages have no date, so that they change with what they say only.
        command: list[str | Path] = [mandoc, "-T", "lint", "-W", "warning", page]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = [line for line in done.stdout.splitlines() if "missing date" not in line]
    elif groff := shutil.which("groff"):
        command = [groff, "-ww", "-man", "-Tutf8", "-z", page]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()
    else:
        pytest.skip("needs mandoc or groff")
    assert said == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_is_plain_ascii(page: Path) -> None:
    assert page.read_bytes().isascii(), "groff needs \\[uXXXX] for the rest"


SHOWN = {command: page.name for page in PAGES for command in examples(page)}


@pytest.mark.parametrize("command", SHOWN)
def test_an_example_fits_a_terminal(command: str) -> None:
    assert len(command) <= 80 - 9, "the page is indented by 9"


@pytest.mark.parametrize("command", [each for each in SHOWN if not is_endless(each)])
def test_an_example_runs(command: str, traces: Path, environment: dict[str, str]) -> None:
    for folder in (".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"):
        (traces / folder).mkdir(parents=True)
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=traces,
        env={**environment, "HOME": str(traces)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode in (0, 1), done.stderr) == (True, "")


def test_most_examples_end() -> None:
    assert sum(map(is_endless, SHOWN)) == 2
