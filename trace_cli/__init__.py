"""trace: small Unix commands over the JSONL traces of AI agents."""

__version__ = "0.2.0"
