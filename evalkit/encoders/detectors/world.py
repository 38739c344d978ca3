"""`world` and `world2`: the known-truth detectors of the reference world's two editions, which also see colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from evalkit.encoders.detectors.base import DESCRIPTIONS, Described, Detector, checked
from evalkit.encoders.detectors.detection import Boxes, Detection
from evalkit.encoders.registry import register, shipped
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256
from evalkit.world.detector import THRESHOLD, Seen, detect
from evalkit.world.judge import NATURAL
from evalkit.world.scene import SIDE
from evalkit.world.second import detector as second
from evalkit.world.second.scene import SIDE as SECOND_SIDE
from evalkit.world.second.vocabulary import CLASS_NAMES as SECOND_NAMES
from evalkit.world.vocabulary import CLASS_NAMES


class WorldDetector(Detector):
    """Compares every window with every sprite; there are no weights, and images are square."""

    id = "world"
    version = "1"
    classes = CLASS_NAMES
    floor = THRESHOLD
    sees_colors = True

    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """Things with their colours; boxes are in pixels of the given image. Raises `EvalkitError` if it is not square."""
        return [_boxes(image, SIDE, detect) for image in checked(images, self.id)]


class World2Detector(Detector):
    """The second edition's network, trained on its own scenes; images are square and read one by one."""

    id = "world2"
    version = "1"
    classes = SECOND_NAMES
    floor = second.THRESHOLD
    sees_colors = True

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        path = find_weights(second.WEIGHTS, weights)
        self.network, self.weights_sha256 = second.load_network(path).to(device), file_sha256(path)

    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """Things with their colours; boxes are in pixels of the given image. Raises `EvalkitError` if it is not square."""
        return [_boxes(image, SECOND_SIDE, self._seen) for image in checked(images, self.id)]

    def _seen(self, image: Pixels) -> Seen:
        return second.detect_all([image], self.network)[0]


def _boxes(image: Pixels, side: int, seen: Callable[[Pixels], Seen]) -> Boxes:
    """What was seen at `side` pixels, in pixels of the image."""
    factor = image.shape[0] / side
    found = []
    for thing in seen(image).things:
        left, top, right, bottom = (edge * factor for edge in thing.box)
        box = (left, top, right, bottom)
        found.append(Detection(thing.name, box, min(1.0, thing.score), None, thing.color or NATURAL, 1.0))
    return tuple(found)


@register("world", "boxes")
def _load(weights: str | Path | None, device: torch.device) -> Detector:
    shipped("world", weights)
    return WorldDetector()


register("world2", "boxes")(World2Detector)

DESCRIPTIONS["world"] = lambda weights: Described(sees_colors=True)
DESCRIPTIONS["world2"] = lambda weights: Described(file_sha256(find_weights(second.WEIGHTS, weights)), sees_colors=True)
