"""Bytes as terminals send them → the names of keys; and the notation for keys on a command line."""

import codecs
import re
from typing import Literal

_ESC = b"\x1b"
_PASTE_END = b"\x1b[201~"
_CONTROLS = bytes([*range(0x20), 0x7F])
_TEXT = re.compile(rb"[^\x00-\x1f\x7f]+")
_MORE_OF_STRING = re.compile(rb"[^\x00-\x1f\x7f]*")

# A whole control sequence (ECMA-48) or what some terminals send instead: ESC before it for Alt (rxvt), `[[A` for a
# function key (Linux), three bytes behind `[M` (mouse, X10), `$` as its last byte for Shift (rxvt).
_SEQUENCE = re.compile(
    rb"\x1b\x1b?(?:"
    rb"\[(?:\[[ -~]|M[^\x00-\x1f]{3}|(?P<shifted>\d{1,3})\$|(?![\[M])(?P<params>[0-?]*)(?P<rest>[ -/]*[@-~]))"
    rb"|O[\d;]*(?P<single>[ -/:<-~])"
    rb")"
)
_BEGUN = re.compile(
    rb"\x1b[\]PX^_]|\x1b\x1b?(?:\[(?:\[|M[^\x00-\x1f]{0,2}|(?![\[M])[0-?]*[ -/]*)|O[\d;]*)?"  # may become one
)
_STRING = re.compile(rb"\x1b[\]PX^_][^\x00-\x1f\x7f]")  # a reply of any length begins: OSC, DCS, SOS, PM, APC
_AMBIGUOUS = re.compile(rb"\x1b\x1b?|\x1b[\]PX^_]")  # a key of its own when nothing follows

_BY_LETTER = {
    **dict(zip(b"ABCD", ("Up", "Down", "Right", "Left"), strict=True)),
    **dict(zip(b"abcd", ("Up", "Down", "Right", "Left"), strict=True)),  # rxvt, with Shift or Ctrl
    **dict(zip(b"HF", ("Home", "End"), strict=True)),
}
_BY_NUMBER = {1: "Home", 7: "Home", 4: "End", 8: "End", 3: "Delete", 5: "PgUp", 6: "PgDn"}
_BY_BYTE = {8: "Backspace", 9: "Tab", 10: "Enter", 13: "Enter", 27: "Esc", 127: "Backspace"}

NAMES = frozenset({*_BY_BYTE.values(), *_BY_LETTER.values(), *_BY_NUMBER.values()})


class Keys:
    """Turns what a terminal sends into keys, however it is split over reads.

    A key is a printable character, one of NAMES, or `Ctrl-D` and the like. Modifiers of a named key are ignored.
    Of pasted text (bracketed) its printable characters are keys. What is no UTF-8 is dropped, and sequences that
    are no key of ours: Alt with a character, function keys, the mouse, replies of the terminal.
    """

    def __init__(self) -> None:
        self._rest = b""  # of a sequence that is not at its end
        self._inside: Literal["", "paste", "string"] = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")

    @property
    def pending(self) -> bool:
        """Whether it depends on what comes next, and on when, which key was pressed: `flush` decides."""
        return not self._inside and bool(_AMBIGUOUS.fullmatch(self._rest))

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete with `data`."""
        data, self._rest = self._rest + data, b""
        keys: list[str] = []
        at = 0
        while at < len(data):
            if self._inside == "paste":
                at = self._pasted(data, at, keys)
            elif self._inside == "string":
                at = self._skipped(data, at)
            elif data.startswith(_ESC, at):
                at = self._escaped(data, at, keys)
            elif text := _TEXT.match(data, at):
                keys += self._characters(text[0])
                at = text.end()
            else:
                self._decoder.reset()
                keys.append(_control(data[at]))
                at += 1
        return keys

    def flush(self) -> list[str]:
        """The keys that were pending, when nothing has followed for a while: `Esc`."""
        if not self.pending:
            return []
        rest, self._rest = self._rest, b""
        return ["Esc"] * len(rest) if not rest.strip(_ESC) else []

    def _escaped(self, data: bytes, at: int, keys: list[str]) -> int:
        """Reads what begins with an ESC; where it ends."""
        self._decoder.reset()
        if sequence := _SEQUENCE.match(data, at):
            if (sequence["params"], sequence["rest"]) == (b"200", b"~"):
                self._inside = "paste"
            elif key := _named(sequence):
                keys.append(key)
            return sequence.end()
        if _BEGUN.fullmatch(data, at):
            self._rest = data[at:]
            return len(data)
        if string := _STRING.match(data, at):
            self._inside = "string"
            return string.end()
        begun = _BEGUN.match(data, at)
        size = len(begun[0]) if begun else 1
        if size == 1:  # Alt with a character: of one beyond ASCII, the decoder drops the other bytes
            return at + 2
        if begun and begun[0] == _ESC * 2:
            keys.append("Esc")
            return at + 1
        return at + size  # broken off by a byte that cannot belong to it

    def _pasted(self, data: bytes, at: int, keys: list[str]) -> int:
        end = data.find(_PASTE_END, at)
        whole = end >= 0
        if not whole:
            sizes = range(len(_PASTE_END) - 1, -1, -1)
            end = len(data) - next(size for size in sizes if data.endswith(_PASTE_END[:size], at))
            self._rest = data[end:]
        keys += self._characters(data[at:end].translate(None, _CONTROLS))
        if not whole:
            return len(data)
        self._decoder.reset()
        self._inside = ""
        return end + len(_PASTE_END)

    def _skipped(self, data: bytes, at: int) -> int:
        """Skips a string up to the control character that ends it: a BEL, or the ESC of its terminator."""
        more = _MORE_OF_STRING.match(data, at)
        at = more.end() if more else at
        if at < len(data):
            self._inside = ""
            at += data[at] == 7
        return at

    def _characters(self, text: bytes) -> list[str]:
        return [char for char in self._decoder.decode(text) if not "\x7f" <= char <= "\x9f"]


def _named(sequence: re.Match[bytes]) -> str | None:
    if sequence["single"] is not None:
        return "Enter" if sequence["single"] == b"M" else _BY_LETTER.get(sequence["single"][0])
    if sequence["shifted"] is not None:
        return _BY_NUMBER.get(int(sequence["shifted"]))
    if sequence["params"] is None or not re.fullmatch(rb"[\d;:]*", sequence["params"]):
        return None
    if sequence["rest"] in (b"~", b"^", b"@"):
        number = re.match(rb"\d{1,3}(?!\d)", sequence["params"])
        return _BY_NUMBER.get(int(number[0])) if number else None
    return _BY_LETTER.get(sequence["rest"][0]) if len(sequence["rest"]) == 1 else None


def _control(byte: int) -> str:
    return _BY_BYTE.get(byte) or f"Ctrl-{chr(byte + 64)}"


def parse(text: str) -> list[tuple[str, list[str]]]:
    """The keys that a text like `e c /APAC Enter q` stands for: each token of it, and the keys of that token.

    Tokens are separated by white space. One of NAMES, `Space`, or `Ctrl-` with a capital letter or one of
    `@[\\]^_` is that key; of any other token each character is one.
    """
    return [(token, _keys_of(token)) for token in text.split()]


def _keys_of(token: str) -> list[str]:
    if token == "Space":
        return [" "]
    if re.fullmatch(r"Ctrl-[@-_]", token):
        return [_control(ord(token[-1]) - 64)]
    return [token] if token in NAMES else list(token)
