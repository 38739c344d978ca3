"""Convolution blocks of the taming-transformers family (CompVis/taming-transformers, modules/diffusionmodules)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm with 32 groups and eps 1e-6, as the whole family uses it."""
    return nn.GroupNorm(32, channels, eps=1e-6)


class ResBlock(nn.Module):
    """norm-SiLU-conv twice plus a shortcut, which is a 1x1 convolution of the input where the width changes."""

    def __init__(self, cin: int, cout: int, *, bias: bool = True) -> None:
        super().__init__()
        self.norm1 = group_norm(cin)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1, bias=bias)
        self.norm2 = group_norm(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=bias)
        self.nin_shortcut = nn.Conv2d(cin, cout, 1, bias=bias) if cin != cout else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H, W]."""
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        out: Tensor = h + (x if self.nin_shortcut is None else self.nin_shortcut(x))
        return out


class AttnBlock(nn.Module):
    """Single-head self-attention over all positions, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]."""
        h = self.norm(x)
        out: Tensor = x + self.proj_out(attend(self.q(h), self.k(h), self.v(h)))
        return out


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Single-head attention between the positions of [B, C, H, W] maps, scale C^-0.5."""
    q_flat, k_flat, v_flat = (t.flatten(2).transpose(1, 2) for t in (q, k, v))
    out = F.scaled_dot_product_attention(q_flat, k_flat, v_flat)
    return out.transpose(1, 2).reshape(q.shape)


class Downsample(nn.Module):
    """Halves each side: pad right and bottom by one, 3x3 convolution with stride 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H/2, W/2]."""
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class Upsample(nn.Module):
    """Doubles each side: nearest neighbour, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 2H, 2W]."""
        out: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class DepthToSpaceUpsample(nn.Module):
    """Doubles each side by a 3x3 convolution to 4C channels and depth-to-space in DCR order (not PixelShuffle's)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels * 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 2H, 2W]."""
        y: Tensor = self.conv1(x)
        b, c, h, w = y.shape
        y = y.view(b, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2)
        return y.reshape(b, c // 4, h * 2, w * 2)


class AdaptiveGroupNorm(nn.Module):
    """GroupNorm whose scale and shift come from the standard deviation and mean of a style map over its positions."""

    def __init__(self, style_channels: int, channels: int) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(32, channels, eps=1e-6, affine=False)
        self.gamma = nn.Linear(style_channels, channels)
        self.beta = nn.Linear(style_channels, channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`x` [B, C, H, W] normalised, then scaled and shifted by `style` [B, S, h, w]."""
        flat = style.flatten(2)
        gamma = self.gamma(torch.sqrt(flat.var(-1) + 1e-6))
        beta = self.beta(flat.mean(-1))
        out: Tensor = self.gn(x) * gamma[..., None, None] + beta[..., None, None]
        return out
