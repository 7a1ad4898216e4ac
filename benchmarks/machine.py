"""On what kind of machine, and with which versions, something was measured."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("agent-replay-trace", "orjson", "opentelemetry-sdk", "structlog", "anthropic")


def describe() -> dict[str, str]:
    """Return what the figures depend on, as text by name, in the order in which it is to be shown."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": f"{_cpu()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": ", ".join(filter(None, map(_version, _LIBRARIES))),
    }


def _version(library: str) -> str | None:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()
