"""Picture pairs for the page: scaled, recompressed for display, with their amplified difference."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 320  # largest side on the page
AMPLIFY = 4  # of the absolute difference


def triple(folder: Path, entry: dict[str, Any]) -> dict[str, Any] | None:
    """Data addresses of original, reconstruction and difference; None where a file is gone."""
    try:
        original, reconstruction = (
            np.asarray(Image.open(folder / entry[name]).convert("RGB")) for name in ("original", "reconstruction")
        )
    except OSError:
        return None
    difference = np.abs(original.astype(np.int16) - reconstruction.astype(np.int16)) * AMPLIFY
    return {
        **entry,
        "original": data_address(original),
        "reconstruction": data_address(reconstruction),
        "difference": data_address(np.clip(difference, 0, 255).astype(np.uint8)),
    }


def data_address(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """A `data:` address of the picture as WebP, at most `SIDE` pixels wide."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=88, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
