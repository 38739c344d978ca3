"""A change that was found at the tokenizer's size, in an image of any size: enlarged, and added to its own pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from evalkit.images.geometry import fitted_place
from evalkit.images.sample import Pixels

STRIP = 2**19  # pixels of a change that are enlarged at a time
FINEST = 4  # times the tokenizer's side at which the way to the image and back is simulated at most


@dataclass(frozen=True)
class Frame:
    """An image's `shape` (height, width), and where the tokenizer's square of `side` lies in it.

    `whole`: the shape in which the tokenizer's preparation sees the image; `corner`: the square's top left there.
    """

    shape: tuple[int, int]
    side: int
    whole: tuple[int, int]
    corner: tuple[int, int]

    @classmethod
    def of(cls, image: Pixels, side: int) -> Frame:
        """The frame of an image uint8 [H, W, 3] that `identity.prepared` brings to `side`."""
        height, width = image.shape[:2]
        return cls((height, width), side, *fitted_place(image, side))

    @property
    def share(self) -> float:
        """Of the image's area, what lies in the square."""
        return self.side**2 / (self.whole[0] * self.whole[1])

    @property
    def between(self) -> int:
        """The side of the square in the image's own pixels, or in the finest that is simulated."""
        return min(round(self.side * min(self.shape) / min(self.whole)), FINEST * self.side)

    def enlarged(self, change: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The change float [3, side, side] in the image's own pixels; nothing outside the square.

        Strips of columns [3, H, w], each with where it begins: the filter works along rows, then along columns.
        """
        canvas = change.new_zeros(1, 3, *self.whole)
        top, left = self.corner
        canvas[0, :, top : top + self.side, left : left + self.side] = change
        height, width = self.shape
        begun = 0
        wide = resized(canvas, (canvas.shape[2], width))
        most = max(2, STRIP // height)  # torch 2.14 enlarges a single column wrongly
        for strip in torch.tensor_split(wide, -(-width // (most + 1)), 3):
            yield begun, resized(strip, (height, strip.shape[3]))[0]
            begun += strip.shape[3]

    def added(self, image: Pixels, change: Tensor, levels: float, file: Pixels | None = None) -> Pixels:
        """The image with the change, rounded to whole grey levels, at most `levels` of them from `file` [the image].

        An image beside its file is written over where it is another array, so that a large one lies in memory once.
        """
        origin = image if file is None else file
        found = np.empty_like(image) if origin is image else image
        for begun, strip in self.enlarged(change):
            moved = strip.clamp(-levels / 255, levels / 255).mul(255).permute(1, 2, 0).cpu().numpy()
            part = slice(begun, begun + moved.shape[1])
            near = origin[:, part].astype(np.float32)
            moved += image[:, part]
            moved = np.clip(np.floor(moved + 0.5), np.ceil(near - levels), np.floor(near + levels))
            found[:, part] = np.clip(moved, 0, 255)
        return found


def seen_again(change: Tensor, between: int) -> Tensor:
    """What the tokenizer sees of a change [B, 3, S, S] that went to squares of `between` pixels and back."""
    side = change.shape[-1]
    return change if between == side else resized(resized(change, (between, between)), (side, side))


def resized(x: Tensor, shape: tuple[int, int]) -> Tensor:
    """By the filter of `identity.prepared` (bicubic, antialiased)."""
    return x if tuple(x.shape[-2:]) == shape else F.interpolate(x, shape, mode="bicubic", antialias=True)
