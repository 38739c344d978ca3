"""Pillow's resampling of 8-bit images in torch, equal to the bit on any device that has float64.

Pillow sums grey levels times weights of 22 binary places in whole numbers, along one side and then along the other, and
rounds to 8 bits after each. Those sums stay below 2^53, so float64 holds them exactly, in any order of summation. Which side
comes first depends on Pillow's version and on the sizes; so each pair of sizes is tried beside Pillow once, on noise, and
left to Pillow where neither order gives its bytes. Source: Pillow, src/libImaging/Resample.c.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels

Array = npt.NDArray[np.float64]
PLACES = 22  # binary places of a weight
SWITCH = (
    "EVALKIT_RESIZE"  # pillow: on the CPU always; device: on the device that the network is on, also images as read
)
LEAST, MOST = 2**18, 2**24  # pixels of a read image from which the way to the device pays, and up to which it fits


def _box(x: Array) -> Array:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _bilinear(x: Array) -> Array:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _bicubic(x: Array) -> Array:
    x, a = np.abs(x), -0.5
    near, far = ((a + 2.0) * x - (a + 3.0)) * x * x + 1, (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _lanczos(x: Array) -> Array:
    return np.where((x >= -3.0) & (x < 3.0), np.sinc(x) * np.sinc(x / 3), 0.0)


FILTERS: Mapping[str, tuple[Callable[[Array], Array], float]] = {  # by name, with half its width in source pixels
    "box": (_box, 0.5),
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}


@lru_cache(maxsize=64)
def weights(before: int, after: int, filter: str) -> Array:
    """[before, after]: how much each source pixel counts in each new one, in units of 2^-22, whole numbers."""
    shape, support = FILTERS[filter]
    scale = before / after
    stretched = max(scale, 1.0)
    reach = support * stretched
    found = np.zeros((before, after))
    for new in range(after):
        centre = (new + 0.5) * scale
        first, last = max(0, int(centre - reach + 0.5)), min(before, int(centre + reach + 0.5))
        places: Array = (np.arange(first, last, dtype=np.float64) - centre + 0.5) * (1.0 / stretched)
        each = shape(places)
        total = float(np.cumsum(each)[-1])  # one after the other, as Pillow sums
        each = each / total if total else each
        found[first:last, new] = np.trunc(each * 2.0**PLACES + np.where(each < 0, -0.5, 0.5))
    return found


def resample(images: Tensor, shape: tuple[int, int], filter: str) -> Tensor:
    """uint8 [B, 3, *shape] of uint8 [B, 3, H, W] images, as Pillow resizes each; on the images' device.

    Raises `EvalkitError` for a filter that is none of `FILTERS`.

    >>> image = torch.tensor([0, 255, 255, 0], dtype=torch.uint8).expand(1, 3, 1, 4)
    >>> resample(image, (1, 2), "bilinear")[0, 0].tolist()
    [[146, 146]]
    """
    if filter not in FILTERS:
        raise EvalkitError(f"there is no filter called {filter!r} on a device. Give one of {', '.join(FILTERS)}")
    height, width = images.shape[-2:]
    across_first = across_comes_first((height, width), shape, filter)
    return by_pillow(images, shape, filter) if across_first is None else passes(images, shape, filter, across_first)


def passes(images: Tensor, shape: tuple[int, int], filter: str, across_first: bool) -> Tensor:
    """Both passes in the stated order; a side that stays as it is has none."""
    for axis in (-1, -2) if across_first else (-2, -1):
        before, after = images.shape[axis], shape[axis]
        if before != after:
            each = torch.from_numpy(weights(before, after, filter)).to(images.device)
            grey = images.double()
            sums = grey @ each if axis == -1 else each.T @ grey
            images = sums.add_(2.0 ** (PLACES - 1)).mul_(2.0**-PLACES).floor_().clamp_(0, 255).to(torch.uint8)
    return images


@lru_cache(maxsize=4096)
def across_comes_first(before: tuple[int, int], after: tuple[int, int], filter: str) -> bool | None:
    """Whether Pillow goes across the rows first; None where neither order gives its bytes of an image of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (*before, 3), dtype=np.uint8)
    image, wanted = torch.from_numpy(noise).permute(2, 0, 1)[None], resize_exact(noise, after, filter)
    for across_first in (True, False):
        found = passes(image, after, filter, across_first)[0].permute(1, 2, 0).numpy()
        if np.array_equal(found, wanted):
            return across_first
    return None


def by_pillow(images: Tensor, shape: tuple[int, int], filter: str) -> Tensor:
    """The same by Pillow itself, on the CPU."""
    pixels = images.permute(0, 2, 3, 1).cpu().numpy()
    small = np.stack([resize_exact(np.ascontiguousarray(each), shape, filter) for each in pixels])
    return torch.from_numpy(small).permute(0, 3, 1, 2).to(images.device)


def levels(images: Tensor, shape: tuple[int, int], filter: str) -> Tensor:
    """`resample` of images that are on a GPU, and Pillow itself, which is faster there, of those on a CPU."""
    asked = os.environ.get(SWITCH)
    there = (images.device.type == "cuda" and asked != "pillow") or asked == "device"
    return (resample if there else by_pillow)(images, shape, filter)


class DeviceResize:
    """Resizes images as they are read, on a device, where EVALKIT_RESIZE is `device`; the reading threads do it else."""

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)

    def __call__(self, image: Pixels, shape: tuple[int, int], filter: str) -> Pixels:
        """uint8 [*shape, 3] of a uint8 [H, W, 3] image: the bytes of `resize_exact`."""
        pixels = image.shape[0] * image.shape[1]
        if os.environ.get(SWITCH) != "device" or filter not in FILTERS or not LEAST <= pixels <= MOST:
            return resize_exact(image, shape, filter)
        try:
            source = torch.from_numpy(np.ascontiguousarray(image)).to(self.device)
            small = resample(source.permute(2, 0, 1)[None], shape, filter)
        except torch.cuda.OutOfMemoryError:
            return resize_exact(image, shape, filter)
        return np.ascontiguousarray(small[0].permute(1, 2, 0).cpu().numpy())
