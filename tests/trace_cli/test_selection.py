"""Which events are wanted: each option by itself, all together, and turned round."""

import re
from typing import Any

import pytest

from trace_cli.event import Event
from trace_cli.expression import compile
from trace_cli.selection import Moment, Selection, select


def trace() -> list[Event]:
    rows: list[dict[str, Any]] = [
        {"type": "run.started", "run_id": "a", "timestamp": 1e9},
        {"type": "tool.called", "run_id": "a", "timestamp": 1e9 + 10, "tool": "search"},
        {"type": "run.started", "run_id": "b", "timestamp": 1e9 + 15},
        {"type": "tool.result", "run_id": "a", "timestamp": 1e9 + 20, "tool": "search", "error": "no"},
        {"type": "tool.result", "run_id": "b", "timestamp": 1e9 + 25, "tool": "write"},
        {"type": "note", "run_id": "b"},
    ]
    return [Event(repr(row).encode(), None, row, index=i) for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("chosen", "indexes"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"types": ("tool.*",)}, [1, 3, 4]),
        ({"types": ("note", "run.started")}, [0, 2, 5]),
        ({"tools": ("s*",)}, [1, 3]),
        ({"types": ("tool.result",), "tools": ("search",)}, [3]),
        ({"run": "b"}, [2, 4, 5]),
        ({"run": "[!b]"}, [0, 1, 3]),
        ({"error": True}, [3]),
        ({"error": True, "tools": ("write",)}, []),
        ({"grep": re.compile(rb"wr.te")}, [4]),
        ({"where": (compile("timestamp > `1000000012`"), compile("tool != 'write'"))}, [2, 3]),
        ({"since": Moment(1e9 + 15)}, [2, 3, 4]),
        ({"until": Moment(1e9 + 15)}, [0, 1, 2]),
        ({"since": Moment(10, of_run=True)}, [1, 3, 4]),
        ({"until": Moment(10, of_run=True)}, [0, 1, 2, 4]),
        ({"max": 2, "types": ("tool.*",)}, [1, 3]),
        ({"max": 0}, []),
        ({"invert": True}, []),
        ({"invert": True, "types": ("tool.*",)}, [0, 2, 5]),
        ({"invert": True, "types": ("tool.result",), "tools": ("search",)}, [0, 1, 2, 4, 5]),
        ({"invert": True, "error": True}, [0, 1, 2, 4, 5]),
        ({"invert": True, "types": ("tool.*",), "run": "b"}, [2, 5]),
        ({"invert": True, "types": ("note",), "since": Moment(1e9 + 15)}, [2, 3, 4]),
        ({"invert": True, "types": ("note",), "max": 1}, [0]),
    ],
)
def test_selects(chosen: dict[str, Any], indexes: list[int]) -> None:
    assert [event.index for event in select(trace(), Selection(**chosen))] == indexes


def test_reading_stops_when_enough_was_found() -> None:
    read = []

    def source() -> Any:
        for event in trace():
            read.append(event.index)
            yield event

    assert len(list(select(source(), Selection(max=2)))) == 2
    assert read == [0, 1]
