"""Runs `trace` inside the test's process, where a property asks for thousands of runs."""

import os
import tempfile
from typing import BinaryIO

from trace_cli import cli


def run(*arguments: str) -> tuple[bytes, str, int]:
    """What `trace ARGUMENTS…` prints, says and ends with."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        ours = os.dup(1), os.dup(2)
        try:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            status = cli.run(arguments)
        finally:
            for number, saved in enumerate(ours, 1):
                os.dup2(saved, number)
                os.close(saved)
        return content(out), content(err).decode(), status


def content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()
