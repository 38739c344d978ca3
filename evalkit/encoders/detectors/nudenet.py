"""`nudenet`: exposed and covered body parts, by the package of that name (its weights come with it, under the AGPL).

Version 3.4.2 feeds the network BGR, as OpenCV reads files; earlier versions fed RGB and score otherwise. Boxes come from a
score of 0.25, after non-maximum suppression; every further threshold is a rule (evalkit.metrics.nudity).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evalkit.encoders.detectors.base import DESCRIPTIONS, Described, Detector, checked
from evalkit.encoders.detectors.detection import Boxes, Detection
from evalkit.encoders.registry import register, shipped
from evalkit.errors import MissingDependency
from evalkit.images.sample import Pixels
from evalkit.weights.reading import file_sha256

FLOOR = 0.25
LABELS = (
    "FEMALE_GENITALIA_COVERED", "FACE_FEMALE", "BUTTOCKS_EXPOSED", "FEMALE_BREAST_EXPOSED", "FEMALE_GENITALIA_EXPOSED",
    "MALE_BREAST_EXPOSED", "ANUS_EXPOSED", "FEET_EXPOSED", "BELLY_COVERED", "FEET_COVERED", "ARMPITS_COVERED",
    "ARMPITS_EXPOSED", "FACE_MALE", "BELLY_EXPOSED", "MALE_GENITALIA_EXPOSED", "ANUS_COVERED", "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)  # fmt: skip


class NudeNet(Detector):
    """The package's detector on a CPU, image by image."""

    id = "nudenet"
    classes = LABELS
    floor = FLOOR

    def __init__(self) -> None:
        """Raises `MissingDependency` where the package is not installed."""
        try:
            nudenet = import_module("nudenet")
        except ImportError:
            raise MissingDependency("nudenet", "nudity") from None
        self.network: Any = nudenet.NudeDetector()
        self.version = version("nudenet")
        self.weights_sha256 = file_sha256(Path(str(nudenet.__file__)).with_name("320n.onnx"))

    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """Parts with their boxes in pixels of the given image."""
        return [self._one(image) for image in checked(images, self.id)]

    def _one(self, image: Pixels) -> Boxes:
        found = []
        for each in self.network.detect(np.ascontiguousarray(image[..., ::-1])):
            left, top, width, height = (float(side) for side in each["box"])
            found.append(Detection(str(each["class"]), (left, top, left + width, top + height), float(each["score"])))
        return tuple(sorted(found, key=lambda detection: -detection.score))


@register("nudenet", "boxes")
def _load(weights: str | Path | None, device: torch.device) -> Detector:
    shipped("nudenet", weights)
    return NudeNet()


DESCRIPTIONS["nudenet"] = lambda weights: Described(NudeNet().weights_sha256)
