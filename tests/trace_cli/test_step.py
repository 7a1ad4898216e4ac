"""`trace step` on a real terminal: what a person types and sees, in pipes, with signals; and without one."""

import gzip
import json
import os
import re
import signal
from pathlib import Path

import pytest
from processes import copy_samples, shell, until_read
from typing_at import Typing

HOSTILE = "\x1b[2J\x1b[31mred \x1b]0;title\x07\x9b5;5H \u202egnp \u200b[bold]x[/] 日本語 e\u0301\u0302 كتاب \ud83d"
HOSTILE += "\r\n\ttab"
TYPED = "\u202egnp \u200b[bold]x[/] 日本語 e\u0301\u0302 كتاب"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_samples(tmp_path)


def ended(terminal: Typing) -> int:
    """Waits for the end; the status. The terminal is as it was before."""
    status = terminal.wait()
    assert terminal.is_plain
    assert terminal.modes() == terminal.modes_before
    return status


def test_arrows_and_letters_step_through_the_events(folder: Path) -> None:
    with Typing("trace step failed.jsonl; echo ended $?", folder, 120, 30) as terminal:
        terminal.until(">  0 run.started")
        terminal.type("Down")
        terminal.until(">  1 model.request")
        terminal.type("n", "n", "Up")
        terminal.until(">  2 model.response")
        terminal.type("e")
        terminal.until("✗ ValueError: no rows [/] in q1")
        terminal.type("/", "q", "1", ".", "m", "d", "Enter")
        terminal.until("went round the end")
        terminal.until(">  6 model.response")
        terminal.type("q")
        assert ended(terminal) == 0
        assert terminal.shown == "ended 0"


def test_a_resized_screen_is_drawn_anew(folder: Path) -> None:
    with Typing("trace step failed.jsonl", folder, 120, 30) as terminal:
        terminal.until(" │ ")
        terminal.resize(80, 24)
        terminal.until_true(lambda: "─── card ──" in terminal.shown and " │ " not in terminal.shown)
        terminal.resize(130, 20)
        terminal.until_true(lambda: " │ " in terminal.shown and "─── card ──" not in terminal.shown)
        terminal.until_true(lambda: "u cause" in terminal.rows[19])
        terminal.type("q")
        assert ended(terminal) == 0


def test_events_may_come_through_a_pipe(folder: Path) -> None:
    with Typing("cat failed.jsonl | trace step | trace count", folder, 120, 30) as terminal:
        terminal.until(">  0 run.started")
        terminal.type("e")
        terminal.until("> ✗8 tool.result")
        terminal.type("Enter")
        assert ended(terminal) == 0
        assert terminal.shown == "1"


def test_what_comes_through_a_pipe_is_shown_as_it_comes(folder: Path) -> None:
    lines = (folder / "failed.jsonl").read_bytes().splitlines(keepends=True)
    os.mkfifo(folder / "live")
    with (
        Typing("cat live | trace step >out.jsonl", folder, 120, 30) as terminal,
        open(folder / "live", "wb", buffering=0) as live,
    ):
        live.write(lines[0])
        terminal.until("0 of 1+")
        live.write(lines[1] + lines[2][:50])
        terminal.until("0 of 2+")
        live.write(lines[2][50:] + b"".join(lines[3:]))
        live.close()
        terminal.until("0 of 10 ")
        terminal.type("G", "m", "g", "m", "W")
        assert ended(terminal) == 0
    printed = [json.loads(line) for line in (folder / "out.jsonl").read_bytes().splitlines()]
    assert [event["seq"] for event in printed] == [0, 9]
    assert [event["_src"]["line"] for event in printed] == [1, 10]


def test_a_growing_file_is_followed_across_rotation(folder: Path) -> None:
    lines = (folder / "failed.jsonl").read_bytes().splitlines(keepends=True)
    run = folder / "run.jsonl"
    run.write_bytes(b"".join(lines[:3]))
    with Typing("trace step run.jsonl", folder, 120, 30) as terminal:
        terminal.until("0 of 3 ")
        terminal.type("F")
        terminal.until("2 of 3")
        with open(run, "ab", buffering=0) as file:
            file.write(lines[3] + lines[4][:40])
            terminal.until("3 of 4+")
            file.write(lines[4][40:])
            terminal.until("4 of 5+")
        run.rename(folder / "run.1.jsonl")
        run.write_bytes(b"".join(lines[5:9]))
        terminal.until("8 of 9+")
        terminal.until("✗ 1 error")
        terminal.until("│ ✗ ValueError: no rows [/] in q1")
        terminal.type("p", "F")
        terminal.until("no longer following")
        terminal.type("y")
        terminal.until("run.jsonl:3")
        terminal.type("q")
        assert ended(terminal) == 0
        assert terminal.shown == "run.jsonl:3"


@pytest.mark.parametrize(("end", "known"), [(-1, 3), (-50, 2)])
def test_a_last_line_that_was_not_whole_is_taken_up_where_it_was(folder: Path, end: int, known: int) -> None:
    lines = (folder / "failed.jsonl").read_bytes().splitlines(keepends=True)
    run = folder / "run.jsonl"
    run.write_bytes(b"".join(lines[:3])[:end])
    with Typing("trace step run.jsonl 2>said", folder, 120, 30) as terminal:
        terminal.until(f"0 of {known} ")
        terminal.type("F")
        terminal.until("following: F ends it")
        with open(run, "ab", buffering=0) as file:
            file.write(b"".join(lines[:4])[len(b"".join(lines[:3])) + end :])
        terminal.until("3 of 4+")
        terminal.type("y")
        terminal.until_true(lambda: terminal.rows[29] == "run.jsonl:4")
        terminal.type("q")
        assert ended(terminal) == 0
    assert "skipped" not in (folder / "said").read_text()


def test_who_follows_with_a_filter_stays_at_its_end(folder: Path) -> None:
    lines = (folder / "failed.jsonl").read_bytes().splitlines(keepends=True)
    run = folder / "run.jsonl"
    run.write_bytes(b"".join(lines[:5]))
    with Typing("trace step -t tool.result run.jsonl", folder, 120, 30) as terminal:
        terminal.until(">  4 tool.result")
        terminal.type("F")
        terminal.until("following: F ends it")
        with open(run, "ab", buffering=0) as file:
            file.write(b"".join(lines[5:]))
        terminal.until("8 of 10+")
        terminal.until("2 of 2 selected")
        terminal.type("q")
        assert ended(terminal) == 0


def test_a_pipe_cannot_be_followed_but_is_read_on(folder: Path) -> None:
    with Typing("cat failed.jsonl | trace step", folder, 120, 30) as terminal:
        terminal.until("0 of 10 ")
        terminal.type("F")
        terminal.until("only one plain file can be followed")
        terminal.type("q")
        assert ended(terminal) == 0


def test_the_event_goes_on_through_the_pipe(folder: Path) -> None:
    with Typing("trace step failed.jsonl | trace before -n 2 -o jsonl >out.jsonl", folder, 120, 30) as terminal:
        terminal.until(">  0 run.started")
        terminal.type("x")
        terminal.until("> ✗8 tool.result")
        terminal.type("Enter")
        assert ended(terminal) == 0
    assert [json.loads(line)["seq"] for line in (folder / "out.jsonl").read_bytes().splitlines()] == [6, 7]


@pytest.mark.parametrize(
    ("line", "status"),
    [("trace step failed.jsonl", 0), ("trace step failed.jsonl | cat; exit ${PIPESTATUS[0]}", 1)],
)
def test_a_pipe_knows_that_nothing_was_chosen(folder: Path, line: str, status: int) -> None:
    with Typing(line, folder, 120, 30) as terminal:
        terminal.until(">  0 run.started")
        terminal.type("q")
        assert ended(terminal) == status
        assert terminal.shown == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_it_and_the_terminal_is_as_before(folder: Path, number: signal.Signals) -> None:
    with Typing(
        "ulimit -c 0; trap : HUP TERM INT QUIT; trace step failed.jsonl; echo ended $?", folder, 120, 30
    ) as terminal:
        terminal.until(">  0 run.started")
        assert terminal.modes() != terminal.modes_before
        terminal.signal(number)
        ended(terminal)
        assert terminal.shown.splitlines()[-1] == f"ended {128 + number}"


def test_ctrl_c_ends_it(folder: Path) -> None:
    with Typing(
        "trap : INT; trace step failed.jsonl | cat; echo ended ${PIPESTATUS[0]}", folder, 120, 30
    ) as terminal:
        terminal.until(">  0 run.started")
        terminal.type("/", "x", b"\x03")
        ended(terminal)
        assert terminal.shown == "ended 130"


def test_ctrl_c_ends_it_while_nothing_has_come_through_the_pipe(folder: Path) -> None:
    os.mkfifo(folder / "live")
    with Typing("trap : INT; trace step <live; echo ended $?", folder, 120, 30) as terminal:
        with open(folder / "live", "wb", buffering=0) as live:
            live.write(b"no event\n")
            until_read(live)
            terminal.type(b"\x03")
            ended(terminal)
        assert terminal.shown == "^Cended 130", "no screen yet: it is the terminal that says ^C"


def test_it_can_be_stopped_and_goes_on(folder: Path) -> None:
    with Typing("trace step failed.jsonl", folder, 120, 30, job_control=True) as terminal:
        terminal.until(">  0 run.started")
        terminal.type("n")
        terminal.until(">  1 model.request")
        terminal.type(b"\x1a")
        terminal.prompt()
        assert "model.request" not in terminal.shown
        assert terminal.is_plain
        terminal.type("fg\r")
        terminal.until(">  1 model.request")
        terminal.type("n")
        terminal.until(">  2 model.response")
        terminal.type("q")
        terminal.prompt()
        assert terminal.is_plain
        assert "model.re" not in terminal.shown


def test_a_closed_window_ends_it(folder: Path) -> None:
    with Typing("trap '' HUP; trace step failed.jsonl; echo $? >status", folder, 120, 30) as terminal:
        terminal.until(">  0 run.started")
        terminal.hang_up()
        terminal.process.wait(30)
    assert (folder / "status").read_text() in ("0\n", "1\n")


@pytest.mark.parametrize("line", ["setsid -w trace step failed.jsonl", "TERM=dumb trace step failed.jsonl"])
def test_without_a_terminal_it_says_what_to_do(folder: Path, line: str) -> None:
    done = shell(line, folder)
    assert (done.out, done.status) == (b"", 2)
    assert done.err == (
        "trace: no terminal to step on\n"
        "  trace show --at 7 FILE shows one event; --keys presses keys without a terminal\n"
    )


def test_on_a_dumb_terminal_too(folder: Path) -> None:
    with Typing("TERM=dumb trace step failed.jsonl", folder, 120, 30) as terminal:
        assert ended(terminal) == 2
        assert terminal.rows[0] == "trace: no terminal to step on"


def test_what_is_wrong_with_the_lines_is_told_at_the_end(folder: Path) -> None:
    with Typing("trace step damaged.jsonl 2>said", folder, 120, 30) as terminal:
        terminal.until(" of 7 ")
        assert "skipped" not in terminal.shown
        terminal.type("q")
        assert ended(terminal) == 0
    assert "damaged.jsonl:2: cut off after 60 bytes; skipped\n" in (folder / "said").read_text()


def test_what_ends_reading_is_told_when_the_session_ends(folder: Path) -> None:
    lines = (folder / "failed.jsonl").read_bytes()
    (folder / "large.jsonl").write_bytes(lines + b'{"type":"note","text":"' + b"x" * 50_000 + b'"}\n' + lines)
    with Typing("ulimit -f 8; cat large.jsonl | trace step", folder, 120, 30) as terminal:
        terminal.until("0 of 10 ")
        terminal.type("q")
        assert ended(terminal) == 2
        assert terminal.shown == "trace: cannot keep what is read from a pipe: File too large"


def test_a_file_that_is_cut_down_meanwhile_is_told(folder: Path) -> None:
    said = "failed.jsonl: became shorter while it was looked at"
    with Typing("trace step failed.jsonl", folder, 120, 30) as terminal:
        terminal.until("0 of 10 ")
        os.truncate(folder / "failed.jsonl", 1000)
        terminal.type("G")
        terminal.until(f"│ {said}")
        for keys in ("u", "/rows\r", "f--tool write\r", "o", "c", "d", "i"):
            terminal.type(":", "9", "Enter", keys)
        terminal.type(":", "8", "Enter", "u")
        terminal.until_true(lambda: terminal.rows[29] == said)
        terminal.type("Enter")
        assert ended(terminal) == 2
        assert terminal.rows[0] == f"trace: {said}"


def test_several_files_and_compressed_ones_are_one_trace(folder: Path) -> None:
    (folder / "fine.jsonl.gz").write_bytes(gzip.compress((folder / "fine.jsonl").read_bytes()))
    with Typing("trace step failed.jsonl fine.jsonl.gz 2>said", folder, 120, 30) as terminal:
        terminal.until("0 of 20 ")
        terminal.type("F")
        terminal.until("only one plain file can be followed")
        terminal.type("y", "G", "y", ":", "1", "0", "Enter")
        terminal.until(">  10 run.started")
        terminal.until("│ event 10 · 03:20:00.000Z")
        terminal.until("fine.jsonl.gz:1")
        terminal.type("q")
        assert ended(terminal) == 0
    assert (folder / "said").read_text() == "failed.jsonl:1\nfine.jsonl.gz:10\n"


def test_a_compressed_file_cannot_be_followed(folder: Path) -> None:
    with Typing("gzip fine.jsonl; trace step fine.jsonl.gz", folder, 120, 30) as terminal:
        terminal.until("0 of 10 ")
        terminal.type("F")
        terminal.until("only one plain file can be followed")
        terminal.type("q")
        assert ended(terminal) == 0


def test_nothing_to_step_through_opens_no_screen(folder: Path) -> None:
    (folder / "empty.jsonl").touch()
    (folder / "none.jsonl").write_text("no event\n")
    hint = "  hint: nothing in none.jsonl is JSONL, one JSON object a line"
    for file, said, status in (
        ("empty.jsonl", "trace: empty.jsonl: empty", 1),
        ("none.jsonl", f"none.jsonl:1: not JSON; skipped\n{hint}", 2),
        ("missing.jsonl", "trace: missing.jsonl: No such file or directory", 2),
        (".", "trace: .: is a directory; name its files: ./*.jsonl", 2),
    ):
        with Typing(f"trace step {file}", folder, 120, 30) as terminal:
            assert ended(terminal) == status
            assert terminal.shown == said
            assert b"\x1b" not in terminal.raw


def test_one_event_is_a_trace(folder: Path) -> None:
    (folder / "one.jsonl").write_bytes((folder / "failed.jsonl").read_bytes().splitlines(keepends=True)[0])
    with Typing("trace step one.jsonl", folder, 120, 30) as terminal:
        terminal.until("0 of 1 ")
        terminal.type("n")
        terminal.until("this is the last event")
        terminal.type("q")
        assert ended(terminal) == 0


def test_a_torn_last_line_is_told(folder: Path) -> None:
    (folder / "torn.jsonl").write_bytes((folder / "failed.jsonl").read_bytes()[:-30])
    with Typing("trace step torn.jsonl", folder, 120, 30) as terminal:
        terminal.until("0 of 9 ")
        terminal.type("q")
        assert ended(terminal) == 0
        assert "torn last line" in terminal.shown


def test_many_events_open_and_answer(folder: Path) -> None:
    event = '{"v":1,"type":"note","timestamp":"2026-05-24T03:17:00Z","run_id":"r","seq":%d,"payload":{"n":%d}}\n'
    with open(folder / "many.jsonl", "w") as many:
        many.writelines(event % (number, number) for number in range(100_000))
    with Typing("trace step many.jsonl", folder, 120, 30) as terminal:
        terminal.until("0 of 100,000 ")
        assert re.search(rb"0 of [\d,]+\+", terminal.raw), "shown while it was read"
        terminal.type("G")
        terminal.until(">  99999 note")
        terminal.type(":", "77777", "Enter")
        terminal.until(">  77777 note")
        terminal.type("/", 'n":88888,', "Enter")
        terminal.until("nothing has")
        terminal.type("/", "88888", "Enter")
        terminal.until(">  88888 note")
        terminal.type("q")
        assert ended(terminal) == 0


def test_hostile_payloads_leave_the_screen_intact(folder: Path) -> None:
    events = [
        {"v": 1, "type": "run.started", "timestamp": "2026-05-24T03:17:00Z", "run_id": "r", "seq": 0},
        {"type": HOSTILE, "run_id": HOSTILE, "tool": HOSTILE, "level": "error", "msg": HOSTILE},
        {"type": "tool.called", "run_id": "r", "payload": {"tool_name": HOSTILE, "args": {HOSTILE: HOSTILE}}},
        {"type": "tool.result", "run_id": "r", "payload": {"tool_name": "t", "result": HOSTILE * 20_000}},
        {"type": "model.request", "payload": {"body": {"system": HOSTILE, "messages": [{"content": HOSTILE}]}}},
        {"type": "note", "payload": {"wide": "日" * 5_000, "marks": "e\u0301" * 5_000, "rtl": "ك" * 5_000}},
    ]
    events[0]["payload"] = {"name": HOSTILE}
    (folder / "hostile\x1b[31m.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    with Typing("trace step hostile?*.jsonl", folder, 120, 30) as terminal:
        terminal.until(" 0 of 6 ")
        for number in range(len(events)):
            for view in ("", "c", "d", "i", "z"):
                terminal.type(view, ":", f"{number}", "Enter")
                terminal.until(f" {number} of 6 ")
                terminal.until_true(lambda: is_intact(terminal))
                if view:
                    terminal.type(view)
        terminal.type("/", HOSTILE.partition("\r")[0].encode("utf-8", "replace"), "Enter")
        terminal.until("nothing has")
        terminal.until_true(lambda: is_intact(terminal))
        terminal.type("f", f"--tool '{TYPED}'", "Enter")
        terminal.until("nothing matches --tool")
        terminal.until_true(lambda: is_intact(terminal))
        terminal.type("y", "q")
        assert ended(terminal) == 0
    assert terminal.shown == r"hostile\x1b[31m.jsonl:6"
    assert terminal.screen.title == ""


def is_intact(terminal: Typing) -> bool:
    """Header, list, separator and foot stand where they belong; nothing was obeyed."""
    rows = terminal.screen.buffer
    straight = all(rows[row][49].data == "│" for row in range(1, 29))
    framed = " of 6 " in terminal.rows[0] and terminal.rows[29] and rows[29][49].data != "│"
    return straight and bool(framed) and not set(terminal.shown) & set("\x9b\u202e\u200b\x07")


def test_it_begins_where_it_is_told(folder: Path) -> None:
    for options, shown in (
        ("--at unrecovered recovered.jsonl", "unrecovered"),
        ("--at 4 failed.jsonl", ">  4 tool.result"),
        ("--at call:toolu_2 failed.jsonl", ">  7 tool.called"),
        ("--at :3 failed.jsonl", ">  2 model.response"),
        ("-t 'tool.*' failed.jsonl", ">  3 tool.called"),
        ("--error failed.jsonl", "> ✗8 tool.result"),
    ):
        with Typing(f"trace step {options}", folder, 120, 30) as terminal:
            terminal.until(shown if shown != "unrecovered" else "never recovered")
            terminal.type("q")
            assert ended(terminal) == 0


def test_anchors_on_standard_input_say_where_it_begins(folder: Path) -> None:
    line = "trace first-error failed.jsonl | trace step --at - failed.jsonl"
    with Typing(line, folder, 120, 30) as terminal:
        terminal.until("> ✗8 tool.result")
        terminal.type("q")
        assert ended(terminal) == 0


def test_an_anchor_that_is_nowhere_is_told(folder: Path) -> None:
    for options, status in (("--at first-error fine.jsonl", 1), ("--at 99 fine.jsonl", 2)):
        done = shell(f"trace step --keys q {options}", folder)
        assert (done.out, done.status) == (b"", status)
        assert "no event is at" in done.err


def test_colours_are_those_of_the_terminal_not_of_the_pipe(folder: Path) -> None:
    for env, colored in (({}, True), ({"NO_COLOR": "1"}, False)):
        with Typing("trace step failed.jsonl | cat", folder, 120, 30, env=env) as terminal:
            terminal.type("G")
            terminal.until("> ✗9 run.ended")
            colors = {char.fg for row in terminal.screen.buffer.values() for char in row.values()}
            assert ("red" in colors) == colored
            terminal.type("q")
            ended(terminal)
