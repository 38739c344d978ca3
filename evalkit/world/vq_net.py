"""world-vq's network: an encoder that sees one 8x8 block at a time, 1,024 codes, and a decoder that sees the neighbours.

A sprite that moves by a block keeps its codes exactly, whatever stands beside it; what a single code cannot say about a
block, the decoder reads from the codes around it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.search import CodeSearch


@dataclass(frozen=True)
class WorldVQConfig:
    """Sizes of the tokenizer; `widths` of the decoder at strides 8, 4 and 2."""

    codes: int = 1024
    code_dim: int = 8
    encoder: tuple[int, int] = (96, 128)
    widths: tuple[int, int, int] = (128, 96, 48)
    blocks: tuple[int, int, int] = (2, 2, 1)


class Pointwise(nn.Module):
    """A residual two-layer network on the channels of each position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.rise = nn.Conv2d(width, 2 * width, 1)
        self.fall = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, h, w] -> the same shape."""
        out: Tensor = x + self.fall(F.gelu(self.rise(x)))
        return out


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; edges are continued outwards, so that a border is no landmark."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate")
        self.second = nn.Conv2d(width, width, 3, padding=1, padding_mode="replicate")

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, h, w] -> the same shape."""
        out: Tensor = x + self.second(F.silu(self.first(F.silu(x))))
        return out


class Encoder(nn.Module):
    """[B, 3, 8h, 8w] in [-1, 1] -> [B, code_dim, h, w] of length 1."""

    def __init__(self, config: WorldVQConfig) -> None:
        super().__init__()
        low, high = config.encoder
        self.enter = nn.Conv2d(3, low, 4, stride=4)
        self.low = nn.Sequential(Pointwise(low), Pointwise(low))
        self.merge = nn.Conv2d(low, high, 2, stride=2)
        self.high = nn.Sequential(Pointwise(high), Pointwise(high))
        self.out = nn.Conv2d(high, config.code_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features before quantisation."""
        x = self.low(F.gelu(self.enter(x)))
        x = self.high(F.gelu(self.merge(x)))
        return F.normalize(self.out(x).float(), dim=1)


class Decoder(nn.Module):
    """[B, code_dim, h, w] -> [B, 3, 8h, 8w] in [-1, 1], not clamped."""

    def __init__(self, config: WorldVQConfig) -> None:
        super().__init__()
        self.enter = nn.Conv2d(config.code_dim, config.widths[0], 3, padding=1, padding_mode="replicate")
        layers: list[nn.Module] = []
        for width, count, following in zip(config.widths, config.blocks, (*config.widths[1:], 3), strict=True):
            layers += [Residual(width) for _ in range(count)]
            layers += [nn.SiLU(), nn.Conv2d(width, 4 * following, 1), nn.PixelShuffle(2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Images in the network's own range."""
        out: Tensor = self.layers(self.enter(z))
        return out


class WorldVQNet(CodeSearch):
    """Encoder, a codebook on the unit sphere, decoder."""

    codebook: Tensor

    def __init__(self, config: WorldVQConfig) -> None:
        super().__init__()
        self.encoder: nn.Module = Encoder(config)
        self.decoder = Decoder(config)
        self.register_buffer("codebook", F.normalize(torch.randn(config.codes, config.code_dim), dim=1))

    def indices(self, z: Tensor) -> Tensor:
        """int64 [B, h * w]: the nearest code of each position of [B, code_dim, h, w], row by row."""
        flat = z.float().flatten(2).transpose(1, 2)
        table = self.codebook.float()
        return self.settle(flat, (flat @ table.T).argmax(-1), table)

    def lookup(self, indices: Tensor, grid: tuple[int, int]) -> Tensor:
        """[B, code_dim, h, w] of int64 [B, h * w]."""
        found = F.embedding(indices, self.codebook).transpose(1, 2)
        return found.reshape(len(found), -1, *grid)
