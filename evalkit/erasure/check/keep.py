"""Small copies of images that stay with a run, for its page."""

from __future__ import annotations

import io

from PIL import Image

from evalkit.images.sample import Pixels

SIDE, QUALITY = 256, 84


def small_copy(image: Pixels) -> bytes:
    """WebP of an image, at most 256 pixels on its longer side."""
    small = Image.fromarray(image)
    small.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    small.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()
