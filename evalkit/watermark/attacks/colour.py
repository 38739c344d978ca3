"""Attacks on light and colour, as Pillow and torchvision compute them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.spelling import Parameter, pixels

FACTOR = Parameter("factor", low=0, high=100)


def enhanced(image: Pixels, what: str, factor: float) -> Pixels:
    """Pillow's ImageEnhance (Brightness, Contrast, Color): 1 leaves the image, 0 takes the property away."""
    return np.asarray(getattr(ImageEnhance, what)(Image.fromarray(image)).enhance(factor), dtype=np.uint8)


def hue_shifted(image: Pixels, turn: float) -> Pixels:
    """The hue moved by `turn` of the colour circle, in [-0.5, 0.5] (torchvision's adjust_hue of images)."""
    from torchvision.transforms.functional import adjust_hue

    return np.asarray(adjust_hue(Image.fromarray(image), turn), dtype=np.uint8)


@pixels("brightness", FACTOR, about="every value times the factor, cut off at white")
def brightness(image: Pixels, rng: np.random.Generator, factor: float) -> Pixels:
    """Blend with black."""
    return enhanced(image, "Brightness", factor)


@pixels("contrast", FACTOR, about="distance from the mean grey times the factor")
def contrast(image: Pixels, rng: np.random.Generator, factor: float) -> Pixels:
    """Blend with the mean grey."""
    return enhanced(image, "Contrast", factor)


@pixels("saturation", FACTOR, about="distance from grey times the factor")
def saturation(image: Pixels, rng: np.random.Generator, factor: float) -> Pixels:
    """Blend with the grey image."""
    return enhanced(image, "Color", factor)


@pixels("sharpness", FACTOR, about="distance from the smoothed image times the factor")
def sharpness(image: Pixels, rng: np.random.Generator, factor: float) -> Pixels:
    """Blend with the smoothed image; below 1 it blurs."""
    return enhanced(image, "Sharpness", factor)


@pixels("hue", Parameter("turn", low=-0.5, high=0.5), about="hue moved by this part of the colour circle")
def hue(image: Pixels, rng: np.random.Generator, turn: float) -> Pixels:
    """Through Pillow's 8-bit HSV, which by itself changes colours a little."""
    return hue_shifted(image, turn)


@pixels("gamma", Parameter("exponent", low=0.01, high=100), about="values on [0, 1] raised to this power")
def gamma(image: Pixels, rng: np.random.Generator, exponent: float) -> Pixels:
    """Below 1 brighter, above 1 darker; black and white stay."""
    table = np.floor(255 * (np.arange(256) / 255) ** exponent + 0.5).astype(np.uint8)
    changed: Pixels = table[image]
    return changed


@pixels("grey", about="colours taken away")
def grey(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Rec. 601 luma in all three channels."""
    return np.asarray(ImageOps.grayscale(Image.fromarray(image)).convert("RGB"), dtype=np.uint8)


@pixels("plus", Parameter("levels", "whole", -255, 255), about="control: every value plus so many of 255 levels")
def plus(image: Pixels, rng: np.random.Generator, levels: int) -> Pixels:
    """A change of light that nobody sees."""
    return np.clip(image.astype(np.int16) + levels, 0, 255).astype(np.uint8)


@pixels(
    "jitter",
    Parameter("strength", low=0, high=1),
    about="BitMark's colour attack: hue 0.5 s, saturation, contrast and brightness 5 s, in random order",
)
def jitter(image: Pixels, rng: np.random.Generator, strength: float) -> Pixels:
    """At 0.2 all but the hue are neutral; at 0 the image is black: the factors are multiples, not distances from 1."""
    return _in_random_order(image, rng, 5 * strength, 5 * strength, 5 * strength, 0.5 * strength)


@pixels(
    "jitter-random",
    Parameter("brightness", low=0, high=100),
    Parameter("contrast", low=0, high=100),
    Parameter("saturation", low=0, high=100),
    Parameter("hue", low=0, high=0.5),
    about="torchvision's ColorJitter: factors drawn from max(0, 1 - x) to 1 + x, hue from -x to x, in random order",
)
def jitter_random(
    image: Pixels, rng: np.random.Generator, brightness: float, contrast: float, saturation: float, hue: float
) -> Pixels:
    """Factors of one image are drawn from its seed."""
    light, range_, colour = (
        float(rng.uniform(max(0.0, 1 - width), 1 + width)) for width in (brightness, contrast, saturation)
    )
    return _in_random_order(image, rng, light, range_, colour, float(rng.uniform(-hue, hue)))


def _in_random_order(
    image: Pixels, rng: np.random.Generator, light: float, range_: float, colour: float, turn: float
) -> Pixels:
    for which in rng.permutation(4):
        if which == 3:
            image = hue_shifted(image, turn) if turn else image
        else:
            name, factor = (("Brightness", light), ("Contrast", range_), ("Color", colour))[which]
            image = enhanced(image, name, factor) if factor != 1 else image
    return image
