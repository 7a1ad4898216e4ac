"""Secrets of every kind, in every place and spelling, whole and in the pieces of streams: none is in the file."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from agents import CHUNK, HI
from agents import chunk as last_chunk
from agenttap import Tap, redact
from fakeapi import MESSAGE, STREAM, Server, plain, sse, stream
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from planted import BESIDE, DECOYS, FORMS, PASSWORDS, VALUES, Spelling, nested, spelled
from reference import GONE, NAMES, hide, opened, parsed
from traced import Trace

library = pytest.importorskip("httpx2" if anthropic.__version__ >= "1" else "httpx")
# The same examples each time: another set each day would be another test each day.
profile = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def test_the_replacement() -> None:
    assert redact.REPLACEMENT == GONE


# --- against the reference ---------------------------------------------------------------------------------------

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def bones(raw: bytes) -> bytes:
    """Return JSON without what is in its strings."""
    return _STRING.sub(b'""', raw)


@settings(profile, max_examples=500)
@given(VALUES, spelled(plain_slashes=True))
def test_it_hides_what_the_reference_hides(value: Any, spellings: list[Spelling]) -> None:
    """And no more: what is no secret stays, in all the depths of JSON inside JSON, which stays whole."""
    raw = nested({"payload": value}, spellings).encode()
    redacted = redact.default(raw)
    assert opened(parsed(redacted)) == hide(parsed(raw))
    assert bones(redacted) == bones(raw)
    assert redact.default(redacted) == redacted


@settings(profile, max_examples=300)
@given(st.sampled_from(sorted(FORMS.keys() - {"a login"})), BESIDE, BESIDE, spelled(), st.data())
def test_a_secret_in_any_spelling(
    name: str, before: str, after: str, spellings: list[Spelling], data: st.DataObject
) -> None:
    form, secrets = FORMS[name]
    secret = data.draw(secrets)
    said, kept = (f"{before}{form.format(word)}{after}" for word in (secret, GONE))
    redacted = redact.default(nested({"text": said, "n": 1.10}, spellings).encode())
    assert_gone(secret, redacted)
    assert opened(parsed(redacted)) == opened(parsed(nested({"text": kept, "n": 1.10}, spellings)))


# --- planted in what a tap records -------------------------------------------------------------------------------


class Recorder:
    """A tap, a client and a server, for many recordings one after another in one file."""

    def __init__(self, folder: Path, raw_streams: bool = False) -> None:
        self.server = Server()
        self.trace = Trace(folder / "run.jsonl")
        self.raw_streams = raw_streams
        self.tap = Tap(self.trace.path, raw_streams=raw_streams)
        self.http = self.tap.wrap(library.Client(verify=False))
        self.claude = anthropic.Anthropic(
            api_key="k", base_url=self.server.url, http_client=self.http, max_retries=0
        )
        self.gpt = openai.OpenAI(
            api_key="k", base_url=f"{self.server.url}/v1", http_client=self.http, max_retries=0
        )
        self._read = 0
        self.tap.record("begun")

    def close(self) -> None:
        self.http.close()
        self.tap.close()
        self.server.close()

    def written(self) -> bytes:
        """Return what was written since the last time."""
        assert self.tap.flush()
        with self.trace.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        return new

    def post(self, body: str = "{}", answer: Any = MESSAGE, status: int = 200, **told: Any) -> None:
        """Call a model. `body` and `answer` are sent as they are, unless the answer is no text."""
        raw = answer.encode() if isinstance(answer, str) else answer
        self.server.replies.append(plain(raw, status, **told))
        self.http.post(f"{self.server.url}/v1/messages", content=body.encode())


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path_factory.mktemp("recorder"))
    yield recorder
    recorder.close()


def raising(text: Any) -> None:
    raise ValueError(text)


Place = Callable[[Recorder, Any], None]
PLACES: dict[str, Place] = {}


def place(function: Place) -> Place:
    PLACES[function.__name__] = function
    return function


@place
def arguments(recorder: Recorder, said: Any) -> None:
    recorder.tap.record_tool_call("run", {"command": said, "n": 1})


@place
def result(recorder: Recorder, said: Any) -> None:
    recorder.tap.record_tool_result("run", [1, {"output": said}])


@place
def error_text(recorder: Recorder, said: Any) -> None:
    recorder.tap.record_tool_result("run", error=f"failed with {said}")


@place
def decorated_tool(recorder: Recorder, said: Any) -> None:
    recorder.tap.tool(lambda command: (command, 1))(said)


@place
def exception(recorder: Recorder, said: Any) -> None:
    with pytest.raises(ValueError), recorder.tap.tool_call("run"):  # noqa: PT011 - what it says is planted
        raising(said)


@place
def step(recorder: Recorder, said: Any) -> None:
    with pytest.raises(ValueError), recorder.tap.step("look", query=said):  # noqa: PT011
        raising(said)


@place
def run(recorder: Recorder, said: Any) -> None:
    with pytest.raises(ValueError), recorder.tap.run("report", {"asked": said}):  # noqa: PT011
        raising(said)


@place
def event(recorder: Recorder, said: Any) -> None:
    recorder.tap.record("note", value=said, shown=f"<{said!s}>")


@place
def request_body(recorder: Recorder, said: Any) -> None:
    recorder.post(json.dumps({"messages": [{"role": "user", "content": said}]}))


@place
def request_of_no_json(recorder: Recorder, said: Any) -> None:
    recorder.post(f"--- {said}")


@place
def response_body(recorder: Recorder, said: Any) -> None:
    recorder.post(answer={**MESSAGE, "content": [{"type": "text", "text": said}]})


@place
def response_of_no_json(recorder: Recorder, said: Any) -> None:
    recorder.post(answer=f"--- {said}", kind="text/plain")


@place
def refusal(recorder: Recorder, said: Any) -> None:
    recorder.post(answer={"error": {"type": "refused", "message": f"no: {said}"}}, status=400)


@place
def refusal_of_no_json(recorder: Recorder, said: Any) -> None:
    assume(len(f"--- {said}") <= 1000)  # of a longer one, the beginning is the message
    recorder.post(answer=f"--- {said}", status=502, kind="text/html")


def meanings(raw: bytes) -> Iterator[str]:
    """Yield what was written, and what it means once its escapes are read, once and again."""
    text, before = raw.decode(), None
    while text != before:
        yield text
        before = text
        text = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)) if escape[1] else escape[2], text)


_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")


def assert_gone(secret: str, raw: bytes) -> None:
    """Fail if there is a part of the secret in what was written, however it is spelled."""
    size = min(10, len(secret))
    parts = {secret[at : at + size] for at in range(len(secret) - size + 1)}
    for text in meanings(raw):
        assert not [part for part in parts if part in text]


PASSING = ("timestamp", "run_id", "seq", "call_id", "step_id", "parent_run_id", "content-length")


def lasting(value: Any) -> Any:
    """Return a value without what is another each time, JSON in its strings opened."""
    if isinstance(value, dict):
        return {k: lasting(v) for k, v in value.items() if k not in PASSING and not k.endswith("_ms")}
    if isinstance(value, list):
        return [lasting(item) for item in value]
    if isinstance(value, str) and isinstance(opened(value), str):  # no JSON, but there may be some in it
        return [*meanings(value.encode())][-1]
    return opened(value)


def events(raw: bytes) -> list[Any]:
    return [lasting(parsed(line)) for line in raw.splitlines()]


# How a value can be named for a credential.
NAMINGS: list[Callable[[str, str], Any]] = [
    lambda name, value: {"n": 1, name: value, "m": 2},
    lambda name, value: {name: [value, "", value]},
    lambda name, value: [{"name": name, "value": value}],
    lambda name, value: [{"key": name, "type": "text", "value": value}],
    lambda name, value: [{"value": value, "name": name}],
]


@st.composite
def planted(draw: st.DrawFn, most: int = 4) -> tuple[str, Any, Any]:
    """Return a secret, something that tells it, and the same with the replacement in its place.

    It may be told by JSON inside JSON and so on, `most` of them at most.
    """
    if draw(st.booleans()):
        form, secrets = FORMS[draw(st.sampled_from(sorted(FORMS)))]
        secret = draw(secrets)
        said, kept = form.format(secret), form.format(GONE)
    else:
        naming, name, secret = draw(st.sampled_from(NAMINGS)), draw(st.sampled_from(NAMES)), draw(PASSWORDS)
        said, kept = naming(name, secret), naming(name, GONE)
    if draw(st.booleans()):
        spellings = draw(spelled(most, plain_slashes=True))
        said, kept = nested({"inside": said}, spellings), nested({"inside": kept}, spellings)
    return secret, said, kept


@pytest.mark.parametrize("name", PLACES)
@settings(profile, max_examples=40)
@given(planted())
def test_a_secret_planted_anywhere(recorder: Recorder, name: str, told: tuple[str, Any, Any]) -> None:
    """None of it is in the file, and all else is what it is with the replacement planted."""
    secret, said, kept = told
    recorder.written()
    PLACES[name](recorder, said)
    raw = recorder.written()
    PLACES[name](recorder, kept)
    assert_gone(secret, raw)
    assert events(raw) == events(recorder.written())
    assert GONE.encode() in raw


HEADERS = ["authorization", "proxy-authorization", "x-api-key", "Api-Key", "cookie", "set-cookie", "x-auth-token"]
HEADERS += ["x-amz-security-token", "x-goog-api-key", "ocp-apim-subscription-key", "x-hub-signature", "X-Secret"]


@settings(profile, max_examples=60)
@given(st.sampled_from(HEADERS), PASSWORDS, st.sampled_from(["{}", "Basic {}", "session={}; Path=/", "a,{}"]))
def test_a_credential_header(recorder: Recorder, name: str, secret: str, form: str) -> None:
    recorder.written()
    recorder.server.replies.append(plain(headers=[(name, form.format(secret))]))
    recorder.http.post(f"{recorder.server.url}/v1/messages", content=b"{}", headers={name: form.format(secret)})
    recorder.http.cookies.clear()
    raw = recorder.written()
    assert_gone(secret, raw)
    request, response = events(raw)
    for told in (request, response):
        assert told["payload"]["headers"][name.lower()] == GONE


@settings(profile, max_examples=60)
@given(st.sampled_from(["a key", "Bearer", "Basic", "a variable", "a code", "a parameter", "a login"]), st.data())
def test_a_secret_in_another_header(recorder: Recorder, name: str, data: st.DataObject) -> None:
    form, secrets = FORMS[name]
    secret, form = data.draw(secrets), form.replace("\n", " ")
    recorder.written()
    recorder.server.replies.append(plain(headers=[("x-note", form.format(secret))]))
    recorder.http.post(f"{recorder.server.url}/v1/messages", headers={"referer": form.format(secret)})
    raw = recorder.written()
    assert_gone(secret, raw)
    request, response = events(raw)
    assert request["payload"]["headers"]["referer"] == form.format(GONE)
    assert response["payload"]["headers"]["x-note"] == form.format(GONE)


@settings(profile, max_examples=60)
@given(
    st.sampled_from(
        ["?key={}", "?a=1&api_key={}&b=2", "?access_token={}", "?X-Amz-Signature={}#a", "?n=1&sig={}"]
    ),
    PASSWORDS,
    st.booleans(),
)
def test_a_secret_in_a_url(recorder: Recorder, form: str, secret: str, login: bool) -> None:
    recorder.written()
    host = recorder.server.url.removeprefix("http://")
    recorder.http.post(f"http://{f'user:{secret}@' if login else ''}{host}/v1/messages{form.format(secret)}")
    raw = recorder.written()
    assert_gone(secret, raw)
    request, _ = events(raw)
    assert (
        request["payload"]["url"] == f"http://{f'{GONE}@' if login else ''}{host}/v1/messages{form.format(GONE)}"
    )


# --- in the pieces of streams ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[False, True], ids=["put together", "raw"])
def listener(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path_factory.mktemp("listener"), raw_streams=request.param)
    yield recorder
    recorder.close()


@dataclass(frozen=True)
class Streamed:
    """What an API streams: how a text in pieces becomes its events, and how an agent reads them."""

    events: Callable[[list[str]], list[bytes]]
    read: Callable[[Recorder], None]
    as_json: bool = False  # whether the text has to be JSON
    last: int = 1  # how many events at the end a stream without them is broken


def _anthropic(start: dict[str, Any], kind: str, key: str, as_json: bool = False) -> Streamed:
    def events(pieces: list[str]) -> list[bytes]:
        deltas = [{"type": "content_block_delta", "index": 0, "delta": {"type": kind, key: one}} for one in pieces]
        begun = {"type": "content_block_start", "index": 0, "content_block": start}
        return [sse(one) for one in (STREAM[0], begun, *deltas, *STREAM[-3:])]

    return Streamed(events, _read_message, as_json)


def _chat(delta: Callable[[str], dict[str, Any]], logprobs: bool = False, as_json: bool = False) -> Streamed:
    def chunk(piece: str) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": delta(piece), "finish_reason": None}
        if logprobs:
            choice["logprobs"] = {
                "content": [{"token": piece, "logprob": -0.5, "bytes": None, "top_logprobs": []}]
            }
        return b"data: %b\n\n" % json.dumps({**CHUNK, "choices": [choice]}).encode()

    def events(pieces: list[str]) -> list[bytes]:
        return [*map(chunk, pieces), last_chunk({}, "stop"), b"data: [DONE]\n\n"]

    return Streamed(events, _read_chat, as_json, last=2)


def _response(
    item: dict[str, Any], kind: str, parts: str, key: str, done: bool, as_json: bool = False
) -> Streamed:
    """`parts` is the list in the item where the text is, or empty; `done` is whether it is told as a whole too."""
    number = {"summary": "summary_index", "content": "content_index"}.get(parts)
    of = {"item_id": item["id"], "output_index": 0, **({number: 0} if number else {})}

    def holding(text: str) -> dict[str, Any]:
        return {**item, parts: [{**item[parts][0], key: text}]} if parts else {**item, key: text}

    def events(pieces: list[str]) -> list[bytes]:
        text, head = "".join(pieces), {"id": "resp_1", "object": "response", "created_at": 1, "model": "m"}
        made: list[dict[str, Any]] = [
            {"type": "response.created", "response": {**head, "status": "in_progress", "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": holding("")},
            *({"type": f"response.{kind}.delta", **of, "delta": piece} for piece in pieces),
        ]
        if done:
            made.append({"type": f"response.{kind}.done", **of, key: text})
            made.append({"type": "response.output_item.done", "output_index": 0, "item": holding(text)})
        output = [holding(text)] if done else []
        made.append({"type": "response.completed", "response": {**head, "status": "completed", "output": output}})
        return [sse({**one, "sequence_number": at}) for at, one in enumerate(made)]

    return Streamed(events, _read_response, as_json)


def _read_message(listener: Recorder) -> None:
    with listener.claude.messages.stream(model="m", max_tokens=9, messages=HI) as events:
        events.until_done()


def _read_chat(listener: Recorder) -> None:
    list(listener.gpt.chat.completions.create(model="m", messages=HI, stream=True))


def _read_response(listener: Recorder) -> None:
    list(listener.gpt.responses.create(model="m", input="Hi", stream=True))


_TOOL = {"type": "tool_use", "id": "toolu_1", "name": "run", "input": {}}
_SAID = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
_TEXT = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
_CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed", "name": "run"}


def _call(piece: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "run", "arguments": piece}}]}


STREAMS = {
    "text": _anthropic({"type": "text", "text": ""}, "text_delta", "text"),
    "thinking": _anthropic({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking"),
    "tool input": _anthropic(_TOOL, "input_json_delta", "partial_json", as_json=True),
    "chat": _chat(lambda piece: {"content": piece}),
    "chat with logprobs": _chat(lambda piece: {"content": piece}, logprobs=True),
    "chat refusal": _chat(lambda piece: {"refusal": piece}),
    "chat reasoning": _chat(lambda piece: {"content": None, "reasoning_content": piece}),
    "chat tool call": _chat(_call, as_json=True),
    "response": _response({**_SAID, "content": [_TEXT]}, "output_text", "content", "text", done=False),
    "response, told whole": _response({**_SAID, "content": [_TEXT]}, "output_text", "content", "text", done=True),
    "response reasoning": _response(
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": ""}]},
        *("reasoning_summary_text", "summary", "text"),
        done=False,
    ),
    "response arguments": _response(_CALL, "function_call_arguments", "", "arguments", done=False, as_json=True),
    "response arguments, told whole": _response(
        _CALL, "function_call_arguments", "", "arguments", done=True, as_json=True
    ),
}


def text_of(streamed: Streamed, said: Any) -> str:
    """Return as text what an agent is told: JSON where that has to be."""
    if streamed.as_json:
        return json.dumps(said if isinstance(said, dict) else {"command": said})
    return said if isinstance(said, str) else json.dumps(said)


def cut(text: str, places: list[int]) -> list[str]:
    """Return the text in pieces."""
    at = [0, *sorted({place % len(text) for place in places} - {0}), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(at)]


def heard(
    listener: Recorder, streamed: Streamed, pieces: list[str], *, wire: int = 0, broken: bool = False
) -> bytes:
    """Return what is written of a stream in these pieces.

    `wire` is how many bytes come at once; 0 for an event at once. `broken` is for one that ends before its end.
    """
    sent = streamed.events(pieces)
    if broken:
        del sent[-streamed.last :]
    if wire:
        whole = b"".join(sent)
        sent = [whole[at : at + wire] for at in range(0, len(whole), wire)]
    listener.written()
    listener.server.replies.append(stream(*sent, end="cut" if broken else "end"))
    if broken:
        with pytest.raises((library.TransportError, anthropic.APIError, openai.APIError)):
            streamed.read(listener)
    else:
        streamed.read(listener)
    return listener.written()


def told_of(listener: Recorder, raw: bytes) -> list[Any]:
    """Return the events but for the chunks; of a stream with a secret in it, these are left out."""
    found = events(raw)
    payload = found[-1]["payload"]
    if listener.raw_streams:
        assert payload.pop("chunks") == {"left_out": "there is a secret in this stream"}
    assert "chunks" not in payload
    return found


def without_logprobs(value: Any) -> Any:
    """Return a value without what the tokens of it are."""
    if isinstance(value, dict):
        return {k: without_logprobs(v) for k, v in value.items() if k not in ("logprobs", "chunks")}
    return [without_logprobs(item) for item in value] if isinstance(value, list) else value


SHORT = "sk-ant-Z9y8X7w6V5u4"


@pytest.mark.parametrize("said", [f"the {SHORT}\n", {"password": SHORT[7:]}], ids=["shape", "name"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_secret_cut_at_every_place(listener: Recorder, name: str, said: Any) -> None:
    text = text_of(STREAMS[name], said)
    kept = told_of(listener, heard(listener, STREAMS[name], [text]))
    assert GONE in str(kept)
    for place in range(1, len(text)):
        raw = heard(listener, STREAMS[name], [text[:place], text[place:]])
        assert_gone(SHORT[7:], raw)
        assert told_of(listener, raw) == kept


@pytest.mark.parametrize("name", STREAMS)
@settings(profile, max_examples=15)
@given(planted(most=2), st.lists(st.integers(1, 500), max_size=6), st.sampled_from([0, 0, 7, 64]), st.booleans())
def test_a_secret_cut_at_several_places(
    listener: Recorder, name: str, planted: tuple[str, Any, Any], places: list[int], wire: int, broken: bool
) -> None:
    """The file has what it has of the stream in one piece, and of one with the replacement in it."""
    streamed, (secret, said, kept) = STREAMS[name], planted
    text = text_of(streamed, said)
    raw = heard(listener, streamed, cut(text, places), wire=wire, broken=broken)
    assert_gone(secret, raw)
    found = told_of(listener, raw)
    assert found == told_of(listener, heard(listener, streamed, [text], broken=broken))
    other = events(heard(listener, streamed, [text_of(streamed, kept)], broken=broken))
    assert without_logprobs(found) == without_logprobs(other)


@pytest.mark.parametrize("name", STREAMS)
@settings(profile, max_examples=15)
@given(
    st.lists(DECOYS.filter(lambda said: "=" not in said), max_size=4).map(" ".join),
    st.lists(st.integers(1, 500), max_size=6),
)
def test_the_chunks_of_a_stream_without_a_secret(
    name: str, listener: Recorder, said: str, places: list[int]
) -> None:
    streamed = STREAMS[name]
    pieces = cut(text_of(streamed, f"So: {said}"), places)
    (*_, ended) = [json.loads(line) for line in heard(listener, streamed, pieces).splitlines()]
    assert ended["type"] == "model.response"
    if listener.raw_streams:
        joined = "".join(text for _, text in ended["payload"]["chunks"])
        assert joined.encode() == b"".join(streamed.events(pieces))
    else:
        assert "chunks" not in ended["payload"]
