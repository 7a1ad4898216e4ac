"""From a recorded failure to a test: what `trace fixture` writes, and what `Replay.rerun` makes of it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anthropic
import pytest
from agenttap import Tap
from fakeapi import Reply, Server, error, plain
from recorded import ASK, NOWHERE, answer, line, request, response

from agent_replay_trace import Miss, Replay, Reproduced

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent


def trace(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "trace"), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def made(recorded: Path, *arguments: str, name: str = "case") -> Path:
    """The fixture that is made of a trace."""
    done = trace("fixture", "-o", "out", "--name", name, *arguments, recorded, folder=recorded.parent)
    assert done.returncode == 0, done.stderr
    return recorded.parent / "out" / f"{name}.jsonl"


def quiet(text: str) -> None:
    """Takes what is said."""


def rerun(fixture: Path, agent: Callable[..., Any]) -> Any:
    replay = Replay.load(fixture, say=quiet)
    try:
        return replay.rerun(agent)
    finally:
        replay.close()


# An agent: it asks the model for a number, uses its tool on it, tells the model, and says what that says.


def agent(
    half: Callable[[int], Any],
    catch: type[BaseException] = ZeroDivisionError,
    base_url: str = NOWHERE,
    tap: Any = None,
) -> Callable[[], str]:
    def run() -> str:
        with anthropic.Anthropic(base_url=base_url, max_retries=0) as client, tap or Tap(os.devnull) as told:
            asking = told.wrap(client)
            messages: list[Any] = [{"role": "user", "content": "Which number?"}]
            first = asking.messages.create(**ASK, messages=messages).content[0].text
            with told.tool_call("half", {"n": int(first)}, call_id="toolu_1") as call:
                try:
                    call.result = half(int(first))
                except catch as failed:
                    call.error = str(failed)
            use = {"type": "tool_use", "id": "toolu_1", "name": "half", "input": {"n": int(first)}}
            content = str(call.error or call.result)
            told_model = {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": content,
                "is_error": bool(call.error),
            }
            messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [told_model]}]
            return str(asking.messages.create(**ASK, messages=messages).content[0].text)

    return run


def broken(n: int) -> float:
    return n / 0


def mended(n: int) -> float:
    return n / 2


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    return played(tmp_path, agent_of=broken, replies=[plain(answer("8")), plain(answer("I cannot"))])


def played(folder: Path, agent_of: Callable[[int], Any], replies: list[Reply], tap: bool = True) -> Path:
    server = Server()
    server.replies.extend(replies)
    recorded = folder / "run.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", "none")
        agent(agent_of, base_url=server.url, tap=Tap(recorded, name="halving"))()
    server.close()
    return recorded


def test_it_fails_in_the_same_way_until_the_agent_is_mended(failed: Path) -> None:
    fixture = made(failed)
    with pytest.raises(Reproduced, match=r"^half: division by zero\n  as recorded at"):
        rerun(fixture, agent(broken))
    assert rerun(fixture, agent(mended)) is None  # what comes then is not recorded


def test_what_differs_each_time_in_an_error_makes_no_difference(failed: Path) -> None:
    """An address, a time, a folder: the tool fails in the same call, so the agent is not mended."""

    def elsewhere(n: int) -> None:
        raise ZeroDivisionError(f"division by zero in {object()!r} at {os.urandom(4).hex()}")

    fixture = made(failed)
    with pytest.raises(Reproduced):
        rerun(fixture, agent(elsewhere))
    with pytest.raises(Reproduced):  # the model is told of an error of the same call
        rerun(made(without_tools(failed), name="again"), agent(elsewhere))


def test_the_agents_taps_know_better_than_what_is_sent(failed: Path) -> None:
    """It tries the tool again by itself, so that what it sends is the same, failed or not."""
    events = [json.loads(each) for each in failed.read_bytes().splitlines()]
    (failed_call,) = [each for each in events if each["type"] == "tool.result"]
    failed_call["payload"] |= {"error": "a fault", "exception": None}
    sent = next(each for each in events if each["seq"] == 5)
    sent["payload"]["body"]["messages"][-1]["content"][0] |= {"content": "4.0", "is_error": False}
    failed.write_bytes(b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in events))
    assert rerun(made(failed, "--at", ":5"), agent(mended)) is None


def test_an_agent_that_ends_where_it_went_on_is_not_mended(failed: Path) -> None:
    def ending() -> None:
        with anthropic.Anthropic(base_url=NOWHERE) as client:
            client.messages.create(**ASK, messages=[{"role": "user", "content": "Which number?"}])

    fixture = made(without_tools(failed))
    with pytest.raises(Miss, match="no request came in the place of"):
        rerun(fixture, ending)


def without_tools(trace_file: Path) -> Path:
    """The same trace, of an agent that only wrapped its client."""
    kept = [each for each in trace_file.read_bytes().splitlines(keepends=True) if b'"type":"tool.' not in each]
    trace_file.write_bytes(b"".join(kept))
    return trace_file


def test_a_failure_that_is_caught_without_rerun_fails_the_test_too(failed: Path) -> None:
    replay = Replay.load(made(failed), say=quiet)
    with pytest.raises(Reproduced), replay.install():
        _quietly(agent(broken))


def test_a_moment_that_is_no_error_has_to_be_reached(failed: Path) -> None:
    fixture = made(failed, "--at", ":4")  # the call of the tool
    assert rerun(fixture, agent(mended)) is None
    with pytest.raises(Miss):
        rerun(fixture, lambda: None)


def test_who_swallows_what_stops_it_fails_all_the_same(failed: Path) -> None:
    def swallowing() -> None:
        thread = threading.Thread(target=lambda: _quietly(agent(broken)))
        thread.start()
        thread.join()

    with pytest.raises(Reproduced):
        rerun(made(failed), swallowing)


def _quietly(run: Callable[[], Any]) -> None:
    with suppress(BaseException):  # as a thread of an agent may
        run()


def test_an_agent_that_goes_another_way(failed: Path) -> None:
    def other() -> None:
        with anthropic.Anthropic(base_url=NOWHERE) as client:
            client.messages.create(**ASK, messages=[{"role": "user", "content": "Which colour?"}])

    fixture = made(failed)
    with pytest.raises(Miss, match=r"Which \[-number-\]|Which number"):
        rerun(fixture, other)
    with pytest.raises(Miss, match="the agent ended before it came to what failed: 1 of 1 recorded requests"):
        rerun(fixture, lambda: None)


def test_an_exception_is_told_as_the_recorded_failure_or_as_another(failed: Path) -> None:
    def other(n: int) -> None:
        raise AttributeError("no such thing")

    fixture = made(failed)
    with pytest.raises(Reproduced, match="half: division by zero") as again:
        rerun(fixture, agent(broken, catch=KeyError))
    assert isinstance(again.value.__cause__, ZeroDivisionError)
    with pytest.raises(AttributeError) as new:
        rerun(fixture, agent(other))
    assert new.value.__notes__[0].startswith(
        "Another failure than the recorded one, which is half: division by zero"
    )


def test_async_agents_and_groups_of_their_tasks(failed: Path) -> None:
    async def grouped(half: Callable[[int], Any]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(agent(half)))

    fixture = made(failed)
    with pytest.raises(Reproduced):
        rerun(fixture, lambda: grouped(broken))
    assert rerun(fixture, lambda: grouped(mended)) is None


def test_without_a_tap_the_next_request_tells(failed: Path) -> None:
    """Only the client was wrapped: what failed is what the model is told of it."""
    fixture = made(without_tools(failed))
    with pytest.raises(Reproduced, match="half: division by zero"):
        rerun(fixture, agent(broken))
    assert rerun(fixture, agent(mended)) is None


def test_an_error_of_the_api(tmp_path: Path) -> None:
    def asking(text: str, catch: tuple[type[Exception], ...] = (), base_url: str = NOWHERE) -> Callable[[], None]:
        def run() -> None:
            with anthropic.Anthropic(base_url=base_url, max_retries=0) as client, suppress(*catch):
                client.messages.create(**ASK, messages=[{"role": "user", "content": text}])

        return run

    server = Server(error(400, "invalid_request_error", "prompt is too long"))
    recorded = tmp_path / "run.jsonl"
    with pytest.MonkeyPatch.context() as patch, Tap(recorded) as tap:
        patch.setenv("ANTHROPIC_API_KEY", "none")
        tap.install()
        with pytest.raises(anthropic.BadRequestError):
            asking("much too long", base_url=server.url)()
    server.close()
    fixture = made(recorded)
    with pytest.raises(Reproduced, match="prompt is too long") as again:
        rerun(fixture, asking("much too long"))
    assert isinstance(again.value.__cause__, anthropic.BadRequestError)
    assert rerun(fixture, asking("short")) is None
    with pytest.raises(Reproduced, match="prompt is too long"):  # the run went on then, too
        rerun(fixture, asking("much too long", (anthropic.BadRequestError,)))


def test_the_smallest_part_that_replays(failed: Path) -> None:
    other = failed.read_bytes().replace(b'"run_id":"', b'"run_id":"other-')
    failed.write_bytes(other + failed.read_bytes())
    fixture = made(failed, "--run", "0*")
    events = [json.loads(each) for each in fixture.read_bytes().splitlines()]
    assert [each["type"] for each in events] == [
        *("run.started", "model.request", "model.response", "tool.called", "tool.result", "model.request"),
    ]
    assert events[4]["_fixture"]["error"]["message"] == "division by zero"
    raw = failed.read_bytes().splitlines()
    assert all(each in raw for each in fixture.read_bytes().splitlines() if b"_fixture" not in each)


def test_a_sub_agent_belongs_to_the_agent_that_started_it(tmp_path: Path) -> None:
    trace_file = tmp_path / "run.jsonl"
    trace_file.write_bytes(
        line(0, "run.started", run_id="parent", name="p")
        + request(1, "a", "plan", run_id="parent")
        + response(2, "a", "go", run_id="parent")
        + line(0, "run.started", run_id="child", parent_run_id="parent")
        + line(1, "tool.called", "t", run_id="child", tool_name="x", args={})
        + line(2, "tool.result", "t", run_id="child", tool_name="x", result=None, error="bad")
    )
    events = [json.loads(each)["type"] for each in made(trace_file).read_bytes().splitlines()]
    assert events == [
        "run.started",
        "model.request",
        "model.response",
        "run.started",
        "tool.called",
        "tool.result",
    ]


def test_of_parallel_work_the_request_that_tells_of_the_call_is_kept(tmp_path: Path) -> None:
    trace_file = tmp_path / "run.jsonl"
    tells = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_9", "content": "bad"}]}]
    trace_file.write_bytes(
        request(0, "a", "plan")
        + response(1, "a", "go")
        + line(2, "tool.called", "toolu_9", tool_name="x", args={})
        + line(3, "tool.result", "toolu_9", tool_name="x", result=None, error="bad")
        + request(4, "b", "somebody else's")
        + request(5, "c", "", body={**ASK, "messages": tells})
    )
    assert b"toolu_9" in made(trace_file).read_bytes().splitlines()[-1]


def test_a_run_that_went_well_makes_a_test_that_it_still_does(tmp_path: Path) -> None:
    recorded = played(tmp_path, mended, [plain(answer("8")), plain(answer("It is 4"))])
    fixture = made(recorded, "--at", "last")
    assert rerun(fixture, agent(mended)) == "It is 4"
    with pytest.raises(Miss):
        rerun(fixture, agent(lambda n: n / 4))
    with pytest.raises(Miss, match="the agent ended early: 2 of 2"):
        rerun(fixture, lambda: None)


def test_secrets_are_scrubbed_and_it_still_replays(tmp_path: Path) -> None:
    key = "sk-ant-" + "api03-abcdefgh12345678"

    def telling(n: int) -> str:
        raise ZeroDivisionError(f"no access with {key}")

    server = Server()
    server.replies.extend([plain(answer("8")), plain(answer("I cannot"))])
    recorded = tmp_path / "run.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_API_KEY", "none")
        agent(telling, base_url=server.url, tap=Tap(recorded, redact=None))()
    server.close()
    assert key in recorded.read_text()
    fixture = made(recorded)
    written = b"".join(each.read_bytes() for each in fixture.parent.iterdir())
    assert key.encode() not in written
    assert b"[scrubbed:key-1]" in written
    with pytest.raises(Reproduced, match=r"no access with \[scrubbed:key-1\]"):
        rerun(fixture, agent(telling))


# The command


def test_nothing_is_overwritten_without_force(failed: Path) -> None:
    fixture = made(failed)
    code = fixture.parent / "test_case.py"
    code.write_text("mine")
    done = trace("fixture", "-o", "out", "--name", "case", failed, folder=failed.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "trace: out/test_case.py: is there already\n  --force overwrites it, --name gives another\n"
    )
    assert code.read_text() == "mine"
    done = trace("fixture", "-o", "out", "--name", "case", "--force", failed, folder=failed.parent)
    assert (done.returncode, done.stdout) == (0, "out/case.jsonl\nout/test_case.py\n")
    assert "replay.rerun(agent)" in code.read_text()


WRONG = {
    "-o run.jsonl run.jsonl": "is a file",
    "-o out nosuch.jsonl": "No such file or directory",
    "-o out --agent report run.jsonl": "write MODULE:FUNCTION",
    "-o out --agent class:def run.jsonl": "write MODULE:FUNCTION",
    "-o out --name ../x run.jsonl": "write letters",
    "-o out --field length(@) run.jsonl": "is no path",
    "-o out killed.jsonl": "this call has no end: its run was killed in it",
}


@pytest.mark.parametrize("line", WRONG)
def test_bad_input_gets_one_clear_line(line: str, failed: Path) -> None:
    (failed.parent / "killed.jsonl").write_bytes(
        request(0, "a", "x") + response(1, "a", "y") + line_of_a_tool_call()
    )
    done = trace("fixture", *line.split(), folder=failed.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert WRONG[line] in done.stderr
    assert "Traceback" not in done.stderr
    assert not (failed.parent / "out").exists()


def line_of_a_tool_call() -> bytes:
    return line(2, "tool.called", "t", tool_name="x", args={})


def test_without_an_error_there_is_nothing_to_make(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_bytes(request(0, "a", "x") + response(1, "a", "y"))
    done = trace("fixture", "-o", "out", "run.jsonl", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "trace: there is no error in it; --at last makes a test of a run that went well\n"


def test_without_a_request_before_it_nothing_can_be_replayed(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_bytes(line(0, "run.started") + line(1, "run.ended", status="error", error="no"))
    done = trace("fixture", "-o", "out", "run.jsonl", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "run.jsonl:2: no request to a model came before this event" in done.stderr


# The test file, run by pytest as somebody else runs it; a network would be seen

NO_NETWORK = """
import sys

def hook(event, args):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"the network was touched: {event} {args}")

sys.addaudithook(hook)
"""


def run_pytest(
    folder: Path, *options: str, path: Path = EXAMPLES, **variables: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment = {**kept, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_example_fails_again_without_a_network_and_passes_once_it_is_mended(tmp_path: Path) -> None:
    folder = tmp_path / "fixtures"
    done = trace(
        "fixture", "-o", folder, "--agent", "agent:prepare", EXAMPLES / "failed-run.jsonl", folder=tmp_path
    )
    assert done.returncode == 0
    assert done.stdout.split() == [
        f"{folder}/quarterly-report-growth.jsonl",
        f"{folder}/test_quarterly_report_growth.py",
    ]
    (folder / "conftest.py").write_text(NO_NETWORK)
    for variables in ({"CI": "true"}, {}):
        failing = run_pytest(folder, **variables)
        assert failing.returncode == 1, failing.stdout + failing.stderr
        assert "Reproduced: growth: ZeroDivisionError: division by zero" in failing.stdout
        assert "in growth" in failing.stdout
    mended = tmp_path / "mended"
    mended.mkdir()
    for each in EXAMPLES.glob("*.py"):
        (mended / each.name).write_text(
            each.read_text().replace("/ previous * 100, 1)", "/ previous * 100, 1) if previous else None")
        )
    passing = run_pytest(folder, path=mended)
    assert passing.returncode == 0, passing.stdout


def test_without_an_agent_the_test_says_what_it_wants(failed: Path) -> None:
    fixture = made(failed)
    done = run_pytest(fixture.parent)
    assert done.returncode == 1
    assert "NotImplementedError: start the agent here" in done.stdout


# The plugin


def write(folder: Path, code: str) -> None:
    (folder / "test_it.py").write_text(f"import anthropic, pytest\n{code}")
    (folder / "conftest.py").write_text(NO_NETWORK)


ASKS = """
ASK = dict(model="claude-test", max_tokens=64, messages=[{"role": "user", "content": "Which number?"}])

def ask():
    return anthropic.Anthropic(max_retries=0).messages.create(**ASK).content[0].text
"""


def test_the_marker_alone_answers_and_before_other_fixtures_ask(failed: Path) -> None:
    write(
        failed.parent,
        ASKS
        + """
@pytest.fixture
def number():
    return ask()

class TestIt:
    @pytest.mark.trace("run.jsonl")
    def test_it(self, number):
        assert number == "8"

    @pytest.mark.trace("run.jsonl")
    def test_again(self, number, replay):
        assert number == "8" and len(replay.unused) == 1
""",
    )
    done = run_pytest(failed.parent)
    assert done.returncode == 0, done.stdout
    assert "test_it.py::TestIt::test_it: replay: 1 recorded request was never sent: run.jsonl:6" in done.stdout


def test_a_miss_fails_the_test_also_where_the_agent_caught_it(failed: Path) -> None:
    write(
        failed.parent,
        ASKS
        + """
@pytest.mark.trace("run.jsonl")
def test_caught(replay):
    ASK["system"] = "new"
    try:
        ask()
    except BaseException:
        pass
""",
    )
    done = run_pytest(failed.parent)
    assert done.returncode == 1
    assert "run.jsonl has no answer to POST /v1/messages" in done.stdout
    assert "(the agent caught the exception)" in done.stdout


TESTS_THAT_ARE_WRONG = {
    "@pytest.mark.trace('nosuch.jsonl')\ndef test_it(replay): ...": "pytest --trace-mode=record-missing",
    "@pytest.mark.trace('run.jsonl', mach='body')\ndef test_it(replay): ...": "unexpected keyword argument 'mach'",
    "@pytest.mark.trace('run.jsonl', ignore=[3])\ndef test_it(replay): ...": '@pytest.mark.trace("run.jsonl")',
    "@pytest.mark.trace(3)\ndef test_it(replay): ...": 'wants @pytest.mark.trace("run.jsonl")',
    "def test_it(replay): ...": 'wants @pytest.mark.trace("run.jsonl")',
}


@pytest.mark.parametrize("code", TESTS_THAT_ARE_WRONG)
def test_what_is_wrong_with_a_test_is_said_in_a_line(code: str, failed: Path) -> None:
    write(failed.parent, code)
    done = run_pytest(failed.parent)
    assert done.returncode == 1
    assert TESTS_THAT_ARE_WRONG[code] in done.stdout
    assert "Traceback" not in done.stdout


def test_record_missing_goes_to_the_network_but_not_in_ci(tmp_path: Path) -> None:
    server = Server(plain(answer("live")))
    write(
        tmp_path,
        ASKS.replace("max_retries=0", f'base_url="{server.url}", api_key="k", max_retries=0')
        + """
@pytest.mark.trace("new.jsonl")
def test_it(replay):
    assert ask() == "live"
""",
    )
    (tmp_path / "conftest.py").unlink()
    assert run_pytest(tmp_path, "--trace-mode=record-missing", CI="1").returncode == 1
    assert server.seen == []
    assert run_pytest(tmp_path, "--trace-mode=record-missing", CI="").returncode == 0
    assert len(server.seen) == 1
    server.close()
    (tmp_path / "conftest.py").write_text(NO_NETWORK)
    assert run_pytest(tmp_path).returncode == 0


def test_rerun_records_what_is_missing_too(tmp_path: Path) -> None:
    server = Server(plain(answer("live")))
    write(
        tmp_path,
        ASKS.replace("max_retries=0", f'base_url="{server.url}", api_key="k", max_retries=0')
        + """
@pytest.mark.trace("new.jsonl")
def test_it(replay):
    assert replay.rerun(ask) == "live"
""",
    )
    (tmp_path / "conftest.py").unlink()
    assert run_pytest(tmp_path, "--trace-mode=record-missing", CI="").returncode == 0
    server.close()
    (tmp_path / "conftest.py").write_text(NO_NETWORK)
    assert run_pytest(tmp_path).returncode == 0


def test_the_agents_own_traces_have_nothing_of_the_tests(failed: Path) -> None:
    write(
        failed.parent,
        "from agenttap import Tap\ntap = Tap('own.jsonl')\n"
        + ASKS
        + """
@pytest.mark.trace("run.jsonl")
def test_it():
    tap.wrap(anthropic)  # so that it has something to say
    assert False

@pytest.mark.trace("run.jsonl", taps=True)
def test_written(replay):
    with Tap("written.jsonl") as told:
        told.record("note")
""".replace("    tap.wrap(anthropic)  # so that it has something to say\n", "    tap.record('note')\n"),
    )
    assert run_pytest(failed.parent).returncode == 1
    assert not (failed.parent / "own.jsonl").exists()
    assert (failed.parent / "written.jsonl").exists()


def test_the_plugin_loads_nothing_until_a_test_has_the_marker(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_it():\n"
        "    heavy = {'agenttap', 'orjson', 'trace_cli', 'tracereplay.replay', 'httpx', 'httpx2', 'click'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout
