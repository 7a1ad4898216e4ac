"""Which events a sink or a subscriber gets: those of some types, those that tell of an error, or all."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .backlog import Record

Globs = str | Iterable[str]


class Matching(dict[str, bool]):
    """Whether types match one of some globs, such as `tool.*`, by their names: there are few.

    Raises TypeError for what are no globs; `option` is the parameter that they were given as.
    """

    def __init__(self, option: str, globs: Globs) -> None:
        given = (globs,) if isinstance(globs, str) else tuple(globs) if isinstance(globs, Iterable) else ()
        if not given or not all(isinstance(glob, str) for glob in given):
            raise TypeError(f'{option}= takes a type, "tool.*", or a list of them, not {globs!r}')
        self.globs = given

    def __missing__(self, type: str) -> bool:
        found = any(fnmatchcase(type, glob) for glob in self.globs)
        if len(self) < 1000:  # types may be made up as an agent goes
            self[type] = found
        return found


class Wanted:
    """A choice of events. Raises TypeError for `types` that are no globs."""

    def __init__(self, types: Globs | None, errors: bool) -> None:
        self._types = None if types is None else Matching("types", types)
        self._errors = errors

    def __call__(self, record: Record) -> bool:
        """Say whether this event is wanted; of one whose type is not known yet, that it may be."""
        if not record.type:
            return True
        return (not self._errors or record.failed) and self.type(record.type)

    def type(self, type: str) -> bool:
        """Say whether events of this type may be wanted."""
        return self._types is None or self._types[type]


def chosen(types: Globs | None, errors: bool) -> Wanted | None:
    """Return the choice; None where all are wanted."""
    return Wanted(types, errors) if errors or types is not None else None


def failed(payload: Mapping[str, Any]) -> bool:
    """Say whether an event with this payload tells of an error."""
    return payload.get("error") is not None or payload.get("is_error") is True
