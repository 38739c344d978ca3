"""Grey images of more than 8 bits, integers and floats, brought to one scale.

Scales, as docs/images.md states them: unsigned integers of n bits by 2^n - 1; 32-bit and signed integers by 255, 65535 or
their own largest value, whichever is the first to hold it; floats by 1, 255, 65535 or their own largest value. Below 0
is black, NaN is black, infinity is white. `WhiteIsZero` (TIFF 6.0, tag 262) is turned round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
PHOTOMETRIC, BITS = 262, 258  # TIFF tags
Grey16 = npt.NDArray[np.uint16]


def to_sixteen_bits(values: npt.NDArray[Any], tags: Any) -> Grey16:
    """uint16 [H, W] on the scale 0 to 65535 of a deep image's values; `tags`: those of a TIFF, else None."""
    scaled = _scaled(values, _top(values, tags))
    if tags is not None and tags.get(PHOTOMETRIC) == 0:  # white is zero
        np.subtract(65535, scaled, out=scaled)
    return scaled


def deep_values(picture: ImageFile.ImageFile | Image.Image) -> npt.NDArray[Any]:
    """The values [H, W] of an image of a mode in `DEEP_MODES`, as they are stored."""
    return np.asarray(picture)


def _top(values: npt.NDArray[Any], tags: Any) -> float:
    """The value that is white."""
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        return _first_above(float(finite.max()) if finite.size else 1.0, (1.0, 255.0, 65535.0))
    if values.dtype.itemsize == 2:
        bits = tags.get(BITS, (16,))[0] if tags is not None else 16
        return float(2 ** min(max(int(bits), 1), 16) - 1)
    return 65535.0 if tags is None else _first_above(float(values.max(initial=0)), (255.0, 65535.0))


def _first_above(high: float, tops: tuple[float, ...]) -> float:
    return next((top for top in tops if high <= top), high)


def _scaled(values: npt.NDArray[Any], top: float) -> Grey16:
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        if top == 65535:
            same: Grey16 = values.astype(np.uint16)
            return same
        levels = np.minimum(np.arange(65536) / top, 1) * 65535
        looked_up: Grey16 = np.floor(levels + 0.5).astype(np.uint16)[values]
        return looked_up
    found = np.empty(values.shape, np.uint16)
    rows = max(1, 2**20 // max(1, values.shape[1]))  # in pieces: float64 of a large image is eight times its file
    for start in range(0, len(values), rows):
        part = values[start : start + rows].astype(np.float64) / top
        part = np.nan_to_num(part, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        found[start : start + rows] = np.floor(part * 65535 + 0.5)
    return found
