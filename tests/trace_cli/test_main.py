"""How the process ends when the program itself is wrong: never as if the answer were no."""

import subprocess
import sys

import pytest
from processes import environment


def ended(code: str, **env: str) -> tuple[str, int]:
    """What a process says in which `code` came before the command line."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nfrom trace_cli.__main__ import main\nmain()", "types"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(env),
        check=False,
    )
    return done.stderr.decode(), done.returncode


BUG = "import trace_cli.cli as cli\ncli.run = lambda arguments: 1 / 0"


def test_a_bug_is_one_line_and_status_2() -> None:
    said = "trace: internal error: ZeroDivisionError: division by zero (TRACE_DEBUG=1 shows where)\n"
    assert ended(BUG) == (said, 2)


def test_a_bug_can_be_looked_into() -> None:
    said, status = ended(BUG, TRACE_DEBUG="1")
    assert (said.startswith("Traceback"), status) == (True, 2)


@pytest.mark.parametrize(("raised", "status"), [("ImportError('no click')", 2), ("KeyboardInterrupt", 130)])
def test_the_status_holds_while_modules_are_imported(raised: str, status: int) -> None:
    code = (
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == 'trace_cli.cli': raise {raised}\n"
        "sys.meta_path.insert(0, Finder())"
    )
    said, found = ended(code)
    assert found == status
    assert "Traceback" not in said
