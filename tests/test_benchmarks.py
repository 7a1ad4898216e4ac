"""The benchmarks: a short run goes through, and prints every row. What the figures are is not tested."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CAPTURE = Path(__file__).parents[1] / "benchmarks" / "capture.py"
RECORDERS = [
    "tap",
    "tap[fast]",
    "tap, record_tool_result",
    "tap, redact=None",
    "tap, blocking=False",
    "OpenTelemetry",
    "OpenTelemetry, json",
    "OpenTelemetry, simple",
    "logging + json",
    "structlog + orjson",
]
CLIENTS = ["no tap", "tap", "no tap, again"]
BLOCKS = [f"{mode}, {size}" for mode in ("paced", "back to back") for size in ("1 KB", "32 KB", "256 KB")]


def script(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CAPTURE.with_name(name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def capture(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return script("capture.py", *arguments)


def reading(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return script("reading.py", *arguments)


def kept(done: subprocess.CompletedProcess[str], path: Path) -> Path:
    """The figures that a short run has printed, in a file."""
    assert done.returncode == 0, done.stderr
    path.write_text(done.stdout)
    return path


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that a short run of all parts leaves: some twenty seconds, so all tests share it."""
    return kept(capture("--quick", "--json"), tmp_path_factory.mktemp("figures") / "figures.json")


def test_the_text_has_every_row_in_100_columns(figures: Path) -> None:
    printed = capture("--from", figures).stdout
    assert max(map(len, printed.splitlines())) <= 100
    sections = printed.split("\n\n")

    # Every line that begins with a name and goes on with figures, by the first line of its table.
    for block in BLOCKS:
        (table,) = (section for section in sections if section.startswith(block + "\n"))
        names = [line.split("  ")[0] for line in table.splitlines()[2:]]
        assert names == [
            "no recorder",
            *RECORDERS,
            "(what redaction adds, tap)",
            "(what redaction adds, tap[fast])",
        ]
    loss, calls, memory = (sections[number] for number in (-5, -3, -1))
    assert [line.split("  ")[0] for line in loss.splitlines()[1:]] == RECORDERS * 2
    assert [line.split("  ")[0] for line in calls.splitlines()[1:]] == CLIENTS * 2
    assert [line.split("  ")[0] for line in memory.splitlines()[1:]] == CLIENTS[:2]


def test_the_markdown_has_every_row_and_says_where_it_was_measured(figures: Path) -> None:
    printed = capture("--from", figures, "--markdown").stdout
    overview, calls, memory, where = printed.strip().split("\n\n")
    for table, names in (
        (overview, RECORDERS),
        (calls, [f"{kind}, {client}" for kind in ("streamed", "plain") for client in CLIENTS]),
        (memory, CLIENTS[:2]),
    ):
        header, _, *rows = table.splitlines()
        assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == names
        assert {row.count(" |") for row in rows} == {header.count(" |")}
    machine = json.loads(figures.read_text())["machine"]
    assert all(value in where for value in machine.values())


def test_what_was_recorded_is_what_was_counted(figures: Path) -> None:
    """The tap and the loggers write at once; a batch that nobody has exported is gone."""
    rows = json.loads(figures.read_text())["loss"]
    lost = {row["recorder"]: sum(row["lost"]) / sum(row["recorded"]) for row in rows if row["mode"] == "paced"}
    assert {name: share for name, share in lost.items() if name != "tap, blocking=False"} == {
        "tap": 0,
        "tap[fast]": 0,
        "tap, record_tool_result": 0,
        "tap, redact=None": 0,
        "OpenTelemetry": 1,
        "OpenTelemetry, json": 1,
        "OpenTelemetry, simple": 0,
        "logging + json": 0,
        "structlog + orjson": 0,
    }


def test_a_recorder_that_records_nothing_gets_no_times(tmp_path: Path) -> None:
    batch = {"size": 1024, "count": 3, "seed": 0, "pause": 0}
    for disabled in ("", "1"):
        done = subprocess.run(
            [sys.executable, CAPTURE.with_name("cost.py"), "tap", tmp_path / f"trace{disabled}.jsonl"],
            input=json.dumps(batch),
            env={**os.environ, "AGENTTAP_DISABLED": disabled},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0, done.stdout == "") == (bool(disabled), bool(disabled))
    assert "3 events of 1024 bytes were recorded" in done.stderr


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("capture.py", ["speed"], "there is no part 'speed'"),
        ("capture.py", ["--from", "nowhere.json"], "cannot read figures from nowhere.json"),
        ("reading.py", ["speed"], "there is no question 'speed'"),
        ("reading.py", ["--from", "nowhere.json"], "cannot read figures from nowhere.json"),
    ],
)
def test_bad_input_is_told_in_a_line(name: str, arguments: list[str], said: str) -> None:
    done = script(name, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that a short run of all questions leaves."""
    return kept(reading("--quick", "--json"), tmp_path_factory.mktemp("answers") / "figures.json")


def test_every_tool_gives_the_same_answer(answers: Path) -> None:
    figures = json.loads(answers.read_text())
    assert [row["title"] for row in figures["workloads"] if row["different"]] == []
    for row in figures["workloads"]:
        assert {"trace", "orjson loop"} <= set(row["runs"]), row["title"]
    there = {tool for row in figures["workloads"] for tool in row["runs"]}
    assert there == {tool for tool, version in figures["tools"].items() if version}
    assert figures["startup"]["python -c pass"] < figures["startup"]["trace --help"]


def test_the_answers_are_shown(answers: Path) -> None:
    text = reading("--from", answers).stdout
    figures = json.loads(answers.read_text())
    assert max(map(len, text.splitlines())) <= 100
    for row in figures["workloads"]:
        assert f"{row['title']}: {row['command']}" in text
    for tool, version in figures["tools"].items():
        assert version or re.search(rf"^{tool}: +not on this machine", text, re.MULTILINE)
    table = reading("--from", answers, "--markdown").stdout.split("\n\n")[0].splitlines()
    assert len(table) == 2 + len(figures["workloads"])
    assert len({row.count("|") for row in table}) == 1


def test_runs_are_compared() -> None:
    done = subprocess.run(
        [sys.executable, CAPTURE.with_name("comparing.py"), "--quick", "--events", "400"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = done.stdout.splitlines()
    assert len(rows) == 1 + 3 * 3
    assert [row.split(",")[0] for row in rows[1::3]] == [
        "one result differs",
        "every tenth event differs",
        "nothing in common",
    ]


def test_the_session_opens_and_answers() -> None:
    session = CAPTURE.with_name("session.py")
    done = subprocess.run(
        [sys.executable, session, "--quick", "--megabytes", "1"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split()[0] for line in done.stdout.splitlines()]
    assert rows[:5] == ["made-up.jsonl,", "trace", "trace", "trace", "keys,"]
    assert {"n", "e", "o", "u", "c", "d", "G"} <= set(rows)


def test_the_additions_are_measured_each() -> None:
    additions = CAPTURE.with_name("additions.py")
    done = subprocess.run([sys.executable, additions, "--quick"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    machine, titles, *rows = done.stdout.splitlines()
    assert machine.startswith("date ")
    assert titles.split() == [
        *("call,", "µs", "paced,", "µs", "CPU,", "µs"),
        *("call,", "×", "paced,", "×", "CPU,", "×"),
    ]
    assert len(rows) == 12
    assert all(float(figure) > 0 for row in rows for figure in row.split()[-6:])
