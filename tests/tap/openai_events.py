"""What OpenAI's API sends: the chunks of a completion, the events of a response, and what each of them come to."""

import json
from typing import Any

CHAT: dict[str, Any] = {"model": "gpt-test", "messages": [{"role": "user", "content": "Hi"}]}
INPUT: dict[str, Any] = {"model": "gpt-test", "input": "Hi"}
DONE = b"data: [DONE]\n\n"

HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-test"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def chunk(
    delta: Any = None, finish: str | None = None, index: int = 0, choice: Any = None, **more: Any
) -> dict[str, Any]:
    """A chunk with one choice; `choice` and `more` are further keys of the choice and of the chunk."""
    made = {"index": index, "delta": delta or {}, "finish_reason": finish, **(choice or {})}
    return {**HEAD, "system_fingerprint": "fp_1", "choices": [made], **more}


def call(index: int, arguments: str, id: str | None = None, name: str | None = None) -> dict[str, Any]:
    """A delta with a part of one tool call."""
    function = {"arguments": arguments} | ({"name": name} if name else {})
    begun = {"id": id, "type": "function"} if id else {}
    return {"tool_calls": [{"index": index, **begun, "function": function}]}


def token(text: str) -> dict[str, Any]:
    return {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "top_logprobs": []}


def data(event: Any) -> bytes:
    return b"data: " + (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n\n"


HELLO = [
    chunk({"role": "assistant", "content": "", "refusal": None}, usage=None),
    chunk({"content": "Hello"}, usage=None),
    chunk({"content": " there"}, usage=None),
    chunk(finish="stop", usage=None),
    {**HEAD, "system_fingerprint": "fp_1", "choices": [], "usage": USAGE},
]
HELLO_WHOLE = {
    **HEAD,
    "object": "chat.completion",
    "system_fingerprint": "fp_1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there", "refusal": None},
            "finish_reason": "stop",
        }
    ],
    "usage": USAGE,
}

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "status": "in_progress",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "gpt-test",
    "output": [],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "usage": None,
}
TEXT = {"type": "output_text", "text": "Hello there", "annotations": [], "logprobs": []}
SUMMARY = {"type": "summary_text", "text": "Let me see."}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [SUMMARY]}
SAID = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [TEXT]}
CALLED = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "status": "completed",
    "name": "search",
    "arguments": '{"q": "x"}',
}
RESPONSE_USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 12,
}
RESPONSE_WHOLE = {
    **RESPONSE,
    "status": "completed",
    "output": [REASONING, SAID, CALLED],
    "usage": RESPONSE_USAGE,
}


def event(type: str, **keys: Any) -> dict[str, Any]:
    return {"type": f"response.{type}", **keys}


def numbered(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


OF_0 = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
OF_1 = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
OF_2 = {"item_id": "fc_1", "output_index": 2}
RESPONDING = numbered(
    [
        event("created", response=RESPONSE),
        event("in_progress", response=RESPONSE),
        event("output_item.added", output_index=0, item={**REASONING, "summary": []}),
        event("reasoning_summary_part.added", **OF_0, part={**SUMMARY, "text": ""}),
        event("reasoning_summary_text.delta", **OF_0, delta="Let me "),
        event("reasoning_summary_text.delta", **OF_0, delta="see."),
        event("reasoning_summary_text.done", **OF_0, text="Let me see."),
        event("reasoning_summary_part.done", **OF_0, part=SUMMARY),
        event("output_item.done", output_index=0, item=REASONING),
        event("output_item.added", output_index=1, item={**SAID, "status": "in_progress", "content": []}),
        event("content_part.added", **OF_1, part={**TEXT, "text": ""}),
        event("output_text.delta", **OF_1, delta="Hello", logprobs=[]),
        event("output_text.delta", **OF_1, delta=" there", logprobs=[]),
        event("output_text.done", **OF_1, text="Hello there", logprobs=[]),
        event("content_part.done", **OF_1, part=TEXT),
        event("output_item.done", output_index=1, item=SAID),
        event("output_item.added", output_index=2, item={**CALLED, "status": "in_progress", "arguments": ""}),
        event("function_call_arguments.delta", **OF_2, delta='{"q":'),
        event("function_call_arguments.delta", **OF_2, delta=' "x"}'),
        event("function_call_arguments.done", **OF_2, arguments='{"q": "x"}'),
        event("output_item.done", output_index=2, item=CALLED),
        event("completed", response=RESPONSE_WHOLE),
    ]
)
