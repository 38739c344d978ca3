"""How a Flux transformer is told places and times (black-forest-labs/flux src/flux/math.py and modules/layers.py)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

TIME_DIM = 256  # width of the embedding of t


def rotation(tokens: int, rows: int, columns: int, axes: Sequence[int], device: torch.device) -> Tensor:
    """Cosines and sines float32 [2, tokens + rows*columns, sum(axes) / 2] of the rotary embedding.

    Code n stands at (n, n, n), the patch in row r and column c at (0, r, c); `axes` channels turn with each of the
    three coordinates. Computed in float64, as the official code does.
    """
    codes = torch.arange(tokens)[:, None].expand(-1, 3)
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    patches = torch.stack((torch.zeros_like(row), row, column), dim=-1).reshape(-1, 3)
    places = torch.cat((codes, patches)).double()
    parts = []
    for axis, dim in enumerate(axes):
        speeds = 10000.0 ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        parts.append(places[:, axis, None] * speeds)
    angles = torch.cat(parts, dim=1)
    return torch.stack((angles.cos(), angles.sin())).float().to(device)


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """`x` [B, heads, L, d] with its channel pairs (2i, 2i+1) turned by the angles of `turn` [2, L, d/2]."""
    cos, sin = turn
    even, odd = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    return torch.stack((cos * even - sin * odd, sin * even + cos * odd), dim=-1).flatten(-2).to(x.dtype)


def time_features(t: Tensor) -> Tensor:
    """Cosines, then sines, of 1000 t at 128 frequencies from 1 down towards 1/10000: [B] -> float32 [B, 256]."""
    half = TIME_DIM // 2
    speeds = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32) / half).to(t.device)
    angles = (1000.0 * t.float())[:, None] * speeds
    return torch.cat((angles.cos(), angles.sin()), dim=-1)
