"""How Hita prepares images for its DINOv2 backbone (CVMI-Lab/Hita)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.encoders.features.vit_dinov2 import MEAN, STD


def normalised(x: Tensor, side: int) -> Tensor:
    """Images on [-1, 1] resized to `side` as Hita's official code does by kornia, and normalised for the backbone.

    Where a side shrinks by the factor f, a Gaussian of sigma (f-1)/2 comes first; then bicubic with aligned corners.
    """
    factors = [x.shape[2] / side, x.shape[3] / side]
    if (x.shape[2], x.shape[3]) != (side, side):
        if max(factors) > 1:
            x = _blur(_blur(x, factors[1]).transpose(2, 3), factors[0]).transpose(2, 3)
        x = F.interpolate(x, size=(side, side), mode="bicubic", align_corners=True).clamp(-1, 1)
    mean, std = (torch.tensor(values, device=x.device).view(3, 1, 1) for values in (MEAN, STD))
    return ((x + 1) / 2 - mean) / std


def _blur(x: Tensor, factor: float) -> Tensor:
    sigma = max((factor - 1) / 2, 0.001)
    half = int(max(4 * sigma, 3)) // 2
    offsets = torch.arange(-half, half + 1, device=x.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma).square())
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    return F.conv2d(F.pad(x, (half, half, 0, 0), mode="reflect"), kernel, groups=x.shape[1])
