"""Strings that come in pieces: kept apart until the end, so that putting a long stream together stays linear."""

from typing import Any


class Pieces:
    """The strings of some dicts and lists that are still growing. Their holders have them after `join`."""

    def __init__(self) -> None:
        # By the identity of the holder, which is kept alive here.
        self._texts: dict[tuple[int, Any], tuple[Any, Any, list[str]]] = {}

    def add(self, holder: Any, key: str | int, text: str) -> None:
        """Make the string `holder[key]` longer. Anything else that stands there gives way."""
        place = (id(holder), key)
        if place not in self._texts:
            before = holder[key] if isinstance(key, int) else holder.get(key)
            self._texts[place] = (holder, key, [before] if isinstance(before, str) else [])
            holder[key] = ""  # keeps the key's place
        self._texts[place][2].append(text)

    def put(self, holder: Any, key: str | int, value: Any) -> None:
        """Set `holder[key]`, whatever had come of it."""
        self._texts.pop((id(holder), key), None)
        holder[key] = value

    def get(self, holder: dict[str, Any], key: str) -> Any:
        """Return `holder[key]` as far as it has come, or None."""
        found = self._texts.get((id(holder), key))
        return holder.get(key) if found is None else "".join(found[2])

    def join(self) -> None:
        """Put every string into its holder."""
        for holder, key, pieces in self._texts.values():
            holder[key] = "".join(pieces)
        self._texts = {}
