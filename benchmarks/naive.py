"""What somebody writes who has no tool: every line is parsed with orjson.

python naive.py types FILE…
"""

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

import orjson


def events(files: list[str]) -> Iterator[tuple[bytes, Any]]:
    """Each line, and what it says."""
    for name in files:
        with open(name, "rb") as file:
            for line in file:
                yield line, orjson.loads(line)


def is_error(event: Any) -> bool:
    """The errors that a made-up trace has."""
    return event["type"] in ("tool.result", "run.ended") and event["payload"]["error"] is not None


def main(what: str, *files: str) -> None:
    out = sys.stdout.buffer
    found = events(list(files))
    if what == "count":
        print(sum(1 for _ in found))
    elif what == "types":
        for kind, count in Counter(event["type"] for _, event in found).items():
            out.write(orjson.dumps({"type": kind, "count": count}) + b"\n")
    elif what == "first-error":
        out.writelines(line for line in [next(line for line, event in found if is_error(event))])
    elif what == "before":
        recent: deque[bytes] = deque(maxlen=3)
        for line, event in found:
            if is_error(event):
                break
            recent.append(line)
        out.writelines(recent)
    else:
        conditions: dict[str, Callable[[Any], bool]] = {
            "filter": lambda event: event["type"] == "tool.result",
            "typed": lambda event: event["type"] == "tool.result" and event["payload"]["error"] is not None,
            "head": lambda event: event["seq"] < 5,
            "payload": lambda event: event["payload"].get("duration_ms", 0) > 1000,
        }
        out.writelines(line for line, event in found if conditions[what](event))


if __name__ == "__main__":
    main(*sys.argv[1:])
