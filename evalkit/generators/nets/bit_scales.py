"""Maps of bits, coarse to fine: their places, who sees whom, and what they say to the next one (Infinity)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.tokenizers.nets.residual_bits import Grid, grow


def rotary(scales: tuple[Grid, ...], finest: Grid, head: int) -> Tensor:
    """[L, head/2, (cos, sin)]: each scale's cells at the places that they have in the finest map of their ratio."""
    quarter = head // 2
    speeds = 10000.0 ** (-torch.arange(0, quarter, 2).float() / quarter)
    angles = []
    for rows, columns in scales:
        down = (torch.arange(rows) * (finest[0] / rows)).round()
        across = (torch.arange(columns) * (finest[1] / columns)).round()
        y = (down[:, None, None] * speeds).expand(-1, columns, -1)
        x = (across[None, :, None] * speeds).expand(rows, -1, -1)
        angles.append(torch.cat([y, x], -1).flatten(0, 1))
    turned = torch.cat(angles)
    return torch.stack([turned.cos(), turned.sin()], -1)


def mask_of(lengths: tuple[int, ...], device: torch.device | str) -> Tensor:
    """[L, L]: a code sees its own scale and the coarser ones."""
    level = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).to(device)
    return level[:, None] >= level[None, :]


def split(bits: Tensor, grid: Grid, patch: int) -> Tensor:
    """Bits [B, h*w, p*p*d] of a map of codes as those of the tokenizer's cells [B, h*p*w*p, d]."""
    maps = bits.transpose(1, 2).reshape(len(bits), -1, *grid)
    return F.pixel_shuffle(maps, patch).flatten(2).transpose(1, 2)


class Sums:
    """The sum of what the scales add, brought to the next scale's size."""

    def __init__(self, scales: tuple[Grid, ...], patch: int) -> None:
        self.scales, self.patch = scales, patch
        self.total: Tensor | None = None

    def after(self, number: int, bits: Tensor) -> Tensor:
        """Values [B, n, bits] of the inputs of scale `number` + 1."""
        rows, columns = self.scales[number]
        last, following = (tuple(side * self.patch for side in self.scales[i]) for i in (-1, number + 1))
        cells = split(bits, (rows, columns), self.patch)
        with torch.autocast(bits.device.type, enabled=False):
            part = grow(cells, (rows * self.patch, columns * self.patch), (last[0], last[1]))
            self.total = part if self.total is None else self.total + part
            small = F.interpolate(self.total, size=following, mode="bilinear")
        return F.pixel_unshuffle(small, self.patch).flatten(2).transpose(1, 2)
