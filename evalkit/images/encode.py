"""Images as PNG bytes: the same pixels give the same bytes."""

from __future__ import annotations

import io

from PIL import Image

from evalkit.images.sample import Pixels


def png_bytes(image: Pixels, *, compress: int = 3) -> bytes:
    """Lossless PNG of a uint8 [H, W, 3] image, without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG", compress_level=compress)
    return buffer.getvalue()
