"""What a tap is told, by its arguments and by the environment, and what is wrong with it."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from .file import FileSink, more_than_zero
from .sink import CallbackSink, Sink

OUTPUT_VARIABLE = "AGENTTAP_OUTPUT"
PARENT_VARIABLE = "AGENTTAP_PARENT_RUN_ID"
DISABLED_VARIABLE = "AGENTTAP_DISABLED"
_NO = ("", "0", "false", "no", "off", "n", "f")

AnySink = FileSink | CallbackSink | str | os.PathLike[str] | Callable[[bytes], object]


def is_disabled() -> bool:
    """Say whether the environment turns every tap off."""
    return os.environ.get(DISABLED_VARIABLE, "").strip().lower() not in _NO


def parent_run_id() -> str | None:
    """Return the run that the environment names as the parent of this process's."""
    return os.environ.get(PARENT_VARIABLE) or None


def size(name: str, value: object) -> int:
    """Return `value`, a number of bytes. Raises TypeError or ValueError if it is none."""
    number: int = more_than_zero(name, f"a number of bytes, such as {64 << 20}", value, int)
    return number


def sinks(
    path: str | os.PathLike[str] | None,
    rules: dict[str, Any],
    writer: Callable[[bytes], object] | None,
    more: Iterable[AnySink],
    fallback: str | None,
) -> list[Sink]:
    """Return the sinks of a tap; without any, the file that the environment names, or else `fallback`.

    Raises ValueError for none at all and for one file that is named twice, TypeError for what is no sink.
    """
    if isinstance(more, str | bytes | os.PathLike | FileSink | CallbackSink) or not isinstance(more, Iterable):
        raise TypeError(f"sinks= takes a list of sinks, such as [{more!r}], not {more!r}")
    given: list[Any] = [*(() if writer is None else (writer,)), *more]
    if path is None and not given:
        path = os.environ.get(OUTPUT_VARIABLE) or fallback
    if path is None and any(rule is not None and rule is not False for rule in rules.values()):
        raise ValueError(
            "rotate_bytes=, rotate_every=, keep= and fsync= are for the file of output_path=; "
            "in sinks=, give them to FileSink"
        )
    if path is not None and not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"output_path= is the path of a file, not {path!r}; functions go to writer=, others to sinks="
        )
    made: list[Sink] = [FileSink(path, **rules)] if path is not None else []
    made += [_sink(one) for one in given]
    if not made:
        raise ValueError(
            'Tap has nowhere to write: pass output_path="runs/run.jsonl" or writer=callable, '
            f"or set {OUTPUT_VARIABLE}"
        )
    files = [sink.name for sink in made if isinstance(sink, FileSink)]
    if twice := {name for name in files if files.count(name) > 1}:
        raise ValueError(f"each event would be written twice to {', '.join(sorted(twice))}: name a file once")
    return made


def _sink(one: Any) -> Any:
    if isinstance(one, FileSink | CallbackSink):
        return one
    if isinstance(one, str | os.PathLike):
        return FileSink(one)
    if callable(one):
        return CallbackSink(one)
    raise TypeError(f"a sink is a path, a function that takes bytes, a FileSink or a CallbackSink, not {one!r}")
