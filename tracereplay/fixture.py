"""A run that failed -> the smallest part of it that replays up to the failure, and a test that fails as it did."""

import re
from collections.abc import Callable, Iterator
from keyword import iskeyword

from trace_cli.event import Event
from trace_cli.index import Index, Run
from trace_cli.line import dump, parse, splice
from trace_cli.text import visible

from .recording import ENDS, REQUESTS

_KEPT = (*REQUESTS, "tool.called", "run.started")
_ENDS = (*ENDS, "tool.result")
_NAME = 60  # characters of a name
_PLACE = """def agent():
    raise NotImplementedError("start the agent here, as it was started")
"""


def part(index: Index, anchor: int) -> list[int]:
    """The numbers of the events that it takes to replay a run up to one of its events, in their order.

    What was asked before, in this run and in all that belong to its agent, with what came of it even if that came
    later; and the event itself. If it is an error, also the request in which the agent went on from there: by that
    it is known that it failed again.
    """
    runs = _family(index, anchor)
    behind = _behind(index, anchor) if anchor in index.errors else None
    calls: set[tuple[int, int]] = set()
    kept: list[int] = []
    for number in range(len(index)):
        if index.run_of[number] not in runs:
            continue
        kind, call = index.type(number), (index.run_of[number], index.call_of[number])
        if number <= anchor and kind in _KEPT:
            calls.add(call)
            kept.append(number)
        elif number in (anchor, behind) or (kind in _ENDS and call in calls):
            kept.append(number)
    return kept


def _behind(index: Index, anchor: int) -> int | None:
    """The request in which the agent went on after an error: the one that names the call, else the next."""
    if index.type(anchor) == "model.request":
        return None
    run = index.run_of[anchor]
    behind = range(anchor + 1, len(index))
    later = [each for each in behind if index.run_of[each] == run and index.type(each) == "model.request"]
    event = index.event(anchor)
    told = [each for each in (event.call_id, event.error) if each and len(each) > 3]
    for text in told if event.type == "tool.result" else ():
        named = dump(text)[1:-1]
        found = next((each for each in later if named in index.raw(each)), None)
        if found is not None:
            return found
    return later[0] if later and not _is_busy(index, anchor, later[0]) else None


def _is_busy(index: Index, anchor: int, until: int) -> bool:
    """Whether other requests were under way meanwhile, so that the next need not be of the one that failed."""
    run, open_calls = index.run_of[anchor], set[int]()
    for number in range(index.run(anchor).start, until):
        if index.run_of[number] == run:
            if index.type(number) in ("model.request", "tool.called"):
                open_calls.add(index.call_of[number])
            elif index.type(number) in _ENDS:
                open_calls.discard(index.call_of[number])
    return bool(open_calls)


def _family(index: Index, anchor: int) -> set[int]:
    """The runs of the agent that an event belongs to: from the one that nobody of these started down."""
    parents: dict[object, object] = {run.run_id: _parent(index, run) for run in index.runs}

    def root(run_id: object) -> object:
        seen = set()
        while parents.get(run_id) in parents and run_id not in seen:
            seen.add(run_id)
            run_id = parents[run_id]
        return run_id

    wanted = root(index.run(anchor).run_id)
    return {run.number for run in index.runs if run is index.run(anchor) or root(run.run_id) == wanted}


def _parent(index: Index, run: Run) -> object:
    first = index.event(run.start)
    return first.payload.get("parent_run_id") if first.type == "run.started" else None


def lines(index: Index, anchor: int, kept: list[int], scrubbed: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The events of that part, `kept`, as lines, scrubbed; the one that it is about says so.

    That is an error, or where the run is cut, as requests come after it.
    """
    for number in kept:
        raw = scrubbed(index.raw(number))
        error = index.errors.get(number)
        if number == anchor and (error is not None or _goes_on(index, anchor)):
            told = None if error is None else parse(scrubbed(dump(error)))
            raw = splice(raw, _fixture={"error": told, "ended": _ended(index, anchor)})
        yield raw


def _goes_on(index: Index, anchor: int) -> bool:
    """Whether requests to a model come after an event, in its run."""
    run = index.run_of[anchor]
    return any(index.run_of[n] == run and index.type(n) == "model.request" for n in range(anchor + 1, len(index)))


def _ended(index: Index, anchor: int) -> str | None:
    """How the run ended, `ok` or `error`; None if it did not."""
    run = index.run_of[anchor]
    ends = (n for n in range(len(index) - 1, -1, -1) if index.run_of[n] == run and index.type(n) == "run.ended")
    end = next(ends, None)
    return None if end is None else str(index.event(end).payload.get("status"))


def name(index: Index, anchor: int) -> str:
    """What to call the test: the run, and the tool or kind of error that it is about."""
    error = index.errors.get(anchor, {})
    what = error.get("tool_name") or error.get("kind") or "run"
    words = [index.run(anchor).name or "run", *([str(what)] if error else [])]
    found = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
    return found[:_NAME].strip("-") or "run"


def is_agent(text: str) -> bool:
    """Whether a text is MODULE:FUNCTION, so that Python can import it."""
    module, colon, function = text.partition(":")
    parts = [*module.split("."), *function.split(".")]
    return bool(colon) and all(each.isidentifier() and not iskeyword(each) for each in parts)


def identifier(name: str) -> str:
    """The name as a part of an identifier."""
    return re.sub(r"\W", "_", name)


def test(name: str, event: Event, requests: int, agent: str | None) -> str:
    """The text of the test file. `event` is what it is about, scrubbed, with its `_fixture` if it is an error."""
    fixture = event.fields.get("_fixture")
    error = fixture.get("error") if isinstance(fixture, dict) else None
    when = event.timestamp or "an unknown time"
    if error is None:
        title = f"The run does what it did at {when}."
        rest = f"It makes the same {_counted(requests)}; answers come from {name}.jsonl, not from the network."
    else:
        what = event.failure or str(error.get("message"))
        title = f"{error.get('tool_name') or 'the run'}: {what}"
        rest = (
            f"So it failed at {when}. Up to there, {_counted(requests)} to the model, answers come from"
            f" {name}.jsonl, not from the network: the test fails in the same way until the agent gets past it."
        )
    module, _, function = (agent or "").rpartition(":")
    if agent:
        head = function.partition(".")[0]
        start = f"import pytest\n\nfrom {module} import {head}\n"
        called = function
    else:
        start, called = f"import pytest\n\n\n{_PLACE}", "agent"
    return (
        f'"""{_prose(title)}\n\n{_wrapped(_prose(rest))}\n"""\n\n{start}\n\n'
        f'@pytest.mark.trace("{name}.jsonl")\ndef test_{identifier(name)}(replay):\n    replay.rerun({called})\n'
    )


def _counted(requests: int) -> str:
    return "request" if requests == 1 else f"{requests} requests"


def _prose(text: str) -> str:
    """Text fit for a docstring: nothing in it ends it, or is an escape."""
    shown = "\n".join(visible(each) for each in text.split("\n")[:20])
    return shown.replace("\\", "/").replace('"', "'")


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(" ".join(text.split()), 100))
