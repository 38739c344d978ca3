"""Hita's transformers around the codebooks: holistic slots and a map (arXiv 2507.02358; CVMI-Lab/Hita hita/core)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.features.vit_dinov2 import DinoSize
from evalkit.tokenizers.llamagen import LlamaGenConfig
from evalkit.tokenizers.nets.hita_layers import Layers, LayerSize


@dataclass(frozen=True)
class HitaConfig:
    """Sizes; `shift`: how many slots early the window of decoded positions starts; `convolutions.z`: also the width."""

    convolutions: LlamaGenConfig = field(default_factory=lambda: LlamaGenConfig(z=512))
    slots: int = 128
    slot_dim: int = 12
    transformer: LayerSize = field(default_factory=LayerSize)
    shift: int = 4
    size: int = 336
    backbone: DinoSize = field(default_factory=DinoSize)

    @property
    def width(self) -> int:
        """Channels of the transformers and of the map."""
        return self.transformer.width

    @property
    def stride(self) -> int:
        """Pixels a patch code on each side."""
        return int(2 ** (len(self.convolutions.mult) - 1))

    @property
    def grid(self) -> int:
        """Patch codes on each side of an image of the native size."""
        return self.size // self.stride


class Projection(nn.Module):
    """Two linear maps without biases, each followed by a norm, with a ReLU between: the backbone's width to ours."""

    def __init__(self, cin: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(cin, width, bias=False),
            nn.LayerNorm(width),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.LayerNorm(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, cin] -> [B, L, W]."""
        out: Tensor = self.mlp(x)
        return out


def grid_positions(table: Tensor, h: int, w: int) -> Tensor:
    """Positions [1, h*w, W] from a learned square table [1, n*n, W], bicubic where the map has another size."""
    side = round(table.shape[1] ** 0.5)
    if (h, w) == (side, side):
        return table
    square = table.view(1, side, side, -1).permute(0, 3, 1, 2)
    # the official code asks for a tenth of a position more, and that scale places the samples
    resized = F.interpolate(square, scale_factor=((h + 0.1) / side, (w + 0.1) / side), mode="bicubic")
    return resized.flatten(2).transpose(1, 2)


class HitaEncoder(nn.Module):
    """Map [B, W, h, w] and backbone features [B, M, D] -> map [B, W, h, w] and slots [B, S, W]."""

    def __init__(self, config: HitaConfig) -> None:
        super().__init__()
        scale = config.width**-0.5
        self.carrier_tokens = nn.Parameter(scale * torch.randn(1, config.slots, config.width))
        self.pos_embed = nn.Parameter(scale * torch.randn(1, config.grid**2, config.width))
        self.proj = Projection(config.backbone.width, config.width)
        self.norm_pre1 = nn.LayerNorm(config.width)
        self.transformer1 = Layers(config.transformer, causal=False)
        self.transformer2 = Layers(config.transformer, causal=True)
        self.norm_pre2 = nn.LayerNorm(config.width)

    def forward(self, z: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map and slots before quantisation."""
        b, _, h, w = z.shape
        carriers = self.carrier_tokens.expand(b, -1, -1)
        guide = self.proj(features)
        patches = z.flatten(2).transpose(1, 2) + grid_positions(self.pos_embed, h, w)
        slots, patch_start = carriers.shape[1], carriers.shape[1] + guide.shape[1]
        x = self.transformer1(self.norm_pre1(torch.cat([carriers, guide, patches], dim=1)))
        x = torch.cat([x[:, :slots], x[:, patch_start:]], dim=1)
        x = self.transformer2(self.norm_pre2(x))
        return x[:, slots:].transpose(1, 2).reshape(z.shape), x[:, :slots]


class HitaDecoder(nn.Module):
    """Map [B, W, h, w] and slots [B, S, W] -> map [B, W, h, w]."""

    def __init__(self, config: HitaConfig) -> None:
        super().__init__()
        scale = config.width**-0.5
        self.shift = config.shift
        self.position_embedding = nn.Parameter(scale * torch.randn(1, config.grid**2, config.width))
        self.slot_position_embedding = nn.Parameter(scale * torch.randn(1, config.slots, config.width))
        self.transformer = Layers(config.transformer, causal=True)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, z: Tensor, slots: Tensor) -> Tensor:
        """Features for the convolutional decoder: as many positions as the map, starting `shift` slots early."""
        _, _, h, w = z.shape
        patches = z.flatten(2).transpose(1, 2) + grid_positions(self.position_embedding, h, w)
        x = self.transformer(self.norm(torch.cat([slots + self.slot_position_embedding, patches], dim=1)))
        start = slots.shape[1] - self.shift
        out: Tensor = x[:, start : start + h * w].transpose(1, 2).reshape(z.shape)
        return out
