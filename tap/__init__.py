"""agenttap: record what an agent sends to its model, and what its tools answer, as JSONL."""

__version__ = "0.2.0"
