"""The ways in which evaluators bring images to a network's side, by name; each makes another metric.

tf1-bilinear: TensorFlow 1's filter, corner-aligned grid, no antialiasing (guided-diffusion, torch-fidelity).
bilinear: torch's filter with half-pixel centres, no antialiasing (pytorch-fid, clean-fid's legacy mode).
bilinear-antialias: the same, antialiased (torchmetrics' default).
bilinear-short: torch's filter as in bilinear on the shorter side, then the centre square (VideoGPT's FVD).
bicubic-float: Pillow's antialiased bicubic filter on float channels, clipped, never rounded to 8 bits (clean-fid).
bicubic-8bit: Pillow's antialiased bicubic filter, rounded to 8 bits, aspect not kept (dgm-eval).
square-bicubic: the centre square, then Pillow's bicubic filter to 8 bits (CMMD's reader).
clip: Pillow's bicubic filter on the shorter side, then the centre square as torchvision cuts it (CLIP, CLIP-FID).
clip-transformers: the same, the square cut as transformers' processor cuts it (one pixel higher at times; PickScore).
fit-bicubic: the longer side by torch's antialiased bicubic filter, then black margins (HPSv2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.encoders.features.tf_resize import tf1_bilinear
from evalkit.encoders.interpolate import interpolated, torch_resize
from evalkit.encoders.pillow_filter import levels
from evalkit.errors import EvalkitError


def resized(images: Tensor, side: int, way: str) -> Tensor:
    """float32 [B, 3, side, side] on the 0..255 scale of uint8 [B, 3, H, W] images; raises for an unknown `way`."""
    if way not in WAYS:
        raise EvalkitError(f"There is no way to resize called {way!r}. Use one of {', '.join(WAYS)}.")
    return WAYS[way](images, side)


def _tf1(images: Tensor, side: int) -> Tensor:
    return tf1_bilinear(images, side, side)


def _bilinear(images: Tensor, side: int) -> Tensor:
    return interpolated(images, (side, side), "bilinear")


def _bilinear_short(images: Tensor, side: int) -> Tensor:
    """The longer side is rounded up, the square's place down."""
    height, width = images.shape[2:]
    scale = side / min(height, width)
    shape = (side, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), side)
    small = F.interpolate(images.float(), size=shape, mode="bilinear", align_corners=False)
    top, left = ((each - side) // 2 for each in small.shape[2:])
    return small[:, :, top : top + side, left : left + side]


def _bicubic_float(images: Tensor, side: int) -> Tensor:
    """torch's antialiased filter in float64 is Pillow's to 1e-3 of a grey level (in float32 it strays by 6e-3)."""
    if tuple(images.shape[2:]) == (side, side):
        return images.float()
    out = interpolated(images, (side, side), "bicubic", antialias=True, dtype=torch.float64)
    return out.clamp_(0, 255).float()


def _square(images: Tensor, side: int) -> Tensor:
    height, width = images.shape[2:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return levels(images[:, :, top : top + short, left : left + short], (side, side), "bicubic").float()


def _short(images: Tensor, side: int, before: Callable[[int], int]) -> Tensor:
    height, width = images.shape[2:]
    longer = int(side * max(height, width) / min(height, width))
    small = levels(images, (side, longer) if height <= width else (longer, side), "bicubic")
    top, left = (before(each - side) for each in small.shape[2:])
    return small[:, :, top : top + side, left : left + side].float()


def _fit(images: Tensor, side: int) -> Tensor:
    height, width = images.shape[2:]
    scale = side / max(height, width)
    if scale == 1:
        new = height, width
        small = images.float()
    else:
        new = round(height * scale), round(width * scale)
        small = interpolated(images, new, "bicubic", antialias=True)
    down, across = side - new[0], side - new[1]
    return F.pad(small, (across // 2, across - across // 2, down // 2, down - down // 2))


WAYS: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "tf1-bilinear": _tf1,
    "bilinear": _bilinear,
    "bilinear-antialias": torch_resize,
    "bilinear-short": _bilinear_short,
    "bicubic-float": _bicubic_float,
    "bicubic-8bit": lambda images, side: levels(images, (side, side), "bicubic").float(),
    "square-bicubic": _square,
    "clip": lambda images, side: _short(images, side, lambda rest: round(rest / 2)),
    "clip-transformers": lambda images, side: _short(images, side, lambda rest: rest // 2),
    "fit-bicubic": _fit,
}
