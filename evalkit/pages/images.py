"""Image pairs for the page: scaled, recompressed for display, with their amplified difference, within a budget."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from evalkit.errors import BadImage
from evalkit.images.decode import decode_image
from evalkit.runs.plain import read_plain

AMPLIFY = 4  # of the absolute difference
BUDGET = 4_200_000  # characters of image data on a page, which leaves room for the rest below 6 MB
QUALITY = 84
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """An image as the page holds it: a `data:` address and its size there."""

    address: str
    width: int
    height: int


@dataclass(frozen=True)
class Triple:
    """One kept pair as the page shows it; `difference` is None where the two have different sizes."""

    entry: Mapping[str, Any]
    original: Shown
    reconstruction: Shown
    difference: Shown | None

    @property
    def size(self) -> int:
        """Characters that the images take."""
        return sum(len(p.address) for p in (self.original, self.reconstruction, self.difference) if p is not None)


def triples(folder: Path, entries: Sequence[Mapping[str, Any]], most: int, side: int, budget: int) -> list[Triple]:
    """The first `most` of `entries` whose files are there, as long as they fit into `budget` characters."""
    made: list[Triple] = []
    for entry in entries:
        if len(made) == most:
            break
        triple = read_triple(folder, entry, side)
        if triple is None:
            continue
        budget -= triple.size
        if budget < 0:
            break
        made.append(triple)
    return made


def read_triple(folder: Path, entry: Mapping[str, Any], side: int) -> Triple | None:
    """Original, reconstruction and difference at most `side` pixels wide and high; None where a file cannot be read."""
    pair = [read_pixels(folder, str(entry.get(name))) for name in ("original", "reconstruction")]
    original, reconstruction = pair
    if original is None or reconstruction is None:
        return None
    difference = None
    if original.shape == reconstruction.shape:
        difference = shown(amplified_difference(original, reconstruction), side)
    return Triple(entry, shown(original, side), shown(reconstruction, side), difference)


def amplified_difference(a: Pixels, b: Pixels) -> Pixels:
    """Absolute difference of two uint8 images times `AMPLIFY`, clipped at white.

    >>> int(amplified_difference(np.full((1, 1, 3), 10, np.uint8), np.full((1, 1, 3), 7, np.uint8))[0, 0, 0])
    12
    """
    apart = np.abs(a.astype(np.int16) - b.astype(np.int16)) * AMPLIFY
    return np.asarray(np.minimum(apart, 255), np.uint8)


def shown(pixels: Pixels, side: int) -> Shown:
    """The image as WebP in a `data:` address, at most `side` pixels wide and high."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=QUALITY, method=2)
    data = base64.b64encode(buffer.getvalue()).decode()
    return Shown("data:image/webp;base64," + data, image.width, image.height)


def read_pixels(folder: Path, name: str) -> Pixels | None:
    """The uint8 RGB image `name` of a run's `folder`; None where it lies outside, is gone or cannot be read."""
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):  # a run from elsewhere must not pull other files into the page
            return None
        return decode_image(read_plain(path))
    except (OSError, ValueError, BadImage, MemoryError):
        return None
