"""Encoder and decoder of taming-transformers (CompVis/taming-transformers, modules/diffusionmodules/model.py).

VAR, IBQ, Chameleon, MAR and Infinity use them with other sizes; in both, levels are numbered from the finest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.conv import AttnBlock, Downsample, ResBlock, Upsample, attend, group_norm


@dataclass(frozen=True)
class TamingConfig:
    """`mult`: widths by level in units of `ch`. `attention`: the levels that have it. `moments`: the encoder gives mean
    and log-variance. `fused`: queries, keys and values come from one convolution (VAR). `middle`: there is attention
    between the two blocks at the bottom (not in Infinity).
    """

    ch: int = 128
    mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    blocks: int = 2
    z: int = 256
    attention: frozenset[int] = frozenset()
    moments: bool = False
    fused: bool = False
    middle: bool = True

    @property
    def stride(self) -> int:
        """Pixels a side of one code."""
        return int(2 ** (len(self.mult) - 1))


class FusedAttnBlock(nn.Module):
    """Single-head self-attention with one convolution for queries, keys and values (FoundationVision/VAR)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        out: Tensor = x + self.proj_out(attend(*self.qkv(self.norm(x)).chunk(3, dim=1)))
        return out


class Stage(nn.Module):
    """One level: `block`s, `attn` after each where the level has it, and a change of size."""

    def __init__(self, config: TamingConfig, level: int, cin: int, cout: int, blocks: int) -> None:
        super().__init__()
        attention = FusedAttnBlock if config.fused else AttnBlock
        self.block = nn.ModuleList(ResBlock(cin if i == 0 else cout, cout) for i in range(blocks))
        self.attn = nn.ModuleList(attention(cout) for _ in range(blocks if level in config.attention else 0))
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H', W']."""
        for i, block in enumerate(self.block):
            x = block(x)
            if len(self.attn):
                x = self.attn[i](x)
        resize = self.downsample or self.upsample
        return x if resize is None else resize(x)


class Middle(nn.Module):
    """Residual, attention where the configuration has it, residual."""

    def __init__(self, config: TamingConfig, width: int) -> None:
        super().__init__()
        attention = FusedAttnBlock if config.fused else AttnBlock
        self.block_1 = ResBlock(width, width)
        self.attn_1 = attention(width) if config.middle else nn.Identity()
        self.block_2 = ResBlock(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        out: Tensor = self.block_2(self.attn_1(self.block_1(x)))
        return out


class TamingEncoder(nn.Module):
    """[B, 3, H, W] -> [B, z (2z with `moments`), H/f, W/f]."""

    def __init__(self, config: TamingConfig) -> None:
        super().__init__()
        widths = [config.ch * m for m in config.mult]
        self.conv_in = nn.Conv2d(3, config.ch, 3, padding=1)
        self.down = nn.ModuleList()
        for level, width in enumerate(widths):
            stage = Stage(config, level, widths[level - 1] if level else config.ch, width, config.blocks)
            if level < len(widths) - 1:
                stage.downsample = Downsample(width)
            self.down.append(stage)
        self.mid = Middle(config, widths[-1])
        self.norm_out = group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], config.z * (2 if config.moments else 1), 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Features before any projection to codes."""
        x = self.conv_in(x)
        for stage in self.down:
            x = stage(x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(self.mid(x))))
        return out


class TamingDecoder(nn.Module):
    """[B, z, h, w] -> [B, 3, h*f, w*f]; `up.{i}` is level i, executed from the deepest."""

    def __init__(self, config: TamingConfig) -> None:
        super().__init__()
        widths = [config.ch * m for m in config.mult]
        deepest = len(widths) - 1
        self.conv_in = nn.Conv2d(config.z, widths[-1], 3, padding=1)
        self.mid = Middle(config, widths[-1])
        self.up = nn.ModuleList()
        for level, width in enumerate(widths):
            stage = Stage(config, level, widths[min(level + 1, deepest)], width, config.blocks + 1)
            if level > 0:
                stage.upsample = Upsample(width)
            self.up.append(stage)
        self.norm_out = group_norm(widths[0])
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Images in the network's own range, not clamped."""
        x = self.mid(self.conv_in(z))
        for stage in reversed(list(self.up)):
            x = stage(x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out
