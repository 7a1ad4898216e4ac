"""Which detectors have nothing to find in a text: one pass over it tells, where hyperscan is installed.

Without it, every detector looks through every text. What they find is the same.
"""

from collections import deque
from collections.abc import Mapping, Sequence, Set
from typing import Any


class Prefilter:
    """Knows for each detector, by name, the signs of it: regular expressions, one of which every text matches in
    which that detector finds anything. A detector without signs looks through every text.

    The signs are in the language of Hyperscan, which has no lookaround; `(?i)` may stand first.
    """

    def __init__(self, signs: Mapping[str, Sequence[bytes]]) -> None:
        self.signs = signs
        self._all = frozenset(signs)
        self._unsigned = frozenset(name for name, expressions in signs.items() if not expressions)
        self._names = list(signs)
        self._database: Any = None
        self._scratches: deque[Any] = deque()  # each is for one scan at a time

    def load(self) -> None:
        """Prepare the pass, if that can be done here. Takes some 30 ms, once."""
        if self._database is not None:
            return
        try:
            import hyperscan

            flags = hyperscan.HS_FLAG_SINGLEMATCH
            pairs = [(number, sign) for number, name in enumerate(self._names) for sign in self.signs[name]]
            database = hyperscan.Database()
            database.compile(
                expressions=[sign for _, sign in pairs],
                ids=[number for number, _ in pairs],
                flags=[flags] * len(pairs),
            )
            self._hyperscan = hyperscan
        except Exception:  # noqa: BLE001 - not installed, or not for this processor
            return
        self._database = database

    def present(self, raw: bytes) -> Set[str]:
        """Return the names of the detectors that must look through `raw`."""
        if self._database is None:
            return self._all
        found: set[int] = set()
        try:
            try:
                scratch = self._scratches.pop()
            except IndexError:
                scratch = self._hyperscan.Scratch(self._database)
            self._database.scan(raw, match_event_handler=_note, context=found, scratch=scratch)
        except Exception:  # noqa: BLE001 - a text that cannot be scanned is looked through
            return self._all
        self._scratches.append(scratch)
        return self._unsigned.union(map(self._names.__getitem__, found)) if found else self._unsigned


def _note(number: int, start: int, end: int, flags: int, found: set[int]) -> None:
    found.add(number)
