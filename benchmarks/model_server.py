"""A server that answers as the Anthropic Messages API does, after a while, in a process of its own.

    python benchmarks/model_server.py DELAY GAP PIECES     # seconds, seconds, pieces of a stream

Prints its base URL, and ends when its stdin does. Each request is answered DELAY seconds after it came; of a
stream, the first event then, and the others GAP seconds apart. The order of a stream's events follows
https://platform.claude.com/docs/en/api/messages-streaming.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_USAGE = {"input_tokens": 2000, "output_tokens": 500}
_PIECE = " The nightly job fell back to the old schema, – see the notes."


@contextmanager
def serving(delay: float, gap: float, pieces: int) -> Iterator[str]:
    """Run the server in a process of its own; yields its base URL."""
    command = [sys.executable, __file__, str(delay), str(gap), str(pieces)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


class Server(ThreadingHTTPServer):
    def __init__(self, delay: float, gap: float, pieces: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.delay, self.gap = delay, gap
        self.plain = _dump(_message([{"type": "text", "text": _PIECE * pieces}]))
        self.stream = [
            b"event: %s\ndata: %s\n\n" % (event["type"].encode(), _dump(event)) for event in _events(pieces)
        ]


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        due = time.monotonic()
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        due = _wait(due + self.server.delay)
        self.send_response(200)
        self.send_header("request-id", "req_011CbenchmarkbenchmarkAA")
        if not body.get("stream"):
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(self.server.plain)))
            self.end_headers()
            self.wfile.write(self.server.plain)
            return
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in self.server.stream:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            due = _wait(due + self.server.gap)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _wait(until: float) -> float:
    if (left := until - time.monotonic()) > 0:
        time.sleep(left)
    return until


def _message(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "model": "claude-sonnet-4-6",
        "id": "msg_01benchmarkbenchmarkAA",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _USAGE,
    }


def _events(pieces: int) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**_message([]), "stop_reason": None}}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for _ in range(pieces):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": _PIECE}}
    yield {"type": "content_block_stop", "index": 0}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": _USAGE["output_tokens"]}}
    yield {"type": "message_stop"}


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def main() -> None:
    delay, gap, pieces = sys.argv[1:]
    server = Server(float(delay), float(gap), int(pieces))
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
