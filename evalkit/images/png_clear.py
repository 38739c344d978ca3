"""The colour that a PNG names as transparent (`tRNS`), at the depth that the file has and Pillow does not keep."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Clear = npt.NDArray[np.bool_]
GREY, RGB, DEEP = 0, 2, 16  # colour types, bits
STRIP = 64  # rows at a time


def clear_colour(named: Any, chunks: Mapping[bytes, bytes]) -> Any:
    """The transparent grey on the scale of 8 bits to which Pillow brings grey of fewer; anything else as Pillow names it.

    Of a value, only as many bits count as a sample has (PNG, third edition, 11.3.1.1). A colour of 16 bits is none here:
    `clear_places` finds it.
    """
    head, body = chunks.get(b"IHDR", b""), chunks.get(b"tRNS", b"")
    bits = head[8] if len(head) == 13 else 0
    if isinstance(named, tuple) and bits:
        return None if bits == DEEP else tuple(value & 255 for value in named)
    if bits in (1, 2, 4, 8) and head[9] == GREY and len(body) == 2:
        most = 2**bits - 1
        return (int.from_bytes(body) & most) * (255 // most)
    return named


def clear_places(data: bytes, chunks: Mapping[bytes, bytes]) -> Clear | None:
    """Where a file of 16 bits a channel has its transparent colour, bool [H, W]; None where it names none.

    Pillow keeps the high bytes of such samples, so that the file is unpacked again for the low ones, and by turns. Raises
    what Pillow raises.
    """
    head, named = chunks.get(b"IHDR", b""), chunks.get(b"tRNS", b"")
    if len(named) != 6 or len(head) != 13 or (head[8], head[9]) != (DEEP, RGB):
        return None
    found: Clear | None = None
    for order, shift in ((";16B", 8), (";16L", 0)):
        wanted = np.array([value >> shift & 255 for value in struct.unpack(">3H", named)], np.uint8)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as opened:
            opened.tile = [tile._replace(args=f"RGB{order}") for tile in opened.tile]
            opened.load()
            if found is None:
                found = np.ones((opened.height, opened.width), bool)
            for top in range(0, opened.height, STRIP):
                strip = opened.crop((0, top, opened.width, min(top + STRIP, opened.height)))
                found[top : top + STRIP] &= (np.asarray(strip) == wanted).all(-1)
    return found
