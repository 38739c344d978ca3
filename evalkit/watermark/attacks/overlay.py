"""Attacks by what platforms and people lay over images: a caption, a logo, a frame, a tiled stamp."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.spelling import Parameter, pixels

KINDS = ("text", "logo", "stamp")
WORDS = "evalkit"


@pixels(
    "overlay",
    Parameter("kind", "word", default="text", choices=KINDS),
    Parameter("opacity", low=0, high=1, default=1.0),
    Parameter("size", low=0.01, high=1, default=0.2),
    about="a caption band below, a round logo in the lower right corner, or slanted words all over (stamp)",
)
def overlay(image: Pixels, rng: np.random.Generator, kind: str, opacity: float, size: float) -> Pixels:
    """`size` is the share of the shorter side: of the band's height, the logo's side, or one word's height."""
    height, width = image.shape[:2]
    unit = max(1, round(size * min(height, width)))
    layer = {"text": _caption, "logo": _logo, "stamp": _stamp}[kind](width, height, unit)
    alpha = np.asarray(layer.getchannel("A"), dtype=np.float32)[..., None] / 255 * opacity
    mixed = image * (1 - alpha) + np.asarray(layer.convert("RGB"), dtype=np.float32) * alpha
    return np.floor(mixed + 0.5).astype(np.uint8)


@pixels(
    "frame",
    Parameter("share", low=0, high=0.45),
    about="a dark frame of this share of each side around the image",
)
def frame(image: Pixels, rng: np.random.Generator, share: float) -> Pixels:
    """A screenshot with its surroundings, at the image's own size."""
    height, width = image.shape[:2]
    top, left = int(height * share), int(width * share)
    framed = np.full_like(image, 24)
    inner = resize_exact(image, (height - 2 * top, width - 2 * left), "bicubic")
    framed[top : height - top, left : width - left] = inner
    return framed


def _caption(width: int, height: int, unit: int) -> Image.Image:
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    draw.rectangle((0, height - unit, width, height), fill=(0, 0, 0, 255))
    middle = (width / 2, height - unit / 2)
    draw.text(middle, WORDS, font=_font(0.6 * unit), anchor="mm", fill=(255, 255, 255, 255))
    return layer


def _logo(width: int, height: int, unit: int) -> Image.Image:
    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    margin = unit // 8
    right, bottom = width - 1 - margin, height - 1 - margin
    draw.ellipse((right - unit + 1, bottom - unit + 1, right, bottom), fill=(230, 60, 40, 255))
    draw.text(
        (right - unit / 2, bottom - unit / 2), "e", font=_font(0.8 * unit), anchor="mm", fill=(255, 255, 255, 255)
    )
    return layer


def _stamp(width: int, height: int, unit: int) -> Image.Image:
    side = 2 * max(width, height)
    sheet = Image.new("RGBA", (side, side), (255, 255, 255, 0))
    draw, font = ImageDraw.Draw(sheet), _font(unit)
    step = max(1, round(draw.textlength(WORDS + " ", font=font)))
    for row, y in enumerate(range(0, side, 2 * unit)):
        for x in range(-(row % 2) * step // 2, side, step):
            draw.text((x, y), WORDS, font=font, fill=(255, 255, 255, 255))
    turned = sheet.rotate(30, Image.Resampling.BILINEAR)
    left, top = (side - width) // 2, (side - height) // 2
    return turned.crop((left, top, left + width, top + height))


def _font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(max(size, 1.0))
