"""Small copies of images that stay with a run, for its page."""

from __future__ import annotations

import io

from PIL import Image

from evalkit.images.sample import Pixels

SIDE, QUALITY = 256, 84


def small_copy(image: Pixels) -> bytes:
    """WebP of an image, at most 256 pixels on its longer side."""
    picture = Image.fromarray(image)
    picture.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()
