"""The recorders that are compared: how each is set up, and how it records one event.

A recorder is made with the path of its file, and gives two functions: `record(type, payload)`, what the agent
calls, and `flush()`, which returns when all is in the file. Each is set up as its documentation shows for speed,
and gets the payload as a dict; what it must have made into a string, it makes so inside `record`.
"""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import structlog
from agenttap import Tap
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor

Payload = dict[str, Any]
Dumps = Callable[[Any], str]


class Recorder(NamedTuple):
    record: Callable[[str, Payload], object]
    flush: Callable[[], object]


def nothing(path: str) -> Recorder:
    """The loop alone."""
    return Recorder(lambda type, payload: None, lambda: None)


def tap(path: str, **options: Any) -> Recorder:
    """`tap.record` as a plain installation has it, with the redaction that is there unless it is turned off."""
    sys.modules["hyperscan"] = None  # type: ignore[assignment] # what an import then takes for not installed
    return tap_fast(path, **options)


def tap_fast(path: str, **options: Any) -> Recorder:
    """The same with the extra `fast`: hyperscan."""
    recording = Tap(path, **options)
    return Recorder(lambda type, payload: recording.record(type, **payload), lambda: recording.flush(60))


def tap_tool_result(path: str) -> Recorder:
    """The same through `tap.record_tool_result`."""
    sys.modules["hyperscan"] = None  # type: ignore[assignment]
    recording = Tap(path)
    return Recorder(lambda type, payload: recording.record_tool_result(type, payload), lambda: recording.flush(60))


def tap_unredacted(path: str) -> Recorder:
    return tap(path, redact=None)


def tap_thread(path: str) -> Recorder:
    return tap(path, blocking=False)


def otel(path: str) -> Recorder:
    """OpenTelemetry's SDK, spans written by the thread of its batch processor, attributes made by orjson."""
    return _otel(BatchSpanProcessor(_exporter(path)), lambda value: orjson.dumps(value).decode())


def otel_json(path: str) -> Recorder:
    """The same with attributes made by the standard library's json, as its own instrumentations make them."""
    return _otel(BatchSpanProcessor(_exporter(path)), json.dumps)


def otel_simple(path: str) -> Recorder:
    """The processor that exports each span when it ends, in the thread that ends it."""
    return _otel(SimpleSpanProcessor(_exporter(path)), lambda value: orjson.dumps(value).decode())


def _exporter(path: str) -> ConsoleSpanExporter:
    file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - open as long as the process
    return ConsoleSpanExporter(out=file, formatter=lambda span: span.to_json(indent=None) + "\n")


def _otel(processor: SpanProcessor, dumps: Dumps) -> Recorder:
    provider = TracerProvider()
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("benchmark")

    def record(type: str, payload: Payload) -> None:
        span = tracer.start_span(type)
        for key, value in payload.items():
            if isinstance(value, dict | list):  # a span's attributes are flat
                value = dumps(value)
            if value is not None:  # nor can they be null
                span.set_attribute(key, value)
        span.end()

    return Recorder(record, lambda: provider.force_flush(60_000))


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat()
        head = {"type": record.msg, "timestamp": time, "level": record.levelname}
        return json.dumps({**head, **record.payload})  # type: ignore[attr-defined] # given as `extra`


def logging_json(path: str) -> Recorder:
    """The standard library's logging to a file, with a formatter that writes JSON."""
    logger = logging.getLogger("benchmark")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_Formatter())
    logger.addHandler(handler)
    return Recorder(lambda type, payload: logger.info(type, extra={"payload": payload}), handler.flush)


def structlog_orjson(path: str) -> Recorder:
    """structlog as its documentation sets it up for speed: orjson, and bytes into a file."""
    file = open(path, "ab")  # noqa: SIM115 - open as long as the process
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(file),
    )
    logger = structlog.get_logger()
    return Recorder(lambda type, payload: logger.info(type, **payload), file.flush)


TAP, FAST, OTEL, LOGGING = "tap", "tap[fast]", "OpenTelemetry", "logging + json"
UNREDACTED, NOTHING = "tap, redact=None", "no recorder"

# In the order in which they are printed.
RECORDERS: dict[str, Callable[[str], Recorder]] = {
    NOTHING: nothing,
    TAP: tap,
    FAST: tap_fast,
    "tap, record_tool_result": tap_tool_result,
    UNREDACTED: tap_unredacted,
    "tap, blocking=False": tap_thread,
    OTEL: otel,
    "OpenTelemetry, json": otel_json,
    "OpenTelemetry, simple": otel_simple,
    LOGGING: logging_json,
    "structlog + orjson": structlog_orjson,
}
