"""Replay: what is the same, what is answered, what is said of what is not, and what stays behind afterwards."""

import asyncio
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from agenttap import Tap
from fakeapi import STREAM, Server, error, plain, stream
from openai_events import CHAT, DONE, HELLO, data
from recorded import (
    ASK,
    NOWHERE,
    answer,
    ask,
    client,
    gpt,
    http,
    line,
    recorded,
    request,
    response,
    said,
    streaming,
)

from agent_replay_trace import Miss, RecordedError, Replay, TraceError


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Three requests: "one", "two", and "one" again, answered with "1", "2" and "3"."""
    return recorded(tmp_path / "run.jsonl", "one", "two", "one", replies=[plain(answer(text)) for text in "123"])


def quiet(text: str) -> None:
    """Takes what is said."""


# What is answered


def test_the_same_request_gets_its_answers_in_their_order(trace: Path) -> None:
    with Replay.load(trace) as replay:
        asking = replay.wrap(client())
        assert [said(ask(asking, text)) for text in ("two", "one", "one")] == ["2", "1", "3"]


def test_a_plain_answer_has_the_bytes_that_were_recorded(tmp_path: Path) -> None:
    body = b'{"type":"message","id":"m","role":"assistant","content":[],"big":12345678901234567890123,"f":1.10}'
    trace = recorded(tmp_path / "run.jsonl", "x", replies=[plain(body)])
    with Replay.load(trace) as replay:
        asking = replay.wrap(http())
        content = {**ASK, "messages": [{"role": "user", "content": "x"}]}
        assert asking.post("http://anywhere.test/v1/messages", json=content).content == body


def test_ids_who_asks_and_the_order_of_keys_do_not_count(tmp_path: Path) -> None:
    sent = request(
        0, "c1", "Hi", body={"model": "m", "messages": [{"role": "user", "content": "Hi"}], "metadata": {}}
    )
    (tmp_path / "run.jsonl").write_bytes(sent + response(1, "c1", "yes"))
    with Replay.load(tmp_path / "run.jsonl") as replay:
        body = b'{"messages":[{"content":"Hi","role":"user"}],"metadata":{"user_id":"x"},"model":"m"}'
        assert httpx_post(replay, body).status_code == 200


def httpx_post(replay: Replay, body: bytes, url: str = "https://other.test/v1/messages") -> httpx2.Response:
    return replay.wrap(http()).post(url, content=body)


def test_secrets_are_hidden_in_what_is_asked_as_they_were_in_what_was_recorded(tmp_path: Path) -> None:
    key = "sk-ant-" + "api03-abcdefgh12345678"
    trace = recorded(tmp_path / "run.jsonl", f"my key is {key}", replies=[plain(answer("I see"))])
    assert key not in trace.read_text()
    with Replay.load(trace) as replay:
        assert said(ask(replay.wrap(client()), f"my key is {key}")) == "I see"


def test_what_rules_hid_that_nobody_has_here_matches_anything(tmp_path: Path) -> None:
    trace = recorded(
        tmp_path / "run.jsonl", "EMP-1 is on leave", replies=[plain(answer("ok"))], redact=[r"EMP-\d+"]
    )
    with Replay.load(trace) as replay:
        assert said(ask(replay.wrap(client()), "EMP-7 is on leave")) == "ok"
    with pytest.raises(Miss), Replay.load(trace, say=quiet) as replay:
        ask(replay.wrap(client()), "EMP-7 is at work")


def test_one_name_stands_for_one_value(tmp_path: Path) -> None:
    one, two = "[scrubbed:pattern-1]", "[scrubbed:pattern-2]"
    (tmp_path / "run.jsonl").write_bytes(
        request(0, "a", f"{one} and {one}")
        + response(1, "a", "the same")
        + request(2, "b", f"{one} and {two}")
        + response(3, "b", "two")
    )
    with Replay.load(tmp_path / "run.jsonl") as replay:
        asking = replay.wrap(client())
        assert [said(ask(asking, text)) for text in ("al and bo", "al and al")] == ["two", "the same"]


def test_of_equal_ones_that_which_is_equal_in_everything_goes_first(tmp_path: Path) -> None:
    body = {"model": "gpt-test", "input": "go on"}
    (tmp_path / "run.jsonl").write_bytes(
        b"".join(
            request(n, id, "", url="https://x.test/v1/responses", body={**body, "previous_response_id": id})
            + response(n + 1, id, "", body={"id": f"for {id}"})
            for n, id in ((0, "resp_a"), (2, "resp_b"))
        )
    )
    with Replay.load(tmp_path / "run.jsonl") as replay:
        found = [
            httpx_post(
                replay, json.dumps({**body, "previous_response_id": id}).encode(), "https://x.test/v1/responses"
            )
            for id in ("resp_b", "resp_a")
        ]
    assert [each.json()["id"] for each in found] == ["for resp_b", "for resp_a"]


def test_loosened_by_pointers_by_path_and_by_a_function(trace: Path) -> None:
    with Replay.load(trace, ignore=["/payload/body/system", "/payload/body/max_tokens"]) as replay:
        assert said(ask(replay.wrap(client()), "two", system="New.")) == "2"
        replay.rewind()
        ask(replay.wrap(client()), "one"), ask(replay.wrap(client()), "one"), ask(replay.wrap(client()), "two")
    with Replay.load(trace, match="path") as replay:
        assert [said(ask(replay.wrap(client()), text)) for text in "abc"] == ["1", "2", "3"]
    with Replay.load(trace, match=lambda asked: asked.body["messages"][-1]["content"][:1], say=quiet) as replay:
        assert said(ask(replay.wrap(client()), "twice")) == "2"


def test_repeated_the_answers_begin_anew(trace: Path) -> None:
    with Replay.load(trace, repeat=True, say=quiet) as replay:
        asking = replay.wrap(client())
        assert [said(ask(asking, "one")) for _ in range(4)] == ["1", "3", "1", "3"]


def test_only_one_run_of_a_trace(tmp_path: Path) -> None:
    trace = tmp_path / "run.jsonl"
    for name, text in (("first", "1"), ("second", "2")):
        recorded(trace, "x", replies=[plain(answer(text))], name=name)
    with Replay.load(trace, run="second") as replay:
        assert said(ask(replay.wrap(client()), "x")) == "2"


def test_in_many_threads_each_answer_is_given_once(tmp_path: Path) -> None:
    texts = [str(n) for n in range(40)]
    trace = recorded(tmp_path / "run.jsonl", *["x"] * 40, replies=[plain(answer(text)) for text in texts])
    found: list[str] = []
    with Replay.load(trace) as replay:
        asking = replay.wrap(client())
        threads = [threading.Thread(target=lambda: found.append(said(ask(asking, "x")))) for _ in range(40)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert sorted(found) == sorted(texts)


def test_the_form_that_is_asked_for_now(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_bytes(request(0, "a", "Hi") + response(1, "a", "Hello"))
    with (
        Replay.load(tmp_path / "run.jsonl", ignore=["/payload/body/stream"]) as replay,
        streaming(replay.wrap(client())) as streamed,
    ):
        assert said(streamed.get_final_message()) == "Hello"
    recorded_stream = tmp_path / "stream.jsonl"
    server = Server(stream(*STREAM))
    with Tap(recorded_stream) as tap, streaming(tap.wrap(client(server.url))) as streamed:
        streamed.get_final_message()
    server.close()
    with Replay.load(recorded_stream, ignore=["/payload/body/stream"]) as replay:
        assert said(ask(replay.wrap(client()))) == "Hello there"


def test_openai_chat_put_together_and_streamed_again(tmp_path: Path) -> None:
    server = Server(stream(*map(data, HELLO), DONE))
    with Tap(tmp_path / "run.jsonl") as tap:
        asking = tap.wrap(gpt(server.url))
        before = [
            each.choices[0].delta.content
            for each in asking.chat.completions.create(**CHAT, stream=True)
            if each.choices
        ]
    server.close()
    with Replay.load(tmp_path / "run.jsonl") as replay:
        asking = replay.wrap(gpt())
        after = [
            each.choices[0].delta.content
            for each in asking.chat.completions.create(**CHAT, stream=True)
            if each.choices
        ]
    assert "".join(filter(None, after)) == "".join(filter(None, before)) == "Hello there"


def test_retries_are_replayed_and_not_waited_for(tmp_path: Path) -> None:
    server = Server()
    server.replies.extend([error(529, "overloaded_error", "busy"), plain(answer("at last"))])
    with Tap(tmp_path / "run.jsonl") as tap, client(server.url, max_retries=1) as asking:
        ask(tap.wrap(asking))
    server.close()
    with Replay.load(tmp_path / "run.jsonl") as replay, Tap(tmp_path / "again.jsonl") as tap:
        assert said(ask(replay.wrap(tap.wrap(client(max_retries=1))))) == "at last"
    again = [json.loads(each) for each in (tmp_path / "again.jsonl").read_bytes().splitlines()]
    assert [each["payload"].get("status") for each in again if each["type"].startswith("model.r")][:1] == [None]
    failed = next(each["payload"] for each in again if each["type"] == "model.error")
    assert failed["headers"]["retry-after-ms"] == "1"


def test_at_the_recorded_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tracereplay.transport.time.sleep", waited.append)
    (tmp_path / "run.jsonl").write_bytes(
        request(0, "a", "Hi") + response(1, "a", "Hello", ttft_ms=40_000.0, duration_ms=90_000.0)
    )
    with Replay.load(tmp_path / "run.jsonl", pace=True) as replay:
        ask(replay.wrap(client()))
    assert [round(each) for each in waited] == [40, 90]


def test_a_text_under_a_json_type_and_a_header_that_is_not_ascii(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_bytes(
        request(0, "a", "Hi")
        + response(1, "a", "", body="no, sorry", headers={"content-type": "application/json", "x-org": "Café"})
    )
    with Replay.load(tmp_path / "run.jsonl") as replay:
        body = json.dumps({**ASK, "messages": [{"role": "user", "content": "Hi"}]}).encode()
        assert httpx_post(replay, body).text == "no, sorry"


# What is not


def test_a_miss_says_what_comes_nearest_and_where_it_differs(trace: Path) -> None:
    with pytest.raises(Miss) as miss, Replay.load(trace, say=quiet) as replay:
        ask(replay.wrap(client()), "two!", system="Be short.")
    said = str(miss.value)
    assert said.splitlines()[0] == f"{trace} has no answer to POST /v1/messages"
    assert f"{trace}:4; there, and here" in said  # the second request
    assert "/payload/body/messages/0/content\n      - two\n      + two!" in said
    assert "/payload/body/system\n      - (not there)\n      + Be short." in said


def test_a_miss_passes_what_agents_do_with_exceptions(trace: Path) -> None:
    """An SDK would try again, and an agent go on."""
    caught: list[Exception] = []

    def agent(replay: Replay) -> None:
        try:
            ask(replay.wrap(client(max_retries=5)), "three")
        except Exception as error:  # noqa: BLE001 - as an agent may
            caught.append(error)

    with pytest.raises(Miss), Replay.load(trace, say=quiet) as replay:
        agent(replay)
    assert caught == []


def test_a_miss_that_was_caught_is_raised_at_the_end(trace: Path) -> None:
    with pytest.raises(Miss), Replay.load(trace, say=quiet) as replay:  # noqa: SIM117
        with suppress(BaseException):  # as some frameworks do
            ask(replay.wrap(client()), "three")


def test_asked_once_more_than_recorded(trace: Path) -> None:
    with (
        pytest.raises(Miss, match=r"recorded once \(.*:4\) and asked for once more"),
        Replay.load(trace, say=quiet) as replay,
    ):
        [ask(replay.wrap(client()), "two") for _ in range(2)]


def test_what_was_never_used_is_told_at_the_end(trace: Path) -> None:
    told: list[str] = []
    with Replay.load(trace, say=told.append) as replay:
        ask(replay.wrap(client()), "two")
        assert [each.line for each in replay.unused] == [2, 6]
    assert told == [f"replay: 2 recorded requests were never sent: {trace}:2, {trace}:6"]


LEFT_OUT = {
    "it was recorded truncated": request(0, "a", "Hi", truncated=True, bytes=9),
    "its body was not recorded, as it was only known while it was sent": request(
        0, "a", "Hi", body={"streamed": True, "bytes": 5}
    ),
    "it was recorded without its method or its url": request(0, "a", "Hi", method=None),
    "it has no answer in the trace": request(0, "z", "Hi"),
}


@pytest.mark.parametrize("why", LEFT_OUT)
def test_a_request_that_was_recorded_in_part_is_told_at_load_and_never_used(why: str, tmp_path: Path) -> None:
    trace, told = tmp_path / "run.jsonl", list[str]()
    trace.write_bytes(LEFT_OUT[why] + response(1, "a", "no") + request(2, "b", "Hi") + response(3, "b", "yes"))
    with Replay.load(trace, say=told.append) as replay:
        assert said(ask(replay.wrap(client()))) == "yes"
    assert told == [f"{trace}:1: this request is left out: {why}"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": None}, "its answer was recorded without a status"),
        ({"status": 99999}, "the status of its answer is 99999"),
        ({"body_bytes_left_out": 5}, "its answer was not recorded whole"),
        ({"body": {"bytes": 5, "sha256": "00"}}, "the body of its answer was not recorded (it is no text)"),
    ],
)
def test_an_answer_that_was_recorded_in_part(more: dict[str, Any], why: str, tmp_path: Path) -> None:
    trace, told = tmp_path / "run.jsonl", list[str]()
    trace.write_bytes(
        request(0, "a", "Hi") + response(1, "a", "x", **more) + request(2, "b", "x") + response(3, "b", "y")
    )
    with pytest.raises(Miss, match="it was recorded"), Replay.load(trace, say=told.append) as replay:
        ask(replay.wrap(client()))
    assert told[0] == f"{trace}:1: this request is left out: {why}"


BAD = {
    "No such file": None,
    "there is no request in it": line(0, "note", text="x"),
    "there is no request": b'{"timestamp":"2026-05-24T03:17:00Z","level":"info","kind":"log"}\n',
}


@pytest.mark.parametrize("why", BAD)
def test_a_trace_with_nothing_to_replay(why: str, tmp_path: Path) -> None:
    trace, content = tmp_path / "run.jsonl", BAD[why]
    if content is not None:
        trace.write_bytes(content)
    with pytest.raises(TraceError, match=why):
        Replay.load(trace)


def test_options_that_make_no_sense(trace: Path) -> None:
    for options in ({"mode": "record"}, {"match": "half"}, {"ignore": ["body.system"]}):
        with pytest.raises(ValueError, match=r"write|begins"):
            Replay.load(trace, **options)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes a client"):
        Replay.load(trace, say=quiet).wrap(object())


# Modes


def test_what_is_missing_is_recorded_and_then_replayed(trace: Path) -> None:
    server = Server()
    server.replies.extend([plain(answer("new")), plain(answer("newer"))])
    with Replay.load(trace, mode="record-missing", say=quiet) as replay:
        asking = replay.wrap(client(server.url))
        assert [said(ask(asking, text)) for text in ("two", "four", "four")] == ["2", "new", "newer"]
    assert len(server.seen) == 2
    server.close()
    with Replay.load(trace, say=quiet) as replay:
        asking = replay.wrap(client())
        assert [said(ask(asking, text)) for text in ("four", "two", "four")] == ["new", "2", "newer"]


def test_a_file_that_is_not_there_yet_is_recorded(tmp_path: Path) -> None:
    server = Server(stream(*STREAM))
    trace = tmp_path / "new" / "run.jsonl"
    with (
        Replay.load(trace, mode="record-missing") as replay,
        streaming(replay.wrap(client(server.url))) as told,
    ):
        before = [each.model_dump() for each in told]
    server.close()
    with Replay.load(trace) as replay, streaming(replay.wrap(client())) as told:
        assert [each.model_dump() for each in told] == before  # the recorded bytes


def test_off_is_as_if_there_was_none(trace: Path) -> None:
    server = Server(plain(answer("live")))
    with Replay.load(trace, mode="off") as replay:
        assert said(ask(replay.wrap(client(server.url)), "two")) == "live"
        assert said(ask(replay.install() and client(server.url), "two")) == "live"
        assert replay.tool(len)([1]) == 1
    server.close()


# Who is asked, and afterwards


def test_a_tap_records_what_is_replayed_whichever_came_first(trace: Path, tmp_path: Path) -> None:
    for number, first in enumerate(("tap", "replay")):
        with Replay.load(trace, say=quiet) as replay, Tap(tmp_path / f"{number}.jsonl") as tap:
            asking = client()
            for wrap in (tap.wrap, replay.wrap) if first == "tap" else (replay.wrap, tap.wrap):
                wrap(asking)
            ask(asking, "two")
        events = [json.loads(each)["type"] for each in (tmp_path / f"{number}.jsonl").read_bytes().splitlines()]
        assert events == ["run.started", "model.request", "model.response", "run.ended"]


def test_installed_every_client_is_answered_and_what_tools_send_goes_on(trace: Path) -> None:
    server = Server(plain({"found": True}))
    with Replay.load(trace, say=quiet) as replay:
        replay.install().install()
        assert said(ask(client(), "two")) == "2"
        assert httpx2.get(f"{server.url}/search").json() == {"found": True}
        assert said(asyncio.run(asked_async("one"))) == "1"
    server.close()
    with pytest.raises(anthropic.APIConnectionError):
        ask(client(), "two")


async def asked_async(text: str) -> Any:
    async with anthropic.AsyncAnthropic(base_url=NOWHERE) as asking:  # its key is that of the replay
        return await ask(asking, text)


def test_afterwards_a_client_is_on_the_network_again(trace: Path) -> None:
    server = Server(plain(answer("live")))
    asking = client(server.url)
    with Replay.load(trace, say=quiet) as outer:
        outer.wrap(asking)
        with Replay.load(trace, say=quiet) as inner:
            inner.wrap(asking)
            assert said(ask(asking, "two")) == "2"
        assert [len(each.unused) for each in (outer, inner)] == [3, 2]  # the later goes first
        assert said(ask(asking, "two")) == "2"
        assert len(outer.unused) == 2
    assert said(ask(asking, "two")) == "live"
    server.close()


def test_two_replays_closed_in_any_order(trace: Path) -> None:
    server = Server(plain(answer("live")))
    asking = client(server.url)
    first, second = (Replay.load(trace, say=quiet) for _ in range(2))
    first.wrap(asking)
    second.wrap(asking)
    first.close()
    assert said(ask(asking, "two")) == "2"
    second.close()
    assert said(ask(asking, "two")) == "live"
    server.close()


# Tools


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    trace = tmp_path / "tools.jsonl"
    with Tap(trace) as tap:

        @tap.tool
        def search(index: str, limit: int = 3) -> list[str]:
            return {"a": ["x"]}[index]

        @tap.tool
        def numbers(n: int) -> Any:
            yield from range(n)

        @tap.tool
        async def fetch(url: str) -> dict[str, str]:
            if "bad" in url:
                raise httpx2.ConnectError("no route")
            return {"url": url}

        search("a")
        with pytest.raises(KeyError):
            search(index="b")
        list(numbers(3))
        asyncio.run(fetch("good"))
        with pytest.raises(httpx2.ConnectError):
            asyncio.run(fetch("bad"))
    return trace


def test_tools_are_answered_by_their_arguments(tools: Path) -> None:
    def never(*args: Any) -> None:
        raise AssertionError("the tool ran")

    with Replay.load(tools) as replay:

        @replay.tool(result=tuple)
        def search(index: str, limit: int = 3) -> Any:
            never()

        @replay.tool
        def numbers(n: int) -> Any:
            never()
            yield 0

        @replay.tool
        async def fetch(url: str) -> Any:
            never()

        with pytest.raises(KeyError, match="'b'"):
            search("b")
        assert search(index="a") == ("x",)
        assert list(numbers(3)) == [0, 1, 2]
        assert asyncio.run(fetch("good")) == {"url": "good"}
        with pytest.raises(RecordedError, match="no route") as failed:
            asyncio.run(fetch("bad"))
        assert type(failed.value).__name__ == "ConnectError"


def test_a_tool_call_that_was_not_recorded(tools: Path) -> None:
    with (
        pytest.raises(Miss, match=r"no answer to the tool numbers(.|\n)*/payload/args/n"),
        Replay.load(tools, say=quiet) as replay,
    ):
        replay.tool(lambda n: n, name="numbers")(4)


def test_a_tool_that_is_missing_runs_and_is_recorded(tools: Path) -> None:
    with Replay.load(tools, mode="record-missing", say=quiet) as replay:
        double = replay.tool(name="double")(lambda n: 2 * n)
        assert double(4) == 8
    before = tools.read_bytes()
    with Replay.load(tools, say=quiet) as replay:
        double = replay.tool(name="double")(lambda n: None)
        assert double(4) == 8
    assert double(4) is None  # it is closed: the function itself
    assert tools.read_bytes() == before
