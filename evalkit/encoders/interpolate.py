"""torch's filters over images of any size: a large image is shrunk in strips, because float32 takes 12 bytes a pixel."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

WHOLE = 2**24  # pixels of a batch up to which it becomes float as a whole


def interpolated(
    images: Tensor,
    size: tuple[int, int],
    mode: Literal["bilinear", "bicubic"],
    *,
    antialias: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Float [B, C, *size] of uint8 [B, C, H, W] images, half-pixel centres, on the scale of the input.

    These filters work along rows, then along columns, so strips of rows give what the whole image does (to rounding).
    """
    height, width = images.shape[2:]
    if len(images) * height * width > WHOLE:
        strips = torch.split(images, max(1, WHOLE // 4 // width), 2)
        images = torch.cat(
            [_filtered(each, (each.shape[2], size[1]), mode, antialias=antialias, dtype=dtype) for each in strips], 2
        )
    return _filtered(images, size, mode, antialias=antialias, dtype=dtype)


def torch_resize(images: Tensor, side: int) -> Tensor:
    """float32 [B, 3, side, side] on the 0..255 scale by torch's antialiased bilinear filter."""
    return interpolated(images, (side, side), "bilinear", antialias=True)


def _filtered(images: Tensor, size: tuple[int, int], mode: str, *, antialias: bool, dtype: torch.dtype) -> Tensor:
    return F.interpolate(images.contiguous().to(dtype), size, mode=mode, align_corners=False, antialias=antialias)
