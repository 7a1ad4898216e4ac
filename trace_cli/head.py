"""The head of a canonical line (trace-events(5)): scalars without escapes, in one order, up to the payload."""

import re
from typing import Any

OWN = b'{"v":1,"type":"'  # how such a line begins
match = re.compile(
    rb'\{"v":1,"type":"([\w.:-]+)","timestamp":"([\w.:+-]+)","run_id":"([\w.:-]+)","seq":(0|[1-9]\d{0,17})'
    rb'(?:,"call_id":(?:"([\w.:-]+)"|null))?(?:,"step_id":(?:"([\w.:-]+)"|null))?,"payload":\{'
).match
TYPE, TIMESTAMP, RUN_ID, SEQ, CALL_ID, STEP_ID = range(1, 7)  # groups


def head_fields(found: re.Match[bytes]) -> dict[str, Any]:
    """What the head says, as parsing would, with an empty payload."""
    names = ("type", "timestamp", "run_id", "seq", "call_id", "step_id")
    said: dict[str, Any] = {
        name: None if value is None else value.decode() for name, value in zip(names, found.groups(), strict=True)
    }
    return {"v": 1, **said, "seq": int(found[SEQ]), "payload": {}}
