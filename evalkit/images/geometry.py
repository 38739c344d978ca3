"""How images are brought to a model's size: each method is one that papers use, with its own rounding."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

Filter = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]

METHODS = {
    "short-bicubic": "shorter side to the size (Pillow bicubic, antialiased), centre square",
    "cover-lanczos": "scale by the larger of both ratios (Pillow Lanczos), centre crop (VTBench)",
    "adm": "halve with a box filter while the shorter side is at least twice the size, bicubic, centre crop (guided-diffusion)",
    "short-bilinear": "torchvision Resize (Pillow bilinear, antialiased) and CenterCrop",
    "var-lanczos": "shorter side to round(1.125 size) (Pillow Lanczos), centre crop (VAR)",
    "crop": "centre crop without resizing",
}
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def fit_square(image: Pixels, size: int, method: str) -> Pixels:
    """The `size` x `size` image that `method` (a key of `METHODS`) makes of a uint8 [H, W, 3] image.

    Raises `EvalkitError` for an unknown method, and for `crop` where the image is smaller than the square.
    """
    height, width = image.shape[:2]
    if method == "crop":
        if min(height, width) < size:
            raise EvalkitError(f"a {width}x{height} image is too small for a {size} px crop")
        return _centre(image, size)
    if method == "short-bicubic":
        return _centre(_shorter_to(image, size, "bicubic"), size)
    if method == "cover-lanczos":
        scale = max(size / height, size / width)
        grown = resize_exact(image, (max(size, round(height * scale)), max(size, round(width * scale))), "lanczos")
        return _centre(grown, size)
    if method == "adm":
        while min(image.shape[:2]) >= 2 * size:
            image = resize_exact(image, (image.shape[0] // 2, image.shape[1] // 2), "box")
        scale = size / min(image.shape[:2])
        grown = resize_exact(image, (round(image.shape[0] * scale), round(image.shape[1] * scale)), "bicubic")
        return _centre(grown, size)
    if method == "short-bilinear":
        return _centre_rounded(_shorter_to(image, size, "bilinear", floor=True), size)
    if method == "var-lanczos":
        return _centre_rounded(_shorter_to(image, round(1.125 * size), "lanczos", floor=True), size)
    raise EvalkitError(f"there is no way called {method!r} to fit an image; known: {', '.join(METHODS)}")


def resize_exact(image: Pixels, shape: tuple[int, int], filter: Filter | str) -> Pixels:
    """`image` at exactly `shape` (height, width), aspect not kept; an image of that shape is returned untouched."""
    if image.shape[:2] == tuple(shape):
        return image
    if filter not in _FILTERS:
        raise EvalkitError(f"there is no resize filter called {filter!r}; known: {', '.join(_FILTERS)}")
    resized = Image.fromarray(image).resize((shape[1], shape[0]), _FILTERS[filter])
    return np.asarray(resized, dtype=np.uint8)


def _shorter_to(image: Pixels, side: int, filter: Filter, *, floor: bool = False) -> Pixels:
    height, width = image.shape[:2]
    if min(height, width) == side:
        return image
    scale = side / min(height, width)
    longer = int(side * max(height, width) / min(height, width)) if floor else round(max(height, width) * scale)
    shape = (side, longer) if height <= width else (longer, side)
    return resize_exact(image, shape, filter)


def _centre(image: Pixels, size: int) -> Pixels:
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return np.ascontiguousarray(image[top : top + size, left : left + size])


def _centre_rounded(image: Pixels, size: int) -> Pixels:
    """torchvision's CenterCrop rounds the offset to the nearest even half."""
    top, left = round((image.shape[0] - size) / 2.0), round((image.shape[1] - size) / 2.0)
    return np.ascontiguousarray(image[top : top + size, left : left + size])
