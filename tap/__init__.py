"""agenttap: record what an agent sends to its model, and what its tools answer, as JSONL."""

from .run import RunBlock
from .step import StepBlock
from .tap import Tap
from .tools import ToolBlock

__version__ = "0.2.0"
__all__ = ["RunBlock", "StepBlock", "Tap", "ToolBlock", "__version__"]
