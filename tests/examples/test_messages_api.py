"""The stand-in of the Messages API, asked by the real SDK over a real socket."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import messages_api
import pytest

TOOL: Any = {"name": "search", "input_schema": {"type": "object"}}
SYSTEM = "EMEA: sales-emea\nAPAC: sales-apac"
REQUEST: Any = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "system": SYSTEM,
    "tools": [TOOL],
    "messages": [{"role": "user", "content": "Prepare the report."}],
}


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with messages_api.serve() as url:
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=base_url, api_key="sk-ant-local", max_retries=0) as client:
        yield client


def without_ids(message: Any) -> Any:
    content = [{**block.model_dump(), "id": None} for block in message.content]
    return {**message.model_dump(exclude={"id"}), "content": content}


def test_a_plain_answer_calls_the_tools_that_the_prompt_names(client: anthropic.Anthropic) -> None:
    message = client.messages.create(**REQUEST)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [
        {"index": "sales-emea", "query": "2026-Q1"},
        {"index": "sales-apac", "query": "2026-Q1"},
    ]
    assert message.stop_reason == "tool_use"
    assert message.id.startswith("msg_01")
    assert all(call.id.startswith("toolu_01") for call in calls)
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    assert (message._request_id or "").startswith("req_011C")


def test_a_streamed_answer_accumulates_to_the_plain_one(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**REQUEST) as stream:
        words = "".join(stream.text_stream)
        streamed = stream.get_final_message()
    plain = client.messages.create(**REQUEST)
    assert without_ids(streamed) == without_ids(plain)
    assert words == plain.content[0].text  # type: ignore[union-attr]


def test_the_events_of_a_stream_come_in_the_order_of_the_api(base_url: str) -> None:
    status, headers, body = post(base_url, {**REQUEST, "stream": True})
    names = [line[7:] for line in body.splitlines() if line.startswith("event: ")]
    assert status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert names[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert names.count("content_block_start") == names.count("content_block_stop") == 3
    assert body.count("input_json_delta") > 4, "arguments come in several pieces"


def test_one_connection_serves_many_requests(base_url: str) -> None:
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"))
    connection.connect()
    socket = connection.sock
    for body in ({**REQUEST, "stream": True}, {}, REQUEST):
        connection.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": "sk-ant-local"})
        connection.getresponse().read()
        assert connection.sock is socket
    connection.close()


def test_a_key_is_asked_for(base_url: str) -> None:
    status, headers, body = post(base_url, REQUEST, key="")
    assert status == 401
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": "authentication_error", "message": "x-api-key header is required"},
        "request_id": headers["request-id"],
    }


@pytest.mark.parametrize("field", ["model", "max_tokens", "messages"])
def test_a_body_without_a_field_is_refused(base_url: str, field: str) -> None:
    status, _, body = post(base_url, {key: value for key, value in REQUEST.items() if key != field})
    error = {"type": "invalid_request_error", "message": f"{field}: Field required"}
    assert (status, json.loads(body)["error"]) == (400, error)


def test_errors_are_the_exceptions_of_the_sdk(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="at least one message"):
        client.messages.create(**{**REQUEST, "messages": []})
    with pytest.raises(anthropic.NotFoundError, match="model: gpt"):
        client.messages.create(**{**REQUEST, "model": "gpt"})
    with pytest.raises(anthropic.NotFoundError, match="Not Found"):
        client.models.list()


def test_a_busy_night_is_over_at_the_second_attempt(base_url: str) -> None:
    turns = [{"role": role, "content": "…"} for role in ("user", "assistant", "user", "assistant", "user")]
    request = {**REQUEST, "messages": turns, "tools": []}
    with anthropic.Anthropic(base_url=base_url, api_key="sk-ant-local", max_retries=0) as client:
        with pytest.raises(anthropic.APIStatusError) as refused:
            client.messages.create(**request)
        assert refused.value.status_code == 529
        assert client.with_options(max_retries=1).messages.create(**request).stop_reason == "end_turn"


def post(base_url: str, body: dict[str, Any], key: str = "sk-ant-local") -> tuple[int, dict[str, str], str]:
    """Status, headers in lower case, and text of what the server answers."""
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"))
    connection.request("POST", "/v1/messages", json.dumps(body), {"x-api-key": key} if key else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, text
