"""The pattern itself: noise of one band of frequencies, drawn from the key.

It says where the image's square lies, and nothing else: what decides is the codes that are read there, whose lists are
drawn from another part of the key. So the p of those codes is exact, however the place was found.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from evalkit.images.sample import Pixels
from evalkit.watermark.keys import Key

Plane = npt.NDArray[np.float32]
DOMAIN = "evalkit-template/1"
SIDE = 256  # of the square that holds the pattern
BAND = (16, 84)  # cycles a side: above, compression takes it, below, the image hides it


@lru_cache(maxsize=16)
def pattern(key: Key) -> Plane:
    """float32 [SIDE, SIDE], 1 in root mean square: equal amplitudes within `BAND`, phases by the key."""
    shape = (SIDE, SIDE // 2 + 1)
    turns = key.numbers(shape[0] * shape[1], DOMAIN).reshape(shape) / 2.0**64
    radius = radii()
    spectrum = np.where((radius >= BAND[0]) & (radius <= BAND[1]), np.exp(2j * np.pi * turns), 0)
    found = np.fft.irfft2(spectrum, (SIDE, SIDE))
    unit: Plane = (found / found.std()).astype(np.float32)
    return unit


def radii() -> npt.NDArray[np.float64]:
    """Cycles a side of each entry of `rfft2` of a square."""
    rows, columns = np.fft.fftfreq(SIDE) * SIDE, np.fft.rfftfreq(SIDE) * SIDE
    found: npt.NDArray[np.float64] = np.hypot(rows[:, None], columns[None])
    return found


def grey(image: Pixels) -> Plane:
    """Luma of uint8 [H, W, 3]."""
    found: Plane = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return found
