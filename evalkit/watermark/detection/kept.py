"""What the cache keeps of an image: its codes, and what a person should know of its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.watermark.detection.cache import Kept

EXTREME = 3.0  # sides in a ratio beyond this lose most of the image to the centre square


def kept_of(codes: bytes, phash: int, size: tuple[int, int], source: Mapping[str, Any], native: int) -> Kept:
    """What is kept of an image of `size` (height, width) whose square of `native` pixels was encoded."""
    height, width = size
    warnings = []
    if min(height, width) < native // 2:
        warnings.append(f"{width}x{height} was enlarged to {native}")
    if max(height, width) > EXTREME * min(height, width):
        warnings.append("of a long image the centre square alone is looked at")
    if source.get("animated"):
        warnings.append("of several frames or pages the first alone is looked at")
    kind, mode, turned = source.get("format"), source.get("mode"), source.get("orientation")
    return Kept(codes, phash, width, height, kind, mode, turned, "; ".join(warnings) or None)
