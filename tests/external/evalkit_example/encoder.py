"""The mean colour of an image, as features."""

import torch
from torch import Tensor

from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.registry import register, shipped


@register("mean-colour", "features")
class MeanColour(FeatureExtractor):
    """Three numbers on [0, 1]."""

    id, dim, side, weights_sha256 = "mean-colour", 3, 1, "none"

    def __init__(self, weights, device: torch.device) -> None:
        shipped(self.id, weights)
        self.device = device

    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        return self._check(images).float().mean((2, 3)) / 255
