"""What is said of a request that nobody recorded: the nearest that was recorded, and where the two differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trace_cli.difference import changes, common_words, words_of
from trace_cli.text import compact, visible

from .asked import Asked, Matching, Request
from .lookup import Lookup
from .recording import Recorded, Recording

LOOKED_AT = 300  # recorded requests that are compared with one that was missed
SHOWN = 6  # places that differ
_WIDE = 160  # characters of a value


class Miss(BaseException):
    """What is asked was not recorded: the text says what comes nearest, and what differs.

    No Exception, as pytest's own failures are none: an SDK would try again, and an agent that goes on after errors
    would let its test pass.
    """

    __module__ = "agent_replay_trace"  # where its name is public


def told(asked: Asked, lookup: Lookup, recording: Recording, matching: Matching) -> str:
    """The text of a Miss, some lines."""
    head = f"{_files(recording)} has no answer to {asked.shown()}"
    if used := lookup.used_up(asked):
        places = ", ".join(recording.place(each.start) for each in used[:SHOWN])
        times = "once" if len(used) == 1 else f"{len(used)} times"
        return f"{head}\n  it was recorded {times} ({places}) and asked for once more"
    if left := lookup.unanswered.get(matching.key(asked)):
        return f"{head}\n  it was recorded ({recording.place(left.start)}), but {left.problem}"
    found = _nearest(asked, lookup, recording, matching)
    if found is None:
        kind = "requests were" if isinstance(asked, Request) else "calls of a tool were"
        return f"{head}\n  no {kind} recorded, or all were used"
    recorded, before = found
    where = recording.place(recorded.start)
    state = "the nearest that was not used yet" if not recorded.used else "the nearest, which was used"
    lines = list(_differences(before, asked, matching))
    return "\n".join([head, f"  {state} is {where}; there, and here:", *(f"    {each}" for each in lines)])


def _files(recording: Recording) -> str:
    return ", ".join(recording.index.files) or "the trace, which is empty,"


def _nearest(
    asked: Asked, lookup: Lookup, recording: Recording, matching: Matching
) -> tuple[Recorded, Asked] | None:
    """The recorded one that has most words in common, of those that were not used if there are any."""
    candidates = _near(lookup)
    wanted = words_of(_plain(asked, matching))
    best: tuple[float, Recorded, Asked] | None = None
    for recorded in candidates:
        before = recording.asked(recorded)
        if type(before) is not type(asked):
            continue
        likeness = common_words(words_of(_plain(before, matching)), wanted)
        likeness += _same_kind(before, asked)
        if best is None or likeness > best[0]:
            best = likeness, recorded, before
    return best and best[1:]


def _near(lookup: Lookup) -> Sequence[Recorded]:
    """The unused ones that come next in the order of the recording; all, where each was used."""
    return (lookup.unused() or lookup.all)[:LOOKED_AT]


def _same_kind(before: Asked, asked: Asked) -> float:
    if isinstance(before, Request) and isinstance(asked, Request):
        return float((before.method, before.target) == (asked.method, asked.target))
    return float(getattr(before, "tool_name", 0) == getattr(asked, "tool_name", 1))


def _plain(asked: Asked, matching: Matching) -> dict[str, Any]:
    """What counts of what was asked, in the shape that it has in a line."""
    counted = matching.counted(asked)
    if isinstance(asked, Request):
        return {"method": asked.method, "target": asked.target, "body": counted}
    return {"tool_name": asked.tool_name, "args": counted}


def _differences(before: Asked, asked: Asked, matching: Matching) -> Iterator[str]:
    found = list(changes(_plain(before, matching), _plain(asked, matching)))
    for change in found[:SHOWN]:
        yield from _lines(change)
    if len(found) > SHOWN:
        yield f"and {len(found) - SHOWN} more places"
    if not found:
        yield "nothing that counts differs, but what match= makes of them does"
    elif isinstance(asked, Request):
        parts = dict.fromkeys("/payload" + "/".join(change["path"].split("/")[:3]) for change in found[:SHOWN])
        yield f"If it is to differ: record the run anew, or ignore={list(parts)} (--ignore, of trace serve)"


def _lines(change: Mapping[str, Any]) -> Iterator[str]:
    yield f"/payload{change['path']}"
    for words in list(change.get("words") or ())[:SHOWN]:
        yield _side("-", f"{words['before']}[-{words['a']}-]{words['after']}" if words["a"] else "")
        yield _side("+", f"{words['before']}{{+{words['b']}+}}{words['after']}" if words["b"] else "")
    if not change.get("words"):
        yield _side("-", _shown(change["a"]) if "a" in change else "")
        yield _side("+", _shown(change["b"]) if "b" in change else "")


def _side(sign: str, text: str) -> str:
    return f"  {sign} {visible(text) if text else '(not there)'}"


def _shown(value: Any) -> str:
    return compact(value, _WIDE) or '""'
