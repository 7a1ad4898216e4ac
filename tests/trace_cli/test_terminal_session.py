"""A full-screen program on a real terminal: its keys, its screen, and how it leaves the terminal."""

import signal
import sys
from pathlib import Path

import pytest
from processes import TIMEOUT_S
from typing_at import PASTE, Typing

PROGRAM = f"{sys.executable} {Path(__file__).parent / 'session.py'}"


def at_prompt(folder: Path) -> Typing:
    """An interactive shell that has noted the modes of its terminal."""
    at = Typing("stty -g >before", folder, job_control=True)
    at.prompt()
    return at


def assert_restored(at: Typing, folder: Path) -> None:
    """Asks at a prompt whether all is as it was."""
    at.prompt()
    assert at.is_plain
    mark = f"compared {len(at.raw)}"  # not what is on the screen already
    at.type(f"stty -g >after; echo '{mark[:3]}''{mark[3:]}'\r")
    at.until(mark)
    at.prompt()
    assert (folder / "after").read_text() == (folder / "before").read_text() != ""


def start(at: Typing, line: str = PROGRAM) -> None:
    at.type(f"{line}\r")
    at.until("size 80x24")


def waits_for_the_front(at: Typing) -> None:
    """Asks at a prompt until the job is stopped for its terminal output."""
    mark = f"waiting {len(at.raw)}"
    at.type(f"until jobs -l | grep -q output; do :; done; echo '{mark[:3]}''{mark[3:]}'\r")
    at.until(mark)


def around(line: str) -> str:
    """A shell line with the modes before and after it."""
    return f"stty -g >before; {line}; echo status $?; stty -g >after"


def assert_same_modes(folder: Path) -> None:
    assert (folder / "after").read_text() == (folder / "before").read_text() != ""


# Keys


def test_keys_are_read_and_the_terminal_is_left_as_it_was(tmp_path: Path) -> None:
    with Typing(around(f"echo before; {PROGRAM}"), tmp_path) as at:
        at.until("size 80x24")
        assert not at.is_plain
        assert at.screen.cursor.hidden
        assert "before" not in at.rows
        assert at.screen.buffer[0][0].fg == "red"
        at.type("é", "Up", "Enter", b"\x04\x13\x16")
        at.until("6:Ctrl-V")
        assert at.rows[2:8] == ["1:é", "2:Up", "3:Enter", "4:Ctrl-D", "5:Ctrl-S", "6:Ctrl-V"]
        at.type("q")
        assert at.wait() == 0
        assert at.is_plain
        assert PASTE not in at.screen.mode
        assert at.shown.splitlines() == ["before", "left True -1 canonical True", "status 0"]
    assert_same_modes(tmp_path)


def test_an_escape_alone_is_told_in_time(tmp_path: Path) -> None:
    with Typing(PROGRAM, tmp_path) as at:
        at.until("size")
        at.type("Esc")
        at.until("1:Esc")
        at.type("Esc")
        at.until("2:Esc")
        at.type("\x1b[")
        at.type("A")
        at.until("3:Up")
        at.type("q")
        assert at.wait() == 0


def test_what_is_pasted_is_not_obeyed(tmp_path: Path) -> None:
    with Typing(PROGRAM, tmp_path) as at:
        at.until("size")
        assert PASTE in at.screen.mode  # the terminal is asked to put brackets around it
        at.type("\x1b[200~a\r\x1b[Ab\x1b[201~")
        at.until("4:b")
        assert at.rows[2:6] == ["1:a", "2:[", "3:A", "4:b"]
        at.type("q")
        assert at.wait() == 0


def test_another_thread_wakes_a_reader(tmp_path: Path) -> None:
    with Typing(PROGRAM, tmp_path) as at:
        at.until("size")
        at.type("w")
        at.until("2:(nothing)")
        at.type("w")
        at.until("4:(nothing)")
        at.type("q")
        assert at.wait() == 0


# The screen


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    with Typing(PROGRAM, tmp_path) as at:
        at.until("size")
        seen = len(at.raw)
        at.type("a")
        at.until("1:a")
        assert at.raw[seen:] == b"\x1b[?2026h\x1b[3;1H\x1b[m\x1b[K1:a\x1b[m\x1b[?2026l"
        at.type("q")
        at.wait()


def test_a_row_may_fill_the_screen_and_be_of_any_width(tmp_path: Path) -> None:
    with Typing(PROGRAM, tmp_path, 30, 6) as at:
        at.until("size")
        at.type("abcdf")
        at.until("5:fwide")
        at.until_true(lambda: all(len(row) == 30 for row in at.rows))  # the last column too
        assert [row[:11] for row in at.rows[:2]] == ["sessionwide", "size 30x6wi"]  # nothing has scrolled
        assert [row[:7] for row in at.rows[2:]] == ["2:bwide", "3:cwide", "4:dwide", "5:fwide"]
        at.type("q")
        assert at.wait() == 0


def test_a_frame_may_be_more_than_a_terminal_takes_at_once(tmp_path: Path) -> None:
    with Typing(PROGRAM, tmp_path) as at:
        at.until("size")
        at.type("abcm")
        at.until("4:m")
        assert at.rows[:6] == ["session", "size 80x24", "1:a", "2:b", "3:c", "4:m"]
        at.until_true(lambda: at.raw.endswith(b"\x1b[?2026l"))
        at.type("q")
        assert at.wait() == 0


def test_a_resized_window_is_drawn_anew(tmp_path: Path) -> None:
    with Typing(around(PROGRAM), tmp_path) as at:
        at.until("size 80x24")
        at.type("a")
        at.until("1:a")
        at.screen.cursor_position(20, 1)
        at.screen.draw("of another program")
        at.resize(40, 10)
        at.until("2:Resize")
        assert "of another program" not in at.shown
        assert at.rows[:4] == ["session", "size 40x10", "1:a", "2:Resize"]
        at.resize(0, 0)
        at.until("3:Resize")
        assert "size 80x24" in at.shown
        at.resize(1, 1)
        at.until_true(lambda: b"size 20x4" in at.raw)
        at.type("q")
        assert at.wait() == 0
    assert_same_modes(tmp_path)


# Ends


def test_an_exception_leaves_the_terminal(tmp_path: Path) -> None:
    with Typing(around(PROGRAM), tmp_path) as at:
        at.until("size")
        at.type("x")
        at.wait()
        assert at.is_plain
        assert "ZeroDivisionError" in at.shown
        assert "status 1" in at.shown
    assert_same_modes(tmp_path)


def test_ctrl_c_interrupts(tmp_path: Path) -> None:
    with Typing(around(f"trap : INT; {PROGRAM}"), tmp_path) as at:
        at.until("size")
        at.type("\x03")
        at.wait()
        assert at.is_plain
        assert at.shown.splitlines() == ["interrupted", "status 130"]
    assert_same_modes(tmp_path)


ENDS = [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_ends_it_and_the_parent_sees_which(tmp_path: Path, number: signal.Signals) -> None:
    with Typing(f"ulimit -c 0; exec {PROGRAM}", tmp_path) as at:
        before = at.modes()
        at.until("size")
        assert at.modes() != before
        at.signal(number)
        assert at.wait() == -number
        assert at.is_plain
        assert at.modes() == before


@pytest.mark.parametrize("number", ENDS)
def test_a_signal_gives_the_terminal_back_to_the_shell(tmp_path: Path, number: signal.Signals) -> None:
    with at_prompt(tmp_path) as at:
        at.type("ulimit -c 0\r")
        start(at)
        at.signal(number)
        assert_restored(at, tmp_path)


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    with Typing(f"trap '' HUP TSTP; {PROGRAM}", tmp_path) as at:
        at.until("size")
        at.signal(signal.SIGHUP)
        at.type("a")
        at.until(":a")
        at.signal(signal.SIGTSTP)
        at.type("b")
        at.until(":b")
        assert at.rows[2:4] == ["1:a", "2:b"]
        at.type("q")
        assert at.wait() == 0


def test_a_terminal_that_takes_nothing_keeps_nobody(tmp_path: Path) -> None:
    with Typing(f"exec {PROGRAM}", tmp_path) as at:
        before = at.modes()
        at.until("size")
        at.type("l")
        assert at.process.wait(TIMEOUT_S) == -signal.SIGTERM
        assert at.modes() == before


def test_a_closed_window_ends_it(tmp_path: Path) -> None:
    with Typing(f"trap '' HUP; {PROGRAM} 2>said; echo $? >status; mv status ended", tmp_path) as at:
        at.until("size")
        at.hang_up()
        at.process.wait(TIMEOUT_S)
    assert (tmp_path / "ended").read_text() == "0\n"
    assert "left" in (tmp_path / "said").read_text()


# Job control


def test_ctrl_z_and_fg(tmp_path: Path) -> None:
    with at_prompt(tmp_path) as at:
        start(at)
        at.type("a")
        at.until("1:a")
        at.type("\x1a")
        at.until("Stopped")
        assert_restored(at, tmp_path)
        at.resize(60, 20)
        at.type("fg\r")
        at.until("size 60x20")
        at.until(":Resume")
        assert at.rows[0] == "session"
        assert "1:a" in at.rows
        assert not at.is_plain
        at.type("Down")
        at.until(":Down")
        at.type("\x1a")
        at.prompt()
        at.type("fg\r")
        at.until_true(lambda: at.shown.count(":Resume") == 2)
        at.type("q")
        assert_restored(at, tmp_path)
        assert "left True -1 canonical True" in at.shown


def test_fg_after_a_stop_that_nobody_can_prepare_for(tmp_path: Path) -> None:
    with at_prompt(tmp_path) as at:
        start(at)
        at.signal(signal.SIGSTOP)
        at.until("Stopped")
        at.type("fg\r")
        at.until("1:Resume")
        assert at.rows[0] == "session"
        assert "Stopped" not in at.shown
        at.type("q")
        at.prompt()
        assert at.rows[1].startswith(f"shell 2> {PROGRAM}"[:80])  # what the shell had written is still there,
        assert "" not in at.shown.splitlines()  # and goes on below
        assert_restored(at, tmp_path)


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_in_the_background_it_waits(tmp_path: Path, stop: signal.Signals) -> None:
    with at_prompt(tmp_path) as at:
        start(at)
        at.signal(stop)
        at.until("Stopped")
        at.type("bg\r")
        waits_for_the_front(at)
        at.type("bg\r")
        waits_for_the_front(at)
        at.type("fg\r")
        at.until(":Resume")
        at.type("a")
        at.until(":a")
        at.type("q")
        assert_restored(at, tmp_path)


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP])
def test_it_can_be_killed_while_stopped(tmp_path: Path, stop: signal.Signals) -> None:
    with at_prompt(tmp_path) as at:
        start(at)
        at.signal(stop)
        at.until("Stopped")
        at.type("kill %1\r")
        at.until_true(lambda: at.is_plain)
        at.type("while jobs %1 >/dev/null 2>&1; do (:); done; echo go''ne\r")
        at.until("gone")
        assert_restored(at, tmp_path)


def test_started_in_the_background_it_waits_and_leaves_the_modes_of_the_shell(tmp_path: Path) -> None:
    with at_prompt(tmp_path) as at:
        at.type(f"set -b; {PROGRAM} &\r")  # -b: the shell tells at once, while it reads from the terminal itself
        at.until("Stopped")
        at.type("fg\r")
        at.until("size")
        at.type("q")
        assert_restored(at, tmp_path)
        assert "left True -1 canonical True" in at.shown


def test_what_may_not_be_read_is_closed(tmp_path: Path) -> None:
    with Typing(f"trap '' TTIN; {PROGRAM}; true", tmp_path) as at:
        at.until("size")
        at.type("g")
        at.until("1:g")
        at.type("a")
        assert at.wait() == 0
        assert "left" in at.shown


def test_ctrl_z_where_nobody_could_continue_it(tmp_path: Path) -> None:
    with Typing(f"exec {PROGRAM}", tmp_path) as at:
        at.until("size")
        at.type("\x1a")
        at.until("1:Resume")
        at.type("q")
        assert at.wait() == 0
        assert at.is_plain


# Where the terminal is


def test_stdin_and_stdout_may_be_pipes(tmp_path: Path) -> None:
    with Typing(around(f"printf 'one\\ntwo\\n' | {PROGRAM} | cat >out"), tmp_path) as at:
        at.until("size 80x24")
        at.type("a")
        at.until("1:a")
        at.type("q")
        assert at.wait() == 0
        assert at.is_plain
    assert (tmp_path / "out").read_bytes() == b"one\ntwo\n"
    assert_same_modes(tmp_path)


def test_ctrl_z_in_a_pipeline(tmp_path: Path) -> None:
    with at_prompt(tmp_path) as at:
        start(at, f"printf 'one\\n' | {PROGRAM} | cat >out")
        at.type("\x1a")
        assert_restored(at, tmp_path)
        at.type("fg\r")
        at.until(":Resume")
        at.type("q")
        assert_restored(at, tmp_path)
    assert (tmp_path / "out").read_bytes() == b"one\n"


def test_a_terminal_that_controls_nothing_serves_too(tmp_path: Path) -> None:
    with Typing(around(f"setsid -w {PROGRAM}"), tmp_path) as at:
        at.until("size 80x24")
        at.type("Up")
        at.until("1:Up")
        at.type("q")
        assert at.wait() == 0
        assert at.is_plain
    assert_same_modes(tmp_path)


@pytest.mark.parametrize("pipe", ["</dev/null", "| cat"])
def test_without_a_terminal_it_says_so(tmp_path: Path, pipe: str) -> None:
    with Typing(f"set -o pipefail; setsid -w {PROGRAM} {pipe}; echo status $?", tmp_path) as at:
        at.wait()
        assert at.shown.splitlines() == ["no terminal", "  a hint", "status 2"]
        assert b"\x1b" not in at.raw
