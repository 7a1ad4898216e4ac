"""Private keys in PEM armour (RFC 7468): whole or cut off, their line ends escaped any number of times."""

import re
from collections.abc import Iterator

Span = tuple[int, int]

# What a text has in it where `spans` finds anything.
SIGNS = (rb"PRIVATE KEY",)

_BEGIN = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,50}PRIVATE KEY(?: BLOCK)?-----")
_ENDING = re.compile(rb"-----END [A-Z0-9 ]{0,50}PRIVATE KEY(?: BLOCK)?-----")
# What is taken of a key that was cut off. Line ends inside JSON are escapes, once or several times over.
_PEM = re.compile(rb"(?:[A-Za-z0-9+/=:,.() -]|\\++(?:[nrt/]|u[0-9a-fA-F]{4}))*+")
_IN_STRING = re.compile(rb'(?:[^"\\]|\\.)*+')


def spans(raw: bytes) -> Iterator[Span]:
    """Yield where a private key stands, in order; or the part of one, if it was cut off."""
    if b"PRIVATE KEY" not in raw:
        return
    done = inside = without = 0  # `inside`: the end of this string; `without`: no ending before this place
    for match in _BEGIN.finditer(raw):
        if match.start() < done:
            continue
        if match.end() > inside:
            string = _IN_STRING.match(raw, match.end())
            inside = string.end() if string is not None else len(raw)
        ending = _ENDING.search(raw, match.end(), inside) if match.end() > without else None
        if ending is not None:
            done = ending.end()
        else:
            without = inside
            rest = _PEM.match(raw, match.end())
            done = rest.end() if rest is not None else match.end()
        yield match.start(), done
