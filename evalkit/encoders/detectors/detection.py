"""What a detector finds in an image: instances of its classes with their boxes, scores, masks and colours."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.encoders.detectors.rle import Mask

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Detection:
    """One instance: class `label`, `box` (left, top, right, bottom) in pixels of the image, and `score` in [0, 1].

    `box` reaches from the first pixel's near edge to the last pixel's far edge. `mask`: its pixels, where the detector
    gives them. `color` and its probability `sureness`: the answer of whoever was asked, None where nobody was.
    """

    label: str
    box: Box
    score: float
    mask: Mask | None = None
    color: str | None = None
    sureness: float | None = None


Boxes = tuple[Detection, ...]
