"""Views of an image that a detector may try besides the image itself: mirrored, shifted, scaled, turned.

A green list knows no position, so a whole number of cells never matters; what is searched for is the offset within a
cell, the scale, the angle and a mirror. Codes of cells that a view had to fill are not counted. Every view that may be
tried is a test, and is counted as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels

SCALES = (0.5, 0.75, 0.8, 0.9, 1.1, 1.25)
ANGLES = (-15, -10, -5, -2, 2, 5, 10, 15)
NAMES = "flip, offsets, offsets:STRIDE, scales, scales:0.8+0.9, angles, angles:-3+3"


@dataclass(frozen=True)
class View:
    """What is undone: a mirror, a shift by (dx, dy) pixels, a scale, an angle in degrees (counter-clockwise)."""

    flip: bool = False
    dx: int = 0
    dy: int = 0
    scale: float = 1.0
    angle: float = 0.0

    @property
    def name(self) -> str:
        """How rows name it: "" for the image itself."""
        parts = ["flip"] if self.flip else []
        parts += [f"shift {self.dx},{self.dy}"] if self.dx or self.dy else []
        parts += [f"scale {self.scale:g}"] if self.scale != 1 else []
        parts += [f"turn {self.angle:g}"] if self.angle else []
        return " ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """What it undoes, as plain data: `View(**view.as_dict()) == view`."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {each.name: values[each.name] for each in fields(self) if values[each.name] != each.default}

    def look(self, image: Pixels) -> tuple[Pixels, npt.NDArray[np.bool_]]:
        """The view [S, S, 3] of a square image, and bool [S, S]: pixels that come from the image."""
        side = image.shape[0]
        picture = Image.fromarray(image)
        known = Image.new("L", picture.size, 255)
        if self.flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.scale != 1:
            size = max(1, round(side * self.scale))
            picture = picture.resize((size, size), Image.Resampling.BICUBIC)
            at = (side - size) // 2
            picture, known = _placed(picture, at, at, side), _placed(Image.new("L", (size, size), 255), at, at, side)
        if self.angle:
            picture = picture.rotate(self.angle, Image.Resampling.BICUBIC)
            known = known.rotate(self.angle, Image.Resampling.NEAREST)
        if self.dx or self.dy:
            picture, known = (_placed(each, -self.dx, -self.dy, side) for each in (picture, known))
        return np.asarray(picture), np.asarray(known) > 0


def read_search(spelling: str, cell: int) -> tuple[View, ...]:
    """The views of a comma-separated spelling for a tokenizer whose cells are `cell` pixels wide; "none" gives none.

    >>> len(read_search("flip,offsets:4", 16))
    16
    """
    views: list[View] = []
    for each in spelling.replace(" ", "").split(","):
        name, _, values = each.partition(":")
        try:
            if name == "flip" and not values:
                views.append(View(flip=True))
            elif name == "offsets":
                stride = int(values) if values else max(1, cell // 4)
                steps = range(0, cell, stride)  # a stride below 1 raises
                views += [View(dx=dx, dy=dy) for dy in steps for dx in steps if dx or dy]
            elif name == "scales":
                views += [View(scale=scale) for scale in _numbers(values, SCALES) if 0.1 <= scale <= 4 and scale != 1]
            elif name == "angles":
                views += [View(angle=angle) for angle in _numbers(values, ANGLES) if angle]
            elif name not in ("none", ""):
                raise ValueError
        except ValueError:
            raise EvalkitError(f"there is no search called {each!r}; give none, or some of {NAMES}") from None
    return tuple(dict.fromkeys(views))


def _numbers(values: str, default: Sequence[float]) -> Sequence[float]:
    return [float(value) for value in values.split("+")] if values else default


def _placed(picture: Image.Image, x: int, y: int, side: int) -> Image.Image:
    """A `side` square with `image` at (x, y); what lies outside is cut, what is empty is black."""
    canvas = Image.new(picture.mode, (side, side))
    canvas.paste(picture, (x, y))
    return canvas
