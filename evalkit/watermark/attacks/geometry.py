"""Attacks on the grid: sizes, crops, turns, mirrors and shifts. What a turn uncovers is black."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.base import Attack, Back, resized_back
from evalkit.watermark.attacks.spelling import Options, Parameter, pixels, register

FILTER = Parameter("filter", "word", default="bicubic", choices=("nearest", "box", "bilinear", "bicubic", "lanczos"))
SIDE = Parameter("side", low=0.01, high=1)
PLACE = Parameter("place", "word", default="random", choices=("random", "centre", "corner"))
MOST = 2**14  # px of a side that an attack may make


@register("back", about="in a chain: to the size that the image had before the chain (bilinear)")
def back(name: str, values: object, options: Options) -> Attack:
    """Undoes the size of `cut` and `scale`."""
    return Back()


@pixels("resize", Parameter("factor", low=0.01, high=8), FILTER, about="both sides times the factor, and back")
def resize(image: Pixels, rng: np.random.Generator, factor: float, filter: str) -> Pixels:
    """Down (or up) and back to the own size by the same antialiased filter of Pillow."""
    return resize_exact(_scaled(image, factor, filter), (image.shape[0], image.shape[1]), filter)


@pixels(
    "scale", Parameter("factor", low=0.01, high=8), FILTER,
    about="both sides times the factor; the result keeps that size", size="both sides times the factor",
)  # fmt: skip
def scale(image: Pixels, rng: np.random.Generator, factor: float, filter: str) -> Pixels:
    """An image of another size."""
    return _scaled(image, factor, filter)


@pixels(
    "resize-px",
    Parameter("pixels", "whole", -64, 64),
    FILTER,
    about="control: both sides longer by some pixels, and back",
)
def resize_px(image: Pixels, rng: np.random.Generator, pixels: int, filter: str) -> Pixels:
    """The smallest resampling there is: one pixel more and back."""
    height, width = (max(1, side + pixels) for side in image.shape[:2])
    return resize_exact(resize_exact(image, (height, width), filter), (image.shape[0], image.shape[1]), filter)


@pixels("crop", SIDE, PLACE, about="a window with this share of each side, enlarged back (bilinear)")
def crop(image: Pixels, rng: np.random.Generator, side: float, place: str) -> Pixels:
    """WMAR takes the upper left `corner`, BitMark a `random` place."""
    return resized_back(_window(image, side, place, rng), (image.shape[0], image.shape[1]))


@pixels("cut", SIDE, PLACE, about="a window with this share of each side, as it is", size="both sides times the share")
def cut(image: Pixels, rng: np.random.Generator, side: float, place: str) -> Pixels:
    """A crop whose result is smaller."""
    return _window(image, side, place, rng).copy()


@pixels(
    "crop-area", Parameter("area", low=0.01, high=1), about="a random square with this share of the area, enlarged back"
)
def crop_area(image: Pixels, rng: np.random.Generator, area: float) -> Pixels:
    """WAVES's resized crop (torchvision RandomResizedCrop, ratio 1); where no square fits, the central one."""
    height, width = image.shape[:2]
    side = round(math.sqrt(area * height * width))
    if side > min(height, width):
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
    else:
        side = max(side, 1)
        top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return resized_back(image[top : top + side, left : left + side], (height, width))


@pixels(
    "rotate",
    Parameter("degrees", low=-360, high=360),
    Parameter("filter", "word", default="nearest", choices=("nearest", "bilinear", "bicubic")),
    about="anticlockwise about the centre, size kept, black corners",
)
def rotate(image: Pixels, rng: np.random.Generator, degrees: float, filter: str) -> Pixels:
    """torchvision's rotate, as in WAVES: nearest neighbour, no expansion."""
    return _turned(image, degrees, filter)


@pixels(
    "rotate-random", Parameter("low", low=-360, high=360), Parameter("high", low=-360, high=360),
    about="by an angle drawn from [low, high], as BitMark does",
)  # fmt: skip
def rotate_random(image: Pixels, rng: np.random.Generator, low: float, high: float) -> Pixels:
    """torchvision's RandomRotation."""
    if high < low:
        raise EvalkitError(
            f"rotate-random:{low:g}:{high:g} has its bounds the wrong way round; give the lower one first"
        )
    return _turned(image, float(rng.uniform(low, high)), "nearest")


@pixels(
    "flip", Parameter("axis", "word", default="horizontal", choices=("horizontal", "vertical")), about="mirror image"
)
def flip(image: Pixels, rng: np.random.Generator, axis: str) -> Pixels:
    """Left and right exchanged, or top and bottom."""
    return image[:, ::-1] if axis == "horizontal" else image[::-1]


@pixels(
    "shift", Parameter("right", "whole", -MOST, MOST), Parameter("down", "whole", -MOST, MOST, default=0),
    about="moved by whole pixels, the edge repeated",
)  # fmt: skip
def shift(image: Pixels, rng: np.random.Generator, right: int, down: int) -> Pixels:
    """Every pixel stays what it is; only the grid of the tokenizer sees a change."""
    rows = np.clip(np.arange(image.shape[0]) - down, 0, image.shape[0] - 1)
    columns = np.clip(np.arange(image.shape[1]) - right, 0, image.shape[1] - 1)
    moved: Pixels = image[rows][:, columns]
    return moved


@pixels(
    "roll", Parameter("right", "whole", -MOST, MOST), Parameter("down", "whole", -MOST, MOST, default=0),
    about="moved by whole pixels, what leaves at one edge enters at the other",
)  # fmt: skip
def roll(image: Pixels, rng: np.random.Generator, right: int, down: int) -> Pixels:
    """No pixel is lost."""
    return np.roll(image, (down, right), (0, 1))


def _turned(image: Pixels, degrees: float, filter: str) -> Pixels:
    kinds = {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
    }
    return np.asarray(Image.fromarray(image).rotate(degrees, kinds[filter]), dtype=np.uint8)


def _scaled(image: Pixels, factor: float, filter: str) -> Pixels:
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    if max(height, width) > MOST:
        raise EvalkitError(f"a factor of {factor:g} makes {width}x{height} pixels; {MOST} on a side are the most")
    return resize_exact(image, (height, width), filter)


def _window(image: Pixels, side: float, place: str, rng: np.random.Generator) -> Pixels:
    """The sizes are rounded down, as both papers' code does (with room for 0.7 * 10 being 6.999…)."""
    height, width = (max(1, int(side * each + 1e-9)) for each in image.shape[:2])
    room = (image.shape[0] - height, image.shape[1] - width)
    if place == "random":
        top, left = (int(rng.integers(each + 1)) for each in room)
    else:
        top, left = (0, 0) if place == "corner" else (room[0] // 2, room[1] // 2)
    return image[top : top + height, left : left + width]
