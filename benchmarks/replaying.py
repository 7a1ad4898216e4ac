"""What answering from a trace takes: `trace serve` beside a plain http.server, `Replay.wrap` beside vcrpy.

    python benchmarks/replaying.py             # some thirty seconds; make bench-replay
    python benchmarks/replaying.py --quick     # to see that it works; the figures mean nothing

All of them answer the requests of one recorded run, in its order, over and over. The plain server has the bytes of
the answers and looks at nothing: what it takes is HTTP, and Python. vcrpy has the same run as a cassette, and
matches method, URL and body, as the replay does. Rounds take turns; figures are medians over the rounds.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import machine

TRACE = Path(__file__).parents[1] / "examples" / "failed-run.jsonl"
ENDS = ("model.response", "model.error")
URL = "http://api.test/v1/messages"
Ask = Callable[[], object]  # the whole run, once


def calls(trace: Path) -> list[tuple[bytes, dict[str, Any]]]:
    """The bodies of the requests of a run, each with the payload of its end."""
    events = [json.loads(line) for line in trace.read_bytes().splitlines()]
    ends = {
        event["call_id"]: event["payload"]
        for event in events
        if event["type"] in ("model.response", "model.error")
    }
    requests = [event for event in events if event["type"] == "model.request"]
    return [(json.dumps(event["payload"]["body"]).encode(), ends[event["call_id"]]) for event in requests]


# --- servers ---------------------------------------------------------------------------------------------------


@contextmanager
def trace_serve(trace: Path) -> Iterator[str]:
    command = [str(Path(sys.executable).parent / "trace"), "serve", "--repeat", str(trace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


@contextmanager
def plain_server(trace: Path) -> Iterator[str]:
    command = [sys.executable, __file__, "--serve", str(trace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def serve_plainly(trace: Path) -> None:
    """Answer each request with the bytes of the next answer, whatever it is."""
    answers = [json.dumps(end["body"]).encode() for _, end in calls(trace)]
    numbers = iter(range(sys.maxsize))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = answers[next(numbers) % len(answers)]
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def over_sockets(url: str, bodies: list[bytes], connections: int) -> tuple[Ask, Callable[[], None]]:
    """Asks a server over so many connections at once, and what closes them."""
    port = int(url.rpartition(":")[2])
    form = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b"
    sent = [form % (len(body), body) for body in bodies]
    files = [socket.create_connection(("127.0.0.1", port)).makefile("rwb") for _ in range(connections)]

    def one(file: Any) -> None:
        for request in sent:
            file.write(request)
            file.flush()
            answered(file)

    def ask() -> None:
        threads = [threading.Thread(target=one, args=(file,)) for file in files[1:]]
        for thread in threads:
            thread.start()
        one(files[0])
        for thread in threads:
            thread.join()

    def close() -> None:
        for file in files:
            file.close()

    return ask, close


def answered(file: Any) -> None:
    """Read one response."""
    length, chunked = 0, False
    file.readline()
    while line := file.readline().strip().lower():
        name, _, value = line.partition(b":")
        length = int(value) if name == b"content-length" else length
        chunked |= name == b"transfer-encoding"
    if not chunked:
        file.read(length)
        return
    while size := int(file.readline(), 16):
        file.read(size + 2)
    file.readline()


# --- within the process ----------------------------------------------------------------------------------------


def through(client: Any, bodies: list[bytes]) -> Ask:
    def ask() -> None:
        for body in bodies:
            client.post(URL, content=body).read()

    return ask


@contextmanager
def replayed(trace: Path, bodies: list[bytes]) -> Iterator[Ask]:
    import httpx

    from agent_replay_trace import Replay

    with Replay.load(trace, repeat=True, say=lambda text: None) as replay, httpx.Client() as client:
        yield through(replay.wrap(client), bodies)


@contextmanager
def cassette(trace: Path, bodies: list[bytes]) -> Iterator[Ask]:
    import httpx
    import vcr
    import yaml  # type: ignore[import-untyped]  # comes with vcrpy

    interactions = [
        {
            "request": {"method": "POST", "uri": URL, "body": body.decode(), "headers": {}},
            "response": {
                "status": {"code": end["status"], "message": "OK"},
                "headers": {"content-type": ["application/json"]},
                "body": {"string": json.dumps(end["body"])},
            },
        }
        for body, end in calls(trace)
    ]
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.yaml")
        Path(path).write_text(yaml.safe_dump({"version": 1, "interactions": interactions}))
        matching = ("method", "uri", "body")
        with (
            vcr.VCR(record_mode="none", match_on=matching).use_cassette(path, allow_playback_repeats=True),
            httpx.Client() as client,
        ):
            yield through(client, bodies)


# --- figures ---------------------------------------------------------------------------------------------------


def rate(ask: Ask, requests: int, seconds: float) -> float:
    """Requests a second, over some seconds."""
    done, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        ask()
        done += requests
    return done / taken


def measured(ways: dict[str, tuple[Ask, int]], rounds: int, seconds: float) -> dict[str, float]:
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (ask, requests) in ways.items():
            rates[name].append(rate(ask, requests, seconds))
    return {name: median(each) for name, each in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("trace", type=Path, nargs="?", default=TRACE)
    options = parser.parse_args()
    if options.serve:
        serve_plainly(options.serve)
        return
    rounds, seconds = (1, 0.1) if options.quick else (5, 1.0)
    bodies = [body for body, _ in calls(options.trace)]
    for name, value in machine.describe().items():
        print(f"{name + ':':10}{value}")
    print(f"\n{len(bodies)} requests of {sum(map(len, bodies)) // len(bodies)} bytes in the mean, over and over")
    with trace_serve(options.trace) as ours, plain_server(options.trace) as plain:
        for connections in (1, 16):
            closing, ways = [], {}
            for name, url in (("trace serve", ours), ("http.server", plain)):
                ask, close = over_sockets(url, bodies, connections)
                closing.append(close)
                ways[name] = ask, len(bodies) * connections
            shown(f"over {connections} connection{'s' * (connections > 1)}", measured(ways, rounds, seconds))
            for close in closing:
                close()
    with replayed(options.trace, bodies) as replay:
        ways = {"Replay.wrap": (replay, len(bodies))}
        rates = measured(ways, rounds, seconds)
    with cassette(options.trace, bodies) as tape:
        rates |= measured({"vcrpy": (tape, len(bodies))}, rounds, seconds)
    shown("within the process, through httpx", rates)


def shown(title: str, rates: dict[str, float]) -> None:
    first = next(iter(rates.values()))
    print(f"\n{title}")
    for name, each in rates.items():
        print(f"  {name:12}{each:8.0f} requests a second  ×{each / first:.2f}")


if __name__ == "__main__":
    main()
