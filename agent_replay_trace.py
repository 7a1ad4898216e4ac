"""The Python API: `from agent_replay_trace import Debugger, Replay`. Each name is imported when it is used."""

from typing import TYPE_CHECKING, Any

from trace_cli import __version__

if TYPE_CHECKING:
    from trace_cli.debugger import Debugger, StepSession
    from trace_cli.errors import TraceError
    from trace_cli.event import Event
    from trace_cli.retries import Error
    from tracereplay.nearest import Miss
    from tracereplay.replay import Replay
    from tracereplay.rerun import Reproduced
    from tracereplay.tools import RecordedError

__all__ = [
    "Debugger",
    "Error",
    "Event",
    "Miss",
    "RecordedError",
    "Replay",
    "Reproduced",
    "StepSession",
    "TraceError",
    "__version__",
]

_HOMES = {
    "Debugger": "trace_cli.debugger",
    "Error": "trace_cli.retries",
    "Event": "trace_cli.event",
    "Miss": "tracereplay.nearest",
    "RecordedError": "tracereplay.tools",
    "Replay": "tracereplay.replay",
    "Reproduced": "tracereplay.rerun",
    "StepSession": "trace_cli.debugger",
    "TraceError": "trace_cli.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
