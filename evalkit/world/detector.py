"""The known-truth detector: which things of the world are in an image, where, and in which colour.

Each window of an image is compared with every sprite in every colour on the image's own ground. The likeness of a
window w and a sprite t, both as differences from the ground, is 2 w.t / (w.w + t.t): 1 only where they are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.world.render import sprite
from evalkit.world.scene import SIDE, SPRITE, STEP
from evalkit.world.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS

Floats = NDArray[np.float32]
THRESHOLD = 0.7
_NEAR = 30.0  # distance of a pixel from a ground's colour that still counts as that ground
_LOOKS: tuple[tuple[str, str | None], ...] = tuple((c, k) for c in CLASS_NAMES for k in (None, *COLOR_NAMES))


@dataclass(frozen=True)
class Detection:
    """A thing that was found: class, colour (None: its natural ones), box in pixels, likeness in (0, 1]."""

    name: str
    color: str | None
    box: tuple[int, int, int, int]
    score: float


@dataclass(frozen=True)
class Seen:
    """What is in an image: its ground, its things, the surest first, and its style where styles are told apart."""

    ground: str
    things: tuple[Detection, ...]
    style: str | None = None

    def count(self, name: str) -> int:
        """How many things of a class there are."""
        return sum(thing.name == name for thing in self.things)


def detect(pixels: Pixels, *, step: int = STEP, threshold: float = THRESHOLD) -> Seen:
    """The things in a uint8 [H, W, 3] square image; other sizes than 64 are scaled to it (boxes are at 64).

    `step`: windows stand at its multiples; 8 is the world's grid, smaller steps find things that were shifted.
    Raises `EvalkitError` for what is no square uint8 image.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.shape[0] != pixels.shape[1] or pixels.dtype != np.uint8:
        raise EvalkitError(
            f"the detector takes square uint8 [H, W, 3] images; {pixels.dtype} {list(pixels.shape)} was given"
        )
    if pixels.shape[0] != SIDE:
        pixels = np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    image = pixels.astype(np.float32)
    ground = _ground(image)
    difference = image - np.array(GROUNDS[ground], np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(difference, (SPRITE, SPRITE), (0, 1))[::step, ::step]
    flat = windows.transpose(0, 1, 3, 4, 2).reshape(windows.shape[0] * windows.shape[1], -1)
    templates, power = _templates(ground)
    likeness = 2 * (flat @ templates) / ((flat * flat).sum(1, keepdims=True) + power)
    return Seen(ground, tuple(_separate(likeness, windows.shape[1], step, threshold)))


def detect_all(images: Sequence[Pixels]) -> list[Seen]:
    """`detect` for each of the images."""
    return [detect(pixels) for pixels in images]


def _separate(likeness: Floats, columns: int, step: int, threshold: float) -> list[Detection]:
    """The best look of each window above `threshold`, greedily, none over another."""
    looks = likeness.argmax(1)
    scores = likeness[np.arange(len(looks)), looks]
    found: list[Detection] = []
    taken: list[tuple[int, int]] = []
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] < threshold:
            break
        x, y = int(index % columns) * step, int(index // columns) * step
        if any(abs(x - a) < SPRITE - 4 and abs(y - b) < SPRITE - 4 for a, b in taken):
            continue
        taken.append((x, y))
        name, color = _LOOKS[looks[index]]
        left, top, right, bottom = _extent(name)
        found.append(Detection(name, color, (x + left, y + top, x + right, y + bottom), float(scores[index])))
    return found


def _ground(image: Floats) -> str:
    """The ground that most pixels are near to; each pixel speaks for the nearest one."""
    grounds = np.array(list(GROUNDS.values()), np.float32)
    distances = np.abs(image[::2, ::2, None] - grounds).max(-1).reshape(-1, len(grounds))
    nearest = distances.argmin(1)[distances.min(1) < _NEAR]
    return list(GROUNDS)[int(np.bincount(nearest, minlength=len(grounds)).argmax())]


@cache
def _templates(ground: str) -> tuple[Floats, Floats]:
    """(differences of every look from the ground [24 * 24 * 3, looks], their powers [looks])."""
    base = np.array(GROUNDS[ground], np.float32)
    rows = []
    for name, color in _LOOKS:
        rgb, alpha = sprite(name, color)
        rows.append((alpha * (rgb - base)).reshape(-1))
    stacked = np.stack(rows)
    return np.ascontiguousarray(stacked.T), (stacked * stacked).sum(1)


@cache
def _extent(name: str) -> tuple[int, int, int, int]:
    """Box of what is drawn of a sprite: left, top, right, bottom (the last two not included)."""
    rows, columns = np.nonzero(sprite(name, None)[1][..., 0] > 0.5)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
