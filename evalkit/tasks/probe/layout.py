"""An image at its place in a suite's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PlacedImage:
    """An image in a folder, its prompt's id and its place among the prompt's images.

    `part`: (images of a side, which of them in rows) where the file is a grid of several images.
    """

    path: Path
    prompt: str
    sample: int
    part: tuple[int, int] | None = None
