"""Multi-scale residual quantisation (VAR, arXiv:2404.02905, algorithms 1 and 2)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.quantize import Codebook

Choose = Callable[[int, Tensor], Tensor]  # (scale number, features [B, d, h, w]) -> codes [B, h*w]


class Phi(nn.Conv2d):
    """Half the features, half their 3x3 convolution."""

    def __init__(self, dim: int, share: float) -> None:
        super().__init__(dim, dim, 3, padding=1)
        self.share = share

    def forward(self, h: Tensor) -> Tensor:
        """[B, d, H, W] -> [B, d, H, W]."""
        return h * (1 - self.share) + super().forward(h) * self.share


class PhiBank(nn.Module):
    """A few convolutions shared by all scales: scale k of K takes the one whose tick is nearest to k / (K - 1)."""

    def __init__(self, dim: int, count: int, share: float) -> None:
        super().__init__()
        self.qresi_ls = nn.ModuleList(Phi(dim, share) for _ in range(count))
        self.ticks = np.linspace(1 / 3 / count, 1 - 1 / 3 / count, count)

    def at(self, scale: int, scales: int) -> nn.Module:
        """The convolution of scale number `scale`."""
        place = scale / max(scales - 1, 1)
        return self.qresi_ls[int(np.abs(self.ticks - place).argmin())]


class ResidualCodebook(Codebook):
    """One codebook for all scales; each scale codes what the coarser ones left over. All in float32."""

    def __init__(self, size: int, dim: int, *, phis: int = 4, share: float = 0.5) -> None:
        super().__init__(size, dim, l2=False)
        self.quant_resi = PhiBank(dim, phis, share)

    def encode(self, f: Tensor, scales: tuple[int, ...], choose: Choose | None = None) -> list[Tensor]:
        """Codes of each scale [B, p*p] of features [B, d, H, W].

        `choose` picks the codes instead of the nearest-code search; what it leaves over goes on to the finer scales.
        """
        with torch.autocast(f.device.type, enabled=False):
            rest = f.float()
            found = []
            for number, side in enumerate(scales):
                last = number == len(scales) - 1
                small = rest if last else F.interpolate(rest, size=(side, side), mode="area")
                codes = choose(number, small) if choose else self.indices(small)
                found.append(codes)
                rest = rest - self.grow(codes, number, scales, (int(f.shape[2]), int(f.shape[3])))
        return found

    def decode(self, codes: list[Tensor], scales: tuple[int, ...]) -> Tensor:
        """Features [B, d, H, W] of the codes of all scales: the sum of what each adds."""
        maps = [self.lookup(each, (side, side)) for each, side in zip(codes, scales, strict=True)]
        return self.summed(maps, scales)

    def summed(self, maps: list[Tensor], scales: tuple[int, ...]) -> Tensor:
        """Features [B, d, H, W] of the features [B, d, p, p] of all scales."""
        with torch.autocast(self.embedding.weight.device.type, enabled=False):
            size = (scales[-1], scales[-1])
            parts = [self.spread(each, number, scales, size) for number, each in enumerate(maps)]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
        return total

    def grow(self, codes: Tensor, number: int, scales: tuple[int, ...], size: tuple[int, int]) -> Tensor:
        """What the codes of one scale add to the features."""
        return self.spread(self.lookup(codes, (scales[number], scales[number])), number, scales, size)

    def spread(self, h: Tensor, number: int, scales: tuple[int, ...], size: tuple[int, int]) -> Tensor:
        """What the features of one scale add: bicubically enlarged, through the scale's convolution."""
        if number < len(scales) - 1:
            h = F.interpolate(h, size=size, mode="bicubic")
        out: Tensor = self.quant_resi.at(number, len(scales))(h)
        return out
