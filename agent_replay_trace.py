"""The viewer's Python API: `from agent_replay_trace import Debugger`."""

from trace_cli import __version__
from trace_cli.debugger import Debugger, StepSession
from trace_cli.errors import TraceError
from trace_cli.event import Event
from trace_cli.retries import Error

__all__ = ["Debugger", "Error", "Event", "StepSession", "TraceError", "__version__"]
