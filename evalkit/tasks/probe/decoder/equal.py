"""Images brought to one size and one codec, so that a classifier does not learn resampling or compression.

Every image is scaled down by at least a quarter and written as JPEG once. Images of one class that are stored at another
size still differ in what was scaled away; the trained probe says so.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

SMALLEST, LARGEST = 48, 256
_SHRINK = 0.75


@dataclass(frozen=True)
class Equaliser:
    """`side`: px of the square that an image's centre is scaled to. `quality`: of JPEG."""

    side: int
    quality: int = 90

    def __call__(self, image: Pixels) -> Pixels:
        """uint8 [side, side, 3] of uint8 [H, W, 3]. Raises `EvalkitError` for an image that would not be scaled down."""
        height, width = image.shape[:2]
        least = min(height, width)
        if least * _SHRINK < self.side:
            raise EvalkitError(
                f"an image of {height} x {width} is too small for a probe of {self.side} px. Leave it out"
            )
        top, left = (height - least) // 2, (width - least) // 2
        square = Image.fromarray(image[top : top + least, left : left + least])
        buffer = io.BytesIO()
        square.resize((self.side, self.side), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=self.quality)
        return np.asarray(Image.open(buffer).convert("RGB"))


def equaliser_for(sides: list[int]) -> Equaliser:
    """The equaliser that fits images whose shorter sides are these. Raises `EvalkitError` where one is too small."""
    side = min(LARGEST, int(min(sides) * _SHRINK))
    if side < SMALLEST:
        raise EvalkitError(f"an image has a side of {min(sides)} px. Give images from {round(SMALLEST / _SHRINK)} px")
    return Equaliser(side)
