"""The pixels of a decoded file in pieces from above, so that no step makes a whole copy of a large image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile

from evalkit.freed import give_back
from evalkit.images.kinds import AVIF, WEBP, Kind
from evalkit.images.sample import Pixels
from evalkit.images.webp import webp_pixels

STRIP = 2**20  # pixels that are brought to RGB at a time
LARGE = 2**24  # pixels from which memory that is free is given back first


class Decoded:
    """A file's pixels: Pillow's image, or an array of a large WebP or AVIF."""

    def __init__(self, opened: ImageFile.ImageFile, kind: Kind, data: bytes) -> None:
        """Decodes the first frame. Raises what decoders raise."""
        self.opened = opened
        pixels = opened.width * opened.height
        if pixels > LARGE:
            give_back()
        self._array = _whole(opened, kind, data) if pixels > STRIP else None
        if self._array is None:
            opened.seek(0)
            opened.load()

    def strips(self) -> Iterator[Image.Image]:
        """The image from above, in pieces of at most `STRIP` pixels, or a row each."""
        height, width = self.opened.height, self.opened.width
        rows = max(1, STRIP // max(1, width))
        if rows >= height and self._array is None:
            yield self.opened
            return
        for top in range(0, height, rows):
            if self._array is not None:
                yield Image.fromarray(self._array[top : top + rows])
            else:
                yield self.opened.crop((0, top, width, min(top + rows, height)))


def _whole(opened: ImageFile.ImageFile, kind: Kind, data: bytes) -> Pixels | None:
    """The pixels where there is a way past Pillow's own copy of them."""
    if kind is WEBP:
        return webp_pixels(data, opened.height, opened.width, opened.mode)
    decoder = getattr(opened, "_decoder", None) if kind is AVIF else None
    if decoder is None or not hasattr(decoder, "get_frame"):
        return None
    frame = np.frombuffer(decoder.get_frame(0)[0], np.uint8)
    opened._decoder = None  # type: ignore[attr-defined]  # which holds the image in its own colour space
    return frame.reshape(opened.height, opened.width, len(opened.mode))
