"""How images are brought to a model's size: each method is one that papers use, with its own rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

MAX_SIDE = 8192  # of a square that images are brought to
LARGE = (
    2**22
)  # pixels from which channels are resized one after the other, because Pillow takes 4 bytes a pixel for all
WHOLE = 2**25  # pixels up to which an image is resized whole; of a longer one only what is kept
Filter = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]
Resize = Callable[[Pixels, tuple[int, int], str], Pixels]  # an image at exactly (height, width), by a filter

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


def fit_square(image: Pixels, size: int, method: str, resize: Resize | None = None) -> Pixels:
    """The `size` x `size` image that `method` (a key of `METHODS`) makes of a uint8 [H, W, 3] image.

    `resize`: who resizes, to the same bytes [`resize_exact`].

    Raises `EvalkitError` for an unknown method, and for `crop` where the image is smaller than the square.
    """
    height, width = image.shape[:2]
    resize = resize or resize_exact
    if method == "crop":
        if min(height, width) < size:
            raise EvalkitError(f"a {width}x{height} image is too small for a {size} px crop. Give a smaller size")
        return _centre(image, size)
    if size > MAX_SIDE:
        raise EvalkitError(f"images are brought to at most {MAX_SIDE} px on a side; {size} given")
    if method == "short-bicubic":
        return _resized_centre(image, _shorter_to(image, size), size, "bicubic", resize)
    if method == "cover-lanczos":
        scale = max(size / height, size / width)
        shape = (max(size, round(height * scale)), max(size, round(width * scale)))
        return _resized_centre(image, shape, size, "lanczos", resize)
    if method == "adm":
        while min(image.shape[:2]) >= 2 * size:
            image = resize(image, (image.shape[0] // 2, image.shape[1] // 2), "box")
        scale = size / min(image.shape[:2])
        shape = (round(image.shape[0] * scale), round(image.shape[1] * scale))
        return _resized_centre(image, shape, size, "bicubic", resize)
    if method == "short-bilinear":
        return _resized_centre(image, _shorter_to(image, size, floor=True), size, "bilinear", resize, rounded=True)
    if method == "var-lanczos":
        shape = _shorter_to(image, round(1.125 * size), floor=True)
        return _resized_centre(image, shape, size, "lanczos", resize, rounded=True)
    raise EvalkitError(f"there is no way called {method!r} to fit an image; known: {', '.join(METHODS)}")


def resize_exact(image: Pixels, shape: tuple[int, int], filter: Filter | str) -> Pixels:
    """`image` at exactly `shape` (height, width), aspect not kept; an image of that shape is returned untouched."""
    if image.shape[:2] == tuple(shape):
        return image
    if filter not in _FILTERS:
        raise EvalkitError(f"there is no resize filter called {filter!r}; known: {', '.join(_FILTERS)}")
    if image.shape[0] * image.shape[1] > LARGE:
        return np.stack([_by_pillow(np.ascontiguousarray(image[..., c]), shape, filter) for c in range(3)], 2)
    return _by_pillow(image, shape, filter)


def _by_pillow(image: Pixels, shape: tuple[int, int], filter: str) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), _FILTERS[filter]), np.uint8)


def fitted_place(image: Pixels, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where `short-bicubic` cuts its square of `size`: (height, width) of the resized image, and (top, left) in it."""
    shape = image.shape[:2] if image.shape[:2] == (size, size) else _shorter_to(image, size)
    return (shape[0], shape[1]), (int((shape[0] - size) / 2), int((shape[1] - size) / 2))


def _shorter_to(image: Pixels, side: int, *, floor: bool = False) -> tuple[int, int]:
    """(height, width) of the image with `side` as its shorter side."""
    height, width = image.shape[:2]
    if min(height, width) == side:
        return height, width
    scale = side / min(height, width)
    longer = int(side * max(height, width) / min(height, width)) if floor else round(max(height, width) * scale)
    return (side, longer) if height <= width else (longer, side)


def _resized_centre(
    image: Pixels, shape: tuple[int, int], size: int, filter: Filter, resize: Resize, *, rounded: bool = False
) -> Pixels:
    """The centre square of the image resized to `shape`; torchvision (`rounded`) rounds its place to the even.

    Of an image that would grow beyond `WHOLE` pixels only the square is computed, by the same filter over the same
    source; single values differ by a level, because Pillow rounds between its two passes.
    """
    offsets = [(side - size) / 2 for side in shape]
    top, left = (round(each) if rounded else int(each) for each in offsets)
    if shape[0] * shape[1] <= WHOLE or image.shape[:2] == tuple(shape):
        return np.ascontiguousarray(resize(image, shape, filter)[top : top + size, left : left + size])
    down, across = image.shape[0] / shape[0], image.shape[1] / shape[1]
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    box = (box[0], box[1], min(box[2], image.shape[1]), min(box[3], image.shape[0]))
    return np.asarray(Image.fromarray(image).resize((size, size), _FILTERS[filter], box=box), dtype=np.uint8)


def _centre(image: Pixels, size: int) -> Pixels:
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return np.ascontiguousarray(image[top : top + size, left : left + size])
