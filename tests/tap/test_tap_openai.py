"""OpenAI's wire format, as others speak it, cut off, and with errors; through its SDK and a real socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import openai
import pytest
from agenttap import Tap
from agenttap.assembly import Assembled, assemble
from agenttap.jsonable import dumps
from fakeapi import Server, plain, stream
from fakeapi import sse as named
from hypothesis import given, settings
from hypothesis import strategies as st
from openai_events import (
    CALLED,
    CHAT,
    DONE,
    HEAD,
    HELLO,
    HELLO_WHOLE,
    INPUT,
    OF_0,
    OF_1,
    OF_2,
    REASONING,
    RESPONDING,
    RESPONSE,
    RESPONSE_WHOLE,
    SAID,
    TEXT,
    call,
    chunk,
    data,
    event,
    numbered,
)
from traced import Trace, bare

KEY = "sk-proj-" + "A1b2C3d4" * 6
library = pytest.importorskip("httpx2" if openai.__version__ >= "3" else "httpx")


def together(events: list[dict[str, Any]], end: bytes = b"") -> Assembled:
    """The events put together, the body as it will be written."""
    write = named if "type" in events[0] else data
    done = assemble(b"".join(map(write, events)) + end)
    done.body = json.loads(dumps(done.body))
    return done


def first_choice(events: list[dict[str, Any]]) -> Any:
    return together(events).body["choices"][0]


# --- providers that speak the format in their own way ----------------------------------------------------------


def test_the_first_chunk_has_only_filter_results() -> None:
    filtered = [{"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False}}}]
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": filtered}
    safe = {"hate": {"filtered": False, "severity": "safe"}}
    late = {
        "choices": [{"index": 0, "finish_reason": None, "content_filter_results": safe}],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
    }
    done = together([first, *HELLO, late], DONE)
    (choice,) = HELLO_WHOLE["choices"]
    assert done.body == {
        **HELLO_WHOLE,
        "prompt_filter_results": filtered,
        "choices": [{**choice, "content_filter_results": safe}],
    }
    assert done.other == []


def test_choices_are_in_order() -> None:
    done = together([chunk({"content": text}, index=n) for n, text in ((2, "c"), (0, "a"), (1, "b"))])
    assert [choice["message"]["content"] for choice in done.body["choices"]] == ["a", "b", "c"]


def test_comments_and_a_stream_without_its_end() -> None:
    text = b": OPENROUTER PROCESSING\n\n" * 2 + b"".join(map(data, HELLO))
    assert assemble(text).body == HELLO_WHOLE
    assert assemble(text).complete is True


def test_complete_means_every_choice_that_was_seen() -> None:
    begun = [chunk({"content": "a"}), chunk({"content": "b"}, index=1), chunk(finish="stop")]
    assert together(begun).complete is False
    assert together([*begun, chunk(finish="length", index=1)]).complete is True
    assert together(begun[:1], DONE).complete is True
    assert together([{**HEAD, "choices": []}]).complete is False
    assert together([chunk(finish="")]).complete is False


def test_text_completions() -> None:
    def part(text: str, tokens: list[str], finish: str | None = None, index: int = 0) -> dict[str, Any]:
        logprobs = {"tokens": tokens, "token_logprobs": [-0.5] * len(tokens), "top_logprobs": None}
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}
        return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}

    done = together([part("He", ["He"]), part("x", [], index=1), part("llo", ["l", "lo"], "stop")])
    assert done.body["object"] == "text_completion"
    assert done.body["choices"] == [
        {
            "text": "Hello",
            "index": 0,
            "logprobs": {"tokens": ["He", "l", "lo"], "token_logprobs": [-0.5] * 3, "top_logprobs": None},
            "finish_reason": "stop",
        },
        part("x", [], index=1)["choices"][0],
    ]


def test_what_is_told_again_is_not_told_twice() -> None:
    again = call(0, "1", "call_1", "search") | {"role": "assistant"}
    message = first_choice([chunk(again), chunk(again), chunk(again)])["message"]
    assert message["role"] == "assistant"
    assert message["tool_calls"] == [
        {"index": 0, "id": "call_1", "type": "function", "function": {"arguments": "111", "name": "search"}}
    ]
    named_in_parts = [chunk(call(0, "", "call_1", "sea")), chunk(call(0, "{}", None, "rch"))]
    assert first_choice(named_in_parts)["message"]["tool_calls"][0]["function"]["name"] == "search"


def arguments(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    calls = first_choice(events)["message"]["tool_calls"]
    return [(call["id"], call["function"]["arguments"]) for call in calls]


def test_tool_calls_that_are_numbered_badly() -> None:
    one, two = ('{"n": 1}', '{"n": 2}')
    same_index = [chunk(call(0, one, "call_1", "f")), chunk(call(0, two, "call_2", "f"))]
    assert arguments(same_index) == [("call_1", one), ("call_2", two)]
    another_id = [chunk(call(0, '{"n"', "call_1", "f")), chunk(call(0, ": 1}", "call_9"))]
    assert arguments(another_id) == [("call_1", one)]
    out_of_order = [chunk(call(2, two, "call_2", "f")), chunk(call(0, one, "call_1", "f"))]
    assert arguments(out_of_order) == [("call_1", one), ("call_2", two)]

    def without_index(text: str, **keys: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [{"function": {"arguments": text}} | keys]})

    begun = {"id": "call_1", "function": {"name": "f", "arguments": '{"n"'}}
    no_index = [chunk({"tool_calls": [begun]}), without_index(": "), without_index("1}", id="call_1")]
    assert arguments(no_index) == [("call_1", one)]
    another = {"index": None, "id": "call_2", "function": {"name": "f", "arguments": two}}
    assert arguments([*no_index, chunk({"tool_calls": [another]})]) == [("call_1", one), ("call_2", two)]
    mixed = [chunk(call(0, one, "call_1", "f")), chunk({"tool_calls": [another]})]
    assert arguments(mixed) == [("call_1", one), ("call_2", two)]
    nobody = [chunk({"tool_calls": [{"function": {"name": name, "arguments": "{}"}}]}) for name in "fg"]
    calls = first_choice(nobody)["message"]["tool_calls"]
    assert [one["function"]["name"] for one in calls] == ["f", "g"]


def test_content_in_parts() -> None:
    def thought(text: str) -> dict[str, Any]:
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}

    events = [chunk({"content": "So"}), *(chunk(thought(t)) for t in ("Let", " me")), chunk({"content": "Hi"})]
    events += [chunk({"content": "!"}), chunk({"content": [{"type": "reference", "ids": [1]}]})]
    assert first_choice(events)["message"]["content"] == [
        {"type": "text", "text": "So"},
        {"type": "thinking", "thinking": [{"type": "text", "text": "Let me"}]},
        {"type": "text", "text": "Hi!"},
        {"type": "reference", "ids": [1]},
    ]


def test_a_message_beside_its_deltas() -> None:
    def both(delta: str, so_far: str) -> dict[str, Any]:
        choice = {"index": 0, "message": {"content": so_far}, "delta": {"content": delta}}
        return {**HEAD, "choices": [choice], "citations": ["u"], "x_groq": {delta: 1}}

    body = together([both("Hel", "HEL"), both("lo", "HELLO")]).body
    assert body["choices"] == [{"index": 0, "message": {"content": "Hello"}}]
    assert body["citations"] == ["u"]
    assert body["x_groq"] == {"Hel": 1, "lo": 1}
    whole = {**HELLO_WHOLE, "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]}
    assert together([whole]).body == whole


def test_citations_come_one_by_one() -> None:
    cited = [{"type": "url_citation", "url_citation": {"url": url, "title": "t"}} for url in "ab"]
    events = [chunk({"content": "x", "annotations": [one]}) for one in cited]
    assert first_choice(events)["message"]["annotations"] == cited


# --- responses that are cut off, or odd ------------------------------------------------------------------------


def output(*events: dict[str, Any]) -> Any:
    done = together([RESPONDING[0], *events])
    assert (done.complete, done.error, done.other) == (False, None, [])
    assert done.body["id"] == "resp_1"
    assert done.body["status"] == "in_progress"
    return done.body["output"]


def test_a_response_that_is_cut_off() -> None:
    for number in range(1, len(RESPONDING)):
        output(*RESPONDING[1:number])
    assert output(*RESPONDING[1:6]) == [REASONING]
    half = {**TEXT, "text": "Hello"}
    assert output(*RESPONDING[1:12]) == [REASONING, {**SAID, "status": "in_progress", "content": [half]}]
    begun = {**CALLED, "status": "in_progress", "arguments": '{"q":'}
    assert output(*RESPONDING[1:18]) == [REASONING, SAID, begun]
    assert output(*RESPONDING[1:-1]) == RESPONSE_WHOLE["output"]


@pytest.mark.parametrize(
    ("name", "of", "expected"),
    [
        ("refusal", OF_1, {"content": [{"type": "refusal", "refusal": "ab"}]}),
        ("reasoning_text", OF_1, {"content": [{"type": "reasoning_text", "text": "ab"}]}),
        ("output_text", OF_1, {"content": [{"type": "output_text", "text": "ab"}]}),
        ("reasoning_summary_text", OF_0, {"summary": [{"type": "summary_text", "text": "ab"}]}),
        ("function_call_arguments", OF_2, {"arguments": "ab"}),
        ("mcp_call_arguments", OF_2, {"arguments": "ab"}),
        ("custom_tool_call_input", OF_2, {"input": "ab"}),
        ("code_interpreter_call_code", OF_2, {"code": "ab"}),
    ],
)
def test_every_text_that_grows(name: str, of: dict[str, Any], expected: dict[str, Any]) -> None:
    """Also where the beginning of the item never came."""
    deltas = [event(f"{name}.delta", **of, delta=text) for text in "ab"]
    assert output(*deltas) == [{"id": of["item_id"], **expected}]
    (key,) = {"refusal", "text", "arguments", "input", "code"} & dumps_keys(expected)
    whole = json.loads(json.dumps(expected).replace("ab", "abc"))
    assert output(*deltas, event(f"{name}.done", **of, **{key: "abc"})) == [{"id": of["item_id"], **whole}]


def dumps_keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(dumps_keys, value.values()))
    return set().union(*map(dumps_keys, value)) if isinstance(value, list) else set()


def test_other_events_of_items_whose_beginning_never_came() -> None:
    thought = {"type": "reasoning_text", "text": "Hm"}
    of = {"output_index": 0, "content_index": 0}
    assert output(event("reasoning_part.added", **of, part=thought)) == [{"content": [thought]}]

    image = [event("image_generation_call.partial_image", output_index=0, partial_image_b64=b) for b in "xy"]
    assert output(*image) == [{"partial_image_b64": "y"}]

    of = {"output_index": 0, "command_index": 1}
    assert output(
        event("shell_call_command.added", output_index=0, command_index=0, command="ls"),
        event("shell_call_command.added", **of, command=""),
        event("shell_call_command.delta", **of, delta="make "),
        event("shell_call_command.delta", **of, delta="test"),
    ) == [{"action": {"commands": ["ls", "make test"]}}]
    assert output(
        event("shell_call_output_content.delta", **of, delta={"stdout": "a"}),
        event("shell_call_output_content.delta", **of, delta={"stdout": "b", "stderr": "c"}),
    ) == [{"output": [{}, {"stdout": "ab", "stderr": "c"}]}]
    ran = [{"outcome": {"type": "exit", "exit_code": 0}, "stdout": "abc", "stderr": ""}]
    assert output(
        event("shell_call_output_content.delta", **of, delta={"stdout": "a"}),
        event("shell_call_output_content.done", **of, output=ran),
        {"type": "keepalive"},
    ) == [{"output": ran}]


@pytest.mark.parametrize("last", ["completed", "done"])
@pytest.mark.parametrize("empty", [None, []])
def test_a_last_event_without_the_output(empty: Any, last: str) -> None:
    done = together([*RESPONDING[:-1], event(last, response={**RESPONSE_WHOLE, "output": empty})])
    assert done.body == RESPONSE_WHOLE
    assert done.complete is True


@pytest.mark.parametrize("number", [-1, 1_000_000, "0", None])
def test_parts_with_an_impossible_number(number: Any) -> None:
    of = {"output_index": 0, "content_index": number}
    done = together([RESPONDING[0], *(event("output_text.delta", **of, delta=text) for text in "ab")])
    assert done.other == [event("output_text.delta", **of, delta="ab")]


def test_unknown_events_are_kept_and_their_deltas_joined() -> None:
    unknown = [
        event("later.delta", output_index=0, delta="a"),
        event("other.delta", delta="x", obfuscation="1"),
        event("later.delta", output_index=0, delta="b"),
        event("other.delta", delta="y", obfuscation="22"),
        event("later.delta", output_index=1, delta="c"),
        event("later.done", output_index=0, text="ab"),
        {"type": "news", "text": "z"},
    ]
    done = together([*RESPONDING[:2], *numbered(unknown), *RESPONDING[2:]])
    assert done.body == RESPONSE_WHOLE
    assert [(one["type"], one.get("delta", one.get("text"))) for one in done.other] == [
        ("response.later.delta", "ab"),
        ("response.other.delta", "xy"),
        ("response.later.delta", "c"),
        ("response.later.done", "ab"),
        ("news", "z"),
    ]


# --- errors inside ---------------------------------------------------------------------------------------------

FAILED = {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "m"}}


@pytest.mark.parametrize(
    ("failing", "kind"),
    [
        (data({"error": {"message": "m", "type": "server_error", "code": 500}}), "server_error"),
        (data({"error": "m"}), None),
        (data({**HEAD, "error": {"code": 502, "message": "m"}, "choices": [{"delta": {}, "index": 0}]}), "502"),
        (data({**HEAD, "choices": [], "x_groq": {"id": "r", "error": "m"}}), None),
        (data({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}), "BadRequestError"),
        (named({"type": "error", "code": "rate_limit", "message": "m", "param": None}), "rate_limit"),
        (named({"type": "error", "error": {"type": "too_many_requests", "message": "m"}}), "too_many_requests"),
        (named({"type": "response.error", "error": {"type": "server_error", "message": "m"}}), "server_error"),
        (b'event: error\ndata: {"type": "overloaded", "message": "m"}\n\n', "overloaded"),
        (named(event("failed", response=FAILED)), "server_error"),
    ],
)
def test_errors_inside_a_stream(server: Server, tap: Tap, trace: Trace, failing: bytes, kind: str | None) -> None:
    begun = RESPONDING[:12] if b"response.failed" in failing else [data(one) for one in HELLO[:2]]
    server.replies.append(stream(*begun, failing))
    with tap.wrap(library.Client()) as http:
        http.post(f"{server.url}/v1/chat/completions", json=CHAT)
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"] == {"kind": "stream", "type": kind, "message": "m"}
    assert (payload["status"], payload["complete"]) == (200, False)
    assert "other_events" not in payload
    body = payload["body"]
    assert "Hello" in json.dumps(body["choices"] if "choices" in body else body["output"])


def test_an_event_with_an_error_belongs_to_the_body_too() -> None:
    last = {**chunk({"content": "!"}, finish="error"), "error": {"code": 502, "message": "m"}}
    done = together([*HELLO[:2], last])
    assert done.error == {"code": 502, "message": "m"}
    assert done.body["choices"][0]["message"]["content"] == "Hello!"
    assert done.body["choices"][0]["finish_reason"] == "error"
    assert "error" not in done.body

    first = {"type": "error", "code": "server_error", "message": "the cause"}
    done = together([*RESPONDING[:12], first, event("failed", response=FAILED)])
    assert done.error == {"code": "server_error", "message": "the cause"}
    assert done.body["status"] == "failed"
    assert done.body["output"][1]["content"][0]["text"] == "Hello"


# --- through the SDK -------------------------------------------------------------------------------------------

Work = Callable[[Any], Awaitable[Any]]


@pytest.fixture
def client(server: Server, tap: Tap) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0) as client:
        yield tap.wrap(client)


async def plain_chat(client: Any) -> Any:
    return await client.chat.completions.create(**CHAT)


async def plain_response(client: Any) -> Any:
    return await client.responses.create(**INPUT)


async def streamed_chat(client: Any) -> Any:
    async with client.chat.completions.stream(**CHAT, stream_options={"include_usage": True}) as streamed:
        return await streamed.get_final_completion()


async def streamed_response(client: Any) -> Any:
    async with client.responses.stream(**INPUT) as streamed:
        return await streamed.get_final_response()


class Unhurried:
    """A client without async, as one that has it: whatever is called is awaited at once."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name in ("create", "get_final_completion", "get_final_response"):

            async def done(*args: Any, **kwargs: Any) -> Any:
                return found(*args, **kwargs)

            return done
        if name == "stream":
            return lambda **kwargs: Unhurried(found(**kwargs))
        return Unhurried(found)

    async def __aenter__(self) -> Any:
        return Unhurried(self._inner.__enter__())

    async def __aexit__(self, *failure: Any) -> None:
        self._inner.__exit__(*failure)


def run(server: Server, tap: Tap, work: Work, concurrent: bool, retries: int = 0) -> Any:
    """Do what `work` does with a wrapped client, async or not."""
    options: dict[str, Any] = {"api_key": KEY, "base_url": f"{server.url}/v1", "max_retries": retries}

    async def main() -> Any:
        if concurrent:
            async with openai.AsyncOpenAI(**options) as client:
                return await work(tap.wrap(client))
        with openai.OpenAI(**options) as client:
            return await work(Unhurried(tap.wrap(client)))

    return asyncio.run(main())


ID = [("x-request-id", "req_1")]
CALLS = {
    "plain chat": (plain_chat, plain(HELLO_WHOLE), HELLO_WHOLE),
    "plain response": (plain_response, plain(RESPONSE_WHOLE), RESPONSE_WHOLE),
    "streamed chat": (streamed_chat, stream(*map(data, HELLO), DONE, headers=ID), HELLO_WHOLE),
    "streamed response": (streamed_response, stream(*RESPONDING, headers=ID), RESPONSE_WHOLE),
}


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_calls(server: Server, tap: Tap, trace: Trace, name: str, concurrent: bool) -> None:
    work, reply, whole = CALLS[name]
    refused = {"error": {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}}
    server.replies += [plain(refused, 429, [("retry-after-ms", "1")]), reply]
    final = run(server, tap, work, concurrent, retries=1)
    tap.flush()
    payload = trace.one("model.response")
    assert payload["body"] == whole
    assert bare(json.loads(final.to_json(warnings=False))) == bare(whole)
    assert (payload["complete"], payload["stream"]) == (True, name.startswith("streamed"))
    assert "other_events" not in payload
    assert payload["request_id"] == "req_1"
    first, second = (event["payload"] for event in trace.events("model.request"))
    assert (first["provider"], first["attempt"], second["attempt"]) == ("openai", 1, 2)
    assert first["body"] == second["body"] == json.loads(server.seen[1].body)
    error = trace.one("model.error")["error"]
    assert error["kind"] == "http"
    if not name.startswith("streamed"):  # the SDK reads no body for a stream that it will ask for again
        assert (error["type"], error["message"]) == ("requests", "slow down")
    assert KEY.encode() not in trace.raw


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("end", ["reset", "cut"])
@pytest.mark.parametrize("name", ["streamed chat", "streamed response"])
def test_dropped_in_the_middle(
    server: Server, tap: Tap, trace: Trace, name: str, end: str, concurrent: bool
) -> None:
    work, _, whole = CALLS[name]
    begun = [data(one) for one in HELLO[:2]] if name == "streamed chat" else RESPONDING[:12]
    server.replies.append(stream(*begun, end=end))
    with pytest.raises((openai.APIConnectionError, library.TransportError)):
        run(server, tap, work, concurrent)
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"]["kind"] == "connection"
    assert payload["complete"] is False
    assert payload["body"]["id"] == whole["id"]
    assert '"Hello"' in json.dumps(payload["body"])


@pytest.mark.parametrize("concurrent", [False, True])
@pytest.mark.parametrize("name", ["streamed chat", "streamed response"])
def test_an_error_that_the_sdk_raises(server: Server, tap: Tap, trace: Trace, name: str, concurrent: bool) -> None:
    work, _, _ = CALLS[name]
    begun = [data(one) for one in HELLO[:2]] if name == "streamed chat" else RESPONDING[:12]
    server.replies.append(stream(*begun, data({"error": {"message": "no room", "type": "server_error"}})))
    with pytest.raises(openai.APIError, match="no room"):
        run(server, tap, work, concurrent)
    tap.flush()
    payload = trace.one("model.error")
    assert payload["error"] == {"kind": "stream", "type": "server_error", "message": "no room"}
    assert '"Hello"' in json.dumps(payload["body"])


def test_a_stream_that_just_ends(server: Server, client: openai.OpenAI, tap: Tap, trace: Trace) -> None:
    server.replies += [stream(*map(data, HELLO[:3])), stream(*map(data, HELLO))]
    assert len(list(client.chat.completions.create(**CHAT, stream=True))) == 3
    assert len(list(client.chat.completions.create(**CHAT, stream=True))) == 5
    tap.flush()
    cut = trace.one("model.error")
    assert (cut["error"]["kind"], cut["complete"]) == ("stream", False)
    assert cut["body"]["choices"][0]["message"]["content"] == "Hello there"
    whole = trace.one("model.response")
    assert (whole["body"], whole["complete"]) == (HELLO_WHOLE, True)


@pytest.mark.parametrize("enough", [False, True])
def test_left_early(server: Server, client: openai.OpenAI, tap: Tap, trace: Trace, enough: bool) -> None:
    server.replies.append(stream(*map(data, HELLO), DONE))
    with client.chat.completions.create(**CHAT, stream=True) as chunks:
        for one in chunks:
            if one.choices[0].finish_reason if enough else one.choices[0].delta.content:
                break
    tap.flush()
    if enough:
        assert trace.one("model.response")["complete"] is True
    else:
        # What came in the same read is there, and may be all of it.
        (ended,) = trace.events("model.response", "model.error")
        assert ended["payload"]["body"]["choices"][0]["message"]["content"].startswith("Hello")


# --- secrets ---------------------------------------------------------------------------------------------------

SECRET = "sk-proj-" + "Z9y8X7w6" * 6
PARTS = [SECRET[:5], SECRET[5:17], SECRET[17:]]


@pytest.mark.parametrize(
    "events",
    [
        [chunk({"content": part}) for part in PARTS],
        [chunk({"reasoning": part}) for part in PARTS],
        [chunk({"content": [{"type": "text", "text": part}]}) for part in PARTS],
        [chunk(call(0, part)) for part in PARTS],
        [chunk({"refusal": part}, index=n % 2) for part in PARTS for n in range(2)],
        [{**HEAD, "choices": [{"text": part, "index": 0}]} for part in PARTS],
        [RESPONDING[0], *(event("output_text.delta", **OF_1, delta=part) for part in PARTS)],
        [RESPONDING[0], *(event("function_call_arguments.delta", **OF_2, delta=part) for part in PARTS)],
        [RESPONDING[0], *(event(f"later{n}.delta", delta=part) for part in PARTS for n in range(2))],
        [
            *RESPONDING[:-1],
            *(event("shell_call_command.delta", output_index=9, command_index=0, delta=part) for part in PARTS),
        ],
    ],
)
@pytest.mark.parametrize("end", ["end", "cut"])
def test_a_secret_split_over_chunks(
    server: Server, tap: Tap, trace: Trace, events: list[dict[str, Any]], end: str
) -> None:
    server.replies.append(stream(*map(named if "type" in events[0] else data, events), end=end))
    with tap.wrap(library.Client()) as http:
        try:
            http.post(f"{server.url}/v1/chat/completions", json=CHAT)
        except library.RemoteProtocolError:
            assert end == "cut"
    tap.flush()
    payload = trace.one("model.error")
    assert "[redacted]" in json.dumps(payload) or "secret" in payload["other_events"]["left_out"]
    assert not any(part.encode() in trace.raw for part in PARTS[1:])


# --- whatever comes --------------------------------------------------------------------------------------------

NAMES = ["index", "id", "type", "text", "content", "tool_calls", "function", "arguments", "name", "delta", "role"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "a", "text", "thinking", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
chat_keys = dict.fromkeys(("index", "delta", "message", "logprobs", "finish_reason", "text"), anything)
item_keys = {"item", "part", "delta", "text", "annotation", "logprobs", "output", "command", "response", "error"}
odd_choice = st.fixed_dictionaries({}, optional=chat_keys)
odd_chunk = st.fixed_dictionaries(
    {"choices": st.lists(odd_choice | anything, max_size=3)},
    optional=dict.fromkeys(("object", "id", "error", "usage", "type", "x_groq"), anything),
)
odd_event = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [one["type"] for one in RESPONDING]
            + [
                f"response.{name}"
                for name in (
                    "shell_call_command.delta",
                    "shell_call_command.added",
                    "shell_call_output_content.delta",
                    "output_text.annotation.added",
                    "x.delta",
                    "web_search_call.searching",
                    "x",
                    "",
                )
            ]
        )
    },
    optional=dict.fromkeys(item_keys, anything)
    | {key: st.integers(-1, 3) | anything for key in ("output_index", "content_index", "summary_index")}
    | {"command_index": st.integers(-1, 20_000) | anything},
)


@settings(deadline=None)
@given(st.lists(odd_chunk) | st.lists(odd_event) | st.lists(odd_chunk | odd_event | anything))
def test_nothing_in_a_stream_raises(events: list[Any]) -> None:
    done = assemble(b"".join(map(data, events)))
    json.loads(dumps(done.body))
    json.loads(dumps(done.other))


def test_deep_nesting() -> None:
    deep = b'{"a":' * 1010 + b"1" + b"}" * 1010
    for around in (b'{"choices":[{"delta":%b}]}', b'{"type":"response.x.delta","output_index":0,"delta":%b}'):
        done = assemble(data(around % deep) * 2)
        json.loads(dumps([done.body, done.other]))
