"""`world`: the known-truth detector of the reference world, which also sees colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from evalkit.encoders.detectors.base import DESCRIPTIONS, Described, Detector, checked
from evalkit.encoders.detectors.detection import Boxes, Detection
from evalkit.encoders.registry import register, shipped
from evalkit.images.sample import Pixels
from evalkit.world.detector import THRESHOLD, detect
from evalkit.world.scene import SIDE
from evalkit.world.vocabulary import CLASS_NAMES

NATURAL = "natural"  # the colour of a thing that was not painted


class WorldDetector(Detector):
    """Compares every window with every sprite; there are no weights, and images are square."""

    id = "world"
    version = "1"
    classes = CLASS_NAMES
    floor = THRESHOLD
    sees_colors = True

    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """Things with their colours; boxes are in pixels of the given image. Raises `EvalkitError` if it is not square."""
        return [self._one(image) for image in checked(images, self.id)]

    def _one(self, image: Pixels) -> Boxes:
        factor = image.shape[0] / SIDE
        found = []
        for thing in detect(image).things:
            left, top, right, bottom = (side * factor for side in thing.box)
            box = (left, top, right, bottom)
            found.append(Detection(thing.name, box, min(1.0, thing.score), None, thing.color or NATURAL, 1.0))
        return tuple(found)


@register("world", "boxes")
def _load(weights: str | Path | None, device: torch.device) -> Detector:
    shipped("world", weights)
    return WorldDetector()


DESCRIPTIONS["world"] = lambda weights: Described(sees_colors=True)
