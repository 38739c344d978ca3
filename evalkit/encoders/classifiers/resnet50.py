"""torchvision's ResNet-50 with its second weights, which erasure papers count ImageNet objects with (top-1 to top-10).

Equivalent to torchvision.models.resnet50 with ResNet50_Weights.IMAGENET1K_V2 and its transforms: shorter side 232, centre
224, ImageNet's mean and deviation. torchvision's first weights and those of the hub give other rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.models import ResNet50_Weights, resnet50

from evalkit.encoders.classifiers.base import Classifier, Labelled, likeliest
from evalkit.encoders.precision import full_float32
from evalkit.encoders.registry import register
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

KEY = "resnet50-imagenet-v2"
CARD = ResNet50_Weights.IMAGENET1K_V2


@register("resnet50", "label")
class ResNet50(Classifier):
    """The 1,000 classes of ImageNet by torchvision's names."""

    id = "resnet50"
    labels = tuple(CARD.meta["categories"])

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        path = find_weights(KEY, weights)
        with without_init():
            network = resnet50()
        fit(network, read_checkpoint(path), path, self.id)
        self.network = network.eval().requires_grad_(False).to(device)
        self.prepare, self.device = CARD.transforms(), device
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Pixels]) -> list[tuple[Labelled, ...]]:
        """Image by image, so that none depends on its batch."""
        found: list[tuple[Labelled, ...]] = []
        for image in images:
            x = self.prepare(Image.fromarray(np.ascontiguousarray(image)))[None].to(self.device)
            with full_float32():
                found += likeliest(self.network(x).float().softmax(-1).cpu(), self.labels)
        return found
