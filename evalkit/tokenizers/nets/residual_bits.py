"""Multi-scale residual quantisation by signs (Infinity, arXiv 2412.04431; models/bsq_vae/multiscale_bsq.py)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Grid = tuple[int, int]  # rows, columns
ChooseBits = Callable[[int, Tensor], Tensor]  # (scale number, features [B, d, h, w]) -> bits [B, h*w, d]


def encode_bits(f: Tensor, scales: tuple[Grid, ...], choose: ChooseBits | None = None) -> list[Tensor]:
    """Bits int8 [B, h*w, d] of each scale of features [B, d, H, W]; bit k is 1 where channel k is positive.

    Each scale codes what the coarser ones left over, in float32. `choose` picks the bits instead of the signs; what
    it leaves over goes on to the finer scales.
    """
    with torch.autocast(f.device.type, enabled=False):
        rest, size = f.float(), (int(f.shape[2]), int(f.shape[3]))
        found = []
        for number, grid in enumerate(scales):
            small = rest if grid == size else F.interpolate(rest, size=grid, mode="area")
            # The official code brings `small` to unit length here, which moves no sign.
            bits = choose(number, small) if choose else (small > 0).flatten(2).transpose(1, 2)
            found.append(bits.to(torch.int8))
            rest = rest - grow(found[-1], grid, size)
    return found


def decode_bits(bits: list[Tensor], scales: tuple[Grid, ...]) -> Tensor:
    """Features float32 [B, d, H, W] of the bits of all scales: the sum of what each adds."""
    with torch.autocast(bits[0].device.type, enabled=False):
        total = grow(bits[0], scales[0], scales[-1])
        for each, grid in zip(bits[1:], scales[1:], strict=True):
            total = total + grow(each, grid, scales[-1])
    return total


def grow(bits: Tensor, grid: Grid, size: Grid) -> Tensor:
    """What the bits of one scale add to the features: corners of the unit sphere's cube, bilinearly enlarged."""
    signs = bits.float() * 2 - 1
    q = (signs / signs.shape[2] ** 0.5).transpose(1, 2).reshape(len(bits), -1, *grid)
    return q if grid == size else F.interpolate(q, size=size, mode="bilinear")
