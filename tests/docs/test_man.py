"""The manual pages: made from the commands as they are, free of faults, their examples runnable.

agenttap.3 is written by hand: it has every option, method and diagnostic of the library, and its programs run.
"""

import ast
import inspect
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import generate
import pytest
from agenttap import CallbackSink, FileSink, Tap
from agenttap.testing import Captured, capture

from agent_replay_trace import Replay
from trace_cli import __version__
from trace_cli.cli import summary

ROOT = Path(__file__).parents[2]
MAN = ROOT / "man"
PAGES = sorted(MAN.glob("*.[1-9]"))
GENERATED = dict(generate.pages())

_ROFF = {r"\(aq": "'", r"\(ga": "`", r"\(dq": '"', r"\(ti": "~", r"\(ha": "^", r"\-": "-", r"\e": "\\", r"\&": ""}


def blocks(page: Path) -> list[str]:
    """What stands between .EX and .EE, as it is to be typed."""
    shown = re.findall(r"^\.EX\n(.*?)^\.EE$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(r"\\(?:\[u(?P<code>\w+)\]|\(..|.)", _plain, block) for block in shown]


def _plain(found: re.Match[str]) -> str:
    return chr(int(found["code"], 16)) if found["code"] else _ROFF[found[0]]


def examples(page: Path) -> list[str]:
    """The lines of these that are commands."""
    return [line for line in "".join(blocks(page)).splitlines() if re.match(r"(cat|if|tail|trace) ", line)]


def is_endless(command: str) -> bool:
    """Whether an example goes on until somebody ends it: it follows a file, has keys, or serves."""
    if "trace step" in command and "--keys" not in command:
        return True
    if "trace serve" in command:
        return True
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
    talk = [each for each in done.stderr.splitlines() if not each.startswith(("scrubbed: ", "test_"))]
    assert (done.returncode in (0, 1), talk) == (True, [])


def test_most_examples_end() -> None:
    assert sum(map(is_endless, SHOWN)) == 10


# --- agenttap(3) -----------------------------------------------------------------------------------------------

LIBRARY = MAN / "agenttap.3"
PROGRAMS = [block for block in blocks(LIBRARY) if re.match("(import|from) ", block)]


REPLAYING = MAN / "tracereplay.3"
PROGRAMS += [block for block in blocks(REPLAYING) if re.match("(import|from) ", block)]


def section(name: str, page: Path = LIBRARY) -> str:
    """The source of a section of agenttap(3), or another page."""
    return page.read_text().partition(f"\n.SH {name}\n")[2].partition("\n.SH ")[0]


def defaults(function: Callable[..., Any]) -> list[str]:
    """`option=default` of a function, as the page writes them."""
    options = inspect.signature(function).parameters.values()
    shown = {option.name: option.default for option in options if option.default is not inspect.Parameter.empty}
    quoted = {name: rf"\(dq{value}\(dq" for name, value in shown.items() if isinstance(value, str)}
    return [f"{name}={getattr(value, '__name__', value)}" for name, value in (shown | quoted).items()]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("TAP", Tap),
        ("TAP", Tap.flush),
        ("TAP", Tap.install),
        ("TAP", Tap.subscribe),
        ("TAP", Tap.attach),
        ("SINKS", FileSink),
        ("SINKS", CallbackSink),
        ("TESTING", capture),
    ],
    ids=["Tap", "flush", "install", "subscribe", "attach", "FileSink", "CallbackSink", "capture"],
)
def test_the_library_page_has_every_option_and_its_default(name: str, function: Callable[..., Any]) -> None:
    assert [each for each in defaults(function) if each not in section(name)] == []


def test_the_library_page_has_every_method_and_no_other() -> None:
    told = re.findall(r"^\.TP\n\.B[IR]? (?:@tap\.)?(\w+)(?:\(| |$)", section("TAP").partition(".SS ")[2], re.M)
    assert sorted(told) == sorted(name for name in vars(Tap) if not name.startswith("_"))
    properties = [name for name in vars(Captured) if not name.startswith("_")]
    assert [name for name in properties if not re.search(rf"\b{name}\b", section("TESTING"))] == []
    assert all(sink.__name__ in section("SINKS") for sink in (FileSink, CallbackSink))


def test_the_page_of_the_replay_has_every_option_and_every_method() -> None:
    told = section("REPLAY", REPLAYING)
    assert [each for each in defaults(Replay.load) if each not in told] == []
    methods = re.findall(r"^\.TP\n\.BI? \"?(?:Replay\.)?(\w+)", told, re.M)
    # Those are of the transports, of tools, and of `trace serve`.
    inner = {"tap", "recorder", "may_answer", "is_asked", "answer", "result", "asked", "failed", "failure"}
    assert {*methods} - {"misses"} == {name for name in vars(Replay) if not name.startswith("_")} - inner


def test_the_library_page_has_the_keys_of_stats() -> None:
    tap = Tap(writer=lambda line: None)
    tap.subscribe(print)
    stats = tap.stats()
    tap.close()
    told = section("TAP").partition(".B stats()")[2]
    assert [
        key
        for key in {**stats, **stats["sinks"][0], **stats["subscribers"][0]}
        if not re.search(rf"\b{key}\b", told)
    ] == []


def said_on_stderr() -> Iterator[str]:
    """The fixed parts of what the library says, wherever it calls `tell`."""
    for path in (ROOT / "tap").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and re.fullmatch(r"(guard\.)?tell", ast.unparse(node.func)):
                for part in ast.walk(node.args[1]):
                    if isinstance(part, ast.Constant):
                        yield part.value.strip()


def test_the_library_page_has_every_line_on_stderr() -> None:
    told = section("DIAGNOSTICS").replace(r"\[u2026]", "…")
    said = set(said_on_stderr())
    assert "the tap is closed: events are no longer recorded" in said
    assert [part for part in said if part not in told] == []


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_a_program_of_the_library_page_runs(
    program: str, run_program: Callable[[str], "subprocess.CompletedProcess[str]"]
) -> None:
    assert max(map(len, program.splitlines())) <= 80 - 9, "the page is indented by 9"
    done = run_program(program)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_library_page_has_programs() -> None:
    assert len(PROGRAMS) == 5
