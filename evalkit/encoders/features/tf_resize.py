"""TensorFlow 1's bilinear resize (align_corners=False, no half-pixel centres), which the original FID network is fed by."""

from __future__ import annotations

import torch
from torch import Tensor


def tf1_bilinear(images: Tensor, height: int, width: int) -> Tensor:
    """float [B, C, height, width]: output pixel i lies at input position i * (input side / output side)."""
    like = images[:, :0].float() if not images.is_floating_point() else images  # of a large image few rows are used
    rows, row_weight = _positions(images.shape[2], height, like)
    columns, column_weight = _positions(images.shape[3], width, like)
    x = images.permute(0, 2, 3, 1)  # as decoded images lie in memory, which takes a fourth of the time
    upper, lower = (x.index_select(1, at).to(like.dtype) for at in rows)
    x = upper + (lower - upper) * row_weight[:, None, None]
    left, right = (x.index_select(2, at) for at in columns)
    return (left + (right - left) * column_weight[:, None]).permute(0, 3, 1, 2)


def _positions(size: int, out: int, like: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    at = torch.arange(out, device=like.device, dtype=like.dtype) * (size / out)
    first = at.floor().long().clamp_(0, size - 1)
    return (first, (first + 1).clamp_(max=size - 1)), at - first
