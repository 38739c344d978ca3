"""`fasterrcnn-resnet50-v2`: torchvision's Faster R-CNN (Li et al. 2021, arXiv:2111.11429), trained on COCO.

The network, its sizes and its post-processing are torchvision's own; weights are under BSD-3-Clause.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights, fasterrcnn_resnet50_fpn_v2

from evalkit.encoders.detectors.base import DESCRIPTIONS, Described, Detector, checked
from evalkit.encoders.detectors.detection import Boxes, Detection
from evalkit.encoders.precision import full_float32
from evalkit.encoders.registry import register
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

NAME = "fasterrcnn-resnet50-v2"
NAMES: Sequence[str] = FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1.meta["categories"]  # by number, with gaps
GAPS = ("__background__", "N/A")


class FasterRcnn(Detector):
    """Instances of COCO's 80 classes with their boxes, image by image."""

    id, floor = NAME, 0.05
    classes = tuple(name for name in NAMES if name not in GAPS)

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        path = find_weights(NAME, weights)
        with without_init():
            network = fasterrcnn_resnet50_fpn_v2(
                weights=None, weights_backbone=None, num_classes=len(NAMES), box_score_thresh=self.floor
            )
        fit(network, read_checkpoint(path), path, NAME)
        self._hold(network, file_sha256(path), device)

    @classmethod
    def of_network(cls, network: Any, device: torch.device) -> FasterRcnn:
        """The detector of a network of torchvision's form that is there."""
        made = cls.__new__(cls)
        made._hold(network, None, device)
        return made

    def _hold(self, network: Any, sha256: str | None, device: torch.device) -> None:
        self.network, self.device = network.eval().requires_grad_(False).to(device), device
        self.version = f"torchvision {importlib.metadata.version('torchvision')}"
        self.weights_sha256 = sha256

    @torch.inference_mode()
    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """Up to 100 instances of each image."""
        return [self._one(image) for image in checked(images, self.id)]

    def _one(self, image: Pixels) -> Boxes:
        x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).to(self.device).float() / 255
        with full_float32():
            found = {key: each.tolist() for key, each in self.network([x])[0].items()}
        rows = zip(found["labels"], found["boxes"], found["scores"], strict=True)
        kept = [
            Detection(NAMES[label], (box[0], box[1], box[2], box[3]), score)
            for label, box, score in rows
            if NAMES[label] not in GAPS
        ]
        return tuple(sorted(kept, key=lambda each: -each.score))


@register(NAME, "boxes")
def _load(weights: str | Path | None, device: torch.device) -> Detector:
    return FasterRcnn(weights, device)


def _describe(weights: str | Path | None) -> Described:
    return Described(file_sha256(find_weights(NAME, weights)))


DESCRIPTIONS[NAME] = _describe
