"""`Tap.install`: clients that a framework hides are recorded, tools are not, and nothing of it stays behind."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from agenttap import Tap, installed
from fakeapi import MESSAGE, STREAM, Server, error, plain, stream
from traced import Trace

ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}
CHAT: dict[str, Any] = {"model": "gpt-test", "messages": ASK["messages"]}
COMPLETION = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-test", "choices": []}
CALL = ["model.request", "model.response"]
library = pytest.importorskip("httpx2" if anthropic.__version__ >= "1" else "httpx")


def pristine() -> tuple[Any, ...]:
    """What installing changes."""
    return library.Client._transport_for_url, library.AsyncClient._transport_for_url, list(sys.meta_path)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    before = pristine()
    yield
    assert pristine() == before


class Framework:
    """An agent's framework: nobody outside gets at its clients."""

    def __init__(self, url: str) -> None:
        self.__anthropic = anthropic.Anthropic(api_key="k", base_url=url, max_retries=1)
        self.__openai = openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
        self.__url = url

    def ask(self) -> str:
        return self.__anthropic.messages.create(**ASK).content[0].text

    def stream(self) -> str:
        with self.__anthropic.messages.stream(**ASK) as events:
            return str(events.get_final_text())

    def chat(self) -> None:
        self.__openai.chat.completions.create(**CHAT)

    def count(self) -> None:
        self.__anthropic.messages.count_tokens(model="m", messages=ASK["messages"])

    def ask_async(self) -> None:
        async def main() -> None:
            async with anthropic.AsyncAnthropic(api_key="k", base_url=self.__url) as client:
                await client.messages.create(**ASK)
                async with client.messages.stream(**ASK) as events:
                    await events.until_done()

        asyncio.run(main())

    def close(self) -> None:
        self.__anthropic.close()
        self.__openai.close()


@pytest.fixture
def framework(server: Server) -> Iterator[Framework]:
    framework = Framework(server.url)
    yield framework
    framework.close()


def calls(trace: Trace) -> list[str]:
    return [type for type in trace.types() if not type.startswith("run.")]


def test_clients_made_before_and_after(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    assert tap.install() is tap
    assert framework.ask() == "Hello there"
    after = Framework(server.url)
    server.replies.append(stream(*STREAM))
    assert after.stream() == "Hello there"
    server.replies.append(plain(COMPLETION))
    after.chat()
    after.close()
    tap.flush()
    assert calls(trace) == CALL * 3
    assert [e["payload"]["provider"] for e in trace.events("model.request")] == ["anthropic"] * 2 + ["openai"]
    assert [e["payload"]["body"] for e in trace.events("model.request")[:1]] == [ASK]
    assert [e["payload"]["body"] for e in trace.events("model.response")] == [MESSAGE, MESSAGE, COMPLETION]


def test_async_clients(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    tap.install()
    server.replies += [plain(), stream(*STREAM)]
    framework.ask_async()
    tap.flush()
    assert calls(trace) == CALL * 2
    assert [e["payload"]["body"] for e in trace.events("model.response")] == [MESSAGE, MESSAGE]


def test_retries_and_errors(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    tap.install()
    server.replies.append(error(529, "overloaded_error", "busy", [("retry-after-ms", "1")]))
    framework.ask()
    assert calls(trace) == ["model.request", "model.error", *CALL]


def use_as_a_tool(url: str) -> None:
    """What an agent's tool may do with the same library."""
    with library.Client() as http:
        http.get(f"{url}/search?q=secret-plan")
        http.post(f"{url}/oauth/token", data={"client_secret": "c"})
        http.post(f"{url}/v1/messages", json={"to": "someone", "body": "model and messages"})
        http.post(f"{url}/v1/messages", content=iter([b"{}"]))


def test_tools_are_nobodys_business(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    tap.install()
    use_as_a_tool(server.url)
    framework.count()  # nor is what else is sent to a model's API
    assert len(server.seen) == 5
    assert trace.raw == b""


def test_everything(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    tap.install(everything=True)
    use_as_a_tool(server.url)
    framework.ask()
    assert calls(trace) == ["http.request", "http.response"] * 2 + CALL * 3
    tap.install()
    use_as_a_tool(server.url)
    assert len(calls(trace)) == 10  # the last call says how


@pytest.mark.parametrize("wrapped_first", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_a_client_that_is_wrapped_too(
    server: Server, tap: Tap, trace: Trace, wrapped_first: bool, strict: bool
) -> None:
    class Strict(library.Client):  # type: ignore[misc, name-defined]
        """One whose class cannot be swapped."""

        def __init_subclass__(cls, *, colour: str) -> None:
            super().__init_subclass__()

    kind = Strict if strict else library.Client
    with anthropic.Anthropic(api_key="k", base_url=server.url, http_client=kind()) as client:
        if not wrapped_first:
            tap.install()
        tap.wrap(client)
        tap.install()
        client.messages.create(**ASK)
        client.messages.count_tokens(model="m", messages=ASK["messages"])
        assert calls(trace) == [*CALL, "http.request", "http.response"]
        tap.close()
        client.messages.create(**ASK)
    assert len(calls(trace)) == 4


def test_two_taps(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    lines: list[bytes] = []
    with Tap(writer=lines.append) as other:
        tap.install()
        tap.install()
        other.install()
        framework.ask()
    framework.ask()
    assert calls(trace) == CALL * 2
    assert sum(b'"type":"model.' in line for line in lines) == 2


def test_closing_puts_everything_back(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    before = pristine()
    tap.install()
    assert pristine() != before
    tap.close()
    assert pristine() == before
    framework.ask()
    tap.install()  # a closed tap is not installed
    assert pristine() == before
    assert trace.types() == []


def test_what_stands_before_ours_stays(
    server: Server, tap: Tap, trace: Trace, framework: Framework, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another recorder may have put itself before us; taking ours out would take it along."""
    seen: list[str] = []
    tap.install()
    ours = library.Client._transport_for_url

    def theirs(self: Any, url: Any) -> Any:
        seen.append(str(url))
        return ours(self, url)

    with monkeypatch.context() as patch:
        patch.setattr(library.Client, "_transport_for_url", theirs)
        tap.close()
        framework.ask()
        assert library.Client._transport_for_url is theirs
        with Tap(trace.path) as again:
            again.install()
            framework.ask()
            assert calls(trace) == CALL
        assert len(seen) == 2
    Tap(trace.path).install().close()  # now that ours is the first again


def test_when_somebody_takes_ours_out(server: Server, tap: Tap, trace: Trace, framework: Framework) -> None:
    original = library.Client._transport_for_url
    tap.install()
    library.Client._transport_for_url = original
    framework.ask()
    assert calls(trace) == []
    tap.install()
    framework.ask()
    assert calls(trace) == CALL


def test_a_client_class_of_ones_own(server: Server, tap: Tap, trace: Trace) -> None:
    class Own(library.Client):  # type: ignore[misc, name-defined]
        def _transport_for_url(self, url: Any) -> Any:
            return super()._transport_for_url(url)

    tap.install()
    with Own() as http:
        assert http.post(f"{server.url}/v1/messages", json=ASK).json() == MESSAGE
        tap.wrap(http).post(f"{server.url}/v1/messages", json=ASK)
    assert calls(trace) == CALL * 2


def test_nothing_reaches_the_agent(
    server: Server, tap: Tap, framework: Framework, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    tap.install()

    def broken(*_: Any) -> Any:
        raise RuntimeError("the text of an exception")

    monkeypatch.setattr(installed, "listeners", broken)
    assert framework.ask() == "Hello there"
    said = capsys.readouterr().err
    assert "could not record" in said
    assert "the text of an exception" not in said


def test_the_other_library_without_its_private_parts(
    tap: Tap, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    class Other:
        """An httpx that works in another way."""

    monkeypatch.setattr(library, "Client", Other)
    tap.install()
    assert "could not record" in capsys.readouterr().err


def test_disabled(monkeypatch: pytest.MonkeyPatch, server: Server, framework: Framework) -> None:
    monkeypatch.setenv("AGENTTAP_DISABLED", "1")
    before = pristine()
    tap = Tap().install()
    assert pristine() == before
    framework.ask()
    tap.close()


def test_threads_that_install_at_once(server: Server, trace: Trace, framework: Framework) -> None:
    with Tap(trace.path) as tap:
        threads = [threading.Thread(target=tap.install) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        framework.ask()
        assert calls(trace) == CALL


LATER = f"""
import importlib.util, os, pickle, sys
from agenttap import Tap
tap = Tap(sys.argv[1]).install()
assert "httpx" not in sys.modules and "httpx2" not in sys.modules
assert importlib.util.find_spec({library.__name__!r}).origin.endswith("__init__.py")
import {library.__name__} as library
plain = type(importlib.util.find_spec("json").loader)
assert type(library.__loader__) is type(library.__spec__.loader) is plain, library.__loader__
import anthropic
client = anthropic.Anthropic(api_key="k", base_url=sys.argv[2], max_retries=0)
def ask():
    client.messages.create(model="m", max_tokens=1, messages=[{{"role": "user", "content": "Hi"}}])
"""


def program(text: str, server: Server, trace: Trace) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTTAP")}
    done = subprocess.run(
        [sys.executable, "-c", LATER + text, str(trace.path), server.url],
        timeout=60,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert (done.returncode, done.stderr[-3000:]) == (0, "")


def test_a_library_imported_later(server: Server, trace: Trace) -> None:
    program(
        "ask()\ntap.close()\nask()\nassert not any('agenttap' in repr(f) for f in sys.meta_path)", server, trace
    )
    assert calls(trace) == CALL


def test_a_library_imported_anew(server: Server, trace: Trace) -> None:
    text = f"""
import importlib
importlib.reload(library)
ask()
for name in [n for n in sys.modules if n.partition(".")[0] == {library.__name__!r}]:
    del sys.modules[name]
import {library.__name__} as again
assert again.Client is not type(client._client).__mro__[2]
again.post(sys.argv[2] + "/v1/messages", json=dict(model="m", messages=[]))
ask()  # with the library as it was imported first
"""
    program(text, server, trace)
    assert calls(trace) == CALL * 3


def test_a_library_that_is_not_there(server: Server, trace: Trace) -> None:
    text = """
import sys
sys.modules.pop("httpx", None)
sys.path[:] = [p for p in sys.path if "site-packages" not in p]
sys.path_importer_cache.clear()
try:
    import httpx
except ModuleNotFoundError as exc:
    assert exc.name == "httpx"
else:
    raise AssertionError
"""
    program(text, server, trace)


def test_a_fork(server: Server, trace: Trace) -> None:
    text = """
ask()
if (pid := os.fork()) == 0:
    ask()
    sys.exit(0)
os.waitpid(pid, 0)
ask()
"""
    program(text, server, trace)
    parent, child = {e["run_id"] for e in trace.events()}, None
    assert len(parent) == 2
    by_run = {run: [e["type"] for e in trace.events() if e["run_id"] == run] for run in parent}
    child = trace.events("run.started")[1]
    assert by_run[child["run_id"]] == ["run.started", *CALL, "run.ended"]
    assert by_run[child["payload"]["parent_run_id"]] == ["run.started", *CALL * 2, "run.ended"]


def test_a_redirect_and_a_mock(tap: Tap, trace: Trace) -> None:
    def answer(request: Any) -> Any:
        if request.url.path == "/old/v1/messages":
            return library.Response(307, headers={"location": "/v1/messages"})
        return library.Response(200, json=MESSAGE)

    tap.install()
    with library.Client(transport=library.MockTransport(answer), follow_redirects=True) as http:
        assert http.post("http://test/old/v1/messages", json=ASK).json() == MESSAGE
    assert calls(trace) == CALL * 2
    assert [json.dumps(e["payload"]["body"]) for e in trace.events("model.request")] == [json.dumps(ASK)] * 2
