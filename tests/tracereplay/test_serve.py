"""`trace serve`: the replay as a server, for real SDKs in Python and TypeScript, and for odd clients."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest
from agenttap import Tap
from fakeapi import STREAM, Server, error, plain, stream
from openai_events import CHAT, DONE, HELLO, data
from recorded import ASK, answer, ask, client, gpt, request, response, said

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NODE = ROOT / ".node"


class Served:
    """A running `trace serve`, and what it has printed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        self.first = json.loads(process.stdout.readline())
        self.url: str = self.first["url"]

    def row(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self, how: int = signal.SIGINT) -> tuple[int, str]:
        """Its status, and what it said."""
        self.process.send_signal(how)
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err


@contextmanager
def serving(trace: Path, *options: str) -> Iterator[Served]:
    command = [str(BIN / "trace"), "serve", str(trace), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate()


def run(*arguments: str | Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "trace"), "serve", *map(str, arguments)]
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    return subprocess.run(
        command, cwd=folder, env=kept | variables, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """One plain request "one", one streamed request "two"."""
    server = Server()
    server.replies.extend([plain(answer("first")), stream(*STREAM)])
    with Tap(tmp_path / "run.jsonl") as tap, client(server.url) as asking:
        tap.wrap(asking)
        ask(asking, "one")
        with asking.messages.stream(**ASK, messages=[{"role": "user", "content": "two"}]) as streamed:
            streamed.get_final_message()
    server.close()
    return tmp_path / "run.jsonl"


def test_the_python_sdk_plain_and_streamed(trace: Path) -> None:
    with serving(trace) as served:
        assert served.first["requests"] == 2
        assert served.first["environment"]["ANTHROPIC_BASE_URL"] == served.url
        asking = client(served.url)
        assert said(ask(asking, "one")) == "first"
        assert served.row() == {"method": "POST", "target": "/v1/messages", "status": 200, "stream": False}
        with asking.messages.stream(**ASK, messages=[{"role": "user", "content": "two"}]) as streamed:
            assert "".join(streamed.text_stream) == "Hello there"
        assert served.row()["stream"] is True
        with pytest.raises(anthropic.NotFoundError, match="recorded once") as miss:
            ask(client(served.url, max_retries=5), "one")
        assert miss.value.body["error"]["type"] == "replay_miss"  # type: ignore[index]
        row = served.row()
        assert (row["status"], row["error"]) == (404, "replay_miss")
        assert "asked for once more" in row["message"]
        assert served.end() == (1, "")


def test_errors_retries_and_broken_streams(tmp_path: Path) -> None:
    server = Server()
    server.replies.extend(
        [error(529, "overloaded_error", "busy"), plain(answer("at last")), stream(*STREAM[:4], end="reset")]
    )
    trace = tmp_path / "run.jsonl"
    with Tap(trace) as tap, client(server.url, max_retries=1) as asking:
        ask(tap.wrap(asking), "one")
        broken(asking)
    server.close()
    with serving(trace) as served:
        assert said(ask(client(served.url, max_retries=1), "one")) == "at last"
        broken(client(served.url))
        assert served.end() == (0, "")


def broken(asking: anthropic.Anthropic) -> None:
    """A stream that breaks behind its first text."""
    with asking.messages.stream(**ASK, messages=[{"role": "user", "content": "Hi"}]) as streamed:
        texts = iter(streamed.text_stream)
        assert next(texts) == "Hello"
        with pytest.raises(Exception, match=r"reset|peer closed|ReadError|read"):
            list(texts)


def test_openai(tmp_path: Path) -> None:
    server = Server(stream(*map(data, HELLO), DONE))
    with Tap(tmp_path / "run.jsonl") as tap:
        asking = tap.wrap(gpt(server.url))
        list(asking.chat.completions.create(**CHAT, stream=True))
    server.close()
    with serving(tmp_path / "run.jsonl") as served:
        base = served.first["environment"]["OPENAI_BASE_URL"]
        assert base == f"{served.url}/v1"
        asking = gpt(served.url)
        found = [
            each.choices[0].delta.content
            for each in asking.chat.completions.create(**CHAT, stream=True)
            if each.choices
        ]
        assert "".join(filter(None, found)) == "Hello there"


def test_two_hundred_at_once(tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    trace.write_bytes(
        b"".join(
            request(2 * n, f"c{n}", f"n{n % 100}", body=body(f"n{n % 100}", n >= 100))
            + response(2 * n + 1, f"c{n}", f"answer {n % 100}", stream=n >= 100)
            for n in range(200)
        )
    )

    async def all_at_once(url: str) -> list[str]:
        async with anthropic.AsyncAnthropic(api_key="none", base_url=url, max_retries=0) as asking:

            async def plainly(n: int) -> str:
                return said(await ask(asking, f"n{n}"))

            async def streamed(n: int) -> str:
                messages: Any = [{"role": "user", "content": f"n{n}"}]
                async with asking.messages.stream(**ASK, messages=messages) as told:
                    return "".join([text async for text in told.text_stream])

            return await asyncio.gather(*map(plainly, range(100)), *map(streamed, range(100)))

    with serving(trace) as served:
        found = asyncio.run(all_at_once(served.url))
        assert found == [f"answer {n}" for n in range(100)] * 2
        assert served.end() == (0, "")


def body(text: str, streamed: bool) -> dict[str, Any]:
    return {**ASK, "messages": [{"role": "user", "content": text}]} | ({"stream": True} if streamed else {})


@pytest.mark.skipif(not (NODE / "node_modules").is_dir() or not shutil.which("node"), reason="needs npm's SDK")
def test_the_typescript_sdk_plain_streamed_and_two_hundred_at_once(trace: Path) -> None:
    events = trace.read_bytes()
    trace.write_bytes(
        events
        + b"".join(request(2 * n, f"c{n}", f"n{n}") + response(2 * n + 1, f"c{n}", f"a{n}") for n in range(200))
    )
    done = run(
        trace, "--", "node", Path(__file__).with_name("agent.mjs"), folder=trace.parent, NODE_FOLDER=str(NODE)
    )
    assert json.loads(done.stdout) == {
        "plain": "first",
        "pieces": "Hello there",
        "final": "Hello there",
        "many": True,
        "miss": [404, "replay_miss", True],
    }, done.stderr
    assert done.returncode == 1  # one question was not recorded
    assert "has no answer to POST /v1/messages" in done.stderr


def test_a_client_that_closes_in_the_middle_and_others_that_do_not(trace: Path) -> None:
    big = answer("x" * 3_000_000)
    trace.write_bytes(
        request(0, "a", "big", body=body("big", True))
        + response(1, "a", "", body=big, stream=True)
        + trace.read_bytes()
    )
    raw = json.dumps(body("big", True)).encode()
    with serving(trace) as served:
        port = int(served.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as leaving:
            leaving.sendall(b"POST /v1/messages HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(raw), raw))
            assert leaving.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        assert said(ask(client(served.url), "one")) == "first"
        assert served.end() == (0, f"replay: 1 recorded request was never sent: {trace}:6\n")


STRANGE = {
    "chunks": (b"transfer-encoding: chunked\r\n\r\n%x;x=y\r\n%b\r\n0\r\nt: 1\r\n\r\n", b"200"),
    "bad chunks": (b"transfer-encoding: chunked\r\n\r\nzz %x %b", b"400"),
    "bad length": (b"content-length: -%d\r\n\r\n%b", b"400"),
    "a body that breaks off": (b"content-length: 9%d\r\n\r\n%b", b""),
    "expecting": (b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n%b", b"100"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_clients_that_send_otherwise(what: str, trace: Path) -> None:
    raw = json.dumps(body("one", False)).encode()
    form, status = STRANGE[what]
    with serving(trace) as served:
        with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2]))) as sending:
            sending.sendall(b"POST http://api.test/v1/messages HTTP/1.1\r\n" + form % (len(raw), raw))
            sending.shutdown(socket.SHUT_WR)
            assert sending.recv(100)[9:12] == status
        assert served.end()[0] == 0


def test_a_target_that_is_none_and_head_without_a_body(trace: Path) -> None:
    with serving(trace) as served:
        with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2]))) as sending:
            sending.sendall(b"HEAD [ HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\nconnection: close\r\n\r\n")
            found = b"".join(iter(lambda: sending.recv(1000), b""))
        assert found.count(b"HTTP/1.1 404") == 2
        assert found.count(b"replay_miss") == 2  # its type and its code
        status, err = served.end(signal.SIGTERM)
        assert status == 1
        assert "Traceback" not in err


def test_nobody_reads_what_it_prints(trace: Path) -> None:
    with serving(trace) as served:
        assert served.process.stdout is not None
        served.process.stdout.close()
        assert said(ask(client(served.url), "one")) == "first"
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 0


ASKING = """
import anthropic
message = {"role": "user", "content": "one"}
anthropic.Anthropic().messages.create(model="claude-test", max_tokens=64, messages=[message])
raise"""


def test_a_command_gets_the_addresses_and_its_status_is_the_status(trace: Path) -> None:
    code = "import os; print(os.environ['ANTHROPIC_BASE_URL'], os.environ['OPENAI_API_KEY']); raise SystemExit(7)"
    done = run(trace, "--", sys.executable, "-c", code.replace("; raise", ASKING), folder=trace.parent)
    assert done.returncode == 7, done.stderr
    done = run(trace, "--", sys.executable, "-c", code, folder=trace.parent)
    assert done.returncode == 1
    assert "trace: no request came: the agent has to heed ANTHROPIC_BASE_URL" in done.stderr
    assert done.stdout.startswith("http://127.0.0.1:")
    assert done.stdout.endswith(" replayed\n")
    done = run(trace, "--", "no-such-command", folder=trace.parent)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "trace: no-such-command: No such file or directory",
    )


def test_of_a_fixture_it_says_whether_the_failure_is_gone(tmp_path: Path) -> None:
    examples = ROOT / "examples"
    subprocess.run(
        [str(BIN / "trace"), "fixture", "-o", str(tmp_path), "--name", "case", str(examples / "failed-run.jsonl")],
        check=True,
        capture_output=True,
    )
    mended = tmp_path / "mended"
    mended.mkdir()
    for each in examples.glob("*.py"):
        text = each.read_text().replace("/ previous * 100, 1)", "/ previous * 100, 1) if previous else None")
        (mended / each.name).write_text(text)
    for folder, status in ((examples, 1), (mended, 0)):
        agent = [sys.executable, folder / "agent.py", "--out", tmp_path / "out.jsonl"]
        done = run(tmp_path / "case.jsonl", "--", *agent, folder=tmp_path)
        assert done.returncode == status, done.stderr
        assert ("failed again" if status else "the agent got past growth: ZeroDivisionError") in done.stderr
    done = run(tmp_path / "case.jsonl", "--", "true", folder=tmp_path)
    assert done.returncode == 1


def test_bad_input(trace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(trace, "--port", str(port), folder=trace.parent)
        assert (done.returncode, done.stderr) == (
            2,
            f"trace: port {port} is in use\n  --port 0 takes one that is free\n",
        )
    (trace.parent / "foreign.jsonl").write_text('{"timestamp":"2026-05-24T03:17:00Z","event":"log"}\n')
    for arguments, words in {
        ("nosuch.jsonl",): "No such file or directory",
        ("foreign.jsonl",): "there is no request in it that could be replayed",
        ("--ignore", "body", "run.jsonl"): "write a JSON pointer",
        (): "Missing argument",
    }.items():
        done = run(*arguments, folder=trace.parent)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_at_the_recorded_pace_each_piece_comes_by_itself(tmp_path: Path) -> None:
    gate = threading.Event()
    chunks = [[0.0, "data: 1\n\n"], [60_000.0, "data: 2\n\n"]]
    trace = tmp_path / "run.jsonl"
    trace.write_bytes(
        request(0, "a", "Hi", body=body("Hi", True))
        + response(1, "a", "", body="", stream=True, chunks=chunks, duration_ms=60_000.0, ttft_ms=0.0)
    )
    raw = json.dumps(body("Hi", True)).encode()
    with serving(trace, "--pace") as served:
        with socket.create_connection(("127.0.0.1", int(served.url.rpartition(":")[2]))) as asking:
            asking.sendall(b"POST /v1/messages HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(raw), raw))
            found = b""
            while b"data: 1" not in found:
                found += asking.recv(1000)
            assert b"data: 2" not in found  # it has a minute
        gate.set()
        assert served.end()[0] == 0
