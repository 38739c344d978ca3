"""DINOv2's vision transformer, with and without registers, under the official names (facebookresearch/dinov2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
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


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, n, w = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        out: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return out


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = _Attention(width, heads)
        self.ls1 = _Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = _Mlp(width)
        self.ls2 = _Scale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


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
        self.blocks = nn.ModuleList(_Block(size.width, size.heads) for _ in range(size.layers))
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
