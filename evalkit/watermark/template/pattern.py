"""The pattern itself: waves of one strength whose frequencies and phases are drawn from the key.

It says where the image's square lies, and nothing else: what decides is the codes that are read there, whose lists are
drawn from another part of the key. So the p of those codes is exact, however the place was found. Few waves stand out of
an image's spectrum wherever the image was moved to, so one Fourier transform tells its scale, angle and mirror.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from evalkit.images.sample import Pixels
from evalkit.watermark.keys import Key

Plane = npt.NDArray[np.float32]
DOMAIN = "evalkit-template/2"
SIDE = 256  # of the square that holds the pattern
BAND = (16, 84)  # cycles a side: above, compression takes it, below, the image hides it
WAVES = 48  # more of them are harder to see in a spectrum, and fewer are left after strong edits


@dataclass(frozen=True)
class Waves:
    """cos(2 pi (down y + right x) / SIDE + phase), x and y from the upper left: whole numbers [WAVES], phases in radians."""

    down: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    phase: npt.NDArray[np.float64]


@lru_cache(maxsize=64)
def waves(key: Key) -> Waves:
    """The waves of a key, within `BAND`."""
    down, right = np.mgrid[-BAND[1] : BAND[1] + 1, 0 : BAND[1] + 1].reshape(2, -1)
    radius = np.hypot(down, right)
    half = (radius >= BAND[0]) & (radius <= BAND[1]) & ((right > 0) | (down > 0))  # the other half are the same waves
    down, right = down[half], right[half]
    order = np.argsort(key.numbers(len(down), DOMAIN, "frequencies"), kind="stable")[:WAVES]
    turns = key.numbers(WAVES, DOMAIN, "phases") / 2.0**64
    return Waves(down[order], right[order], 2 * np.pi * turns)


@lru_cache(maxsize=16)
def pattern(key: Key) -> Plane:
    """float32 [SIDE, SIDE], 1 in root mean square."""
    drawn = waves(key)
    spectrum = np.zeros((SIDE, SIDE // 2 + 1), np.complex128)
    spectrum[drawn.down % SIDE, drawn.right] = np.exp(1j * drawn.phase)
    found = np.fft.irfft2(spectrum, (SIDE, SIDE))
    unit: Plane = (found / found.std()).astype(np.float32)
    return unit


def grey(image: Pixels) -> Plane:
    """Luma of uint8 [H, W, 3]."""
    found: Plane = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return found
