"""README.md, run: every block of code in it, and the table of the commands.

- `console` blocks: each `$ command` runs on a terminal of 80 columns, without colours and pager; what follows must
  be what it prints, to the letter. `pytest --accept` writes it.
- `sh` blocks end with status 0.
- `python` blocks are one program, in their order, against the stand-in of the Messages API.
- `json` blocks are one event, in the format of trace-events(5).
"""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from trace_cli.cli import Commands, cli, summary
from trace_cli.lines import head_of

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
TEXT = README.read_text()
WIDTH = 80


def blocks(language: str) -> list[str]:
    """The code in a language, a text for each block."""
    found = re.findall(r"^```(\S*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [text for tag, text in found if tag == language]


def test_no_block_escapes() -> None:
    fences = re.findall(r"^\s*(```|~~~)(.*)$", TEXT, re.MULTILINE)
    assert {mark for mark, _ in fences} == {"```"}
    assert {tag for _, tag in fences[::2]} == {"console", "sh", "python", "json"}
    assert {tag for _, tag in fences[1::2]} == {""}
    outside = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^( {4}|\t)", outside, re.MULTILINE), "indented code would not be run"


# What the agent says, and what was scrubbed.
TALK = re.compile(r"^scrubbed: | (INFO|ERROR) |^I will collect|^$")


def commands_shown() -> list[tuple[str, str]]:
    """(command, what it is said to print)."""
    shown = "".join(blocks("console"))
    assert shown.startswith("$ ")
    return [(command, said) for command, said in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", shown, re.MULTILINE)]


@pytest.mark.parametrize("command", dict(commands_shown()))
def test_a_command_prints_what_is_shown(
    command: str, traces: Path, environment: dict[str, str], accept: bool
) -> None:
    printed, status = on_terminal(command, traces, environment)
    assert status == (1 if command.startswith("trace diff") else 0), printed
    assert all(len(line) <= WIDTH for line in [f"$ {command}", *printed.splitlines()])
    said = dict(commands_shown())[command]
    if printed != said and accept:
        README.write_text(README.read_text().replace(f"$ {command}\n{said}", f"$ {command}\n{printed}"))
        said = printed
    assert printed == said


def test_there_is_a_post_mortem_in_five_commands_and_on_the_screen() -> None:
    others = ("trace diff", "trace runs", "trace stats", "trace fixture")
    assert len([command for command, _ in commands_shown() if not command.startswith(others)]) == 6


def on_terminal(command: str, folder: Path, environment: dict[str, str]) -> tuple[str, int]:
    """What a person sees, and the exit status."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    plain = {**environment, "TERM": "xterm", "NO_COLOR": "1", "TRACE_PAGER": "cat"}
    with subprocess.Popen(
        ["sh", "-c", command], cwd=folder, env=plain, stdin=subprocess.DEVNULL, stdout=end, stderr=end
    ) as process:
        os.close(end)
        seen = b"".join(read_all(terminal))
        os.close(terminal)
    return seen.decode().replace("\r\n", "\n"), process.returncode


def read_all(terminal: int) -> Iterator[bytes]:
    try:
        while block := os.read(terminal, 1 << 16):
            yield block
    except OSError:  # how Linux tells that nobody has the other end open any more
        return


@pytest.mark.parametrize("script", blocks("sh"))
def test_a_script_succeeds(script: str, traces: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=traces,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    talk = [line for line in done.stderr.splitlines() if not TALK.search(line)]
    assert (done.returncode, talk) == (0, [])
    if "trace diff -q" in script:
        assert done.stdout == "the agent does something else\n"
        return
    if "trace fixture" in script:
        assert "Reproduced: growth: ZeroDivisionError: division by zero" in done.stdout
        assert "as it failed at night" in done.stdout
        assert "1 passed" in done.stdout
        assert '"verdict":"same"' in done.stdout
        return
    assert '{"value":"ZeroDivisionError: division by zero","count":2}' in done.stdout
    assert len((traces / "sent.jsonl").read_text().splitlines()) == 2


def test_the_python_runs(traces: Path, run_program: Callable[[str], "subprocess.CompletedProcess[str]"]) -> None:
    done = run_program("\n".join(blocks("python")))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("alert: search\nalert: search\ngrowth ZeroDivisionError: division by zero ")
    recorded = [json.loads(line) for line in (traces / "runs" / "run.jsonl").read_text().splitlines()]
    assert [event["type"] for event in recorded] == [
        *("run.started", "tool.called", "tool.result", "model.request", "model.response"),
        *("tool.called", "tool.result", "run.ended"),
    ]
    night = [json.loads(line) for line in (traces / "runs" / "night.jsonl").read_text().splitlines()]
    retrieve, search = (event for event in night if event["type"] == "step.started")
    (found,) = (event for event in night if event["type"] == "tool.result")
    assert search["payload"]["parent_id"] == retrieve["step_id"]
    assert found["step_id"] == search["step_id"]
    assert found["payload"]["attached"] == {"citations": ["sales-emea"]}
    assert not (traces / "runs" / "errors.jsonl").exists()


@pytest.mark.parametrize("text", blocks("json"))
def test_an_event_is_one_of_the_format(text: str) -> None:
    assert json.loads(text)["v"] == 1
    assert head_of(text.rstrip("\n").encode())


def test_the_table_has_the_commands() -> None:
    rows = re.findall(r"^\| `trace (\S+)` \| (.*) \|$", TEXT, re.MULTILINE)
    assert isinstance(cli, Commands)
    names = cli.list_commands(click.Context(cli))
    assert rows == [(name, summary(name)) for name in names]


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https:)([^)#]+)\)", TEXT))))
def test_a_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
