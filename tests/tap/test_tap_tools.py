"""Tool calls: the two methods, the `with` block, the decorator, and which result belongs to which call."""

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agenttap import Tap, tools
from traced import Trace


def pairs(trace: Trace) -> list[tuple[str, str | None]]:
    return [(event["type"], event["call_id"]) for event in trace.events("tool.called", "tool.result")]


def test_the_two_methods(tap: Tap, trace: Trace) -> None:
    tap.record_tool_call(tool_name="search", args={"q": "revenue"})
    tap.record_tool_result(tool_name="search", result=None, error="search returned 0 results")
    assert trace.one("tool.called") == {"tool_name": "search", "args": {"q": "revenue"}}
    result = trace.one("tool.result")
    assert result.pop("duration_ms") >= 0
    assert result == {
        "tool_name": "search",
        "result": None,
        "error": "search returned 0 results",
        "exception": None,
    }
    called, answered = pairs(trace)
    assert called[1] == answered[1] is not None


def test_a_result_goes_to_the_call_with_its_id(tap: Tap, trace: Trace) -> None:
    first = tap.record_tool_call("a", {})
    assert tap.record_tool_call("a", {}, call_id="toolu_2") == "toolu_2"
    tap.record_tool_result("a", call_id=first)
    tap.record_tool_result("a", call_id="toolu_2")
    tap.record_tool_result("a", call_id="of a model's")
    tap.record_tool_result("a")
    given = [first, "toolu_2", first, "toolu_2", "of_a_model_s-3fb77106", None]
    assert [call_id for _, call_id in pairs(trace)] == given
    assert trace.events()[-2]["payload"]["original"] == {"call_id": "of a model's"}
    assert trace.events()[-1]["payload"]["duration_ms"] is None


def test_a_result_without_id_goes_to_the_latest_call_of_its_tool(tap: Tap, trace: Trace) -> None:
    a1, b1, a2 = (tap.record_tool_call(name) for name in "aba")
    for name in "aabc":
        tap.record_tool_result(name)
    assert [call_id for _, call_id in pairs(trace)[3:]] == [a2, a1, b1, None]


def test_threads_do_not_take_each_others_calls(tap: Tap, trace: Trace) -> None:
    both = threading.Barrier(2)
    own: dict[int, str] = {}

    def work(number: int) -> None:
        own[number] = tap.record_tool_call("a", {"n": number})
        both.wait(10)
        tap.record_tool_result("a", result=number)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert {event["payload"]["result"]: event["call_id"] for event in trace.events("tool.result")} == own


def test_tasks_do_not_take_each_others_calls(tap: Tap, trace: Trace) -> None:
    async def work(number: int) -> tuple[int, str]:
        call_id = tap.record_tool_call("a")
        await asyncio.sleep(0)
        tap.record_tool_result("a", result=number)
        return number, call_id

    async def main() -> dict[int, str]:
        return dict(await asyncio.gather(*map(work, range(5))))

    own = asyncio.run(main())
    assert {event["payload"]["result"]: event["call_id"] for event in trace.events("tool.result")} == own


def test_a_result_from_another_thread_goes_to_the_only_open_call(tap: Tap, trace: Trace) -> None:
    call_id = tap.record_tool_call("a")
    thread = threading.Thread(target=tap.record_tool_result, args=("a",))
    thread.start()
    thread.join()
    assert pairs(trace)[-1] == ("tool.result", call_id)
    tap.record_tool_call("a")
    tap.record_tool_call("a")
    thread = threading.Thread(target=tap.record_tool_result, args=("a",))
    thread.start()
    thread.join()
    assert pairs(trace)[-1] == ("tool.result", None)  # which of two is anybody's guess


@pytest.mark.parametrize(
    ("error", "text"),
    [(ValueError("bad"), "bad"), (ValueError(), "ValueError"), ("text", "text"), (404, "404"), ("", "")],
)
def test_an_error_may_be_anything(tap: Tap, trace: Trace, error: object, text: str) -> None:
    tap.record_tool_result("a", error=error)
    payload = trace.one("tool.result")
    assert payload["error"] == text
    assert (payload["exception"] is not None) == isinstance(error, BaseException)


def test_an_exception_comes_with_its_traceback(tap: Tap, trace: Trace) -> None:
    try:
        raise KeyError("first")
    except KeyError as first:
        try:
            raise RuntimeError("second") from first
        except RuntimeError as second:
            tap.record_tool_result("a", error=second)
    told = trace.one("tool.result")["exception"]
    assert told["type"] == "RuntimeError"
    assert "KeyError: 'first'" in told["traceback"]
    assert "test_tap_tools.py" in told["traceback"]


def test_the_with_block(tap: Tap, trace: Trace) -> None:
    with tap.tool_call("a", {"x": 1}, call_id="c1") as call:
        assert call.call_id == "c1"
        assert trace.types()[-1] == "tool.called"  # before the tool runs
        call.result = [1]
    with tap.tool_call("b") as call:
        call.error = "no"
    with pytest.raises(ZeroDivisionError), tap.tool_call("c"):
        _ = 1 // 0
    results = [event["payload"] for event in trace.events("tool.result")]
    assert [(r["result"], r["error"]) for r in results] == [
        ([1], None),
        (None, "no"),
        (None, "integer division or modulo by zero"),
    ]


def test_the_async_with_block(tap: Tap, trace: Trace) -> None:
    async def main() -> None:
        async with tap.tool_call("a") as call:
            call.result = 1
        async with tap.tool_call("b"):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    results = [event["payload"] for event in trace.events("tool.result")]
    assert [(r["result"], r["error"]) for r in results] == [(1, None), (None, "CancelledError")]


def test_the_decorator(tap: Tap, trace: Trace) -> None:
    @tap.tool
    def search(query: str, *more: str, limit: int = 5, **rest: Any) -> list[str]:
        """Search for things."""
        return [query, *more]

    assert search("a", "b", limit=2, deep=True) == ["a", "b"]
    assert (search.__name__, search.__doc__) == ("search", "Search for things.")
    assert list(inspect.signature(search).parameters) == ["query", "more", "limit", "rest"]
    assert trace.one("tool.called") == {
        "tool_name": "search",
        "args": {"query": "a", "more": ["b"], "limit": 2, "deep": True},
    }
    assert trace.one("tool.result")["result"] == ["a", "b"]


def test_the_decorator_lets_an_exception_through(tap: Tap, trace: Trace) -> None:
    error = ValueError("bad")

    @tap.tool(name="other")
    def work() -> None:
        raise error

    with pytest.raises(ValueError, match="bad") as caught:
        work()
    assert caught.value is error
    assert trace.one("tool.result")["tool_name"] == "other"
    with pytest.raises(TypeError, match="unexpected keyword"):
        work(x=1)  # type: ignore[call-arg]
    assert trace.events("tool.called")[-1]["payload"]["args"] == {"x": 1}


def test_the_decorator_on_methods_and_coroutines(tap: Tap, trace: Trace) -> None:
    class Tools:
        @tap.tool
        async def fetch(self, url: str) -> str:
            return url.upper()

    assert inspect.iscoroutinefunction(Tools.fetch)
    assert asyncio.run(Tools().fetch("u")) == "U"
    assert trace.one("tool.called")["args"] == {"url": "u"}
    assert trace.one("tool.result")["result"] == "U"


def test_the_decorator_on_generators(tap: Tap, trace: Trace) -> None:
    @tap.tool
    def count(to: int) -> Iterator[Any]:
        got = yield 0
        yield got
        yield from range(to)
        return "end"

    assert inspect.isgeneratorfunction(count)
    generator = count(2)
    assert (next(generator), generator.send("sent"), list(generator)) == (0, "sent", [0, 1])
    assert trace.one("tool.result")["result"] == [0, "sent", 0, 1]
    half = count(2)
    next(half)
    half.close()
    assert trace.events("tool.result")[-1]["payload"]["error"] is None
    assert trace.events("tool.result")[-1]["payload"]["result"] == [0]


def test_the_decorator_on_async_generators(tap: Tap, trace: Trace) -> None:
    closed = []

    @tap.tool
    async def count() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    async def main() -> list[int]:
        return [item async for item in count()]

    async def half() -> None:
        generator = count()
        await anext(generator)
        await generator.aclose()  # type: ignore[attr-defined]
        assert closed == [True]  # now, not when somebody collects it

    asyncio.run(half())
    assert trace.one("tool.result")["result"] == [1]
    closed.clear()
    assert asyncio.run(main()) == [1, 2]
    assert closed == [True]
    assert trace.events("tool.result")[-1]["payload"]["result"] == [1, 2]


def test_strange_things_do_not_raise(tap: Tap, trace: Trace) -> None:
    class Strange:
        def __repr__(self) -> str:
            raise RuntimeError

        __str__ = __repr__

    tap.record_tool_call(Strange(), Strange(), call_id=Strange())  # type: ignore[arg-type]
    tap.record_tool_result("a\n\ud83d", result={Strange(): Strange()}, error=Strange())
    tap.record("Some type\n", x={1: Strange()}, self=2, type=3)
    last = trace.events()[-1]
    assert last["type"] == "Some_type_"
    assert last["payload"]["original"] == {"type": "Some type\n"}
    assert (last["payload"]["self"], last["payload"]["type"]) == (2, 3)
    assert trace.one("tool.result")["error"] is not None


def test_open_calls_are_not_kept_for_ever(tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agenttap.tools.MAX_OPEN", 10)
    monkeypatch.setattr("agenttap.tools.MAX_MADE", 4)
    for _ in range(25):
        tap.record_tool_call("a")
    assert len(tap.recorder._calls._open) <= 10
    assert len(tools._made.get()) <= 4


def test_the_decorator_passes_on_what_an_async_generator_is_sent(tap: Tap, trace: Trace) -> None:
    @tap.tool
    async def echo() -> AsyncGenerator[object, object]:
        got: object = None
        while True:
            try:
                got = yield got
            except KeyError as error:
                got = error.args[0]

    async def main() -> list[object]:
        generator = echo()
        found = [await anext(generator), await generator.asend(1), await generator.athrow(KeyError("thrown"))]
        await generator.aclose()
        return found

    assert asyncio.run(main()) == [None, 1, "thrown"]
    assert trace.one("tool.result")["result"] == [None, 1, "thrown"]


def test_a_step_may_have_any_attribute(tap: Tap, trace: Trace) -> None:
    with tap.step("retrieve", name="index", self=1):
        pass
    assert trace.events("step.started")[0]["payload"]["attributes"] == {"name": "index", "self": 1}
