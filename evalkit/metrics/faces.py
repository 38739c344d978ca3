"""Did faces survive? PSNR and agreement of fine detail inside the boxes of the original's faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.metrics.detail import correlation, luma, residual
from evalkit.metrics.psnr import Image, mse, psnr, same_shape

SMALLEST = 16  # px of the shorter side: below this a face is a few cells of any tokenizer
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class FaceScores:
    """`psnr_face` in dB, `hf_correlation_face` in [-1, 1]; None where there is no face, or no detail in it."""

    psnr_face: float | None
    hf_correlation_face: float | None


def face_scores(original: Image, reconstruction: Image, boxes: Sequence[Box]) -> FaceScores:
    """Scores over the pixels of all `boxes` (left, top, right, bottom; the last two exclusive) of two uint8 [H, W, 3] images.

    The residuals are those of the whole images (`detail.residual`), so that a box has no borders of its own.
    """
    same_shape(original, reconstruction)
    height, width = original.shape[:2]
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise EvalkitError(f"a face box lies inside the {width}x{height} image; {(left, top, right, bottom)} given")
    if not boxes:
        return FaceScores(None, None)
    x, y = (_inside(each, boxes) for each in (original, reconstruction))
    high_x, high_y = (_inside(residual(luma(each)), boxes) for each in (original, reconstruction))
    return FaceScores(psnr(mse(x, y)), correlation(high_x, high_y))


def _inside(picture: Image, boxes: Sequence[Box]) -> Image:
    """The pixels of all boxes, one after the other, [n, 1] or [n, 1, 3]."""
    parts = [picture[top:bottom, left:right] for left, top, right, bottom in boxes]
    return np.concatenate([part.reshape(-1, 1, *part.shape[2:]) for part in parts])
