"""The conversation as the model saw it at a moment. Everything walks back from there, no further than it must."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from trace_cli import line, message, usage
from trace_cli.event import Event
from trace_cli.usage import Tokens

REACH = 64  # requests, or responses, that are looked at on the way back
CHAIN = 1_000  # requests of a conversation that the API kept, one continuing the other by its response's id


@dataclass(frozen=True, slots=True)
class Context:
    """What the model had been sent with `request`; if `inferred`, with what was known since, as it would be sent.

    `messages` are in the shape of the API. `usage` is the vendor's, of the last response known. `missing` says
    what could not be known. `answer` is the response to the request, where it was known. `kept` are all messages
    of the request before, where the API kept them: they came in its stead.
    """

    request: Event
    system: Any
    tools: list[Any]
    messages: list[Mapping[str, Any]]
    settings: dict[str, Any]
    usage: Mapping[str, Any] | None
    inferred: bool
    answer: Event | None = None
    missing: str | None = None
    kept: Sequence[Mapping[str, Any]] = ()


def at(earlier: Iterable[Event]) -> Context | None:
    """The conversation at an event; `earlier` are it and those before it in its run, newest first.

    It is that of the last `model.request`; of several conversations in the run, of the one that the event belongs
    to. None: there is no request.
    """
    since, before = _to_the_request(iter(earlier))
    if not since:
        return None
    request = since.pop()
    sent, missing, continued = _sent(request, before)
    answer = next((each for each in reversed(since) if _answers(each, request)), None)
    added: list[Mapping[str, Any]] = []
    if answer is not None:
        added = sendable(answer)
        added += _results(added, since, "choices" in body_of(answer))
    usage = body_of(answer).get("usage") if answer is not None else None
    return Context(
        request,
        sent.system,
        sent.tools,
        [*sent.messages, *added],
        sent.settings,
        usage if isinstance(usage, Mapping) else None,
        bool(added) or len(sent.messages) > len(message.parts(body_of(request)).messages),
        answer,
        missing,
        continued,
    )


def body_of(event: Event) -> Mapping[str, Any]:
    """The body of a request or response; empty where it is none that can be read."""
    body = event.payload.get("body")
    return body if isinstance(body, Mapping) else {}


def sendable(answer: Event) -> list[Mapping[str, Any]]:
    """The messages of a response as the next request brings them: of Anthropic's, which is one, what it says."""
    body = body_of(answer)
    said = {"role": body.get("role", "assistant"), "content": body.get("content")}
    return [said if each is body else each for each in message.answers(body)]


def asked_by(earlier: Iterable[Event]) -> Event | None:
    """The response that asked for a tool call, of the call or its result and what came before it, newest first.

    The one with the id of the call; else the nearest with the tool's name and arguments, else with its name.
    """
    walk = iter(earlier)
    anchor = next(walk, None)
    return None if anchor is None else _asking(anchor, walk, [])


def kept(response_id: str, walk: Iterator[Event]) -> tuple[Event, Event] | None:
    """The request and its response, whose id is given, among events newest first; None: not both are there."""
    answer: Event | None = None
    for event in walk:
        if answer is None:
            if event.type == "model.response" and body_of(event).get("id") == response_id:
                answer = event
        elif event.type == "model.request" and event.call_id == answer.call_id:
            return event, answer
    return None


def _asking(anchor: Event, walk: Iterator[Event], passed: list[Event]) -> Event | None:
    """The response that asked for the tool call of the anchor. What is read from the walk goes into `passed`."""
    args, left = anchor.args, REACH
    alike: Event | None = None
    by_name: Event | None = None
    for event in walk:
        passed.append(event)
        if event.type == "tool.called" and event.call_id == anchor.call_id:
            args = event.args
        if event.type != "model.response":
            continue
        for call_id, name, told in message.identified_tool_calls(message.answers(body_of(event))):
            if call_id == anchor.call_id:
                return event
            if name == anchor.tool_name:
                by_name = by_name or event
                if alike is None and _arguments(told) == args:
                    alike = event
        left -= 1
        if not left or (alike and _is_of_the_tap(anchor.call_id)):
            break
    return alike or by_name


# As the tap names a call that the agent gave no id (`new_id` in tap/event.py): no model asked for it.
_OF_THE_TAP = re.compile("call_[0-9a-f]{24}").fullmatch


def _is_of_the_tap(call_id: str | None) -> bool:
    return call_id is None or _OF_THE_TAP(call_id) is not None


def _arguments(told: Any) -> Any:
    """The arguments of a call, which OpenAI's shapes give as text."""
    return line.parsed(told) if isinstance(told, str) else told


def _to_the_request(walk: Iterator[Event]) -> tuple[list[Event], Iterator[Event]]:
    """The events from the anchor back to the request that counts for it, both included, and those before it."""
    anchor = next(walk, None)
    if anchor is None or anchor.type == "model.request":
        return [] if anchor is None else [anchor], walk
    call_id = anchor.call_id if anchor.type in ("model.response", "model.error") else None
    passed: list[Event] = []
    if anchor.type in ("tool.called", "tool.result"):
        asking = _asking(anchor, walk, passed)
        call_id = asking.call_id if asking is not None else None
    return _back_to([anchor], chain(passed, walk), call_id, anchor.step_id)


def _back_to(
    since: list[Event], walk: Iterator[Event], call_id: str | None, step: str | None
) -> tuple[list[Event], Iterator[Event]]:
    """Back to the request of a call; where none is named, to the last one of the step; else to the last one."""
    last, left = None, REACH
    for event in walk:
        since.append(event)
        if event.type == "step.started" and event.step_id == step:
            step = None  # the request that it stands in is the next one
        if event.type != "model.request":
            continue
        if event.call_id == call_id if call_id is not None else step is None or event.step_id == step:
            return since, walk
        last = last or len(since)
        left -= 1
        if not left:
            break
    return (since[:last], chain(since[last:], walk)) if last else ([], walk)


def _answers(event: Event, request: Event) -> bool:
    """Whether an event is the whole response to a request."""
    return (
        event.type == "model.response"
        and event.call_id == request.call_id
        and event.payload.get("complete") is not False
        and not message.error_body(body_of(event))
    )


def _results(answers: Iterable[Mapping[str, Any]], since: list[Event], chat: bool) -> Iterator[Mapping[str, Any]]:
    """The messages that take the results of tools to the model, of the events since its request, newest first."""
    called = {event.call_id: event.args for event in since if event.type == "tool.called"}
    left = [event for event in reversed(since) if event.type == "tool.result"]
    responses = (event for event in since if event.type == "model.response")
    told_ids = {each for event in responses for each in message.tool_names(message.answers(body_of(event)))}
    blocks: list[Mapping[str, Any]] = []
    for sent in answers:
        for call_id, name, told in message.identified_tool_calls([sent]):
            result = next((each for each in left if each.call_id == call_id), None)
            if result is None:
                args = _arguments(told)
                free = (each for each in left if each.tool_name == name and each.call_id not in told_ids)
                result = next((each for each in free if called.get(each.call_id) == args), None)
            if result is None:
                continue
            left.remove(result)
            text = _as_text(result)
            if chat:
                yield {"role": "tool", "tool_call_id": call_id, "content": text}
            elif sent.get("type") == "function_call":
                yield {"type": "function_call_output", "call_id": call_id, "output": text}
            else:
                failed = {"is_error": True} if result.payload.get("error") is not None else {}
                blocks.append({"type": "tool_result", "tool_use_id": call_id, "content": text, **failed})
    if blocks:
        yield {"role": "user", "content": blocks}


def _as_text(result: Event) -> str:
    if result.payload.get("error") is not None:
        return result.failure or ""
    return result.result if isinstance(result.result, str) else line.dump(result.result).decode()


def _sent(request: Event, walk: Iterator[Event]) -> tuple[message.Parts, str | None, Sequence[Mapping[str, Any]]]:
    """What a request carries, with the conversation before it that the API kept; what is missing of it; `kept`."""
    body = body_of(request)
    if not body:
        return message.parts(body), _unreadable(request), ()
    turns = [
        message.messages(body)
    ]  # newest first: a request's, the answer's before it, the request's before that
    missing: str | None = None
    wanted = body.get("previous_response_id")
    while isinstance(wanted, str) and missing is None:
        found = kept(wanted, walk) if len(turns) < 2 * CHAIN else None
        if found is None:
            missing = f"the conversation before {wanted} is kept by the API, and not in this trace"
            break
        asked, answer = found
        before = body_of(asked)
        missing = None if before else f"of the conversation before {wanted}, {_unreadable(asked)}"
        turns += [list(message.answers(body_of(answer))), message.messages(before)]
        wanted = before.get("previous_response_id")
    if body.get("conversation") is not None and "input" in body:
        missing = "the conversation before this request is kept by the API"
    every = [each for part in reversed(turns) for each in part]
    return message.parts({**body, "messages": every}), missing, every[: sum(map(len, turns[2:]))]


def _unreadable(request: Event) -> str:
    large = request.payload.get("truncated") is True
    return "the body of the request is " + ("too large to be recorded" if large else "no JSON object")


def spent(responses: Iterable[Event]) -> dict[str, int]:
    """The tokens of these events, each call once: how many `requests` told of them, and their sums."""
    found = Spent()
    for event in responses:
        found.add(event)
    return found.row()


class Spent:
    """The tokens of responses that come one after the other, each call once. Memory: a count for each call."""

    def __init__(self) -> None:
        self._told: dict[str | int, Tokens | None] = {}

    def add(self, response: Event) -> None:
        """Takes a response."""
        self._told[response.call_id or response.index] = usage.tokens(body_of(response))

    def row(self) -> dict[str, int]:
        """How many `requests` told of their tokens, and their sums."""
        known = [each for each in self._told.values() if each is not None]
        total = usage.total(known)
        return {
            "requests": len(known),
            "input_tokens": total.input,
            "output_tokens": total.output,
            "cache_read_tokens": total.cache_read,
            "cache_write_tokens": total.cache_write,
        }
