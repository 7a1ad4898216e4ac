"""agenttap: record what an agent sends to its model, and what its tools answer, as JSONL."""

from .attached import Attachment
from .file import FileSink
from .run import RunBlock
from .sink import CallbackSink
from .step import StepBlock
from .subscriber import Subscription
from .tap import Tap
from .tools import ToolBlock

__version__ = "0.2.0"
__all__ = [
    "Attachment",
    "CallbackSink",
    "FileSink",
    "RunBlock",
    "StepBlock",
    "Subscription",
    "Tap",
    "ToolBlock",
    "__version__",
]
