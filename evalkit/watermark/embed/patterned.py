"""The template in an image: its pattern at the image's own size, a little stronger where texture hides it."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.watermark.embed.full_size import Frame
from evalkit.watermark.identity import PREPARE
from evalkit.watermark.keys import Key
from evalkit.watermark.template.pattern import SIDE, grey, pattern

LEAST = 192  # of an image's shorter side: smaller ones have no room for the band
AROUND = 9  # pixels of a side over which texture is measured
PLAIN = 32.0  # grey levels that flat areas count as in the deviation that hides a change
STRONGEST = 3.0  # times the mean strength


def has_room(image: Pixels) -> bool:
    """Whether an image is large enough for a pattern."""
    return bool(min(image.shape[:2]) >= LEAST)


def patterned(image: Pixels, key: Key, size: float) -> Pixels:
    """The image with the pattern of `key` in its centre square; `size`: root mean square on [0, 1] over the whole image."""
    square, frame = fit_square(image, SIDE, PREPARE), Frame.of(image, SIDE)
    plane = grey(square)
    mean, square_mean = (cv2.blur(each, (AROUND, AROUND)) for each in (plane, plane * plane))
    hidden = np.sqrt(np.maximum(square_mean - mean * mean, 0)) + PLAIN
    hidden = np.minimum(hidden / np.sqrt((hidden**2).mean()), STRONGEST)
    change = pattern(key) * hidden
    change *= size / frame.share**0.5 / np.sqrt((change**2).mean())
    return frame.added(image, torch.from_numpy(np.repeat(change[None], 3, 0).astype(np.float32)), 255)
