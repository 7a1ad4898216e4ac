"""One file a command: its pure function first, its click shell last."""
