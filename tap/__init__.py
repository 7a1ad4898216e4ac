"""agenttap: record what an agent sends to its model, and what its tools answer, as JSONL."""

from .file import FileSink
from .run import RunBlock
from .sink import CallbackSink
from .step import StepBlock
from .tap import Tap
from .tools import ToolBlock

__version__ = "0.2.0"
__all__ = ["CallbackSink", "FileSink", "RunBlock", "StepBlock", "Tap", "ToolBlock", "__version__"]
