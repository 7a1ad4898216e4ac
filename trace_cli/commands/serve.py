"""Answer the requests of a recorded run again, as a local HTTP server: no network, no cost, any language.

The server listens on 127.0.0.1 only. The first line of output says where: {"url", "requests", "environment"}; then
comes one for each request: {"method", "target", "status", "stream"}, with "error" and "message" where it could not
be answered. Requests are the same when method, path, query and body are, but for volatile fields (ids, who asks,
what `trace diff` disregards); the same request gets the recorded answers in their order. Plain responses have the
recorded bytes, streams come as streams, errors and broken connections as they were recorded.

With `-- COMMAND` the agent is started with ANTHROPIC_BASE_URL and OPENAI_BASE_URL set to the server, which ends
with it. Of a trace that `trace fixture` made, the agent has to get past the failure that it was made for.

What was not recorded is answered with status 404 and an error of the type replay_miss, whose message says what
comes nearest. At the end (Ctrl-C, SIGTERM), what was never asked for is told on stderr.

Exit status: 1 a request could not be answered, COMMAND sent none, or the failure of a fixture is still there; 0
that failure is gone; else that of COMMAND.

Examples:

  trace serve run.jsonl --port 8765
  trace serve run.jsonl -- node agent.mjs
  trace serve --repeat run.jsonl -- npm test
"""

import os
import queue
import signal
import subprocess
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from trace_cli import params, render
from trace_cli.errors import ClosedPipe, TraceError
from trace_cli.reading import talk
from trace_cli.view import View

if TYPE_CHECKING:
    from tracereplay.replay import Replay

KEPT = 10_000  # rows that wait to be printed


class WithCommand(click.Command):
    """Everything behind `--` is the command to run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        ctx.obj = args[end + 1 :]
        return super().parse_args(ctx, args[:end])


@params.command(__doc__, cls=WithCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE... [-- COMMAND...]", type=click.Path())
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port. [default: a free one]"
)
@params.replaying
@params.viewing
@click.pass_obj
def command(
    behind: list[str], files: tuple[str, ...], port: int, options: dict[str, Any], view: View, strict: bool
) -> int:
    from tracereplay.replay import Replay
    from tracereplay.server import Server

    if unread := next((each for each in files[1:] if not os.path.exists(each)), None):
        raise TraceError(f"{unread}: No such file or directory", "a command to run stands behind --")
    replay = Replay.load(*files, **options)
    replay.judging = True
    ended = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):  # the usual ends of a server
        signal.signal(each, lambda *_: ended.set())
    with render.results(view, files, live=True) as results:
        rows = Rows(results, view.pretty)
        with Server(replay, port, (lambda row: None) if behind else rows.put) as server:
            environment = server.environment()
            if not behind:
                rows.put(
                    {"url": server.url, "requests": len(replay.recording.exchanges), "environment": environment}
                )
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
            try:
                status = ran(behind, environment) if behind else waited(ended)
            finally:
                server.shutdown()
                rows.close()
                replay.close()
    return verdict(replay, status if behind else None)


def verdict(replay: "Replay", status: int | None) -> int:
    """The exit status, and why, for an agent that ended with its own `status`; None where none was started."""
    for miss in replay.misses if status is not None else ():
        talk(f"trace: {miss}")
    if replay.reproduced or replay.misses:
        talk(f"trace: the agent failed again: {replay.failure}") if replay.reproduced else None
        return 1
    if status is None:
        return 0
    ended_well = replay.failed and status == 0 and replay.recording.ended == "error"  # with the error of the API
    if replay.past or ended_well:
        talk(f"trace: the agent got past {replay.failure or 'the last recorded request'}")
        return 0
    if not replay.asked:
        talk("trace: no request came: the agent has to heed ANTHROPIC_BASE_URL or OPENAI_BASE_URL")
        return 1
    if replay.failure:
        talk(f"trace: the agent ended before it got past the failure: {replay.failure}")
        return 1
    return status


class Rows:
    """Prints rows, on a thread of its own: whoever starts a server and reads no more of it must not hold it up."""

    def __init__(self, results: render.Results, pretty: bool) -> None:
        self._results = results
        self._pretty = pretty
        self._rows: queue.Queue[dict[str, Any] | None] = queue.Queue(KEPT)
        self._thread = threading.Thread(target=self._print, daemon=True)
        self._thread.start()

    def put(self, row: dict[str, Any]) -> None:
        """One more; left out where too many wait."""
        with suppress(queue.Full):
            self._rows.put_nowait(row)

    def close(self) -> None:
        """Prints what waits, if that goes at once."""
        with suppress(queue.Full):
            self._rows.put_nowait(None)
        self._thread.join(1.0)

    def _print(self) -> None:
        with suppress(ClosedPipe):  # then nobody reads them
            for row in iter(self._rows.get, None):
                if self._pretty:
                    self._results.text(shown(row))
                else:
                    self._results.rows([row])
                self._results.flush()


def shown(row: dict[str, Any]) -> str:
    """A row for eyes."""
    if "url" in row:
        variables = "\n".join(f"  {name}={value}" for name, value in row["environment"].items())
        return f"{row['requests']} requests are answered at {row['url']} until Ctrl-C\n{variables}"
    how = "no answer" if row["status"] is None else f"{row['status']}{' stream' if row['stream'] else ''}"
    told = f"{row['method']} {row['target']}  {how}"
    return f"{told}  {row['message']}" if "message" in row else told


def waited(ended: threading.Event) -> int:
    """Waits for Ctrl-C or SIGTERM."""
    ended.wait()
    return 0


def ran(command: list[str], environment: dict[str, str]) -> int:
    """Runs a command with these variables, and a key for the SDKs if there is none; its status."""
    keys = {name.replace("BASE_URL", "API_KEY"): "replayed" for name in environment}
    local = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    try:
        process = subprocess.Popen(command, env=keys | local | os.environ | environment)
    except OSError as error:
        raise TraceError(f"{command[0]}: {error.strerror}") from None
    seen: Counter[int] = Counter()

    def passed_on(number: int, frame: object) -> None:
        seen[number] += 1
        if number == signal.SIGTERM or seen[number] > 1:  # the first Ctrl-C, the command has got too
            process.kill() if seen[number] > 2 else process.terminate()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, passed_on)
    status = process.wait()
    return status if status >= 0 else 128 - status
