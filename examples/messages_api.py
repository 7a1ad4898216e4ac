"""A stand-in of the Anthropic Messages API on a local socket, so that the example runs without a key.

    python examples/messages_api.py --port 8765     # then: ANTHROPIC_BASE_URL=http://127.0.0.1:8765

POST /v1/messages, plain or with `stream: true`, over HTTP/1.1 with keep-alive. What it answers is up to
scripted_model.py; how it answers (headers, ids, the order of a stream's events, the shape of errors) follows
https://platform.claude.com/docs/en/api/messages.
"""

import argparse
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import scripted_model

Answer = Callable[[dict[str, Any]], list[dict[str, Any]]]
Headers = dict[str, str]

# A conversation with so many answers in it is refused at first, as on a busy night: the SDK tries again.
OVERLOADED_AT = 2


@contextmanager
def serve(answer: Answer = scripted_model.answer, port: int = 0) -> Iterator[str]:
    """Serve on 127.0.0.1 in a thread, on a free port unless one is given; yields the base URL for the SDK."""
    server = Server(answer, port)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Server(ThreadingHTTPServer):
    def __init__(self, answer: Answer, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answer = answer


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "messages-api-stand-in", ""
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.request_id = new_id("req_011C", 20)
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.partition("?")[0] != "/v1/messages":
            self.send_failure(404, "not_found_error", "Not Found")
        elif not (self.headers.get("x-api-key") or self.headers.get("authorization")):
            self.send_failure(401, "authentication_error", "x-api-key header is required")
        elif problem := what_is_wrong(body := parse(raw)):
            self.send_failure(400, "invalid_request_error", problem)
        elif not str(body["model"]).startswith("claude-"):
            self.send_failure(404, "not_found_error", f"model: {body['model']}")
        elif self.headers.get("x-stainless-retry-count") == "0" and answers(body) == OVERLOADED_AT:
            self.send_failure(529, "overloaded_error", "Overloaded", retry="true")
        elif (content := self.scripted(body)) is None:
            self.send_failure(
                400,
                "invalid_request_error",
                "this stand-in follows a script (scripted_model.py)"
                " for examples/agent.py, and cannot answer that conversation",
            )
        elif body.get("stream"):
            self.send_stream(body, content)
        else:
            self.send_json(200, message(body, content))

    def do_GET(self) -> None:
        self.request_id = new_id("req_011C", 20)
        self.send_failure(404, "not_found_error", "Not Found")

    def scripted(self, body: dict[str, Any]) -> list[dict[str, Any]] | None:
        """What the model says, or None where the script does not know."""
        try:
            return self.server.answer(body)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None

    def send_failure(self, status: int, kind: str, text: str, retry: str = "false") -> None:
        error = {"type": "error", "error": {"type": kind, "message": text}, "request_id": self.request_id}
        self.send_json(status, error, {"x-should-retry": retry})

    def send_json(self, status: int, body: dict[str, Any], headers: Headers | None = None) -> None:
        raw = dump(body)
        about = {"content-type": "application/json", "content-length": str(len(raw))}
        self.send_head(status, about | (headers or {}))
        self.wfile.write(raw)

    def send_stream(self, body: dict[str, Any], content: list[dict[str, Any]]) -> None:
        """One HTTP chunk for each server-sent event."""
        about = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        self.send_head(200, about | {"transfer-encoding": "chunked"})
        for event in stream_events(message(body, content)):
            raw = b"event: %s\ndata: %s\n\n" % (event["type"].encode(), dump(event))
            self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
        self.wfile.write(b"0\r\n\r\n")

    def send_head(self, status: int, headers: Headers) -> None:
        self.send_response(status, "Overloaded" if status == 529 else None)
        for name, value in {"request-id": self.request_id, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the agent's log is the one to read."""


def message(body: dict[str, Any], content: list[dict[str, Any]]) -> dict[str, Any]:
    """A Message object around the content blocks of an answer."""
    content = [with_id(block) if block["type"] == "tool_use" else block for block in content]
    called = any(block["type"] == "tool_use" for block in content)
    return {
        "model": body["model"],
        "id": new_id("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": "tool_use" if called else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": len(dump(body["messages"])) // 4,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": len(dump(content)) // 4,
            "service_tier": "standard",
        },
    }


def with_id(block: dict[str, Any]) -> dict[str, Any]:
    return {"type": block["type"], "id": new_id("toolu_01", 22), **block}


def stream_events(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The events that a message arrives in when it is streamed, in the API's order."""
    usage = whole["usage"]
    start = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            empty = {**block, "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        else:
            empty = {**block, "input": {}}
            arguments = ["", *pieces(json.dumps(block["input"]))]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in arguments]
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def pieces(text: str, size: int = 16) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def parse(raw: bytes) -> Any:
    """The body, or None when it is not JSON."""
    try:
        return json.loads(raw)
    except ValueError:
        return None


def what_is_wrong(body: Any) -> str | None:
    """Why a body is refused with 400, in the API's words; None when it is fine."""
    if not isinstance(body, dict):
        return "The request body is not valid JSON"
    for field in ("model", "max_tokens", "messages"):
        if field not in body:
            return f"{field}: Field required"
    return None if body["messages"] else "messages: at least one message is required"


def answers(body: dict[str, Any]) -> int:
    return sum(turn["role"] == "assistant" for turn in body["messages"])


def new_id(prefix: str, length: int) -> str:
    base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    return prefix + "".join(secrets.choice(base58) for _ in range(length))


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in of the Anthropic Messages API on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8765)
    with suppress(KeyboardInterrupt), serve(port=parser.parse_args().port) as base_url:
        print(f"ANTHROPIC_BASE_URL={base_url}", flush=True)
        Event().wait()


if __name__ == "__main__":
    main()
