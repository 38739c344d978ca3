"""Regions of an edit: masks, their run lengths in PIE-Bench's form, and pairs with one region alone.

In a pair with one region, everything else is zero in both images. Metrics go over the whole canvas, so that PSNR is
higher than over the region's pixels alone; published numbers are made so. Sources: SmartEdit, test/metrics_evaluation.py;
cure-lab/PnPInversion, evaluation/matrics_calculator.py (commit 07f97f4).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

Region = NDArray[np.bool_]
SIDE = 256  # px at which Reason-Edit is measured


def piebench_region(runs: Sequence[int], height: int = 512, width: int = 512) -> Region:
    """The edited region bool [H, W] of [start, length, …] in rows; the border of one pixel is always edited.

    The last run may end beyond the image, as some of PIE-Bench's do. Raises `EvalkitError` for one that starts there.
    """
    pairs = np.asarray(runs, np.int64)
    if pairs.ndim != 1 or len(pairs) % 2 or (len(pairs) and pairs.min() < 0):
        raise EvalkitError("the runs of a mask are not [start, length, …]. Give them as PIE-Bench writes them")
    flat = np.zeros(height * width, bool)
    for start, length in pairs.reshape(-1, 2).tolist():
        if start >= flat.size:
            raise EvalkitError(f"a run of a mask starts beyond {height} x {width} pixels. Give the size of its image")
        flat[start : start + length] = True
    region = flat.reshape(height, width)
    region[[0, -1]] = True
    region[:, [0, -1]] = True
    return region


def grey(mask: Pixels) -> NDArray[np.uint8]:
    """A mask's values uint8 [H, W] as Pillow's mode L gives them."""
    return np.asarray(Image.fromarray(mask).convert("L"))


def only(image: Pixels, region: Region) -> Pixels:
    """uint8 [H, W, 3] with zeros outside of `region`. Raises `EvalkitError` where both differ in size."""
    if image.shape[:2] != region.shape:
        raise EvalkitError(
            f"a mask of {region.shape[0]} x {region.shape[1]} pixels does not fit an image of "
            f"{image.shape[0]} x {image.shape[1]}. Give the mask of this image"
        )
    return image * region[..., None]


def cut_out(image: Pixels, region: Region, last: int = 1) -> Pixels:
    """The box of a region, cut out of the image; without its last row and column where `last` is 0.

    Raises `EvalkitError` for an empty region.
    """
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    if not len(rows):
        raise EvalkitError("the mask of an edit is empty. Give the mask of the edited region")
    return image[rows[0] : rows[-1] + last, columns[0] : columns[-1] + last]
