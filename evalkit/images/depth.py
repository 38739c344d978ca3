"""Grey images of more than 8 bits, integers and floats, brought to one scale.

Scales, as docs/images.md states them: unsigned integers of n bits by 2^n - 1; 32-bit and signed integers by 255, 65535 or
their own largest value, whichever is the first to hold it; floats by 1, 255, 65535 or their own largest value. Below 0
is black, NaN is black, infinity is white. `WhiteIsZero` (TIFF 6.0, tag 262) is turned round.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
PHOTOMETRIC, BITS = 262, 258  # TIFF tags
TOPS = (255.0, 65535.0)
Grey16 = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Scale:
    """`top`: the stored value that is white. `inverted`: white is 0 instead."""

    top: float
    inverted: bool = False


def scale_of(parts: Iterable[npt.NDArray[Any]], tags: Any = None) -> Scale:
    """The scale of an image whose stored values come in `parts`; `tags`: those of a TIFF."""
    inverted = tags is not None and tags.get(PHOTOMETRIC) == 0
    high, floats = 0.0, False
    for part in parts:
        if part.dtype.itemsize == 2:
            bits = tags.get(BITS, (16,))[0] if tags is not None else 16
            return Scale(float(2 ** min(max(int(bits), 1), 16) - 1), inverted)
        floats = part.dtype.kind == "f"
        finite = part[np.isfinite(part)] if floats else part
        high = max(high, float(finite.max(initial=0)))
    if not floats and tags is None:
        return Scale(65535.0, inverted)  # a PNM's own largest value is brought to it by Pillow
    tops = (1.0, *TOPS) if floats else TOPS
    return Scale(next((top for top in tops if high <= top), high), inverted)


def to_sixteen_bits(values: npt.NDArray[Any], scale: Scale) -> Grey16:
    """uint16 [H, W] on the scale 0 to 65535 of stored values."""
    if values.dtype.kind == "u" and scale.top == 65535:
        scaled: Grey16 = values.astype(np.uint16)
    else:
        part = np.nan_to_num(values.astype(np.float64) / scale.top, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        scaled = np.floor(part * 65535 + 0.5).astype(np.uint16)
    if scale.inverted:
        np.subtract(65535, scaled, out=scaled)
    return scaled
