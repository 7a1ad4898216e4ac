"""`Tap.subscribe`: events for functions of the agent's, in order, on a thread of their own, harming nobody."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest
from agenttap import Tap
from agenttap.testing import capture
from fakeapi import MESSAGE, STREAM, Server, error, plain, stream
from traced import Trace

ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
Event = dict[str, Any]


def test_events_come_as_they_stand_in_the_trace_in_order(tap: Tap, trace: Trace) -> None:
    seen: list[Event] = []
    threads: set[int] = set()

    def see(event: Event) -> None:
        seen.append(event)
        threads.add(threading.get_ident())

    with tap.subscribe(see) as subscription:
        for number in range(500):
            tap.record("note", number=number, password="secret")
    assert seen == trace.events()
    assert seen[-1]["payload"] == {"number": 499, "password": "[redacted]"}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert (subscription.delivered, subscription.queued) == (501, 0)
    assert (subscription.dropped, subscription.failed) == (0, 0)


def test_types(tap: Tap) -> None:
    seen: dict[str, list[str]] = {"tools": [], "several": [], "errors": []}

    def see(name: str) -> Callable[[Event], object]:
        return lambda event: seen[name].append(event["type"])

    with (
        tap.subscribe(see("tools"), "tool.*"),
        tap.subscribe(see("several"), types=["step.*", "note"]),
        tap.subscribe(see("errors"), errors=True),
    ):
        with tap.step("plan"), tap.tool_call("search"):
            tap.record("note")
        tap.record_tool_result("late", error="no such index")
    assert seen == {
        "tools": ["tool.called", "tool.result", "tool.result"],
        "several": ["step.started", "note", "step.ended"],
        "errors": ["tool.result"],
    }


def test_model_calls_with_a_real_sdk(tap: Tap, server: Server) -> None:
    """What a thread puts together has its type only then: it is chosen by that."""
    server.replies.extend([plain(MESSAGE), stream(*STREAM), error(400, "invalid_request_error", "no")])
    client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url, max_retries=0))
    answers: list[Event] = []
    failures: list[Event] = []
    with tap.subscribe(answers.append, "model.response"), tap.subscribe(failures.append, errors=True):
        client.messages.create(**ASK)
        with client.messages.stream(**ASK) as events:
            events.until_done()
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**ASK)
    assert [event["payload"]["body"]["content"][0]["text"] for event in answers] == ["Hello there"] * 2
    assert [event["payload"]["error"]["message"] for event in failures] == ["no"]


def test_one_that_raises_is_told_once_and_goes_on(tap: Tap, trace: Trace, capfd: Any) -> None:
    seen: list[int] = []

    def see(event: Event) -> None:
        seen.append(event["payload"]["number"])
        raise [ValueError("secret text"), SystemExit(3), KeyboardInterrupt()][event["payload"]["number"] % 3]

    with tap.subscribe(see, "note") as subscription:
        for number in range(9):
            tap.record("note", number=number)
    assert seen == list(range(9))  # once each
    assert (subscription.failed, subscription.delivered) == (9, 0)
    assert len(trace.events("note")) == 9
    said = capfd.readouterr().err
    assert said.count("subscriber") == 3
    assert "ValueError at test_tap_subscribe.py" in said
    assert "secret text" not in said


def test_one_that_hangs_holds_up_nobody_and_is_bounded(trace: Trace) -> None:
    gate = threading.Event()
    entered = threading.Event()
    quick: list[Event] = []
    slow: list[Event] = []

    def hang(event: Event) -> None:
        slow.append(event)
        entered.set()
        assert gate.wait(30)

    with Tap(trace.path) as tap:
        tap.subscribe(quick.append, "note")
        subscription = tap.subscribe(hang, ["note", "tap.dropped"], max_queue_bytes=100_000)
        tap.record("note")
        assert entered.wait(10)
        for _ in range(300):
            tap.record("note", text="x" * 1000)
        assert len(trace.events("note")) == 301
        assert 0 < subscription.queued < 30
        assert subscription.dropped == 301 - (subscription.queued - 1)  # that one is the gap
        listed = {each["name"]: each for each in tap.stats()["subscribers"]}
        assert listed[subscription.name]["dropped"] == subscription.dropped
        gate.set()
        assert tap.flush(10)
    assert len(quick) == 301
    assert [event["type"] for event in slow[-1:]] == ["tap.dropped"]
    assert slow[-1]["payload"]["count"] == subscription.dropped
    assert trace.events("run.ended")[0]["payload"]["dropped"] == 0  # that is about the file


def test_losses_come_only_to_who_asked(tap: Tap) -> None:
    gate = threading.Event()
    seen: list[str] = []

    def hang(event: Event) -> None:
        seen.append(event["type"])
        gate.wait(30)

    subscription = tap.subscribe(hang, "note", max_queue_bytes=20_000)
    for _ in range(20):
        tap.record("note", text="x" * 1000)
    assert subscription.dropped
    gate.set()
    assert tap.flush(10)
    assert set(seen) == {"note"}


def test_cancel(tap: Tap) -> None:
    entered, gate = threading.Event(), threading.Event()
    seen: list[Event] = []

    def see(event: Event) -> None:
        seen.append(event)
        entered.set()
        gate.wait(30)

    subscription = tap.subscribe(see, "note")
    tap.record("note")
    tap.record("note")
    assert entered.wait(10)
    subscription.cancel()
    subscription.cancel()
    tap.record("note")
    gate.set()
    thread = subscription.feed._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    assert len(seen) == 1
    assert tap.stats()["subscribers"] == []


def test_what_a_subscriber_records_goes_to_no_subscriber(tap: Tap, trace: Trace, server: Server) -> None:
    """Or two of them would keep each other busy for ever."""
    server.replies.extend([stream(*STREAM)] * 5)
    client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url))
    seen: list[str] = []

    def echo(event: Event) -> None:
        seen.append(event["type"])
        tap.record("echo", of=event["type"])
        if event["type"] == "model.response":
            with client.messages.stream(**ASK) as events:
                events.until_done()

    with tap.subscribe(echo, ["note", "echo", "model.response"]), tap.subscribe(echo):
        tap.record("note")
        with client.messages.stream(**ASK) as events:
            events.until_done()
    tap.flush(10)
    assert sorted(seen) == sorted(
        ["note", "model.response", "run.started", "note", "model.request", "model.response"]
    )
    assert len(trace.events("echo")) == len(seen)
    assert len(trace.events("model.response")) == 3


def test_another_tap_as_a_secondary_sink(tap: Tap, tmp_path: Path) -> None:
    with (
        Tap(tmp_path / "tools.jsonl") as tools,
        tap.subscribe(lambda event: tools.record(event["type"], **event["payload"]), "tool.*"),
    ):
        with tap.tool_call("search", {"q": "x"}) as call:
            call.result = [1]
        tap.record("note")
    copied = Trace(tmp_path / "tools.jsonl")
    assert copied.types() == ["run.started", "tool.called", "tool.result", "run.ended"]
    assert copied.one("tool.result")["result"] == [1]


def test_each_has_its_own_copy(tap: Tap) -> None:
    seen: list[Event] = []

    def spoil(event: Event) -> None:
        event["payload"].clear()

    with tap.subscribe(spoil, "note"), tap.subscribe(seen.append, "note"):
        tap.record("note", n=1)
    assert seen[0]["payload"] == {"n": 1}


def test_inside_a_capture(tap: Tap, trace: Trace) -> None:
    seen: list[str] = []
    tap.subscribe(lambda event: seen.append(event["type"]), "note")
    with capture() as captured:
        tap.record("note")
        assert tap.flush(10)
        assert seen == ["note"]
    assert len(captured.payloads("note")) == 1
    assert trace.events() == []


def test_a_forked_child_has_subscribers_of_its_own(tap: Tap, tmp_path: Path) -> None:
    seen: list[str] = []
    tap.subscribe(lambda event: seen.append(event["payload"]["who"]), "note")
    tap.record("note", who="parent")
    assert tap.flush(10)
    pid = os.fork()
    if not pid:
        tap.record("note", who="child")
        tap.flush(10)
        (tmp_path / "seen").write_text(",".join(seen))
        os._exit(0)
    os.waitpid(pid, 0)
    assert (tmp_path / "seen").read_text() == "parent,child"
    assert seen == ["parent"]


def test_nothing_comes_of_a_tap_that_is_off(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTTAP_DISABLED", "1")
    seen: list[Event] = []
    with Tap(trace.path) as tap, tap.subscribe(seen.append):
        tap.record("note")
    assert seen == []
    tap.subscribe(seen.append).cancel()


def test_mistakes_are_told_at_once(tap: Tap) -> None:
    async def later(event: Event) -> None:
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="run_coroutine_threadsafe"):
        tap.subscribe(later)
    with pytest.raises(TypeError, match="takes a function"):
        tap.subscribe("tool.*")  # type: ignore[arg-type]
    for types in (5, [], [b"x"]):
        with pytest.raises(TypeError, match="types= takes a type"):
            tap.subscribe(print, types)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_queue_bytes"):
        tap.subscribe(print, max_queue_bytes=0)
    assert tap.stats()["subscribers"] == []


def test_bodies_that_are_still_coming_are_no_load_of_a_subscriber(tap: Tap) -> None:
    seen: list[Event] = []
    assert tap.recorder.journal.hold(20 << 20)
    with tap.subscribe(seen.append, "note", max_queue_bytes=1 << 20) as subscription:
        for _ in range(10):
            tap.record("note")
    assert (len(seen), subscription.dropped) == (10, 0)


def test_a_streamed_answer_comes_at_once(tap: Tap, server: Server) -> None:
    """Also to who subscribed while it came, and inside a capture: nothing else has to happen."""
    for inside in (False, True):
        gate, seen = threading.Event(), threading.Event()
        server.replies.append(stream(*STREAM[:4], gate, *STREAM[4:]))
        client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url))
        with contextlib.ExitStack() as stack:
            if inside:
                stack.enter_context(capture())
            events = client.messages.create(**ASK, stream=True)
            subscription = tap.subscribe(lambda event, seen=seen: seen.set(), "model.response")
            gate.set()
            list(events)
            assert seen.wait(10)
            subscription.cancel()


def test_an_async_callable_is_no_subscriber(tap: Tap) -> None:
    class Async:
        async def __call__(self, event: Event) -> None: ...

    with pytest.raises(TypeError, match="run_coroutine_threadsafe"):
        tap.subscribe(Async())


def test_subscribing_from_many_threads(tap: Tap) -> None:
    def work() -> None:
        for _ in range(50):
            kept.append(tap.subscribe(lambda event: None, "note"))
            tap.subscribe(lambda event: None, "note").cancel()

    kept: list[Any] = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(tap.recorder.subscribers) == set(kept)
    for subscription in kept:
        subscription.cancel()
    assert tap.recorder.subscribers == ()
