"""Every scenario of the tap's, recorded and then replayed: the agent sees the same, and nobody else is asked."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agents import Way, play, ways
from agenttap import Tap
from fakeapi import Server
from scenarios import SCENARIOS

from agent_replay_trace import Replay

OTHERWISE = {
    # What the tap does not have: bytes that it could not decode, bodies only known while they were sent.
    *("gzip_that_is_none", "encoding_that_nobody_knows", "file_upload", "body_made_while_sending"),
    "openai_batch",
    # What the client did, and nobody else: it was interrupted or cancelled while it waited, its own bug raised.
    *("interrupted_call", "cancelled_call", "mock_transport_that_raises"),
    "client_closed_in_a_stream",  # what a closed client says depends on its back end
    # The agent looks into the server or the wire: whether a connection is kept, when a chunk comes.
    *("connection_kept", "every_chunk_when_it_comes", "streaming_response_iterated"),
    # Wrapping only begins in the middle; and what the agent asks is in its client's own mock of a transport.
    *("wrapped_in_a_stream", "client_that_goes"),
}
# On each back end; the others have transports of their own, of which the replay takes the place.
EVERYWHERE = {"plain_call", "stream_events", "busy_then_streamed", "reset_in_a_stream"}
CASES = [
    (name, way)
    for name, (_, fits) in SCENARIOS.items()
    for way in ways()
    if fits(way) and name not in OTHERWISE and (way.backend in ("sync", "async") or name in EVERYWHERE)
]


@pytest.mark.parametrize(("name", "way"), CASES, ids=[f"{name}-{way}" for name, way in CASES])
def test_the_agent_sees_the_same(name: str, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "run.jsonl"
    scenario = SCENARIOS[name][0]
    with Tap(trace, raw_streams=True) as tap:
        before, _ = play(scenario, way, tap.wrap)
    monkeypatch.setattr(Server, "_accept", lambda server: None)  # from now on nobody answers
    with Replay.load(trace, say=lambda text: None) as replay:
        after, _ = play(scenario, way, replay.wrap)
    assert joined(map(plain, after.seen)) == joined(map(plain, before.seen))


def joined(seen: Iterable[Any]) -> list[Any]:
    """What was seen, bytes that came one after another as one."""
    found: list[Any] = []
    for each in seen:
        if isinstance(each, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += each
        else:
            found.append(each)
    return found


def plain(seen: Any) -> Any:
    """What was seen, without what only a connection has: extensions, exceptions of the layer below, pieces."""
    match seen:
        case (str(kind), int(status), dict(headers), str(), list()):
            return kind, status, dict(ours(headers))
        case {"raised": raised, "text": text}:
            return raised, re.sub(r"\[Errno \d+\] ", "", text), seen["status"], seen["body"]
    return seen


def ours(headers: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The headers of a response, but for how it was packed, and what speeds a replay up."""
    for name, value in headers.items():
        if name not in ("content-encoding", "content-length", "retry-after-ms"):
            yield name, value
