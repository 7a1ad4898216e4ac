"""What can go wrong outside the program, for the command line to put into words."""


class TraceError(Exception):
    """Something a user can put right: what is wrong, and what to type instead. Ends a command with status 2."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\n  {hint}")


def first_line(error: TraceError) -> str:
    """What is wrong, without what to type instead."""
    return str(error).partition("\n")[0]


class ClosedPipe(Exception):
    """Whoever read our output has gone. No OSError, which click would answer with a status of its own."""


class BadLine(Exception):
    """A line, or a part of one, that holds no JSON object. `reason` fits behind `FILE:LINE: `."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
