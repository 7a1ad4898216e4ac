"""Two JSON values: where they differ, as JSON pointers (RFC 6901)."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from trace_cli import line
from trace_cli.alignment import common
from trace_cli.words import hunks

LONG = 60  # characters from which on a text is compared word by word
MOST = 400_000_000  # pairs of items of two lists; larger ones differ as a whole
DEEP = 64  # levels of nesting in which places are looked for
Key = Callable[[Any], bytes]  # equal for values that are the same
_words = re.compile(rb"[\w\x80-\xff]+").findall


class Excerpt(list[Any]):
    """Some items of a list, with the `places` where they stand in it."""

    def __init__(self, items: Mapping[int, Any]) -> None:
        super().__init__(items.values())
        self.places = list(items)


def changes(a: Any, b: Any, path: str = "", key: Key = line.canonical) -> Iterator[dict[str, Any]]:
    """Each place where `a` and `b` differ: {"op": added, removed or changed, "path", "a", "b"}.

    In lists, items are numbered as they stand in `b`; removed ones, and with `path_a` those that moved, as in `a`.
    A changed text that is long has "words" too, the places in it: {"before", "a", "b", "after"}.
    """
    if key(a) != key(b):
        yield from _changes(a, b, path, path, key, 0)


def _changes(a: Any, b: Any, path_a: str, path_b: str, key: Key, depth: int) -> Iterator[dict[str, Any]]:
    """The places in two values that are known to differ."""
    if depth < DEEP and isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in dict.fromkeys((*a, *b)):
            inner = f"{path_a}/{escaped(name)}", f"{path_b}/{escaped(name)}"
            sides = [key({name: each[name]}) if name in each else key({}) for each in (a, b)]
            if sides[0] == sides[1]:
                continue
            if name not in b:
                yield {"op": "removed", "path": inner[0], "a": a[name]}
            elif name not in a:
                yield {"op": "added", "path": inner[1], "b": b[name]}
            else:
                yield from _changes(a[name], b[name], *inner, key, depth + 1)
    elif depth < DEEP and isinstance(a, list) and isinstance(b, list) and len(a) * len(b) <= MOST:
        places_a, places_b = (getattr(each, "places", range(len(each))) for each in (a, b))
        for i, j in paired(a, b, key):
            if j is None:
                yield {"op": "removed", "path": f"{path_a}/{places_a[i or 0]}", "a": a[i or 0]}
            elif i is None:
                yield {"op": "added", "path": f"{path_b}/{places_b[j]}", "b": b[j]}
            elif key(a[i]) != key(b[j]):
                inner = f"{path_a}/{places_a[i]}", f"{path_b}/{places_b[j]}"
                yield from _changes(a[i], b[j], *inner, key, depth + 1)
    else:
        yield changed(a, b, path_a, path_b)


def changed(a: Any, b: Any, path_a: str, path_b: str) -> dict[str, Any]:
    """One place with what was and what is."""
    found = {"op": "changed", "path": path_b, "a": a, "b": b}
    if path_a != path_b:
        found["path_a"] = path_a
    if isinstance(a, str) and isinstance(b, str) and max(len(a), len(b)) > LONG:
        found["words"] = [hunk.row() for hunk in hunks(a, b)]
    return found


def paired(
    a: Sequence[Any], b: Sequence[Any], key: Key = line.canonical
) -> Iterator[tuple[int | None, int | None]]:
    """The places of two lists' items side by side: equal ones, then between them those of one kind in their order.

    Tool calls and their results that only stand in another place are not told.
    """
    keys_a, keys_b = [key(each) for each in a], [key(each) for each in b]
    same = common(keys_a, keys_b)
    left_a = Counter(keys_a) - Counter(keys_a[i] for i, _ in same)
    left_b = Counter(keys_b) - Counter(keys_b[j] for _, j in same)
    moved = left_a & left_b if left_a else Counter()
    moved_a, moved_b = Counter(moved), Counter(moved)
    i = j = 0
    for next_i, next_j in [*same, (len(a), len(b))]:
        rest_a = [x for x in range(i, next_i) if not _is_moved(a[x], keys_a[x], moved_a)]
        rest_b = [y for y in range(j, next_j) if not _is_moved(b[y], keys_b[y], moved_b)]
        yield from _of_one_kind(a, b, rest_a, rest_b)
        if next_i < len(a) and next_j < len(b):
            yield next_i, next_j
        i, j = next_i + 1, next_j + 1


def _is_moved(item: Any, key: bytes, moved: Counter[bytes]) -> bool:
    """Whether it is a tool call, or a result, that stands in another place of the other list."""
    kind = item.get("type") if isinstance(item, Mapping) else None
    role = item.get("role") if isinstance(item, Mapping) else None
    if moved[key] <= 0 or not (
        role == "tool" or str(kind).endswith(("tool_use", "tool_result", "function_call_output"))
    ):
        return False
    moved[key] -= 1
    return True


def _of_one_kind(
    a: Sequence[Any], b: Sequence[Any], rest_a: Sequence[int], rest_b: Sequence[int]
) -> Iterator[tuple[int | None, int | None]]:
    i = j = 0
    kinds = common([_kind(a[x]) for x in rest_a], [_kind(b[y]) for y in rest_b])
    for next_i, next_j in [*kinds, (len(rest_a), len(rest_b))]:
        yield from ((gone, None) for gone in rest_a[i:next_i])
        yield from ((None, new) for new in rest_b[j:next_j])
        if next_i < len(rest_a) and next_j < len(rest_b):
            yield rest_a[next_i], rest_b[next_j]
        i, j = next_i + 1, next_j + 1


def _kind(item: Any) -> tuple[Any, ...]:
    """What an item is known again by, whatever else of it changed."""
    if not isinstance(item, Mapping):
        return (type(item).__name__,)
    inner = item.get("function")
    name = inner.get("name") if isinstance(inner, Mapping) else item.get("name")
    return tuple(str(each) for each in (item.get("role"), item.get("type"), name))


def escaped(name: str) -> str:
    """The token of a pointer for a key."""
    return name.replace("~", "~0").replace("/", "~1")


def words_of(value: Any) -> Counter[bytes]:
    """The words of a value, and how often each is in it."""
    return Counter(_words(line.canonical(value)))


def common_words(a: Counter[bytes], b: Counter[bytes]) -> float:
    """How much two values have in common, from 0 to 1: twice the words of both by the words of each."""
    total = a.total() + b.total()
    return round(2 * (a & b).total() / total, 2) if total else 1.0


def similarity(a: Any, b: Any) -> float:
    """The same, of the values themselves."""
    return common_words(words_of(a), words_of(b))
