"""An instance cut out of its image, as GenEval shows it to the colour classifier."""

from __future__ import annotations

import numpy as np
from PIL import Image

from evalkit.encoders.detectors.detection import Box
from evalkit.encoders.detectors.rle import Binary
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

GREY = "#999"


def crop(image: Pixels, box: Box, mask: Binary | None = None, *, background: str = GREY, cut: bool = True) -> Pixels:
    """The pixels of `box`, what lies outside of `mask` painted in `background` ("original" leaves it).

    Corners are rounded to even halves and may lie outside of the image, where pixels are black (Pillow's crop). A box
    that rounds to nothing becomes one pixel wide, where the official code stops. `cut` False keeps the whole image.
    Raises `EvalkitError` where the mask is of another size than the image.
    """
    shown = Image.fromarray(image)
    if mask is not None:
        if mask.shape != image.shape[:2]:
            raise EvalkitError(
                f"a mask of {mask.shape[0]} x {mask.shape[1]} pixels does not fit an image of "
                f"{image.shape[0]} x {image.shape[1]}. Give the evidence of this image"
            )
        ground = shown if background == "original" else Image.new("RGB", shown.size, background)
        shown = Image.composite(shown, ground, Image.fromarray(np.ascontiguousarray(mask)))
    if cut:
        left, top, right, bottom = (round(side) for side in box)
        shown = shown.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    return np.asarray(shown, np.uint8)
