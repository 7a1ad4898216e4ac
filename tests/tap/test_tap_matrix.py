"""Every scenario, for every SDK and back end: the agent sees no difference, and the trace holds each call."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from agents import KEY, Agent, Way, play, quick, ways
from agenttap import Tap
from scenarios import SCENARIOS, Call
from traced import Trace

PLAYS = [(name, way) for name, (_, fits) in SCENARIOS.items() for way in ways() if fits(way)]


@pytest.fixture(scope="module", autouse=True)
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with quick(tmp_path_factory.mktemp("none")):
        yield


@pytest.mark.parametrize(("name", "way"), PLAYS, ids=[f"{name}-{way}" for name, way in PLAYS])
def test_a_tap_changes_nothing_and_records_all(name: str, way: Way, tap: Tap, trace: Trace) -> None:
    scenario, _ = SCENARIOS[name]
    bare, _ = play(scenario, way, lambda client: client)
    agent, calls = play(scenario, way, tap.wrap)
    assert agent.seen == bare.seen
    assert sent(agent) == sent(bare)
    assert tap.flush()
    assert not tap.recorder.in_flight
    check(calls, trace, agent)


def sent(agent: Agent) -> list[Any]:
    """What reached the server, without what is another each time."""
    found = []
    for request in agent.server.seen:
        boundary = re.search(r"boundary=(\S+)", request.headers.get("content-type", ""))
        passing = [boundary[1]] if boundary else []
        headers = {k: v for k, v in request.headers.items() if k not in ("host", "idempotency-key")}
        text = repr((request.method, request.path, headers, request.body))
        for word in (*passing, agent.server.url.rpartition(":")[2]):
            text = text.replace(word, "?")
        found.append(text)
    return found


def check(calls: list[Call | None], trace: Trace, agent: Agent) -> None:
    """Hold the trace to the calls; None among them is one that the tap was not there for."""
    events = trace.events()[1:]
    seen = agent.server.seen if len(agent.server.seen) == len(calls) else []
    requests = [event for event in events if event["type"].endswith(".request")]
    ends = {event["call_id"]: event for event in events if not event["type"].endswith(".request")}
    recorded = [call for call in calls if call is not None]
    arrived = [one for one, call in zip(seen, calls, strict=False) if call is not None]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len(events) == 2 * len(recorded) == 2 * len(requests) == 2 * len(ends)
    for number, (call, request) in enumerate(zip(recorded, requests, strict=True)):
        end = ends[request["call_id"]]
        payload = end["payload"]
        told = request["payload"]
        error = payload.get("error")
        assert request["type"] == f"{call.family}.request"
        assert end["type"] == f"{call.family}.{'error' if call.error else 'response'}", error
        numbered = "x-stainless-retry-count" in told["headers"]  # not in anthropic 0.34
        assert told["attempt"] == (call.attempt if numbered else 1)
        assert told["provider"] == (agent.api.name if call.family == "model" else None)
        if arrived:
            assert told["method"] == arrived[number].method
            assert told["url"].endswith(arrived[number].path)
            assert body_fits(told["body"], arrived[number])
        assert payload["status"] == call.status
        assert payload["stream"] is call.streamed
        assert payload["complete"] is (call.error in (None, "http") if call.complete is None else call.complete)
        assert payload["request_id"] == payload["headers"].get("request-id")
        assert payload["duration_ms"] >= (payload["ttft_ms"] or 0) >= 0
        if call.error:
            assert error["kind"] in ((call.error,) if isinstance(call.error, str) else call.error)
            assert call.type in (None, error["type"])
            assert call.says in error["message"]
            assert error["message"] or error["type"]
        assert fits(call.body, payload["body"])
    assert KEY.encode() not in trace.raw


def body_fits(told: Any, request: Any) -> bool:
    """Whether the body of a request is the one that arrived."""
    if not request.body:
        return told is None
    if isinstance(told, dict) and "streamed" in told:
        return told["bytes"] in (None, len(request.body))
    return bool(told == json.loads(request.body))


def fits(wanted: Any, found: Any) -> bool:
    """Whether a body is as wanted: the same, or has a text in it, or is what the SDK's own object tells."""
    if wanted is None or wanted is ...:
        return True
    if hasattr(wanted, "to_dict"):
        return bool(bare(wanted.to_dict(warnings=False)) == bare(found))
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(fits(value, found.get(key)) for key, value in wanted.items()) and set(bare(found)) <= set(
            wanted
        )
    if isinstance(wanted, str) and not isinstance(found, str):
        return wanted in json.dumps(found)
    return bool(wanted == found)


def bare(value: Any) -> Any:
    """Without nulls, and without what the SDK adds of its own."""
    if isinstance(value, dict):
        own = ("parsed", "parsed_arguments", "parsed_output", "to_dict")
        told = {k: v for k, v in value.items() if (k, v) != ("tool_calls", [])}  # openai 1.60 makes that one up
        return {k: bare(v) for k, v in told.items() if v is not None and k not in own}
    return [bare(one) for one in value] if isinstance(value, list) else value
