"""Images as PNG bytes: the same pixels give the same bytes."""

from __future__ import annotations

import io

from PIL import Image

from evalkit.freed import give_back
from evalkit.images.sample import Pixels
from evalkit.images.strips import LARGE


def png_bytes(image: Pixels, *, compress: int = 3) -> bytes:
    """Lossless PNG of a uint8 [H, W, 3] image, without metadata."""
    if image.size > 3 * LARGE:
        give_back()
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=compress)
    return buffer.getvalue()
