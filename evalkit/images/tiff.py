"""TIFF files of either byte order, where Pillow lacks a layout or takes libtiff's bytes for those of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ImageFile, TiffImagePlugin

FORMAT, BITS = 339, 258  # tags
UNSIGNED = 1
_LAYOUTS = {  # (order, photometric, format, fill order, bits, extra samples) of one grey value: mode, and how it is read
    **{(b"MM", white, (1,), 1, (16,), ()): ("I;16B", "I;16B") for white in (0, 1)},
    **{(order, white, (1,), 1, (12,), ()): ("I;16", "I;12") for order in (b"II", b"MM") for white in (0, 1)},
    **{(b"II", white, (2,), 1, (16,), ()): ("I", "I;16S") for white in (0, 1)},
    **{(b"MM", white, (2,), 1, (16,), ()): ("I", "I;16BS") for white in (0, 1)},
    **{(b"II", white, (kind,), 1, (32,), ()): ("I", "I;32S") for white in (0, 1) for kind in (1, 2)},
    **{(b"MM", white, (kind,), 1, (32,), ()): ("I", "I;32BS") for white in (0, 1) for kind in (1, 2)},
    **{(b"II", white, (3,), 1, (64,), ()): ("F", "F;64F") for white in (0, 1)},
    **{(b"MM", white, (3,), 1, (64,), ()): ("F", "F;64BF") for white in (0, 1)},
}
for _layout, _read in _LAYOUTS.items():
    TiffImagePlugin.OPEN_INFO.setdefault(_layout, _read)
_NATIVE = {"I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS", "I;32BS": "I;32NS", "I;32": "I;32NS"}
_NATIVE |= {"F;32F": "F;32NF", "F;32BF": "F;32NF", "F;64F": "F;64NF", "F;64BF": "F;64NF"}


def read_in_machine_order(opened: ImageFile.ImageFile) -> None:
    """Let an image that libtiff unpacks be read in this machine's order, in which libtiff gives signed values and floats."""
    for at, tile in enumerate(opened.tile):
        if tile.codec_name == "libtiff" and isinstance(tile.args, tuple) and tile.args[0] in _NATIVE:
            opened.tile[at] = tile._replace(args=(_NATIVE[tile.args[0]], *tile.args[1:]))


def stored_values(values: npt.NDArray[Any], tags: Any) -> npt.NDArray[Any]:
    """Values as the file means them: Pillow holds those of 32 bits without a sign as if they had one."""
    if values.dtype != np.int32 or tags is None or tags.get(BITS, (0,))[0] != 32:
        return values
    return values.view(np.uint32) if tags.get(FORMAT, (UNSIGNED,))[0] == UNSIGNED else values
