"""Private keys in PEM armour (RFC 7468): whole or cut off, their line ends escaped any number of times."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from .credentials import Span

# What a text has in it where `spans` finds anything.
SIGNS = (rb"PRIVATE KEY",)

_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,50}PRIVATE KEY(?: BLOCK)?-----")
_ENDING = re.compile(rb"-----END [A-Z0-9 ]{0,50}PRIVATE KEY(?: BLOCK)?-----")
# What is taken of a key that was cut off. Line ends inside JSON are escapes, once or several times over.
_PEM = re.compile(rb"(?:[A-Za-z0-9+/=:,.() -]|\\++(?:[nrt/]|u[0-9a-fA-F]{4}))*+")
_IN_STRING = re.compile(rb'(?:[^"\\]|\\.)*+')
_NEXT_STRING = re.compile(rb'"\s*[,:}\]]')  # where JSON inside a string goes on to its next one


def spans(raw: bytes) -> Iterator[Span]:
    """Yield where a private key stands; or the part of one, if it was cut off."""
    if b"PRIVATE KEY" not in raw:
        return
    begins = list(_BEGIN.finditer(raw))
    inside = 0  # the end of the string that is looked at
    for match, after in zip_longest(begins, begins[1:]):
        if match.end() > inside:
            string = _IN_STRING.match(raw, match.end())
            inside = string.end() if string is not None else len(raw)
        limit = inside if after is None else min(inside, after.start())
        ending = _ENDING.search(raw, match.end(), limit)
        if ending is None or _NEXT_STRING.search(raw, match.end(), ending.start()) is not None:
            ending = _PEM.match(raw, match.end(), limit)
        yield match.start(), match.end() if ending is None else ending.end()
