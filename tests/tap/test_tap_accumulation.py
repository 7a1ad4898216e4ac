"""Messages put together from streams equal what the SDKs accumulate, for every kind of content.

Where an SDK drops something, the tap keeps it: the tests named so say what.
"""

import json
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args

import anthropic
import openai
import pytest
from agenttap import Tap
from agenttap.assembly import assemble
from agenttap.jsonable import dumps
from fakeapi import MESSAGE, STREAM, Server, stream
from fakeapi import sse as named
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.chat import _completions as completions
from openai.types.chat import ChatCompletionChunk
from openai_events import (
    CHAT,
    DONE,
    HEAD,
    HELLO,
    HELLO_WHOLE,
    INPUT,
    RESPONDING,
    RESPONSE,
    RESPONSE_WHOLE,
    USAGE,
    call,
    chunk,
    data,
    event,
    numbered,
    token,
)
from traced import Trace, bare

# The SDKs write the same of what they do not know, and warn.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "sse"


class Api:
    """A model's API that answers with one stream: what the SDK makes of it, and what is recorded."""

    def __init__(self, server: Server, tap: Tap, trace: Trace) -> None:
        self._server, self._tap, self._trace = server, tap, trace

    def message(self, body: bytes, beta: bool = True) -> tuple[Any, Any]:
        self._server.replies.append(stream(body))
        with anthropic.Anthropic(api_key="k", base_url=self._server.url, max_retries=0) as client:
            messages: Any = self._tap.wrap(client).messages
            if beta and hasattr(getattr(client.beta, "messages", None), "stream"):
                messages = client.beta.messages
            asked = [{"role": "user", "content": "Hi"}]
            with messages.stream(model="m", max_tokens=1, messages=asked) as streamed:
                final = streamed.get_final_message()
        return final.to_dict(mode="json", warnings=False), self.recorded()

    def completion(self, body: bytes) -> tuple[Any, Any]:
        self._server.replies.append(stream(body))
        with openai.OpenAI(api_key="k", base_url=f"{self._server.url}/v1", max_retries=0) as client:
            chat: Any = self._tap.wrap(client).chat
            if not hasattr(chat.completions, "stream"):
                chat = client.beta.chat
            with chat.completions.stream(**CHAT) as streamed:
                streamed.until_done()
                final = streamed.current_completion_snapshot
        return final.to_dict(mode="json", warnings=False), self.recorded()

    def response(self, body: bytes) -> tuple[list[Any], Any]:
        """What the SDK makes of it are events here."""
        self._server.replies.append(stream(body))
        with openai.OpenAI(api_key="k", base_url=f"{self._server.url}/v1", max_retries=0) as client:
            responses: Any = self._tap.wrap(client).responses
            with responses.stream(**INPUT) as streamed:
                told = [one.to_dict(mode="json", warnings=False) for one in streamed]
        return told, self.recorded()

    def recorded(self) -> Any:
        self._tap.flush()
        (ended,) = self._trace.events("model.response", "model.error")
        return ended["payload"]


@pytest.fixture
def api(server: Server, tap: Tap, trace: Trace) -> Api:
    return Api(server, tap, trace)


def types_of(annotation: Any) -> set[str]:
    """The types that a model of an SDK, or a union of models, is for."""
    fields = getattr(annotation, "model_fields", None)
    if fields is not None:
        return set(get_args(fields["type"].annotation)) if "type" in fields else set()
    return set[str]().union(*map(types_of, get_args(annotation)))


def joined(events: list[dict[str, Any]]) -> bytes:
    return b"".join(map(named, events))


def together(events: list[dict[str, Any]]) -> Any:
    """The body of the events put together, as it will be written."""
    return json.loads(dumps(assemble(joined(events)).body))


# --- Anthropic's messages --------------------------------------------------------------------------------------


def deltas(type: str, *parts: Any) -> list[dict[str, Any]]:
    key = {"input_json_delta": "partial_json", "compaction_delta": "content", "citations_delta": "citation"}
    return [{"type": type, key.get(type, type.removesuffix("_delta")): part} for part in parts]


def block(start: dict[str, Any], *deltas: dict[str, Any], index: int = 0) -> list[dict[str, Any]]:
    """The events of one content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def message(*blocks: list[dict[str, Any]], begun: Any = None, end: Any = None) -> list[dict[str, Any]]:
    """The events of a message; `begun` and `end` are further keys of its first and of its last event but one."""
    first = {**STREAM[0]["message"], **(begun or {})}
    events = [{**one, "index": n} for n, events in enumerate(blocks) for one in events]
    return [{"type": "message_start", "message": first}, *events, {**STREAM[-2], **(end or {})}, STREAM[-1]]


def called(type: str = "tool_use", **more: Any) -> dict[str, Any]:
    return {"type": type, "id": f"{type}_1", "name": "search", "input": {}, **more}


def answered(type: str, content: Any, **more: Any) -> dict[str, Any]:
    """A block with the result of a server's tool, which comes whole."""
    return {"type": type, "tool_use_id": "srvtoolu_1", "content": content, **more}


TEXT = {"type": "text", "text": ""}
CHAR = {
    "type": "char_location",
    "cited_text": "x",
    "document_index": 0,
    "start_char_index": 0,
    "end_char_index": 1,
}
WEB = {"type": "web_search_result_location", "cited_text": "x", "encrypted_index": "e", "title": "t", "url": "u"}
PAGE = {
    "type": "page_location",
    "cited_text": "x",
    "document_index": 0,
    "start_page_number": 1,
    "end_page_number": 2,
}
FOUND = {"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e", "page_age": "1 day"}
DOCUMENT = {"type": "document", "title": "t", "source": {"type": "text", "media_type": "text/plain", "data": "d"}}
RAN = {"stdout": "1\n", "stderr": "", "return_code": 0, "content": []}
FILE = {"content": "x", "file_type": "text", "num_lines": 1, "start_line": 1, "total_lines": 1}
SAID = block(TEXT, *deltas("text_delta", "Hello", " there"))

MESSAGES: dict[str, list[dict[str, Any]]] = {
    "text": message(SAID),
    "no content at all": message(),
    "text without deltas": message(block(TEXT)),
    "text that begins in its first event": message(block({**TEXT, "text": "So "}, *deltas("text_delta", "it is"))),
    "text of all planes": message(block(TEXT, *deltas("text_delta", "\u2028\x85\x0b", "😀", "\x00", '"\\'))),
    "thinking": message(
        block(
            {"type": "thinking", "thinking": "", "signature": ""},
            *deltas("thinking_delta", "Let me ", "see."),
            *deltas("signature_delta", "c2ln"),
        ),
        SAID,
    ),
    "thinking that is not shown": message(
        block({"type": "thinking", "thinking": "", "signature": ""}, *deltas("signature_delta", "no", "c2ln"))
    ),
    "redacted thinking": message(block({"type": "redacted_thinking", "data": "abc"}), SAID),
    "two tools": message(
        block(called(), *deltas("input_json_delta", "", '{"q": "a', 'b", "n"', ": [1.5, null, true]}")),
        block(called(id="toolu_2"), *deltas("input_json_delta", '{"q": "\\u00fc"}')),
    ),
    "a tool without arguments": message(block(called(), *deltas("input_json_delta", ""))),
    "a tool with empty arguments": message(block(called(), *deltas("input_json_delta", "{", "}"))),
    "a tool without deltas": message(block(called(input={"q": "x"}, caller={"type": "direct"}))),
    "citations": message(
        block({**TEXT, "citations": []}, *deltas("text_delta", "So."), *deltas("citations_delta", CHAR, WEB)),
        block({**TEXT, "citations": None}, *deltas("citations_delta", PAGE), *deltas("text_delta", "So.")),
        block({**TEXT, "citations": [CHAR]}, *deltas("citations_delta", WEB, WEB, CHAR)),
    ),
    "web search": message(
        block(called("server_tool_use", name="web_search"), *deltas("input_json_delta", '{"query":', '"x"}')),
        block(answered("web_search_tool_result", [FOUND, FOUND])),
        block(
            answered(
                "web_search_tool_result",
                {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
            )
        ),
    ),
    "web fetch": message(
        block(called("server_tool_use", name="web_fetch"), *deltas("input_json_delta", '{"url": "u"}')),
        block(
            answered(
                "web_fetch_tool_result",
                {"type": "web_fetch_result", "url": "u", "retrieved_at": "2026-05-24", "content": DOCUMENT},
                caller={"type": "direct"},
            )
        ),
    ),
    "code execution": message(
        block(called("server_tool_use", name="code_execution"), *deltas("input_json_delta", '{"code": "1"}')),
        block(answered("code_execution_tool_result", {"type": "code_execution_result", **RAN})),
        block(answered("bash_code_execution_tool_result", {"type": "bash_code_execution_result", **RAN})),
    ),
    "text editor": message(
        *(
            block(answered("text_editor_code_execution_tool_result", {"type": f"text_editor_{kind}", **more}))
            for kind, more in (
                ("code_execution_view_result", FILE),
                ("code_execution_create_result", {"is_file_update": True}),
                ("code_execution_str_replace_result", {"old_start": 1, "old_lines": 1, "lines": ["-a", "+b"]}),
                ("code_execution_tool_result_error", {"error_code": "unavailable", "error_message": "m"}),
            )
        )
    ),
    "tool search": message(
        block(called("server_tool_use", name="tool_search_tool_regex"), *deltas("input_json_delta", '{"p": "."}')),
        block(
            answered(
                "tool_search_tool_result",
                {
                    "type": "tool_search_tool_search_result",
                    "tool_references": [{"type": "tool_reference", "tool_name": "search"}],
                },
            )
        ),
    ),
    "MCP": message(
        block(called("mcp_tool_use", server_name="s"), *deltas("input_json_delta", '{"q"', ': "x"}')),
        block(answered("mcp_tool_result", [{**TEXT, "text": "found"}], is_error=False)),
        block(answered("mcp_tool_result", "no such thing", is_error=True)),
    ),
    "an uploaded file": message(block({"type": "container_upload", "file_id": "file_1"})),
    "compaction": message(
        block({"type": "compaction", "content": None}, *deltas("compaction_delta", "So far: nothing.")), SAID
    ),
    "compaction that is encrypted": message(
        block(
            {"type": "compaction", "content": None},
            {"type": "compaction_delta", "content": None, "encrypted_content": "abc"},
        )
    ),
    "another model takes over": message(
        SAID,
        block(
            {
                "type": "fallback",
                "from": {"model": "claude-test"},
                "to": {"model": "claude-other"},
                "trigger": {"type": "refusal"},
            }
        ),
        block({**TEXT, "text": ""}, *deltas("text_delta", "Hello")),
    ),
    "blocks of a later day": message(block({"type": "hologram", "points": [[0, 1]], "text": "x"}), SAID),
    "a refusal": message(
        block(TEXT, *deltas("text_delta", "I")),
        end={
            "delta": {
                "stop_reason": "refusal",
                "stop_sequence": None,
                "stop_details": {"type": "refusal", "category": "cyber", "explanation": "e"},
            }
        },
    ),
    "a stop sequence": message(SAID, end={"delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}}),
    "usage told again": message(
        SAID,
        begun={
            "usage": {
                "input_tokens": 12,
                "output_tokens": 1,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 4,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 0},
                "service_tier": "standard",
            }
        },
        end={
            "usage": {
                "input_tokens": 99,
                "output_tokens": 7,
                "cache_read_input_tokens": None,
                "cache_creation_input_tokens": 0,
                "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
                "iterations": [{"type": "message", "input_tokens": 99, "output_tokens": 7}],
            }
        },
    ),
    "container and context": message(
        SAID,
        begun={"container": None, "context_management": None},
        end={
            "delta": {
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "container": {"id": "container_1", "expires_at": "2026-05-24T03:17:04Z"},
            },
            "context_management": {"applied_edits": [{"type": "clear_tool_uses", "cleared_tool_uses": 2}]},
        },
    ),
    "null takes nothing back": message(
        SAID,
        begun={
            "container": {"id": "container_1", "expires_at": "2026-05-24T03:17:04Z"},
            "context_management": {"applied_edits": []},
        },
        end={
            "delta": {"stop_reason": "end_turn", "stop_sequence": None, "container": None},
            "context_management": None,
        },
    ),
    "usage told twice": [*message(SAID, end={"usage": {"output_tokens": 3}})[:-1], *STREAM[-2:]],
    "content before the first block": [
        *message(begun={"content": [{**TEXT, "text": "So "}]})[:1],
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "it "}},
        *block(TEXT, *deltas("text_delta", "is"), index=1),
        *STREAM[-2:],
    ],
}


def known(events: list[dict[str, Any]], beta: bool) -> bool:
    """Whether this SDK knows all that a stream has: what it does not know, it does not accumulate."""
    of: Any = anthropic.types.beta if beta else anthropic.types
    prefix = "BetaRaw" if beta else "Raw"
    if not hasattr(of, f"{prefix}ContentBlockDeltaEvent"):
        return False
    models = {
        key: types_of(getattr(of, f"{prefix}{name}").model_fields[key].annotation)
        for key, name in (("delta", "ContentBlockDeltaEvent"), ("content_block", "ContentBlockStartEvent"))
    }
    told = [(key, one[key]["type"]) for one in events for key in models if "type" in one.get(key, {})]
    if any(type not in models[key] for key, type in told if type != "hologram"):
        return False
    last = getattr(of, f"{prefix}MessageDeltaEvent").model_fields
    for one in events:
        if one["type"] == "message_delta":
            for holder, keys in (
                (last, one),
                *((last[k].annotation.model_fields, one[k]) for k in ("delta", "usage")),
            ):
                if not keys.keys() <= holder.keys():
                    return False
    return True


@pytest.mark.parametrize("beta", [False, True])
@pytest.mark.parametrize("name", MESSAGES)
def test_messages(api: Api, name: str, beta: bool) -> None:
    if not known(MESSAGES[name], beta):
        pytest.skip("this SDK does not know all of it")
    final, payload = api.message(joined(MESSAGES[name]), beta)
    assert bare(payload["body"]) == bare(final)
    assert (payload["complete"], "other_events" in payload) == (True, False)


@pytest.mark.parametrize("type", sorted(types_of(getattr(anthropic.types, "ContentBlock", None))))
def test_every_block_that_the_sdk_knows(api: Api, type: str) -> None:
    """Those that the table above does not have, too."""
    final, payload = api.message(joined(message(block({"type": type, "later": ["x"]}), SAID)))
    assert bare(payload["body"]) == bare(final)
    assert payload["body"]["content"][0] == {"type": type, "later": ["x"]}


FORMS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "CRLF": lambda events: joined(events).replace(b"\n", b"\r\n"),
    "CR": lambda events: joined(events).replace(b"\n", b"\r"),
    "pings": lambda events: named({"type": "ping"}) + named({"type": "ping"}).join(map(named, events)),
    "comments": lambda events: b": hello\n\n" + b"".join(b":\n" + named(one) + b": x\n\n" for one in events),
    "several data lines": lambda events: b"".join(
        f"event: {one['type']}\n".encode()
        + b"".join(b"data: " + line + b"\n" for line in json.dumps(one, indent=1).encode().split(b"\n"))
        + b"\n"
        for one in events
    ),
    "no spaces": lambda events: joined(events).replace(b"event: ", b"event:").replace(b"data: ", b"data:"),
    "ids": lambda events: b"".join(b"id: 1\nretry: 5\nnews: x\n" + named(one) for one in events),
    "data first": lambda events: b"".join(
        f"data: {json.dumps(one, ensure_ascii=False)}\nevent: {one['type']}\n\n".encode() for one in events
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_stream(api: Api, name: str) -> None:
    final, payload = api.message(FORMS[name](message(block(TEXT, *deltas("text_delta", "Grüße", "\u2028!")))))
    assert payload["body"] == {**MESSAGE, "content": [{"type": "text", "text": "Grüße\u2028!"}]}
    assert bare(payload["body"]) == bare(final)
    assert (payload["complete"], "other_events" in payload) == (True, False)


@pytest.mark.parametrize("text", ['{"q": "a', '{"q": 1, "n"', "{", '{"q": [1, {"a": 2', '{"n": 1'])
@pytest.mark.parametrize("type", ["tool_use", "server_tool_use"])
def test_a_tool_call_that_is_cut_off(api: Api, type: str, text: str) -> None:
    """The SDK guesses what the arguments are so far; the tap keeps their text, which says the same."""
    events = message(block(called(type), *deltas("input_json_delta", *text)))
    if not known(events, beta=True):
        pytest.skip("this SDK does not know all of it")
    final, payload = api.message(joined(events))
    jiter = pytest.importorskip("jiter")
    (cut,) = payload["body"]["content"]
    assert cut == {**called(type), "partial_json": text}
    assert final["content"][0]["input"] == jiter.from_json(text.encode(), partial_mode=True)


def test_arguments_that_are_no_json() -> None:
    """The SDK raises."""
    events = message(block(called(), *deltas("input_json_delta", '{"q": tru', "th}")))
    assert together(events)["content"] == [{**called(), "partial_json": '{"q": truth}'}]


def test_numbers_keep_their_digits() -> None:
    """The SDK parses them."""
    digits = block(called(), *deltas("input_json_delta", '{"n": 12345678901234567890123,\n"x": 1.10}'))
    assert b'{"n": 12345678901234567890123, "x": 1.10}' in dumps(assemble(joined(message(digits))).body)


def test_halves_of_a_character() -> None:
    """The SDK keeps two halves, which are no text."""
    halves = block(TEXT, *deltas("text_delta", "\ud83d", "\ude00"))
    assert together(message(halves))["content"] == [{"type": "text", "text": "😀"}]


def test_a_second_start_voids_the_first(api: Api) -> None:
    """The SDK takes no notice of it, and goes on with the blocks of the first."""
    void = block({**TEXT, "text": "void"}, index=1)
    final, payload = api.message(joined([*STREAM[:5], *void, *STREAM]))
    assert payload["body"] == MESSAGE
    assert "void" in json.dumps(final)


def test_unknown_events_are_kept(api: Api) -> None:
    """The SDK drops them."""
    unknown = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "x": 1}},
        {"type": "new_event", "y": 2},
        {"type": "new_block_event", "index": 0, "z": 3},
    ]
    final, payload = api.message(joined([*STREAM[:5], *unknown, *STREAM[5:]]))
    assert payload["other_events"] == unknown
    assert payload["body"] == MESSAGE
    assert bare(final) == bare(MESSAGE)


def test_events_that_have_no_place_are_kept() -> None:
    """The SDK raises."""
    odd = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "nowhere"}},
    ]
    done = assemble(joined([*STREAM[:5], *odd, *STREAM[5:]]) + b"data: no json\n\n")
    assert (done.other, done.body) == ([*odd, "no json"], MESSAGE)
    cited = block(
        {**TEXT, "citations": 5, "text": 5}, *deltas("citations_delta", 1, 2), *deltas("text_delta", "a")
    )
    assert together(message(cited))["content"] == [{**TEXT, "citations": [1, 2], "text": "a"}]


def test_unknown_keys_are_kept(api: Api) -> None:
    """The SDK drops them from the last event but one."""
    end = {
        "delta": {**STREAM[-2]["delta"], "mood": "fine"},
        "usage": {"output_tokens": 5, "dream_tokens": 3},
        "later": [1],
    }
    final, payload = api.message(joined(message(SAID, end=end)))
    more = {"mood": "fine", "later": [1], "usage": {**MESSAGE["usage"], "dream_tokens": 3}}
    assert payload["body"] == {**MESSAGE, **more}
    assert bare(final) == bare(MESSAGE)


def test_what_is_in_an_event_without_a_name(api: Api) -> None:
    """The SDK drops it."""
    extra = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "!"}}
    final, payload = api.message(joined(STREAM[:5]) + data(extra) + joined(STREAM[5:]))
    assert payload["body"]["content"][0]["text"] == "Hello there!"
    assert final["content"][0]["text"] == "Hello there"


def test_the_last_event_without_its_blank_line(api: Api) -> None:
    """The SDK drops it."""
    cut = joined(message(SAID)[:-1]).rstrip(b"\n")
    final, payload = api.message(cut)
    assert (payload["body"]["stop_reason"], final["stop_reason"]) == ("end_turn", None)


def test_compaction_in_parts(api: Api) -> None:
    """The SDK keeps the last part."""
    events = message(
        block({"type": "compaction", "content": None}, *deltas("compaction_delta", "So far: ", "this."))
    )
    if not known(events, beta=True):
        pytest.skip("this SDK does not know compaction")
    final, payload = api.message(joined(events))
    assert payload["body"]["content"] == [{"type": "compaction", "content": "So far: this."}]
    assert final["content"][0]["content"] == "this."


def test_an_error_in_the_middle(api: Api) -> None:
    failing = {"type": "error", "error": {"type": "overloaded_error", "message": "too much"}}
    with pytest.raises(anthropic.APIStatusError, match="too much"):
        api.message(joined([*STREAM[:4], failing]))
    payload = api.recorded()
    assert payload["error"] == {"kind": "stream", "type": "overloaded_error", "message": "too much"}
    assert payload["body"]["content"] == [{"type": "text", "text": "Hello"}]
    assert (payload["complete"], "other_events" in payload) == (False, False)


@pytest.mark.parametrize(
    "path",
    sorted(RECORDED.glob("anthropic-*.txt")) or [pytest.param(None, marks=pytest.mark.skip("no recordings here"))],
)
def test_recorded_streams(api: Api, path: Path) -> None:
    events = [json.loads(line) for line in path.read_text().splitlines()]
    if not known(events, beta=True):
        pytest.skip("this SDK does not know all of it")
    final, payload = api.message(joined(events))
    assert bare(payload["body"]) == bare(final)
    assert (payload["complete"], "other_events" in payload) == (True, False)


# --- OpenAI's completions --------------------------------------------------------------------------------------

USED = {**HEAD, "system_fingerprint": "fp_1", "choices": [], "usage": USAGE}
COMPLETIONS: dict[str, list[dict[str, Any]]] = {
    "text and usage": HELLO,
    "two tool calls, taking turns": [
        chunk({"role": "assistant", "content": None}),
        chunk(call(0, "", "call_1", "search")),
        chunk(call(0, '{"q":')),
        chunk(call(1, "", "call_2", "now")),
        chunk(call(0, ' "x"}')),
        chunk(call(1, "{}")),
        chunk(finish="tool_calls"),
    ],
    "two tool calls in one chunk": [
        chunk({"role": "assistant", "content": None}),
        chunk(
            {"tool_calls": call(0, "{", "call_1", "f")["tool_calls"] + call(1, "[", "call_2", "g")["tool_calls"]}
        ),
        chunk({"tool_calls": call(1, "]")["tool_calls"] + call(0, "}")["tool_calls"]}),
        chunk(finish="tool_calls"),
        USED,
    ],
    "text, then a tool call": [
        chunk({"role": "assistant", "content": "Let me "}),
        chunk({"content": "see."}),
        chunk(call(0, '{"q": "x"}', "call_1", "search")),
        chunk(finish="tool_calls"),
    ],
    "a tool call that is cut off": [
        chunk({"role": "assistant", **call(0, '{"a"', "call_1", "search")}),
        chunk(call(0, ": 1")),
        chunk(finish="length"),
    ],
    "function_call": [
        chunk({"role": "assistant", "content": None, "function_call": {"name": "search", "arguments": ""}}),
        chunk({"function_call": {"arguments": '{"q": '}}),
        chunk({"function_call": {"arguments": '"x"}'}}),
        chunk(finish="function_call"),
    ],
    "refusal": [
        chunk({"role": "assistant", "content": None, "refusal": ""}),
        chunk({"refusal": "I cannot "}),
        chunk({"refusal": "do that."}),
        chunk(finish="stop"),
    ],
    "three choices, taking turns": [
        *(chunk({"role": "assistant", "content": ""}, index=n) for n in range(3)),
        chunk({"content": "b"}, index=1),
        chunk({"content": "a"}, index=0),
        chunk({"content": "B"}, index=1),
        chunk({"content": "c"}, index=2),
        chunk(finish="stop", index=1),
        chunk(finish="content_filter", index=0),
        chunk(finish="stop", index=2),
        USED,
    ],
    "two choices in one chunk": [
        {**HEAD, "choices": [chunk({"content": text}, index=n)["choices"][0] for n, text in enumerate("aA")]},
        {**HEAD, "choices": [chunk({"content": text}, index=n)["choices"][0] for n, text in ((1, "B"), (0, "b"))]},
        {**HEAD, "choices": [chunk(finish="stop", index=n)["choices"][0] for n in range(2)]},
    ],
    "logprobs": [
        chunk({"role": "assistant", "content": ""}, choice={"logprobs": {"content": [], "refusal": None}}),
        chunk({"content": "Hel"}, choice={"logprobs": {"content": [token("Hel")], "refusal": None}}),
        chunk({"content": "lo"}, choice={"logprobs": {"content": [token("l"), token("o")], "refusal": None}}),
        chunk(finish="stop", choice={"logprobs": None}),
    ],
    "logprobs that begin late": [
        chunk({"role": "assistant", "content": ""}, choice={"logprobs": None}),
        chunk({"content": "Hi"}, choice={"logprobs": {"content": [token("Hi")]}}),
        chunk({"refusal": "no"}, choice={"logprobs": {"content": None, "refusal": [token("no")]}}),
        chunk(finish="stop"),
    ],
    "reasoning of compatible providers": [
        chunk({"role": "assistant", "content": "", "reasoning": "Let ", "reasoning_content": "Let "}),
        chunk({"reasoning": "me see.", "reasoning_content": "me see."}),
        chunk({"content": "Hi"}),
        chunk(finish="stop"),
    ],
    "reasoning in parts": [
        chunk({"role": "assistant", "reasoning_details": [{"index": 0, "type": "reasoning.text", "text": "Let"}]}),
        chunk({"reasoning_details": [{"index": 0, "type": "reasoning.text", "text": " me"}]}),
        chunk({"reasoning_details": [{"index": 1, "type": "reasoning.encrypted", "data": "ab"}]}),
        chunk({"reasoning_details": [{"index": 0, "type": "reasoning.text", "signature": "c2ln"}]}),
        chunk(finish="stop"),
    ],
    "audio": [
        chunk({"role": "assistant", "audio": {"id": "audio_1", "transcript": "Hel"}}),
        chunk({"audio": {"transcript": "lo", "data": "AAAA"}}),
        chunk({"audio": {"data": "BBBB", "expires_at": 1700000001}}),
        chunk(finish="stop"),
    ],
    "keys of a later day": [
        chunk({"role": "assistant", "content": "H", "mood": "fi"}, service_tier="default", provider="Somebody"),
        chunk({"content": "i", "mood": "ne", "extra": {"deep": "a"}}),
        chunk({"extra": {"deep": "b"}}, finish="stop"),
    ],
    "a reason that is taken back": [
        chunk({"role": "assistant", "content": "Hi"}),
        chunk(finish="stop"),
        chunk({"content": ""}, finish=""),
        chunk({"content": ""}),
    ],
    "padding": [chunk({"role": "assistant", "content": "Hi"}, obfuscation="xyz"), chunk(finish="stop")],
    "nothing": [chunk({"role": "assistant"}), chunk(finish="stop")],
}


@pytest.mark.parametrize("name", COMPLETIONS)
def test_completions_at_every_chunk(name: str) -> None:
    state: Any = ChatCompletionStreamState()
    for number, one in enumerate(COMPLETIONS[name], 1):
        state.handle_chunk(ChatCompletionChunk.construct(**one))
        done = assemble(b"".join(map(data, COMPLETIONS[name][:number])))
        assert (done.other, done.error) == ([], None)
        assert bare(done.body) == bare(state.current_completion_snapshot.to_dict(mode="json")), number


@pytest.mark.parametrize("end", [DONE, b""])
@pytest.mark.parametrize("name", COMPLETIONS)
def test_completions(api: Api, name: str, end: bytes) -> None:
    """Also without the last event, as many providers send none."""
    final, payload = api.completion(b"".join(map(data, COMPLETIONS[name])) + end)
    assert bare(payload["body"]) == bare(final)
    assert "obfuscation" not in payload["body"]
    assert (payload["complete"], "other_events" in payload) == (True, False)


def test_what_the_sdk_drops_of_a_completion(api: Api) -> None:
    """Keys that the first chunk lacks, and usage that does not come last."""
    events = [{**HELLO[0], "usage": USAGE}, *HELLO[1:4], chunk(service_tier="default")]
    final, payload = api.completion(b"".join(map(data, events)) + DONE)
    assert payload["body"] == {**HELLO_WHOLE, "service_tier": "default"}
    assert bare(final) == {k: v for k, v in bare(HELLO_WHOLE).items() if k != "usage"}


@pytest.mark.skipif(not hasattr(completions, "_is_valid_chat_completion_chunk_weak"), reason="the SDK keeps it")
def test_a_first_chunk_with_only_filter_results(api: Api) -> None:
    """The SDK drops it, as its `object` is empty."""
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": [1]}
    final, payload = api.completion(b"".join(map(data, [first, *HELLO])) + DONE)
    assert payload["body"] == {**HELLO_WHOLE, "prompt_filter_results": [1]}
    assert bare(final) == bare(HELLO_WHOLE)


@pytest.mark.skipif("moderation" not in ChatCompletionChunk.model_fields, reason="the SDK does not know it")
def test_moderation_in_the_last_chunk(api: Api) -> None:
    judged = {"input": {"type": "error", "code": "c", "message": "m"}, "output": {"type": "error", "code": "c"}}
    final, payload = api.completion(b"".join(map(data, [*HELLO, {**USED, "moderation": judged}])) + DONE)
    assert payload["body"] == {**HELLO_WHOLE, "moderation": judged}
    assert bare(payload["body"]) == bare(final)


def test_log_probabilities_of_a_choice_that_begins_late() -> None:
    """The SDK has the first of them twice."""
    told = [
        chunk({"content": str(n)}, index=n, choice={"logprobs": {"content": [token(str(n))]}}) for n in range(2)
    ]
    first, second = assemble(b"".join(map(data, told))).body["choices"]
    assert (first["logprobs"], second["logprobs"]) == ({"content": [token("0")]}, {"content": [token("1")]})


def test_what_the_sdk_joins_that_is_told_again(api: Api) -> None:
    """The SDK takes an id, a role and a name for parts of one, and adds numbers up."""
    again = chunk({"role": "assistant", "audio": {"expires_at": 17}, **call(0, "1", "call_1", "f")})
    final, payload = api.completion(data(again) + data(again) + data(chunk(finish="tool_calls")) + DONE)
    (ours,), (theirs,) = payload["body"]["choices"], final["choices"]
    (called,) = ours["message"]["tool_calls"]
    assert (called["id"], called["function"]) == ("call_1", {"name": "f", "arguments": "11"})
    assert (ours["message"]["role"], ours["message"]["audio"]) == ("assistant", {"expires_at": 17})
    (called,) = theirs["message"]["tool_calls"]
    assert (called["id"], bare(called["function"])) == ("call_1call_1", {"name": "ff", "arguments": "11"})
    assert (theirs["message"]["role"], theirs["message"]["audio"]["expires_at"]) == ("assistantassistant", 34)


# --- OpenAI's responses ----------------------------------------------------------------------------------------

needs_responses = pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this SDK has no responses")


def item(whole: dict[str, Any], begun: dict[str, Any], *events: dict[str, Any], **cut: Any) -> dict[str, Any]:
    """An output item: what it comes to, its events from how it begins, and what it is before the last of them."""
    whole = {"id": "item_1", **whole}
    of = {"item_id": "item_1", "output_index": 0}
    return {
        "whole": whole,
        "events": [
            event("output_item.added", output_index=0, item={**whole, **begun}),
            *({**one, **of} for one in events),
            event("output_item.done", output_index=0, item=whole),
        ],
        "cut": {**whole, **begun, **cut},
    }


def grown(name: str, key: str, *parts: str, **more: Any) -> list[dict[str, Any]]:
    """The events of a text that grows."""
    whole = {key: "".join(parts)}
    return [
        *(event(f"{name}.delta", delta=part, **more) for part in parts),
        event(f"{name}.done", **whole, **more),
    ]


def part(
    name: str, key: str, whole: dict[str, Any], *events: dict[str, Any], **number: int
) -> list[dict[str, Any]]:
    """The events of a part of an item around those of its text."""
    return [
        event(f"{name}.added", **number, part={**whole, key: ""}),
        *({**one, **number} for one in events),
        event(f"{name}.done", **number, part=whole),
    ]


def states(name: str, *told: str) -> list[dict[str, Any]]:
    return [event(f"{name}.{state}") for state in told]


SPOKEN = {"type": "output_text", "text": "Hello there", "annotations": [], "logprobs": []}
CITED = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 5}
QUOTED = {**SPOKEN, "annotations": [CITED, {"type": "file_path", "file_id": "file_1", "index": 3}]}
REFUSED = {"type": "refusal", "refusal": "I cannot."}
MUSED = {"type": "reasoning_text", "text": "Let me see."}
BRIEF = {"type": "summary_text", "text": "Let me see."}
BEGUN = {"status": "in_progress"}
TOLD = {"type": "message", "role": "assistant", "status": "completed"}
CALL = {"call_id": "call_1", "status": "completed"}
OUTPUTS = [
    {"outcome": {"type": "exit", "exit_code": 0}, "stdout": "a\n", "stderr": ""},
    {"outcome": {"type": "timeout"}, "stdout": "", "stderr": "b"},
]
ITEMS: dict[str, dict[str, Any]] = {
    "message": item(
        {**TOLD, "content": [SPOKEN, REFUSED]},
        {**BEGUN, "content": []},
        *part(
            "content_part",
            "text",
            SPOKEN,
            *grown("output_text", "text", "Hello", " there", logprobs=[]),
            content_index=0,
        ),
        *part("content_part", "refusal", REFUSED, *grown("refusal", "refusal", "I ", "cannot."), content_index=1),
        content=[SPOKEN, REFUSED],
    ),
    "message with annotations": item(
        {**TOLD, "content": [QUOTED], "phase": "final_answer"},
        {**BEGUN, "content": []},
        event("content_part.added", content_index=0, part={**SPOKEN, "text": ""}),
        *grown("output_text", "text", "Hello", " there", content_index=0, logprobs=[]),
        *(
            event("output_text.annotation.added", content_index=0, annotation_index=n, annotation=annotation)
            for n, annotation in enumerate(QUOTED["annotations"])
        ),
        content=[QUOTED],
    ),
    "message with logprobs": item(
        {**TOLD, "content": [{**SPOKEN, "logprobs": [token("Hello"), token(" there")]}]},
        {**BEGUN, "content": []},
        event("content_part.added", content_index=0, part={**SPOKEN, "text": ""}),
        *(event("output_text.delta", content_index=0, delta=t, logprobs=[token(t)]) for t in ("Hello", " there")),
        content=[{**SPOKEN, "logprobs": [token("Hello"), token(" there")]}],
    ),
    "reasoning": item(
        {"type": "reasoning", "summary": [BRIEF, BRIEF], "encrypted_content": "abc", "status": "completed"},
        {**BEGUN, "summary": [], "encrypted_content": "a"},
        *(
            one
            for n in range(2)
            for one in part(
                "reasoning_summary_part",
                "text",
                BRIEF,
                *grown("reasoning_summary_text", "text", "Let me ", "see."),
                summary_index=n,
            )
        ),
        summary=[BRIEF, BRIEF],
    ),
    "reasoning in the open": item(
        {"type": "reasoning", "summary": [], "content": [MUSED]},
        {"content": []},
        *part("content_part", "text", MUSED, *grown("reasoning_text", "text", "Let me ", "see."), content_index=0),
        content=[MUSED],
    ),
    "function_call": item(
        {"type": "function_call", "name": "f", "arguments": '{"q": "x"}', **CALL},
        {**BEGUN, "arguments": ""},
        *grown("function_call_arguments", "arguments", '{"q": ', '"x"}'),
        arguments='{"q": "x"}',
    ),
    "custom_tool_call": item(
        {"type": "custom_tool_call", "name": "f", "input": "so it is", **CALL},
        {**BEGUN, "input": ""},
        *grown("custom_tool_call_input", "input", "so ", "it is"),
        input="so it is",
    ),
    "web_search_call": item(
        {
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": "x", "sources": [{"type": "url", "url": "u"}]},
        },
        {**BEGUN, "action": {"type": "search", "query": ""}},
        *states("web_search_call", "in_progress", "searching", "completed"),
        status="completed",
    ),
    "file_search_call": item(
        {
            "type": "file_search_call",
            "status": "completed",
            "queries": ["x"],
            "results": [{"file_id": "file_1", "filename": "f", "score": 0.5, "text": "t", "attributes": {}}],
        },
        {**BEGUN, "queries": [], "results": None},
        *states("file_search_call", "in_progress", "searching", "completed"),
        status="completed",
    ),
    "code_interpreter_call": item(
        {
            "type": "code_interpreter_call",
            "status": "completed",
            "container_id": "cntr_1",
            "code": "print(1)",
            "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "url": "u"}],
        },
        {**BEGUN, "code": "", "outputs": None},
        *states("code_interpreter_call", "in_progress"),
        *grown("code_interpreter_call_code", "code", "print", "(1)"),
        *states("code_interpreter_call", "interpreting"),
        status="interpreting",
        code="print(1)",
    ),
    "image_generation_call": item(
        {"type": "image_generation_call", "status": "completed", "result": "aW1n", "revised_prompt": "p"},
        {**BEGUN, "result": None, "revised_prompt": None},
        *states("image_generation_call", "in_progress", "generating"),
        *(
            event("image_generation_call.partial_image", partial_image_index=n, partial_image_b64=image)
            for n, image in enumerate(("aQ==", "aW0="))
        ),
        status="generating",
        partial_image_b64="aW0=",
    ),
    "mcp_call": item(
        {
            "type": "mcp_call",
            "name": "f",
            "server_label": "s",
            "arguments": "{}",
            "output": "x",
            "status": "completed",
        },
        {**BEGUN, "arguments": "", "output": None},
        *states("mcp_call", "in_progress"),
        *grown("mcp_call_arguments", "arguments", "{", "}"),
        *states("mcp_call", "completed"),
        status="completed",
        arguments="{}",
    ),
    "mcp_call that failed": item(
        {
            "type": "mcp_call",
            "name": "f",
            "server_label": "s",
            "arguments": "{}",
            "error": {"type": "mcp_tool_execution_error", "content": []},
            "status": "failed",
        },
        {**BEGUN, "arguments": "{}", "error": None},
        *states("mcp_call", "in_progress", "failed"),
        status="failed",
    ),
    "mcp_list_tools": item(
        {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "f", "input_schema": {}}]},
        {"tools": []},
        *states("mcp_list_tools", "in_progress", "completed"),
        status="completed",
    ),
    "mcp_approval_request": item(
        {"type": "mcp_approval_request", "name": "f", "server_label": "s", "arguments": "{}"}, {}
    ),
    "computer_call": item(
        {
            "type": "computer_call",
            "action": {"type": "click", "button": "left", "x": 1, "y": 2},
            "pending_safety_checks": [{"id": "cu_sc_1", "code": "c", "message": "m"}],
            **CALL,
        },
        BEGUN,
    ),
    "local_shell_call": item(
        {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"], "env": {}}, **CALL}, BEGUN
    ),
    "shell_call": item(
        {"type": "shell_call", "action": {"commands": ["ls", "make test"], "timeout_ms": None}, **CALL},
        {**BEGUN, "action": {"commands": [], "timeout_ms": None}},
        event("shell_call_command.added", command_index=0, command=""),
        *grown("shell_call_command", "command", "l", "s", command_index=0),
        event("shell_call_command.added", command_index=1, command="make"),
        event("shell_call_command.delta", command_index=1, delta=" test"),
        action={"commands": ["ls", "make test"], "timeout_ms": None},
    ),
    "shell_call_output": item(
        {"type": "shell_call_output", "output": OUTPUTS, "max_output_length": 100, **CALL},
        {**BEGUN, "output": []},
        event("shell_call_output_content.delta", command_index=0, delta={"stdout": "a"}),
        event("shell_call_output_content.delta", command_index=0, delta={"stdout": "\n", "stderr": ""}),
        event("shell_call_output_content.delta", command_index=1, delta={"stderr": "b"}),
        output=[{"stdout": "a\n", "stderr": ""}, {"stderr": "b"}],
    ),
    "shell_call_output that is whole": item(
        {"type": "shell_call_output", "output": OUTPUTS, **CALL},
        {**BEGUN, "output": []},
        event("shell_call_output_content.delta", command_index=0, delta={"stdout": "a"}),
        event("shell_call_output_content.done", command_index=0, output=OUTPUTS),
        output=OUTPUTS,
    ),
    "apply_patch_call": item(
        {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "f", "diff": "-a\n+b"}, **CALL},
        {**BEGUN, "operation": {"type": "update_file", "path": "f", "diff": ""}},
        *grown("apply_patch_call_operation_diff", "diff", "-a\n", "+b"),
        operation={"type": "update_file", "path": "f", "diff": "-a\n+b"},
    ),
    "compaction": item(
        {"type": "compaction", "encrypted_content": "abc"},
        {"encrypted_content": ""},
        *states("compaction", "compacting"),
        status="compacting",
    ),
    "an item of a later day": item({"type": "hologram", "points": [[0, 1]]}, {"points": []}),
}


def responded(
    events: list[dict[str, Any]], *output: Any, kind: str = "completed", **more: Any
) -> list[dict[str, Any]]:
    """The events of a response around those of its output."""
    last = {**RESPONSE_WHOLE, "status": kind, "output": list(output), **more}
    return numbered([event("created", response=RESPONSE), *events, event(kind, response=last)])


@needs_responses
@pytest.mark.parametrize("name", ITEMS)
def test_items_of_a_response(api: Api, name: str) -> None:
    whole = ITEMS[name]["whole"]
    events = responded(ITEMS[name]["events"], whole)
    told, payload = api.response(joined(events))
    assert bare(payload["body"]) == bare(told[-1]["response"]) == bare({**RESPONSE_WHOLE, "output": [whole]})
    assert (payload["complete"], "other_events" in payload) == (True, False)
    for number, one in enumerate(told, 1):
        if "snapshot" in one:  # what the SDK has put together so far
            (so_far,) = together(events[:number])["output"]
            held = so_far["content"][one["content_index"]]["text"] if "content" in so_far else so_far["arguments"]
            assert held == one["snapshot"]


@pytest.mark.parametrize("name", ITEMS)
def test_items_of_a_response_that_is_cut_off(name: str) -> None:
    """The SDK puts only the text of messages and the arguments of functions together."""
    begun = responded(ITEMS[name]["events"])[:-1]
    done = assemble(joined(begun))
    assert (done.complete, done.error, done.other) == (False, None, [])
    assert done.body["output"] == [ITEMS[name]["whole"]]
    done = assemble(joined(begun[:-1]))
    assert (done.complete, done.error, done.other) == (False, None, [])
    assert done.body["output"] == [ITEMS[name]["cut"]]


def test_items_that_take_turns() -> None:
    rounds = zip_longest(
        *([{**one, "output_index": n} for one in item["events"][:-1]] for n, item in enumerate(ITEMS.values()))
    )
    events = [one for round in rounds for one in round if one is not None]
    done = assemble(joined(responded(events)[:-1]))
    assert done.body["output"] == [item["cut"] for item in ITEMS.values()]
    assert done.other == []


@needs_responses
@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_a_last_event_without_the_output(api: Api, kind: str) -> None:
    """Newer SDKs, too, take what came before."""
    items = [one for one in RESPONDING if one["type"].startswith("response.output_item")]
    events = responded(items, kind=kind, output=None, error={"code": "server_error", "message": "m"})
    responses = pytest.importorskip("openai.lib.streaming.responses._responses")
    if not hasattr(responses, "_compatible_output_id"):
        pytest.skip("this SDK raises")
    told, payload = api.response(joined(events))
    assert (
        bare(payload["body"]["output"]) == bare(told[-1]["response"]["output"]) == bare(RESPONSE_WHOLE["output"])
    )


@needs_responses
@pytest.mark.parametrize("kind", ["incomplete", "failed"])
def test_responses_that_end_in_another_way(api: Api, kind: str) -> None:
    error = {"code": "server_error", "message": "m"} if kind == "failed" else None
    why = {"reason": "max_output_tokens"} if kind == "incomplete" else None
    half = [{**ITEMS["message"]["whole"], "status": "incomplete"}]
    events = responded(ITEMS["message"]["events"], *half, kind=kind, error=error, incomplete_details=why)
    told, payload = api.response(joined(events))
    assert bare(payload["body"]) == bare(told[-1]["response"])
    assert payload["complete"] is (kind == "incomplete")
    assert payload.get("error") == (error and {"kind": "stream", "type": "server_error", "message": "m"})


@needs_responses
def test_an_error_event_of_a_response(api: Api) -> None:
    failing = {"type": "error", "code": "server_error", "message": "m", "param": None, "sequence_number": 9}
    events = responded(ITEMS["function_call"]["events"])[:4]
    told, payload = api.response(joined([*events, failing]))
    assert bare(told[-1]) == bare(failing)
    assert payload["error"] == {"kind": "stream", "type": "server_error", "message": "m"}
    assert payload["body"]["output"][0]["arguments"] == told[-2]["snapshot"]


@needs_responses
def test_a_whole_response(api: Api) -> None:
    told, payload = api.response(joined(RESPONDING))
    assert bare(payload["body"]) == bare(told[-1]["response"]) == bare(RESPONSE_WHOLE)


def test_an_item_that_is_null() -> None:
    """Neither the SDK nor the tap makes one of it."""
    empty = event("output_item.added", output_index=0, item=None)
    whole = ITEMS["reasoning"]["whole"]
    last = event("output_item.done", output_index=1, item=whole)
    done = assemble(joined([event("created", response=RESPONSE), empty, last]))
    assert (done.body["output"], done.other) == ([whole], [empty])


def test_output_that_is_told_before_the_end() -> None:
    """What comes of an item counts, not how a response had it before."""
    begun = event("in_progress", response={**RESPONSE, "output": [{"type": "reasoning", "id": "item_1"}]})
    events = [event("created", response=RESPONSE), begun, *ITEMS["reasoning"]["events"]]
    assert together(events)["output"] == [ITEMS["reasoning"]["whole"]]


def test_a_command_that_ends_without_its_text() -> None:
    of = {"output_index": 0, "command_index": 0}
    events = [event("shell_call_command.delta", delta="ls", **of), event("shell_call_command.done", **of)]
    done = assemble(joined([event("created", response=RESPONSE), *events]))
    assert (done.body["output"], done.other) == ([{"action": {"commands": ["ls"]}}], events[1:])


def test_annotations_in_place_of_something_else() -> None:
    of = {"output_index": 0, "content_index": 0}
    begun = event("content_part.added", part={**SPOKEN, "annotations": 5}, **of)
    cited = event("output_text.annotation.added", annotation_index=0, annotation=CITED, **of)
    done = assemble(joined([event("created", response=RESPONSE), begun, cited]))
    assert done.body["output"] == [{"content": [{**SPOKEN, "annotations": [CITED]}]}]


@needs_responses
def test_nothing_that_the_sdk_knows_is_lost() -> None:
    """What a delta of any known type says is in the message or beside it."""
    types = types_of(pytest.importorskip("openai.types.responses").ResponseStreamEvent)
    assert "response.output_text.delta" in types
    for type in sorted(one for one in types if one.endswith(".delta")):
        numbers = dict.fromkeys(("output_index", "content_index", "summary_index", "command_index"), 0)
        said = {"type": type, "delta": "said", **numbers}
        done = assemble(joined([event("created", response=RESPONSE), said]))
        assert "said" in json.dumps([done.body, done.other]), type
