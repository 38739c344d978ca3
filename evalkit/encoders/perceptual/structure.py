"""`dino-structure`: how far two images differ in the self-similarity of DINO's keys, which is blind to colours.

Source: Tumanyan et al. 2022 (arXiv:2201.00424), as cure-lab/PnPInversion 07f97f4 measures it in
evaluation/matrics_calculator.py: ViT-B/8 at 224 px, keys of the last block, mean squared difference of cosines.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.encoders.base import PerceptualDistance
from evalkit.encoders.registry import register
from evalkit.encoders.vit_dino import IMAGENET, PlainVit, VitSize
from evalkit.errors import EvalkitError
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

NAME = "dino-structure"


@register(NAME, "distance")
class StructureDistance(PerceptualDistance):
    """Structure distance, 0 for equal structure; papers print it times 1,000."""

    def __init__(self, weights: str | Path | None, device: torch.device, *, size: VitSize | None = None) -> None:
        """`size`: of the network, ViT-B/8 by default."""
        path, self.size = find_weights(NAME, weights), size or VitSize(patch=8)
        with without_init():
            network = PlainVit(self.size)
        fit(network, read_checkpoint(path), path, NAME)
        self.id, self.device = NAME, device
        self.network = network.eval().requires_grad_(False).to(device)
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def distance(self, x: Tensor, y: Tensor, *, normalise: bool = True) -> Tensor:
        """float32 [B] of two float batches [B, 3, H, W].

        `normalise` takes images on [0, 1] to ImageNet's scale; False feeds them as they are. Sides other than 224 are
        resized by torch's bilinear filter without antialiasing, as torchvision 0.13 resized tensors.
        """
        if x.shape != y.shape or x.ndim != 4 or x.shape[1] != 3:
            raise EvalkitError(f"{NAME} takes two [B, 3, H, W] batches; {tuple(x.shape)}, {tuple(y.shape)} given")
        found = [self._likeness(each, normalise=normalise) for each in (x, y)]
        gaps: Tensor = (found[0] - found[1]).square().mean((1, 2))
        return gaps.cpu()

    def _likeness(self, x: Tensor, *, normalise: bool) -> Tensor:
        """Cosines [B, T, T] of the keys of all tokens."""
        side, x = self.size.side, x.to(self.device, torch.float32)
        if x.shape[2:] != (side, side):
            x = F.interpolate(x, (side, side), mode="bilinear", align_corners=False)
        if normalise:
            mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in IMAGENET)
            x = (x - mean) / std
        keys = self.network.keys(x)
        norms = keys.norm(dim=2, keepdim=True)
        cosines: Tensor = keys @ keys.transpose(1, 2) / (norms @ norms.transpose(1, 2)).clamp_min(1e-8)
        return cosines
