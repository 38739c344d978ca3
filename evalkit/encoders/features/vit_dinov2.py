"""DINOv2's vision transformer, with and without registers, under the official names (facebookresearch/dinov2).

The blocks are timm's. timm's whole network is not used: it resizes the table of positions in another way, which moves
features at 224 px by 3 % of the largest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the images on [0, 1] that it was trained on


@dataclass(frozen=True)
class DinoSize:
    """Sizes; `positions`: side of the table of learned positions; `size`: side of the images it is given here.

    How the official code resizes the table differs: with registers antialiased to the exact side, without them by the
    plain bicubic filter at the scale (side + 0.1) / table side (`offset`).
    """

    width: int = 1024
    layers: int = 24
    heads: int = 16
    patch: int = 14
    positions: int = 37
    registers: int = 4
    size: int = 224
    antialias: bool = True
    offset: float = 0.0


class DinoV2(nn.Module):
    """[B, 3, S, S] normalised by MEAN and STD -> [B, 1 + patches, W]: class token and patches after the last norm."""

    def __init__(self, size: DinoSize) -> None:
        super().__init__()
        self.size = size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + size.positions**2, size.width))
        if size.registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, size.registers, size.width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, size.width, size.patch, stride=size.patch)
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(size.width, size.heads, qkv_bias=True, init_values=1.0, norm_layer=norm) for _ in range(size.layers)
        )
        self.norm = nn.LayerNorm(size.width, eps=1e-6)

    def positions(self, grid: int) -> Tensor:
        """Positions [1, grid*grid, W] of the patches, resized from the learned table."""
        table = self.pos_embed[:, 1:].float()
        side = self.size.positions
        if grid == side:
            return table
        square = table.view(1, side, side, -1).permute(0, 3, 1, 2)
        if self.size.offset:
            scale = (grid + self.size.offset) / side
            small = F.interpolate(
                square, scale_factor=(scale, scale), mode="bicubic", align_corners=False, antialias=self.size.antialias
            )
        else:
            small = F.interpolate(
                square, size=(grid, grid), mode="bicubic", align_corners=False, antialias=self.size.antialias
            )
        return small.flatten(2).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Features; the registers are left out."""
        patches = self.patch_embed.get_submodule("proj")(x)
        b, _, grid, _ = patches.shape
        patches = patches.flatten(2).transpose(1, 2) + self.positions(grid)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(b, -1, -1)
        registers = [self.register_tokens.expand(b, -1, -1)] if self.size.registers else []
        y = torch.cat([first, *registers, patches], dim=1)
        for block in self.blocks:
            y = block(y)
        y = self.norm(y)
        return torch.cat([y[:, :1], y[:, 1 + self.size.registers :]], dim=1)
