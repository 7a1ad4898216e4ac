"""Where the process starts: `trace`, and `python -m trace_cli`."""

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn


def main() -> NoReturn:
    """Runs the command line and exits with its status: nothing else may decide on it.

    Left out is what takes a seventh of a short command and does nothing for it: looking for garbage among what was
    just imported, and taking everything apart at the end.
    """
    sys.setrecursionlimit(4000)  # what is parsed may be nested 1,024 deep, and takes up to three frames a level
    gc.set_threshold(100_000)  # few cycles are made here, and many objects: the parts of large requests
    try:
        from trace_cli.cli import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    except Exception as bug:  # noqa: BLE001 - a crash must not look like "no", whatever it is
        status = 2
        _discard_output()
        _report(bug)
    _leave(status)


def _leave(status: int) -> NoReturn:
    """What `sys.exit` does that somebody could notice."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    atexit._run_exitfuncs()
    os._exit(status)


def _discard_output() -> None:
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _report(bug: Exception) -> None:
    if os.environ.get("TRACE_DEBUG"):
        import traceback

        traceback.print_exception(bug)
    elif sys.stderr is not None:
        said = f"trace: internal error: {type(bug).__name__}: {bug} (TRACE_DEBUG=1 shows where)"
        print(said.replace("\n", " "), file=sys.stderr)


if __name__ == "__main__":
    main()
