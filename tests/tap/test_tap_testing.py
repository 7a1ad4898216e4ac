"""`agenttap.testing.capture`: an agent's own tests see what it recorded, whatever it has for that."""

import asyncio
import doctest
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import agenttap.testing
import anthropic
import pytest
from agenttap import Tap, exchange, hooks
from agenttap.journal import Journal
from agenttap.testing import Captured, capture
from fakeapi import MESSAGE, STREAM, Server, error, plain, stream

KEY = "sk-ant-api03-" + "A1b2C3d4" * 8
ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
CALL = ["model.request", "model.response"]
library = pytest.importorskip("httpx2" if anthropic.__version__ >= "1" else "httpx")


@pytest.fixture
def captured() -> Iterator[Captured]:
    """As the docstring shows it."""
    with capture() as captured:
        yield captured


@pytest.fixture(params=["0", "1"], ids=["enabled", "disabled"])
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """The file of the agent's own tap, which is disabled the second time."""
    monkeypatch.setenv("AGENTTAP_DISABLED", request.param)
    return tmp_path / "run.jsonl"


def a_client(server: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=KEY, base_url=server.url, max_retries=0)


def types(captured: Captured) -> list[str]:
    return [event["type"] for event in captured.events if not event["type"].startswith("run.")]


def test_the_docstring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = hooks.every()
    assert doctest.testmod(agenttap.testing) == (0, 7)
    for tap in hooks.every():
        if tap not in before:
            tap.close()
    assert list(tmp_path.iterdir()) == []


def test_an_agent_without_a_tap(server: Server, captured: Captured) -> None:
    server.replies += [plain(), stream(*STREAM)]
    with a_client(server) as client:
        client.messages.create(**ASK)
        assert captured.responses[0].body == MESSAGE
        with client.messages.stream(**ASK) as events:
            events.until_done()
        # Not waited for: a stream is there as soon as the call has returned.
        assert [response.stream for response in captured.responses] == [False, True]
        library.get(f"{server.url}/a-tool")
    assert captured.requests[0].body["messages"][-1]["content"] == "Hi"
    assert captured.requests[0]["body"] == ASK
    assert captured.requests[1].body == ASK | {"stream": True}
    assert [response.body for response in captured.responses] == [MESSAGE, MESSAGE]
    assert types(captured) == CALL * 2
    assert [event["seq"] for event in captured.events] == list(range(5))
    assert KEY not in str(captured.events)


def test_a_stream_is_waited_for(server: Server, captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    assemble, flush = exchange.assemble, Journal.flush
    monkeypatch.setattr(exchange, "assemble", lambda body: asked.wait(20) and assemble(body))
    monkeypatch.setattr(Journal, "flush", lambda journal, timeout: asked.set() or flush(journal, timeout))
    server.replies.append(stream(*STREAM))
    with a_client(server) as client, client.messages.stream(**ASK) as events:
        events.until_done()
    assert captured.responses[0].body == MESSAGE


def test_an_async_agent(server: Server, captured: Captured) -> None:
    async def agent() -> None:
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=server.url) as client:
            await client.messages.create(**ASK)

    asyncio.run(agent())
    assert types(captured) == CALL


def test_a_tap_made_before(server: Server, path: Path) -> None:
    tap = Tap(path, name="mine")
    client = tap.wrap(a_client(server))
    client.messages.create(**ASK)
    before = path.read_bytes() if path.exists() else None
    with capture() as captured:
        client.messages.create(**ASK)
        tap.record("own", x=1)
    assert types(captured) == [*CALL, "own"]  # once, though two taps could have heard it
    assert [e["payload"]["name"] for e in captured.events if e["type"] == "run.started"] in (
        ["mine"],
        [None, "mine"],  # a client that was wrapped while its tap was disabled is heard by capture's own
    )
    assert (path.read_bytes() if path.exists() else None) == before
    client.messages.create(**ASK)
    tap.close()
    client.close()
    assert len(captured.requests) == 1
    if before is not None:  # numbered as if nothing had been in between
        events = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert [event["seq"] for event in events] == list(range(6))
        assert len({event["run_id"] for event in events}) == 1


def test_a_tap_made_inside(server: Server, path: Path) -> None:
    with capture() as captured:
        with Tap(path) as tap, tap.wrap(a_client(server)) as client:
            client.messages.create(**ASK)
            client.messages.count_tokens(model="m", messages=ASK["messages"])
        with Tap() as nowhere:  # in production a variable names its file
            nowhere.record("own")
        installed = Tap(path).install()
        with a_client(server) as client:
            client.messages.create(**ASK)
    assert types(captured) == [*CALL, "http.request", "http.response", "own", *CALL]
    installed.record("after")
    installed.close()
    assert path.exists() is (not installed.recorder.disabled)
    with pytest.raises(ValueError, match="nowhere to write") if not installed.recorder.disabled else capture():
        Tap()


def test_tool_calls(path: Path) -> None:
    tap = Tap(path)

    @tap.tool
    def search(query: str) -> list[str]:
        if not query:
            raise ValueError("nothing to search for")
        return [query]

    with capture() as captured:
        search("a")
        with pytest.raises(ValueError, match="nothing"):
            search("")
        tap.record_tool_call("slow", {"n": 1})
        tap.record_tool_result("other", "r")
    first, second, third, fourth = captured.tool_calls
    assert (first.tool_name, first.args, first.result, first.error) == ("search", {"query": "a"}, ["a"], None)
    assert (second.error, second.exception["type"]) == ("nothing to search for", "ValueError")
    assert (third.args, third.result, third.duration_ms) == ({"n": 1}, None, None)
    assert (fourth.tool_name, fourth.args, fourth.result) == ("other", None, "r")
    assert [e.error for e in captured.errors] == ["nothing to search for"]
    tap.close()


def test_errors(server: Server) -> None:
    server.replies.append(error(400, "invalid_request_error", "no, sorry"))
    with pytest.raises(anthropic.BadRequestError), capture() as captured, a_client(server) as client:
        client.messages.create(**ASK)
    refused, ended = captured.errors
    assert refused.error == {"kind": "http", "type": "invalid_request_error", "message": "no, sorry"}
    assert ended.exception["type"] == "BadRequestError"


def test_a_client_of_its_own_and_everything(server: Server) -> None:
    with library.Client() as http:
        with capture(http) as captured:
            http.get(f"{server.url}/a")
            library.get(f"{server.url}/b")
        assert [p.url for p in captured.payloads("http.request")] == [f"{server.url}/a"]
        with capture(everything=True) as captured:
            http.get(f"{server.url}/a")
            library.get(f"{server.url}/b")
        assert len(captured.payloads("http.request", "http.response")) == 4
    before = library.Client._transport_for_url
    with pytest.raises(TypeError, match="takes a client"), capture(object()):
        raise AssertionError
    assert library.Client._transport_for_url is before


def test_options(server: Server) -> None:
    server.replies.append(stream(*STREAM))
    with (
        capture(raw_streams=True, redact=None) as captured,
        a_client(server) as client,
        client.messages.stream(**ASK | {"system": KEY}) as events,
    ):
        events.until_done()
    assert captured.responses[0].chunks
    assert captured.requests[0].body["system"] == KEY


def test_blocks_inside_each_other(server: Server, path: Path) -> None:
    tap = Tap(path)
    with capture() as outer, a_client(server) as client:
        client.messages.create(**ASK)
        with capture() as inner:
            client.messages.create(**ASK)
            tap.record("own")
        client.messages.create(**ASK)
        tap.record("own")
    assert types(inner) == [*CALL, "own"]
    assert types(outer) == [*CALL * 2, "own"]
    tap.close()


def test_a_stream_that_is_still_coming(server: Server, path: Path) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
    with Tap(path) as tap, tap.wrap(a_client(server)) as client:
        with capture() as captured:
            events = client.messages.create(**ASK, stream=True)
            next(iter(events))
            assert types(captured) == ["model.request"]
        gate.set()
        assert [event.type for event in events][-1] == "message_stop"
        assert captured.errors[0].error["kind"] == "cancelled"
        assert not tap.recorder.in_flight


def test_what_comes_after_a_stream_was_given_up_is_not_kept(server: Server, path: Path) -> None:
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
    with Tap(path) as tap, tap.wrap(a_client(server)) as client:
        with capture() as captured:
            events = client.messages.create(**ASK, stream=True)
            next(iter(events))
        gate.set()
        assert [event.type for event in events][-1] == "message_stop"
        assert len(captured.errors) == 1
        assert captured._journal.held() == tap.stats()["queued_bytes"] == 0


@pytest.mark.parametrize("whole", [False, True])
def test_an_answer_that_began_before_the_block_is_no_part_of_it(server: Server, path: Path, whole: bool) -> None:
    server.replies.append(plain() if whole else stream(*STREAM))
    with Tap(path) as tap, tap.wrap(a_client(server)) as client:
        with client.messages.with_streaming_response.create(**ASK, stream=not whole) as answer:
            chunks = answer.iter_bytes(1)
            next(chunks)
            with capture() as captured:
                list(chunks)
        assert tap.flush(10)
        assert tap.stats()["queued_bytes"] == 0
    assert captured.events == []
    if path.exists():
        events = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert [event["type"] for event in events] == ["run.started", *CALL, "run.ended"]
        assert [event["seq"] for event in events] == list(range(4))


def test_nothing_stays_behind(server: Server, path: Path) -> None:
    def state() -> tuple[Any, ...]:
        threads = [thread for thread in threading.enumerate() if thread.name == "agenttap"]
        return sys.excepthook, sys.exit, list(sys.meta_path), library.Client._transport_for_url, threads

    def interrupted(client: anthropic.Anthropic) -> None:
        client.messages.create(**ASK)
        raise KeyboardInterrupt

    tap = Tap(path)
    before = state(), tap.recorder.journal, tap.recorder.disabled
    with pytest.raises(KeyboardInterrupt), capture(), a_client(server) as client:
        interrupted(client)
    assert (state(), tap.recorder.journal, tap.recorder.disabled) == before
    tap.close()


def test_a_key_that_is_not_there(captured: Captured) -> None:
    with Tap("unused") as tap:
        tap.record_tool_call("t")
    with pytest.raises(AttributeError, match="no 'arguments' in this payload; there are tool_name, args"):
        captured.tool_calls[0].arguments  # noqa: B018


def test_the_tap_does_not_need_it() -> None:
    text = "import sys, agenttap; assert 'agenttap.testing' not in sys.modules\n"
    text += "import agenttap.testing; assert not {'pytest', 'httpx', 'httpx2'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60)
