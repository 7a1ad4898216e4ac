"""OpenTelemetry, where the agent uses it: the span that is current, so that a trace joins the others' records.

The names are those of "Trace Context in non-OTLP Log Formats", of its specification.
"""

import sys
from typing import Any

from . import guard

_NONE: tuple[str | None, str | None] = (None, None)


def current() -> tuple[str | None, str | None]:
    """Return `trace_id` and `span_id` of the current span, in hexadecimal; None for both where there is none."""
    module = sys.modules.get("opentelemetry.trace")
    if module is None:
        return _NONE
    found: tuple[str | None, str | None] = guard.attempt(_ids, module, default=_NONE, quiet=True)
    return found


def _ids(module: Any) -> tuple[str | None, str | None]:
    context = module.get_current_span().get_span_context()
    if not context.is_valid:
        return _NONE
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"
