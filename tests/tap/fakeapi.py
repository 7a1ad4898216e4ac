"""A local HTTP server that does what a test tells it to, byte by byte, over a real socket."""

import contextlib
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

MESSAGE: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "content": [{"type": "text", "text": "Hello there"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 5},
}

STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " there"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop"},
]


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Wire:
    """The server's end of one connection, while it answers one request."""

    socket: socket.socket
    request: Seen
    closed: bool = field(default=False)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def reset(self) -> None:
        """Drop the connection the hard way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.closed = True
        self.socket.close()


Reply = Callable[[Wire], None]


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def plain(
    body: object = MESSAGE,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    kind: str = "application/json",
) -> Reply:
    """Answer with a body of known length; anything but bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(wire: Wire) -> None:
        wire.send(
            head(
                status,
                [("content-type", kind), ("content-length", str(len(raw))), ("request-id", "req_1"), *headers],
            )
            + raw
        )

    return reply


def error(status: int, kind: str, message: str, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    return plain({"type": "error", "error": {"type": kind, "message": message}}, status, headers)


def sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def stream(*steps: Any, headers: Iterable[tuple[str, str]] = (), end: str = "end") -> Reply:
    """Answer with server-sent events, chunked. A step is an event, bytes, or a threading.Event to wait for.

    `end`: "end" closes the body properly, "reset" drops the connection, "cut" closes it without the last chunk.
    """

    def reply(wire: Wire) -> None:
        wire.send(
            head(
                200,
                [("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked"), *headers],
            )
        )
        for step in steps:
            if isinstance(step, threading.Event):
                assert step.wait(20), "the test never opened the gate"
            else:
                wire.chunk(step if isinstance(step, bytes) else sse(step))
        if end == "end":
            wire.send(b"0\r\n\r\n")
        elif end == "reset":
            wire.reset()
        else:
            wire.close()

    return reply


class Server:
    """Answers each request with the next of `replies`, and with `otherwise` when there is none."""

    def __init__(self, otherwise: Reply | None = None) -> None:
        self._otherwise = otherwise or plain()
        self.replies: deque[Reply] = deque()
        self.seen: list[Seen] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # closed already
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            try:
                while (request := _read(file)) is not None:
                    self.seen.append(request)
                    wire = Wire(connection, request)
                    reply = self.replies.popleft() if self.replies else self._otherwise
                    reply(wire)
                    if wire.closed:
                        return
            except (OSError, ValueError):
                return  # the client went away, as some tests want it to


def _read(file: Any) -> Seen | None:
    first = file.readline().split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while line := file.readline().strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
        file.readline()
    else:
        body = file.read(int(headers.get("content-length", "0")))
    return Seen(first[0].decode(), first[1].decode(), headers, body)
