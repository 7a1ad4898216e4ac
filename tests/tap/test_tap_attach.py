"""`Tap.attach`: state of the agent's in the events, at that moment, whatever its stores do."""

import asyncio
import dataclasses
import gc
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anthropic
import pytest
from agents import KEY
from agenttap import Attachment, Tap
from fakeapi import MESSAGE, STREAM, Server, error, plain, stream
from traced import Trace

ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setitem(Tap.attach.__kwdefaults__, "timeout", 20)


class Citations:
    """A store, as an agent has one."""

    def __init__(self) -> None:
        self.claims: list[dict[str, Any]] = []

    def cite(self, claim: str, source: str) -> None:
        self.claims.append({"claim": claim, "source": source})

    def export(self) -> list[dict[str, Any]]:
        return self.claims


def attached(trace: Trace, *types: str) -> list[Any]:
    return [event["payload"].get("attached") for event in trace.events(*types)]


def test_the_value_is_that_of_the_moment(tap: Tap, trace: Trace, server: Server) -> None:
    """Also of a stream, whose event a thread puts together later."""
    server.replies.extend([plain(MESSAGE), stream(*STREAM), plain(MESSAGE)])
    client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url))
    store = Citations()
    tap.attach("citations", store.export)
    client.messages.create(**ASK)
    store.cite("revenue grew", "sales-emea")
    with client.messages.stream(**ASK) as events:
        events.until_done()
    store.cite(KEY, "sales-apac")
    client.messages.create(**ASK)
    tap.flush()
    assert attached(trace, "model.response") == [
        {"citations": []},
        {"citations": [{"claim": "revenue grew", "source": "sales-emea"}]},
        {"citations": [store.claims[0], {"claim": "[redacted]", "source": "sales-apac"}]},
    ]
    assert attached(trace, "model.request") == [None] * 3


def test_the_types_that_it_is_for(tap: Tap, trace: Trace, server: Server) -> None:
    server.replies.extend([plain(MESSAGE), error(400, "invalid_request_error", "no")])
    client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0))
    count = iter(range(100))
    tap.attach("calls", lambda: next(count), on=["model.*", "tool.result", "run.*", "step.ended", "note"])
    with tap.step("plan"), tap.tool_call("search"):
        tap.record("note")
    client.messages.create(**ASK)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(**ASK)
    tap.close()
    assert [(event["type"], event["payload"].get("attached")) for event in trace.events()] == [
        ("run.started", {"calls": 0}),
        ("step.started", None),
        ("tool.called", None),
        ("note", {"calls": 1}),
        ("tool.result", {"calls": 2}),
        ("step.ended", {"calls": 3}),
        ("model.request", {"calls": 4}),
        ("model.response", {"calls": 5}),
        ("model.request", {"calls": 6}),
        ("model.error", {"calls": 7}),
        ("run.ended", {"calls": 8}),
    ]
    assert trace.one("run.ended")["events"] == 10  # the counts stay at the end


def test_several_a_later_one_and_the_end(tap: Tap, trace: Trace) -> None:
    tap.attach("budget", lambda: {"left": 3}, on="note")
    memory = tap.attach("memory", lambda: "old", on="note")
    tap.record("note")
    tap.attach("memory", lambda: "new", on="note")
    tap.record("note")
    memory.cancel()  # it is not there any more
    tap.attach("memory", lambda: "newest", on="note").cancel()
    tap.record("note")
    assert attached(trace, "note") == [
        {"budget": {"left": 3}, "memory": "old"},
        {"budget": {"left": 3}, "memory": "new"},
        {"budget": {"left": 3}},
    ]


def test_inside_a_run_it_is_for_that_run(trace: Trace) -> None:
    def work(number: int) -> None:
        with tap.run(f"task {number}"):
            stores.append(tap.attach("store", lambda: number, on=["note", "run.ended"]))
            for _ in range(10):
                tap.record("note", number=number)

    stores: list[Attachment] = []
    with Tap(trace.path) as tap:
        tap.attach("store", lambda: "shared", on="note")
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tap.record("note", number="shared")
    for store in stores:  # their threads end with the runs
        assert store._thread is not None
        store._thread.join(10)
        assert not store._thread.is_alive()
    assert all(
        event["payload"]["attached"] == {"store": event["payload"]["number"]} for event in trace.events("note")
    )
    assert sorted(map(str, attached(trace, "run.ended"))) == ["None", *(str({"store": n}) for n in range(4))]


def test_one_that_raises(tap: Tap, trace: Trace) -> None:
    def export() -> None:
        raise failures.pop(0)

    failures: list[BaseException] = [LookupError(f"no {KEY}"), SystemExit(4), KeyboardInterrupt()]
    tap.attach("store", export, on="note")
    for _ in range(3):
        tap.record("note", kept=True)
    told = [event["payload"]["attached"]["store"] for event in trace.events("note")]
    assert [each["left_out"] for each in told] == ["it raised"] * 3
    assert [each["exception"]["type"] for each in told] == ["LookupError", "SystemExit", "KeyboardInterrupt"]
    assert told[0]["error"] == "no [redacted]"
    assert all(event["payload"]["kept"] for event in trace.events("note"))


def test_one_that_hangs_is_waited_for_once(tap: Tap, trace: Trace) -> None:
    def export() -> str:
        entered.set()
        gate.wait(30)
        return "late"

    gate, entered = threading.Event(), threading.Event()
    store = tap.attach("slow", export, on="note", timeout=0.2)
    tap.attach("quick", lambda: 1, on="note")
    for _ in range(3):
        tap.record("note")
    assert entered.is_set()
    gate.set()
    thread = store._thread
    store.cancel()
    assert thread is not None
    thread.join(10)
    late, *still = attached(trace, "note")
    assert late == {"slow": {"left_out": "no answer within 0.2 s"}, "quick": 1}
    assert still == [{"slow": {"left_out": "the call before has not returned yet"}, "quick": 1}] * 2


def test_one_that_is_slow_is_left_alone_for_a_while(tap: Tap, trace: Trace, capfd: Any) -> None:
    def export() -> int:
        gate = threading.Event()
        gates.append(gate)
        gate.wait(30)
        return len(gates)

    gates: list[threading.Event] = []
    store = tap.attach("slow", export, on="note", timeout=0.05)
    for _ in range(5):
        tap.record("note")
        for gate in gates:
            gate.set()
        while store._began is not None:
            pass
    told = [each["slow"]["left_out"] for each in attached(trace, "note")]
    rests = "it was late 3 times in a row, and is left alone for 10 s"
    assert told == ["no answer within 0.05 s"] * 3 + [rests] * 2
    assert len(gates) == 3
    assert capfd.readouterr().err.count("what is attached as slow is too slow") == 1
    store._rests = 0.0  # ten seconds later
    store.function = lambda: 7
    store.timeout = 20
    tap.record("note")
    tap.record("note")
    assert attached(trace, "note")[-2:] == [{"slow": 7}] * 2


def test_one_that_was_late_is_asked_again(tap: Tap, trace: Trace) -> None:
    def export() -> int:
        gates.pop().wait(30)
        return len(gates)

    late = threading.Event()
    gates = [threading.Event(), threading.Event(), late]
    gates[0].set()
    gates[1].set()
    store = tap.attach("store", export, on="note", timeout=0.3)
    tap.record("note")
    late.set()
    while store._began is not None:
        pass
    store.timeout = 30
    tap.record("note")
    assert attached(trace, "note")[1:] == [{"store": 1}]


@dataclasses.dataclass
class Budget:
    spent: float
    currency: str


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (Budget(1.5, "USD"), {"spent": 1.5, "currency": "USD"}),
        (float("nan"), "nan"),
        (b"\xff", {"bytes": 1, "sha256": "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"}),
        ({"a", "b"}, ["a", "b"]),
        (10**30, 10**30),
    ],
)
def test_values_that_are_not_json(tap: Tap, trace: Trace, value: Any, written: Any) -> None:
    tap.attach("store", lambda: value, on="note")
    tap.record("note")
    assert attached(trace, "note") == [{"store": written}]


def test_what_is_too_large_is_said(tap: Tap, trace: Trace) -> None:
    tap.attach("list", lambda: ["x" * 1000] * 100, on="note")
    tap.attach("dict", lambda: {"rows": ["x" * 1000] * 100, "count": 100}, on="note")
    tap.attach("room", lambda: ["x" * 1000] * 100, on="note", max_bytes=200_000)
    tap.record("note")
    (found,) = attached(trace, "note")
    assert found["list"] == {"truncated": True, "bytes": 100_301}
    assert found["dict"] == {"count": 100, "truncated": True, "bytes": 100_322}
    assert len(found["room"]) == 100


def test_a_store_that_belongs_to_its_thread(tap: Tap, trace: Trace) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("create table t (a)")
    database.execute("insert into t values (1)")

    def snapshot() -> list[Any]:
        return database.execute("select * from t").fetchall()

    tap.attach("here", snapshot, on="note", timeout=None)
    tap.attach("elsewhere", snapshot, on="note")
    tap.record("note")
    (found,) = attached(trace, "note")
    assert found["here"] == [[1]]
    assert "thread" in found["elsewhere"]["error"]
    database.close()


def test_it_sees_the_context_of_the_event(tap: Tap, trace: Trace) -> None:
    user: ContextVar[str] = ContextVar("user")
    tap.attach("user", user.get, on="note")
    user.set("ada")
    tap.record("note")
    assert attached(trace, "note") == [{"user": "ada"}]


def test_a_store_that_records_is_not_asked_about_that(tap: Tap, trace: Trace) -> None:
    @tap.tool
    def export() -> int:
        tap.record("note", by="store")
        return 1

    tap.attach("store", export, on=["note", "tool.*"])
    tap.record("note")
    assert attached(trace, "note") == [None, {"store": 1}]
    assert attached(trace, "tool.called", "tool.result") == [None, None]


def test_an_own_attached_stays(tap: Tap, trace: Trace) -> None:
    tap.attach("a", lambda: "ours", on="note")
    tap.attach("b", lambda: "ours", on="note")
    tap.record("note", attached={"a": "theirs"})
    tap.record("note", attached="theirs")
    assert attached(trace, "note") == [{"a": "theirs", "b": "ours"}, "theirs"]


def test_an_interrupted_wait_loses_no_event(trace: Trace) -> None:
    code = """
import os, signal, sys, threading
from agenttap import Tap
tap = Tap(sys.argv[1])
def export():
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(20)
tap.attach("store", export, on="note", timeout=20)
try:
    tap.record("note")
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code, trace.path], capture_output=True, text=True, timeout=60)
    assert done.stdout == "interrupted\n"
    assert attached(trace, "note") == [None]


# --- async -------------------------------------------------------------------------------------------------------


class AsyncStore:
    """A store that belongs to its event loop, as connections of async databases do."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.rows = 0

    async def export(self) -> dict[str, int]:
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is self.loop
        return {"rows": self.rows}


def test_an_async_store_is_awaited_where_it_belongs(tap: Tap, trace: Trace, server: Server) -> None:
    server.replies.extend([plain(MESSAGE), stream(*STREAM)])

    async def main() -> None:
        store = AsyncStore()
        tap.attach("store", store.export, on=["model.*", "tool.*", "step.*", "run.*", "note"], timeout=20)
        client = tap.wrap(anthropic.AsyncAnthropic(api_key="k", base_url=server.url))

        @tap.tool
        async def search() -> list[str]:
            store.rows += 1
            return []

        async with tap.run("task"), tap.step("ask"):
            await client.messages.create(**ASK)
            store.rows = 5
            async with client.messages.stream(**ASK) as events:
                await events.until_done()
            await search()
            tap.record("note")
        await client.close()

    asyncio.run(main())
    tap.flush()
    rows = [each["store"].get("rows", each["store"]) for each in attached(trace)]
    # What is recorded by plain code cannot be awaited, and says so.
    assert rows[:-1] == [0, 0, 0, 0, 5, 5, 5, 6, {"left_out": PLAIN}, 6]
    assert trace.types()[:-1] == [
        *("run.started", "step.started", "model.request", "model.response", "model.request", "model.response"),
        *("tool.called", "tool.result", "note", "step.ended"),
    ]


PLAIN = "it is async, and the event came from code that is not"


def test_an_async_store_without_a_loop_runs_in_one_of_its_own(tap: Tap, trace: Trace) -> None:
    async def export() -> int:
        await asyncio.sleep(0)
        return 7

    tap.attach("store", export, on="note", timeout=20)
    tap.attach("hidden", lambda: export(), on="note", timeout=20)
    tap.record("note")
    assert attached(trace, "note") == [{"store": 7, "hidden": 7}]


def test_async_stores_that_hang_raise_or_are_cancelled(tap: Tap, trace: Trace) -> None:
    async def hang() -> None:
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:  # does not heed it
                stubborn.append(1)
                if len(stubborn) > 1:
                    raise

    async def fail() -> None:
        raise LookupError("no")

    async def gone() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        async with tap.tool_call("search"):
            pass

    stubborn: list[int] = []
    tap.attach("hang", hang, on="tool.called", timeout=0.05)
    tap.attach("fail", fail, on="tool.called", timeout=20)
    tap.attach("gone", gone, on="tool.called", timeout=20)
    asyncio.run(main())
    (found,) = attached(trace, "tool.called")
    assert found["hang"] == {"left_out": "no answer within 0.05 s"}
    assert found["fail"]["error"] == "no"
    assert found["gone"] == {"left_out": "it was cancelled"}
    assert stubborn


def test_an_agent_that_is_cancelled_meanwhile(tap: Tap, trace: Trace, server: Server) -> None:
    """The answer came: it is in the trace, whatever becomes of the store. A request that was not sent is not."""
    server.replies.extend([plain(MESSAGE), plain(MESSAGE)])

    async def main(type: str) -> None:
        async def export() -> None:
            asked.set()
            await asyncio.sleep(1000)

        asked = asyncio.Event()
        store = tap.attach("store", export, on=type, timeout=60)
        client = tap.wrap(anthropic.AsyncAnthropic(api_key="k", base_url=server.url))
        task = asyncio.create_task(client.messages.create(**ASK))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.cancel()
        await client.close()

    asyncio.run(main("model.response"))
    assert trace.types() == ["run.started", "model.request", "model.response"]
    asyncio.run(main("model.request"))
    tap.flush()
    assert trace.types() == ["run.started", "model.request", "model.response"]
    assert len(server.seen) == 1


def test_with_trio(tap: Tap, trace: Trace) -> None:
    trio = pytest.importorskip("trio")

    async def export() -> int:
        await trio.sleep(0)
        return 3

    async def hang() -> None:
        await trio.sleep_forever()

    async def main() -> None:
        async with tap.tool_call("search"):
            pass
        tap.record("note")

    tap.attach("store", export, on=["tool.called", "note"], timeout=20)
    tap.attach("hang", hang, on="tool.called", timeout=0.05)
    trio.run(main)
    assert attached(trace, "tool.called") == [{"store": 3, "hang": {"left_out": "no answer within 0.05 s"}}]
    assert attached(trace, "note") == [{"store": {"left_out": PLAIN}}]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the connection is left, too
def test_a_response_that_is_dropped_asks_nothing(tap: Tap, trace: Trace, server: Server) -> None:
    """That is noticed by a finaliser, which may run inside of the store itself."""
    gate = threading.Event()
    server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
    client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url))
    asked: list[int] = []
    tap.attach("store", lambda: asked.append(1), on="model.*")
    request = client._client.build_request("POST", "/v1/messages", json=ASK | {"stream": True})
    response = client._client.send(request, stream=True)
    assert asked == [1]
    del response
    gc.collect()
    gate.set()
    tap.flush()
    assert asked == [1]
    assert attached(trace, "model.error") == [{"store": {"left_out": "the agent has dropped the response"}}]
    client.close()
    del client, request
    gc.collect()  # of the connection, too: it would complain in another test


def test_a_forked_child_asks_too(tap: Tap, trace: Trace) -> None:
    tap.attach("pid", os.getpid, on="note", timeout=20)
    tap.record("note")
    pid = os.fork()
    if not pid:
        tap.record("note")
        tap.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    assert attached(trace, "note") == [{"pid": os.getpid()}, {"pid": pid}]


def test_mistakes_are_told_at_once(tap: Tap) -> None:
    wrong: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (TypeError, "takes a function", lambda: tap.attach("a", {})),  # type: ignore[arg-type]
        (TypeError, "takes a name", lambda: tap.attach("", dict)),
        (TypeError, "takes a name", lambda: tap.attach(dict, "a")),  # type: ignore[arg-type]
        (TypeError, "on= takes a type", lambda: tap.attach("a", dict, on=5)),  # type: ignore[arg-type]
        (TypeError, "timeout= takes seconds", lambda: tap.attach("a", dict, timeout="1")),  # type: ignore[arg-type]
        (ValueError, "timeout= takes seconds", lambda: tap.attach("a", dict, timeout=0)),
        (ValueError, "timeout= takes seconds", lambda: tap.attach("a", dict, timeout=float("nan"))),
        (ValueError, "max_bytes", lambda: tap.attach("a", dict, max_bytes=0)),
    ]
    for kind, message, mistake in wrong:
        with pytest.raises(kind, match=message):
            mistake()
    assert tap.recorder.attachments == ()


def test_at_the_exit_of_the_program(tmp_path: Path) -> None:
    code = """
import sys
from agenttap import Tap
tap = Tap(sys.argv[1])
tap.attach("budget", lambda: 5, on="run.ended", timeout=20)
tap.record("note")
"""
    path = tmp_path / "run.jsonl"
    subprocess.run([sys.executable, "-c", code, path], check=True, timeout=60)
    last = json.loads(path.read_bytes().splitlines()[-1])
    assert (last["type"], last["payload"]["attached"]) == ("run.ended", {"budget": 5})


# --- while something else goes on ------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_closing_waits_for_what_a_store_is_asked_about(trace: Trace, server: Server, streamed: bool) -> None:
    server.replies.append(stream(*STREAM) if streamed else plain(MESSAGE))
    asked, gate = threading.Event(), threading.Event()

    def export() -> int:
        asked.set()
        gate.wait(30)
        return 1

    tap = Tap(trace.path)
    tap.attach("store", export, timeout=20)
    client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url))

    def agent() -> None:
        list(client.messages.create(**ASK, stream=True)) if streamed else client.messages.create(**ASK)

    thread = threading.Thread(target=agent)
    thread.start()
    assert asked.wait(20)
    threading.Timer(0.05, gate.set).start()
    tap.close()
    thread.join()
    assert trace.types() == ["run.started", "model.request", "model.response", "run.ended"]
    assert attached(trace, "model.response") == [{"store": 1}]


@pytest.mark.parametrize("timeout", [20, None])
def test_nothing_is_asked_while_a_generator_is_closed(tap: Tap, trace: Trace, timeout: float | None) -> None:
    """The garbage collection may do that inside of the store's own code, with its lock held."""

    @tap.step
    def numbers() -> Any:
        yield 1

    asked: list[int] = []
    tap.attach("store", lambda: asked.append(1), on="step.ended", timeout=timeout)
    half = numbers()
    next(half)
    half.close()
    assert asked == []
    assert attached(trace, "step.ended") == [
        {"store": {"left_out": "it was recorded while a generator was closed"}}
    ]


@pytest.mark.parametrize("what", ["step", "run"])
def test_an_interrupted_end_of_a_block_leaves_it(tap: Tap, trace: Trace, what: str) -> None:
    def export() -> None:
        store.cancel()
        raise KeyboardInterrupt

    store = tap.attach("store", export, on=f"{what}.ended", timeout=None)
    with pytest.raises(KeyboardInterrupt), getattr(tap, what)("x"):
        pass
    tap.record("after")
    first, after = trace.events("run.started")[-1], trace.events("after")[0]
    assert "step_id" not in after
    assert after["run_id"] == first["run_id"]
    assert len(trace.events(f"{what}.ended")) == 1


def test_an_interrupted_first_event_is_there(tap: Tap, trace: Trace) -> None:
    interrupts = [KeyboardInterrupt()]

    def export() -> int:
        if interrupts:
            raise interrupts.pop()
        return 1

    tap.attach("store", export, on="*", timeout=None)
    with pytest.raises(KeyboardInterrupt):
        tap.record("precious")
    assert trace.types() == ["run.started", "precious"]


@pytest.mark.parametrize("timeout", [20, None])
def test_whatever_an_async_store_raises_stays_there(tap: Tap, trace: Trace, timeout: float | None) -> None:
    class Stop(BaseException):
        pass

    async def leave() -> None:
        sys.exit(4)

    async def stop() -> None:
        raise Stop

    async def main() -> str:
        async with tap.tool_call("search"):
            return "went on"

    tap.attach("leave", leave, on=["tool.called", "note"], timeout=timeout)
    tap.attach("stop", stop, on=["tool.called", "note"], timeout=timeout)
    assert asyncio.run(main()) == "went on"
    tap.record("note")
    for found in attached(trace, "tool.called", "note"):
        assert [each["left_out"] for each in found.values()] == ["it raised"] * 2


def test_threads_end_with_their_stores(trace: Trace) -> None:
    stores = []
    for _ in range(3):
        with Tap(trace.path) as tap:
            stores += [tap.attach("same", dict, on="note"), tap.attach("same", dict, on="note")]
            tap.record("note")
    for store in stores:
        assert store._thread is not None
        store._thread.join(10)
        assert not store._thread.is_alive()


def test_who_asks_when_it_is_cancelled_does_not_wait(tap: Tap, trace: Trace) -> None:
    store = tap.attach("store", dict, on="note", timeout=60)
    store.end()
    tap.record("note")
    assert attached(trace, "note") == [{"store": {"left_out": "it is attached no longer"}}]


def test_a_fork_inside_a_run(tap: Tap, trace: Trace) -> None:
    with tap.run("task"):
        store = tap.attach("pid", os.getpid, on="note")
        tap.record("note")
        pid = os.fork()
        if not pid:
            tap.record("note")
            store.cancel()
            tap.attach("other", lambda: 1, on="note")
            tap.record("note")
            tap.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        tap.record("note")
    assert attached(trace, "note") == [{"pid": os.getpid()}, {"pid": pid}, {"other": 1}, {"pid": os.getpid()}]


def test_a_tap_that_is_off_asks_nothing(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTTAP_DISABLED", "1")
    asked: list[int] = []

    async def export() -> None:
        asked.append(1)

    async def main() -> None:
        async with tap.run("x"), tap.step("y"), tap.tool_call("z"):
            pass

    with Tap(trace.path) as tap:
        tap.attach("store", export, on="*")
        asyncio.run(main())
    assert asked == []


def test_types_that_are_no_text(tap: Tap, trace: Trace) -> None:
    tap.attach("store", lambda: 1, on="5")
    tap.record(5)  # type: ignore[arg-type]
    assert attached(trace, "5") == [{"store": 1}]


def test_an_async_store_leaves_the_loop_of_the_thread_alone(tap: Tap, trace: Trace) -> None:
    async def export() -> int:
        return 1

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    tap.attach("store", export, on="note", timeout=None)
    tap.record("note")
    assert asyncio.get_event_loop_policy().get_event_loop() is loop
    asyncio.set_event_loop(None)
    loop.close()
    assert attached(trace, "note") == [{"store": 1}]


def test_a_dict_of_many_small_values_is_capped_too(tap: Tap, trace: Trace) -> None:
    tap.attach("store", lambda: {str(n): n for n in range(100_000)}, on="note")
    tap.record("note")
    assert attached(trace, "note")[0]["store"].keys() == {"truncated", "bytes"}
