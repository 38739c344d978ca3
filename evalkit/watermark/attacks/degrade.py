"""Attacks on detail: blur, noise, fewer levels, and things laid over the image."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageFilter

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.spelling import Parameter, pixels

ROUNDING = Parameter("rounding", "word", default="nearest", choices=("nearest", "floor"))


@pixels(
    "blur", Parameter("radius", low=0, high=1000), about="Pillow's Gaussian blur; the radius is the standard deviation"
)
def blur(image: Pixels, rng: np.random.Generator, radius: float) -> Pixels:
    """Three box blurs, as WAVES uses it. Radius 0 changes nothing."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)), dtype=np.uint8)


@pixels(
    "gaussian",
    Parameter("kernel", "whole", 1, 199),
    Parameter("sigma", "word", default="auto"),
    about="torchvision's Gaussian blur with an odd kernel; sigma a number, `auto` (0.15 k + 0.35) or `random` (0.1 to 2)",
)
def gaussian(image: Pixels, rng: np.random.Generator, kernel: int, sigma: str) -> Pixels:
    """WMAR lets sigma follow the kernel; BitMark draws it, so that its kernel hardly matters. Kernel 1 changes nothing."""
    from torchvision.transforms.functional import gaussian_blur

    if kernel % 2 == 0 or kernel // 2 >= min(image.shape[:2]):
        raise EvalkitError(
            f"gaussian:{kernel} on {image.shape[1]}x{image.shape[0]} pixels: the kernel must be odd and less than twice "
            "the shorter side"
        )
    x = torch.from_numpy(image.transpose(2, 0, 1).copy())
    width = _sigma(sigma, kernel, rng)
    return np.ascontiguousarray(gaussian_blur(x, [kernel, kernel], [width, width]).numpy().transpose(1, 2, 0))


def _sigma(text: str, kernel: int, rng: np.random.Generator) -> float:
    if text == "auto":
        return 0.15 * kernel + 0.35
    if text == "random":
        return float(rng.uniform(0.1, 2.0))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1000:
        raise EvalkitError(f"gaussian:{kernel}:{text}: sigma is auto, random or a number above 0")
    return value


@pixels("median", Parameter("kernel", "whole", 1, 31), about="median of a square window with an odd side")
def median(image: Pixels, rng: np.random.Generator, kernel: int) -> Pixels:
    """Per channel, by Pillow."""
    if kernel % 2 == 0:
        raise EvalkitError(f"median:{kernel}: the side of the window must be odd, such as {kernel + 1}")
    return np.asarray(Image.fromarray(image).filter(ImageFilter.MedianFilter(kernel)), dtype=np.uint8)


@pixels(
    "noise", Parameter("sigma", low=0, high=1), ROUNDING,
    about="Gaussian noise of this standard deviation on [0, 1], then 8 bits",
)  # fmt: skip
def noise(image: Pixels, rng: np.random.Generator, sigma: float, rounding: str) -> Pixels:
    """`floor` cuts off the fraction, as the conversions of WAVES and BitMark do, and darkens by half a level."""
    if sigma == 0:
        return image
    noisy = rng.standard_normal(image.shape, dtype=np.float32)
    noisy *= np.float32(255 * sigma)
    noisy += image
    if rounding == "nearest":
        noisy += np.float32(0.5)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pixels("salt", Parameter("share", low=0, high=1), about="this share of the pixels turned black or white")
def salt(image: Pixels, rng: np.random.Generator, share: float) -> Pixels:
    """Salt and pepper, all channels of a pixel together."""
    drawn = rng.random(image.shape[:2])
    changed = image.copy()
    changed[drawn < share / 2] = 0
    changed[(drawn >= share / 2) & (drawn < share)] = 255
    return changed


@pixels("levels", Parameter("levels", "whole", 2, 256), about="so many levels a channel, evenly spaced")
def levels(image: Pixels, rng: np.random.Generator, levels: int) -> Pixels:
    """Posterisation; 256 changes nothing."""
    steps = levels - 1
    table = np.floor(np.floor(np.arange(256) / 255 * steps + 0.5) / steps * 255 + 0.5).astype(np.uint8)
    changed: Pixels = table[image]
    return changed


@pixels(
    "erase",
    Parameter("area", low=0, high=1),
    Parameter("fill", "word", default="black", choices=("black", "grey", "noise")),
    about="a square with this share of the area, at a random place",
)
def erase(image: Pixels, rng: np.random.Generator, area: float, fill: str) -> Pixels:
    """WAVES's erasing (torchvision RandomErasing, ratio 1): a square that does not fit is not erased at all."""
    height, width = image.shape[:2]
    side = round(math.sqrt(area * height * width))
    if side >= min(height, width):
        return image
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    changed = image.copy()
    patch = changed[top : top + side, left : left + side]
    patch[...] = rng.integers(0, 256, patch.shape) if fill == "noise" else 0 if fill == "black" else 128
    return changed
