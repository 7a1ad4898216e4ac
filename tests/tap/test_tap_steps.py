"""Steps: what they record, what each is a part of, as blocks and decorators; and OpenTelemetry's spans."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import anthropic
import pytest
from agenttap import Tap
from fakeapi import MESSAGE, STREAM, Server, plain, stream
from traced import Trace

ASK: dict[str, Any] = {"model": "claude-test", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def tree(trace: Trace) -> dict[str, str | None]:
    """The name of each step, and of the one that it is a part of."""
    started = trace.events("step.started")
    names = {event["step_id"]: event["payload"]["name"] for event in started}
    return {event["payload"]["name"]: names.get(event["payload"]["parent_id"]) for event in started}


def test_a_step_names_the_step_around_it(tap: Tap, trace: Trace) -> None:
    with tap.step("plan") as plan:
        with tap.step("retrieve", index="sales") as retrieve, tap.step("rank") as rank:
            tap.record("note")
        with tap.step("write"):
            pass
    with tap.step("check"):
        pass
    assert tree(trace) == {"plan": None, "retrieve": "plan", "rank": "retrieve", "write": "plan", "check": None}
    assert rank.parent_id == retrieve.step_id
    assert retrieve.parent_id == plan.step_id
    (note,) = trace.events("note")
    assert note["step_id"] == rank.step_id
    ended = {event["payload"]["name"]: event for event in trace.events("step.ended")}
    assert ended["retrieve"]["step_id"] == retrieve.step_id
    assert ended["retrieve"]["payload"] | {"duration_ms": 0} == {
        "name": "retrieve",
        "attributes": {"index": "sales"},
        "parent_id": plan.step_id,
        "error": None,
        "exception": None,
        "duration_ms": 0,
    }
    assert ended["plan"]["payload"]["duration_ms"] >= ended["retrieve"]["payload"]["duration_ms"] >= 0


def test_an_error_goes_on_and_is_told_with_its_place(tap: Tap, trace: Trace) -> None:
    with pytest.raises(KeyError), tap.step("plan"), tap.step("look"):
        {}["rows"]
    for event in trace.events("step.ended"):
        assert event["payload"]["error"] == "'rows'"
        assert event["payload"]["exception"]["type"] == "KeyError"
        assert __file__ in event["payload"]["exception"]["traceback"]


def test_decorators(tap: Tap, trace: Trace) -> None:
    class Agent:
        @tap.step
        def plan(self, goal: str) -> str:
            """Plans."""
            return self.think(goal) + self.look(goal)

        @tap.step("thinking", model="large")
        def think(self, goal: str) -> str:
            return goal.upper()

        @tap.step
        @staticmethod
        def look(goal: str) -> str:
            return goal

        @classmethod
        @tap.step
        def made(cls) -> type:
            return cls

    agent = Agent()
    assert agent.plan("x") == "Xx"
    assert agent.plan("y") == "Yy"
    assert Agent.made() is Agent
    assert Agent.plan.__doc__ == "Plans."
    assert tree(trace) == {"plan": None, "thinking": "plan", "look": "plan", "made": None}
    started = trace.events("step.started")
    assert len({event["step_id"] for event in started}) == len(started) == 7
    assert started[1]["payload"]["attributes"] == {"model": "large"}


def test_tasks_of_their_own(tap: Tap, trace: Trace) -> None:
    @tap.step
    async def fetch(number: int) -> int:
        await asyncio.sleep(0)
        tap.record("note", number=number)
        await asyncio.to_thread(tap.record, "threaded", number=number)
        return number

    async def main() -> list[int]:
        async with tap.step("gather"):
            return await asyncio.gather(*(fetch(number) for number in range(5)))

    assert asyncio.run(main()) == list(range(5))
    started = {event["step_id"]: event["payload"] for event in trace.events("step.started")}
    notes = trace.events("note", "threaded")
    assert len({event["step_id"] for event in notes}) == 5
    assert {started[event["step_id"]]["name"] for event in notes} == {"fetch"}
    (gather,) = (step_id for step_id, payload in started.items() if payload["name"] == "gather")
    assert {payload["parent_id"] for payload in started.values()} == {None, gather}


def test_threads_inherit_a_step_when_told(tap: Tap, trace: Trace) -> None:
    with tap.step("outer") as outer, ThreadPoolExecutor(2) as pool:
        pool.submit(tap.record, "without").result()
        pool.submit(copy_context().run, tap.record, "with").result()
    assert [event.get("step_id") for event in trace.events("without", "with")] == [None, outer.step_id]


def test_a_generator_is_in_its_step_only_while_it_runs(tap: Tap, trace: Trace) -> None:
    @tap.step("pages")
    def pages() -> Iterator[int]:
        tap.record("inside")
        yield 1
        tap.record("inside")
        with tap.step("deeper"):
            tap.record("inside deeper")
            yield 2
        tap.record("inside")

    with tap.step("caller") as caller:
        for page in pages():
            tap.record("outside", page=page)
            with tap.step("consume"):
                pass
    names = {event["step_id"]: event["payload"]["name"] for event in trace.events("step.started")}
    assert [names[event["step_id"]] for event in trace.events("inside")] == ["pages"] * 3
    # A step that a generator enters by itself is its caller's too while it waits: only a decorator knows of that.
    assert [names[event["step_id"]] for event in trace.events("outside")] == ["caller", "deeper"]
    assert tree(trace)["deeper"] == "pages"
    assert trace.events("outside")[0]["step_id"] == caller.step_id
    assert [event["payload"]["error"] for event in trace.events("step.ended")] == [None] * 5


def test_a_generator_that_is_left_or_thrown_into(tap: Tap, trace: Trace) -> None:
    @tap.step
    def numbers() -> Iterator[int]:
        try:
            yield 1
        finally:
            tap.record("leaving")

    left = numbers()
    next(left)
    tap.record("between")
    left.close()  # type: ignore[attr-defined]
    thrown = numbers()
    next(thrown)
    with pytest.raises(ValueError, match="x"):
        thrown.throw(ValueError("x"))  # type: ignore[attr-defined]
    names = {event["step_id"]: event["payload"]["name"] for event in trace.events("step.started")}
    assert [names.get(event.get("step_id")) for event in trace.events("leaving", "between")] == [
        None,
        "numbers",
        "numbers",
    ]
    assert [event["payload"]["error"] for event in trace.events("step.ended")] == [None, "x"]


def test_an_async_generator(tap: Tap, trace: Trace) -> None:
    @tap.step
    async def rows() -> AsyncIterator[int]:
        for number in range(2):
            await asyncio.sleep(0)
            tap.record("inside")
            yield number

    async def main() -> None:
        with tap.step("caller"):
            async for number in rows():
                tap.record("outside", number=number)
            early = rows()
            async for _ in early:
                break
            await early.aclose()  # type: ignore[attr-defined]
            tap.record("outside")

    asyncio.run(main())
    names = {event["step_id"]: event["payload"]["name"] for event in trace.events("step.started")}
    assert [names[event["step_id"]] for event in trace.events("inside")] == ["rows"] * 3
    assert [names[event["step_id"]] for event in trace.events("outside")] == ["caller"] * 3
    assert [event["payload"]["error"] for event in trace.events("step.ended")] == [None] * 3


@pytest.mark.parametrize("wrong", [5, None, b"x"])
def test_a_step_needs_a_name(tap: Tap, wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes a name, or a function"):
        tap.step(wrong)
    with pytest.raises(TypeError, match="takes a function"):
        tap.step("name")(wrong)
    with pytest.raises(TypeError, match="below @property"):
        tap.step(property(lambda self: 1))  # type: ignore[call-overload]


# --- OpenTelemetry -----------------------------------------------------------------------------------------------


@pytest.fixture
def tracer() -> Any:
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    return trace.TracerProvider().get_tracer("test")


def ids(span: Any) -> tuple[str, str]:
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def test_events_name_the_span_that_was_current(tap: Tap, trace: Trace, server: Server, tracer: Any) -> None:
    server.replies.extend([plain(MESSAGE), stream(*STREAM)])
    client = tap.wrap(anthropic.Anthropic(api_key="k", base_url=server.url))
    with tracer.start_as_current_span("night") as night:
        tap.record("note")
        with tracer.start_as_current_span("call") as call, tap.step("ask"):
            client.messages.create(**ASK)
            events = client.messages.create(**ASK, stream=True)
        list(events)  # ends outside of the span that it began in
        with tap.tool_call("search"):
            pass
    tap.record("after")
    tap.flush()
    found = {
        (event["type"], event.get("trace_id"), event.get("span_id"))
        for event in trace.events()
        if event["type"] != "run.started"
    }
    assert found == {
        ("note", *ids(night)),
        ("step.started", *ids(call)),
        ("model.request", *ids(call)),
        ("model.response", *ids(call)),
        ("step.ended", *ids(call)),
        ("tool.called", *ids(night)),
        ("tool.result", *ids(night)),
        ("after", None, None),
    }
    assert list(trace.events("model.request")[0]) == [
        *("v", "type", "timestamp", "run_id", "seq", "call_id", "step_id", "trace_id", "span_id", "payload")
    ]


def test_spans_are_followed_across_threads(tap: Tap, trace: Trace, tracer: Any) -> None:
    def work() -> None:
        with tracer.start_as_current_span("thread") as span:
            spans.append(ids(span))
            tap.record("note")

    spans: list[tuple[str, str]] = []
    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(event["trace_id"], event["span_id"]) for event in trace.events("note")} == set(spans)


@pytest.mark.parametrize("broken", [None, 5, "raise"])
def test_an_opentelemetry_that_is_broken_costs_only_the_ids(
    tap: Tap, trace: Trace, monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    class Module:
        @staticmethod
        def get_current_span() -> Any:
            if broken == "raise":
                raise RuntimeError("no")
            return broken

    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.trace", Module)  # type: ignore[arg-type]
    tap.record("note")
    assert "trace_id" not in trace.events("note")[0]


def test_a_decorated_generator_that_waits_inside_a_step_of_its_own(tap: Tap, trace: Trace) -> None:
    @tap.step("outer")
    def work() -> Iterator[int]:
        with tap.step("inner"):
            yield 1
            tap.record("inside")
            with tap.step("leaf"):
                yield 2
        tap.record("behind")

    for _ in work():
        pass
    names = {event["step_id"]: event["payload"]["name"] for event in trace.events("step.started")}
    assert [names[event["step_id"]] for event in trace.events("inside", "behind")] == ["inner", "outer"]
    assert tree(trace) == {"outer": None, "inner": "outer", "leaf": "inner"}
    tap.record("after")
    assert "step_id" not in trace.events("after")[0]


def test_one_step_that_is_entered_several_times(tap: Tap, trace: Trace) -> None:
    plan = tap.step("plan")
    with plan, plan:
        tap.record("inside")
    with plan:
        pass
    tap.record("after")
    first, second, third = trace.events("step.started")
    assert len({event["step_id"] for event in (first, second, third)}) == 3
    assert [event["payload"]["parent_id"] for event in (first, second, third)] == [None, first["step_id"], None]
    assert trace.events("inside")[0]["step_id"] == second["step_id"]
    assert "step_id" not in trace.events("after")[0]


def test_a_callable_object_that_is_async(tap: Tap, trace: Trace) -> None:
    class Agent:
        async def __call__(self) -> int:
            await asyncio.sleep(0)
            tap.record("inside")
            return 1

    assert asyncio.run(tap.step("agent")(Agent())()) == 1
    assert trace.types() == ["run.started", "step.started", "inside", "step.ended"]
