"""Which detectors have nothing to find in a text: one pass over it tells, where hyperscan is installed.

Without it, every detector looks through every text. What they find is the same.
"""

from collections import deque
from collections.abc import Mapping, Sequence, Set
from typing import Any


class Prefilter:
    """Knows the signs of each detector: regular expressions, one of which every text matches in which it finds
    anything. A detector without signs looks through every text.

    The signs are in the language of Hyperscan, which has no lookaround; `(?i)` may stand first.
    """

    def __init__(self, signs: Mapping[str, Sequence[bytes]]) -> None:
        self.signs = signs
        self._names = list(signs)
        self._all = frozenset(signs)
        self._unsigned = frozenset(name for name, expressions in signs.items() if not expressions)
        self._scanner: _Scanner | None = None

    def load(self) -> None:
        """Prepare the pass, if that can be done here. Takes some 30 ms, once."""
        if self._scanner is None:
            pairs = [(number, sign) for number, name in enumerate(self._names) for sign in self.signs[name]]
            try:
                self._scanner = _Scanner(pairs)
            except Exception:  # noqa: BLE001 - not installed, or not for this processor
                return

    def present(self, raw: bytes) -> Set[str]:
        """Return the names of the detectors that must look through `raw`."""
        if self._scanner is None:
            return self._all
        try:
            found = self._scanner.scan(raw)
        except Exception:  # noqa: BLE001 - what cannot be scanned is looked through
            return self._all
        return self._unsigned.union([self._names[number] for number in found]) if found else self._unsigned


class _Scanner:
    """Hyperscan, with expressions and a number for each."""

    def __init__(self, pairs: Sequence[tuple[int, bytes]]) -> None:
        import hyperscan

        self._database = hyperscan.Database()
        self._database.compile(
            expressions=[expression for _, expression in pairs],
            ids=[number for number, _ in pairs],
            flags=[hyperscan.HS_FLAG_SINGLEMATCH] * len(pairs),
        )
        self._new_scratch = hyperscan.Scratch
        self._scratches: deque[Any] = deque()  # for one scan at a time each; a signal handler may begin another

    def scan(self, raw: bytes) -> set[int]:
        """Return the numbers of the expressions that match somewhere. May raise."""
        found: set[int] = set()
        try:
            scratch = self._scratches.pop()
        except IndexError:
            scratch = self._new_scratch(self._database)
        self._database.scan(raw, match_event_handler=_note, context=found, scratch=scratch)
        self._scratches.append(scratch)
        return found


def _note(number: int, start: int, end: int, flags: int, found: Any) -> None:
    found.add(number)
