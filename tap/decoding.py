"""Compressed bodies → what was compressed, piece by piece."""

import sys
import zlib
from collections.abc import Callable
from typing import Any

from . import guard

MAX_DECODED = 64 << 20


def decode(chunks: list[bytes], encoding: str) -> list[bytes] | None:
    """Return what each chunk adds to the decompressed body, or None. A cut-off body gives what it holds.

    Names that are no compression are passed over, as clients do: the body may be text all the same.
    """
    names = [name.strip() for name in encoding.split(",")]
    for name in reversed(names):
        if name not in _COMPRESSIONS:
            continue
        for start in _DECOMPRESSORS.get(name, ()):
            decoded: list[bytes] | None = guard.attempt(_decompress, start, chunks, quiet=True)
            if decoded is not None:
                break
        else:
            return None
        chunks = decoded
    return chunks if {*names} <= {*_COMPRESSIONS, "identity"} or _is_text(b"".join(chunks)) else None


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decompress(start: "Callable[[], _Decompress | None]", chunks: list[bytes]) -> list[bytes] | None:
    """Return what each chunk adds, up to MAX_DECODED; None if this cannot be decompressed here. May raise."""
    decompress = start()
    if decompress is None:
        return None
    room, done = MAX_DECODED, list[bytes]()
    for chunk in chunks:
        done.append(decompress(chunk, room)[:room] if room else b"")
        room -= len(done[-1])
    return done


# Takes the next bytes and how many may come out, at least 1; gives what they add.
_Decompress = Callable[[bytes, int], bytes]


def _gzip() -> _Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress


def _deflate() -> _Decompress:
    return zlib.decompressobj().decompress


def _bare_deflate() -> _Decompress:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress


def _brotli() -> _Decompress | None:
    # The client offered br because it found one of these.
    for library in ("brotli", "brotlicffi"):
        if (module := sys.modules.get(library)) is not None:
            decoder: Any = module.Decompressor()
            process: Callable[[bytes], bytes] = getattr(decoder, "process", None) or decoder.decompress
            return lambda data, room: process(data)
    return None


def _zstd() -> _Decompress | None:
    for library in ("compression.zstd", "backports.zstd", "pyzstd"):
        if (module := sys.modules.get(library)) is not None:
            return _ZstdFrames(module.ZstdDecompressor)
    if (module := sys.modules.get("zstandard")) is not None:
        return _ZstdFrames(lambda: _Unlimited(module.ZstdDecompressor().decompressobj()))
    return None


class _ZstdFrames:
    """Decompresses one frame after another: a server that flushes may send several."""

    def __init__(self, frame: Callable[[], Any]) -> None:
        self._new = frame
        self._frame = frame()

    def __call__(self, data: bytes, room: int) -> bytes:
        pieces: list[bytes] = []
        while data and room > 0:
            pieces.append(self._frame.decompress(data, room))
            room -= len(pieces[-1])
            data = self._frame.unused_data
            if self._frame.eof:
                self._frame = self._new()
        return b"".join(pieces)


class _Unlimited:
    """The decompressor of a library that knows no limit for what comes out at once."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def decompress(self, data: bytes, room: int) -> bytes:
        done: bytes = self._inner.decompress(data)
        return done

    @property
    def unused_data(self) -> bytes:
        left: bytes = self._inner.unused_data
        return left

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)


_DECOMPRESSORS: dict[str, tuple[Callable[[], _Decompress | None], ...]] = {
    "gzip": (_gzip,),
    "x-gzip": (_gzip,),
    "deflate": (_deflate, _bare_deflate),  # some servers send it without the zlib header
    "br": (_brotli,),
    "zstd": (_zstd,),
}
_COMPRESSIONS = ("compress", "x-compress", *_DECOMPRESSORS)
