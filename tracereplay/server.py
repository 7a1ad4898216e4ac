"""A replay as an HTTP server on loopback, for agents in any language."""

import errno
import json
import re
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from trace_cli.errors import TraceError

from .answer import Answer
from .nearest import Miss
from .replay import Replay
from .rerun import Past, Reproduced
from .transport import Pause, wait

HOST = "127.0.0.1"
BACKLOG = 1024  # connections that may wait for being accepted
MAX_BODY = 256 << 20  # bytes of a request
_HOLD = 60.0  # seconds that a client is kept waiting at most where it gave up by itself then
# The parts of a recorded path that belong to the SDK; what stands before them is the base URL's.
_BASES = {
    "ANTHROPIC_BASE_URL": ("/v1/messages", "/v1/complete"),
    "OPENAI_BASE_URL": ("/chat/completions", "/responses", "/completions", "/embeddings"),
}
_USUAL = {"ANTHROPIC_BASE_URL": "", "OPENAI_BASE_URL": "/v1"}

_OF_THE_CONNECTION = {"content-length", "transfer-encoding", "connection", "keep-alive", "trailer", "upgrade"}
_HEX = re.compile(rb"[0-9A-Fa-f]{1,8}")
_ABSOLUTE = re.compile(r"\Ahttps?://[^/]*")  # as clients of a proxy write the target

Note = Callable[[dict[str, Any]], object]


class Server(ThreadingHTTPServer):
    """Answers on a port of 127.0.0.1 from a replay; `note` gets a row for each request, in several threads.

    `port` 0 is any that is free. What was not recorded is answered with status 404 and an error of the type
    `replay_miss`, which SDKs do not try again. Raises TraceError where the port is in use.
    """

    request_queue_size = BACKLOG
    daemon_threads = True

    def __init__(self, replay: Replay, port: int, note: Note) -> None:
        self.replay = replay
        self.note = note
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                raise TraceError(f"port {port} is in use", "--port 0 takes one that is free") from None
            raise TraceError(f"port {port}: {getattr(error, 'strerror', None) or error}") from None

    @property
    def url(self) -> str:
        """Where it is, as a base URL."""
        return f"http://{HOST}:{self.server_port}"

    def environment(self) -> dict[str, str]:
        """The variables that send the SDKs here, with the prefix that the recorded paths have."""
        found = {}
        for name, ends in _BASES.items():
            prefixes = (path.removesuffix(end) for path in self.replay.paths for end in ends if path.endswith(end))
            found[name] = self.url + next(prefixes, _USUAL[name])
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no news; anything else is a bug, and shown."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "trace-serve", ""
    disable_nagle_algorithm = True

    def _any(self) -> None:
        body = self._read()
        if body is None:
            return
        target = _ABSOLUTE.sub("", self.path)
        row: dict[str, Any] = {"method": self.command, "target": target, "status": None, "stream": False}
        try:
            found = self.server.replay.answer(self.command, f"{self.server.url}{target}", body)
        except (Miss, Reproduced, Past) as error:
            kind = {"Miss": "replay_miss", "Reproduced": "replay_reproduced"}.get(
                type(error).__name__, "replay_past"
            )
            text = str(error) or "the agent has got past the recorded failure: what comes then is not known"
            self.server.note({**row, "status": 404, "error": kind, "message": text})
            self._refuse(404, kind, text)
            return
        assert found is not None  # nothing is sent on to the network
        self.server.note({**row, "status": found.status, "stream": found.stream})
        with suppress(ConnectionError, TimeoutError):  # a client that closes in the middle has had enough
            self._send(found)
            return
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _any

    def _read(self) -> bytes | None:
        """The body of the request; None where there is none to be had, which was answered."""
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return self._read_chunks()
        length = self.headers.get("content-length", "0").strip()
        if not length.isdecimal() or int(length) > MAX_BODY:
            self._refuse(400, "invalid_request_error", f"content-length: {length} is none, or too much")
            return None
        return self._exactly(int(length))

    def _exactly(self, length: int) -> bytes | None:
        """So many bytes; None where the client has gone before it sent them."""
        found = self.rfile.read(length)
        if len(found) < length:
            self.close_connection = True
            return None
        return found

    def _read_chunks(self) -> bytes | None:
        """A body in chunks: RFC 9112, 7.1."""
        pieces, total = list[bytes](), 0
        while True:
            size = self.rfile.readline(1000).partition(b";")[0].strip()
            length = int(size, 16) if _HEX.fullmatch(size) else -1
            total += length
            if length < 0 or total > MAX_BODY:
                self._refuse(400, "invalid_request_error", "the body is not in chunks, or too large")
                return None
            if length == 0:
                while self.rfile.readline(10_000).strip():  # trailers
                    pass
                return b"".join(pieces)
            piece = self._exactly(length)
            if piece is None:
                return None
            pieces.append(piece)
            self.rfile.readline(10)

    def _send(self, found: Answer) -> None:
        pause = Pause(found, self.server.replay.pace)
        if found.status is None:
            wait(pause.until(found.took))
            self._fail(found)
        elif not found.stream and found.failure is None:
            wait(pause.until(found.took))
            body = found.body
            self._begin(found, [("content-length", str(len(body)))])
            self.wfile.write(self._head() + (b"" if self.command == "HEAD" else body))
        else:
            self._begin(found, [("transfer-encoding", "chunked")])
            waiting = [self._head()]
            for moment, piece in found.pieces:
                if self.server.replay.pace:
                    self.wfile.write(b"".join(waiting))
                    waiting = []
                    wait(pause.until(moment))
                if piece:
                    waiting.append(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"".join([*waiting, b"" if found.breaks else b"0\r\n\r\n"]))
            if found.breaks:
                wait(pause.until(found.took))
                self._fail(found)

    def _begin(self, found: Answer, more: list[tuple[str, str]]) -> None:
        self.send_response_only(found.status or 200)
        kept = [each for each in found.headers if each[0] not in _OF_THE_CONNECTION]
        for name, value in [*kept, *more]:
            with suppress(UnicodeEncodeError):
                self.send_header(name, value.replace("\r", " ").replace("\n", " "))

    def _head(self) -> bytes:
        """The status line and the headers so far, taken out of their buffer to go with the body in one write."""
        head = b"".join([*self._headers_buffer, b"\r\n"])
        self._headers_buffer: list[bytes] = []
        return head

    def _fail(self, found: Answer) -> None:
        """What ended the exchange early: a connection that breaks, or silence until the client gives up."""
        assert found.failure is not None
        self.close_connection = True
        if found.failure[0] in ("timeout", "cancelled"):
            # It is readable once the client has closed it.
            select.select([self.connection], [], [], min(found.took + 1, _HOLD))
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _refuse(self, status: int, kind: str, text: str) -> None:
        """An error in the shape that the SDKs of Anthropic and OpenAI read."""
        error = {"type": "error", "error": {"type": kind, "message": text, "code": kind, "param": None}}
        raw = json.dumps(error).encode()
        self.send_response_only(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.send_header("x-should-retry", "false")
        if status == 400:  # what was not read of it must not be taken for the next request
            self.send_header("connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: rows tell of requests."""
