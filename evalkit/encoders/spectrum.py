"""The radial power spectrum of images: what up-sampling, smoothing and noise leave, for any content."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

RINGS = 48
WHOLE, SIDE = 2**23, 2048  # 8 million pixels; the middle of larger images
VERSION = "radial-spectrum 2"
LUMA = (0.299, 0.587, 0.114)


def radial_spectrum(images: Tensor) -> Tensor:
    """log10 of the power at 48 rings of frequency, float64 [B, 48], from 0 to half a cycle a pixel, of the luma.

    `images`: uint8 [B, 3, H, W]. A Hann window keeps the borders from looking like an edge. Of images of more than
    `WHOLE` pixels the middle is looked at, `SIDE` pixels wide and high at most: a transform takes 50 bytes a pixel.
    """
    if images.shape[2] * images.shape[3] > WHOLE:
        top, left = (max(0, (side - SIDE) // 2) for side in images.shape[2:])
        images = images[:, :, top : top + SIDE, left : left + SIDE]
    weights = torch.tensor(LUMA, dtype=torch.float64, device=images.device)
    luma = torch.einsum("bchw,c->bhw", images.double(), weights)
    height, width = luma.shape[1:]
    window, ring = (each.to(images.device) for each in _grid(height, width))
    power = torch.fft.rfft2((luma - luma.mean((1, 2), keepdim=True)) * window).abs().square() / window.sum() ** 2
    sums = torch.zeros((len(images), RINGS + 1), dtype=torch.float64, device=images.device)
    sums.index_add_(1, ring, power.flatten(1))
    counts = torch.bincount(ring, minlength=RINGS + 1).clamp_(min=1)
    return torch.log10(sums / counts + 1e-9)[:, :RINGS]


@lru_cache(4)
def _grid(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Window [H, W], and the ring [H * (W // 2 + 1)] of every frequency; the last one is beyond half a cycle."""
    one, two = (torch.hann_window(side, periodic=False, dtype=torch.float64) for side in (height, width))
    down, across = (
        torch.fft.fftfreq(height, dtype=torch.float64),
        torch.fft.rfftfreq(width, dtype=torch.float64),
    )
    radius = torch.hypot(down[:, None], across[None])
    return torch.outer(one, two), (radius * 2 * RINGS).long().clamp_(max=RINGS).flatten()
