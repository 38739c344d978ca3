"""PNG files by their chunks: what colour they are in, and texts that nobody needs left out before they are unpacked."""

from __future__ import annotations

import struct
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LONG = 2**16  # bytes of a text chunk that may unpack to very much
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_NEEDED = (b"Raw profile type", b"XML:com.adobe.xmp")  # keywords of texts that hold EXIF


def colour_chunks(data: bytes) -> dict[bytes, bytes]:
    """The bodies of IHDR, cICP, sRGB, gAMA, cHRM and tRNS that stand before the pixels; the first of each counts."""
    found: dict[bytes, bytes] = {}
    for kind, start, stop in _chunks(data):
        if kind == b"IDAT":
            break
        if kind in (b"IHDR", b"cICP", b"sRGB", b"gAMA", b"cHRM", b"tRNS"):
            found.setdefault(kind, data[start:stop])
    return found


def without_long_texts(data: bytes) -> bytes:
    """The same file without text chunks above 64 KiB, unless they hold EXIF; most files are returned as they are."""
    long = [
        (start - 8, stop + 4)
        for kind, start, stop in _chunks(data)
        if kind in _TEXTS and stop - start > LONG and not data[start : start + 32].startswith(_NEEDED)
    ]
    if not long:
        return data
    kept, at = [], 0
    for start, stop in long:
        kept.append(data[at:start])
        at = stop
    return b"".join([*kept, data[at:]])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start and stop of the body) of each whole chunk."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8], at + 8, at + 8 + length
        at += 12 + length
