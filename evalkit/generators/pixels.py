"""From decoded images to files' 8-bit values, each rule as an official script has it."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.images.sample import Pixels

Rounding = Literal["round", "truncate", "llamagen"]


def to_uint8(decoded: Tensor, rounding: Rounding, *, resize: int | None = None) -> list[Pixels]:
    """uint8 [H, W, 3] images of [B, 3, H, W] on the [0, 1] scale.

    `round`: to the nearest level (MAR). `truncate`: 255 x, cut (VAR). `llamagen`: 127.5 x + 128 of x in [-1, 1], cut.
    `resize`: bicubic to this side before (LlamaGen's 384 px models are scored at 256).
    """
    y = decoded.float()
    if resize is not None and y.shape[-1] != resize:
        y = F.interpolate(y * 2 - 1, size=(resize, resize), mode="bicubic") / 2 + 0.5
    if rounding == "round":
        grey = y.mul(255).clamp(0, 255).round()
    elif rounding == "truncate":
        grey = y.clamp(0, 1).mul(255).floor()
    else:
        grey = y.mul(2).sub(1).mul(127.5).add(128).clamp(0, 255).floor()
    return list(grey.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
