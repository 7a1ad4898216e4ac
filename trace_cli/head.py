"""The head of a canonical line (trace-events(5)): scalars without escapes, in one order, up to the payload."""

import re
from collections.abc import Callable
from typing import Any

Condition = Callable[[re.Match[bytes]], bool]  # on the head of a line

OWN = b'{"v":1,"type":"'  # how such a line begins
_NAME = rb'"([a-zA-Z0-9_.:-]+)"'  # \w would take a quarter longer
match = re.compile(
    rb'\{"v":1,"type":%(n)b,"timestamp":"([a-zA-Z0-9_.:+-]+)","run_id":%(n)b,"seq":(0|[1-9][0-9]{0,17})'
    rb'(?:,"call_id":(?:%(n)b|null))?(?:,"step_id":(?:%(n)b|null))?'
    rb'(?:,"trace_id":"([0-9a-f]{32})","span_id":"([0-9a-f]{16})")?,"payload":\{' % {b"n": _NAME}
).match
TYPE, TIMESTAMP, RUN_ID, SEQ, CALL_ID, STEP_ID, TRACE_ID, SPAN_ID = range(1, 9)  # groups


def head_fields(found: re.Match[bytes]) -> dict[str, Any]:
    """What the head says, as parsing would, with an empty payload."""
    names = ("type", "timestamp", "run_id", "seq", "call_id", "step_id", "trace_id", "span_id")
    said: dict[str, Any] = {
        name: None if value is None else value.decode() for name, value in zip(names, found.groups(), strict=True)
    }
    return {"v": 1, **said, "seq": int(found[SEQ]), "payload": {}}
