"""Images for networks: brought to sizes that a model takes, batched by size, and back to their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.attacks.base import checked

Shape = tuple[int, int]  # height, width
ROUND_TRIP = "to a size that the model takes and back (bicubic)"
MOST = 2**22  # pixels of one forward pass


def tokenizer_shape(tokenizer: Tokenizer, shape: Shape, most: int = MOST) -> Shape:
    """The size at which `tokenizer` sees an image: its only one, or the nearest multiples of its stride (at least one).

    Images of more than `most` pixels are seen smaller, with about so many.
    """
    if tokenizer.fixed_size:
        return tokenizer.native_size, tokenizer.native_size
    step, factor = tokenizer.multiple, min(1.0, math.sqrt(most / (shape[0] * shape[1])))
    height, width = (max(step, round(side * factor / step) * step) for side in shape)
    return height, width


def through(
    images: Sequence[Pixels],
    seeds: Sequence[int],
    shape_for: Callable[[Shape], Shape],
    change: Callable[[Tensor, list[int]], Tensor],
    batch: int,
    most: int = MOST,
) -> list[Pixels]:
    """What `change` (float32 [B, 3, H, W] on [0, 1] and seeds to the same) makes of images, at their own sizes again.

    A batch holds at most `batch` images and `most` pixels.
    """
    shapes = [shape_for((checked(image).shape[0], image.shape[1])) for image in images]
    done: list[Pixels | None] = [None] * len(images)
    for shape in sorted(set(shapes)):
        mine = [number for number, each in enumerate(shapes) if each == shape]
        size = max(1, min(batch, most // (shape[0] * shape[1])))
        for start in range(0, len(mine), size):
            part = mine[start : start + size]
            x = to_tensor([resize_exact(images[i], shape, "bicubic") for i in part])
            for i, made in zip(part, to_pixels(change(x, [seeds[i] for i in part])), strict=True):
                done[i] = resize_exact(made, (images[i].shape[0], images[i].shape[1]), "bicubic")
    return [each for each in done if each is not None]


def to_tensor(images: Sequence[Pixels]) -> Tensor:
    """float32 [B, 3, H, W] on [0, 1]."""
    return torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy()).float() / 255


def to_pixels(x: Tensor) -> list[Pixels]:
    """uint8 [H, W, 3] each, rounded half up."""
    return list(eight_bits(x).permute(0, 2, 3, 1).cpu().contiguous().numpy())


def eight_bits(x: Tensor) -> Tensor:
    """uint8 levels of images on [0, 1], rounded half up; what is outside is cut off."""
    return x.detach().float().clamp(0, 1).mul(255).add(0.5).floor().to(torch.uint8)
