"""The pixels of a decoded file in pieces from above, so that no step makes a whole copy of a large image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from evalkit.errors import BadImage
from evalkit.images.kinds import WEBP, Kind

STRIP = 2**20  # pixels that are brought to RGB at a time


class Decoded:
    """A file's pixels: Pillow's image, or OpenCV's array of a large still WebP, for which Pillow takes four copies."""

    def __init__(self, opened: ImageFile.ImageFile, kind: Kind, data: bytes) -> None:
        """Decodes the first frame. Raises what decoders raise."""
        self.opened = opened
        large = opened.width * opened.height > STRIP
        self._array = _webp(data) if kind is WEBP and large and not getattr(opened, "is_animated", False) else None
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


def _webp(data: bytes) -> npt.NDArray[np.uint8]:
    """RGB or RGBA of a still WebP, by the same library (libwebp)."""
    import cv2

    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise BadImage("damaged or truncated image: the WebP file cannot be decoded")
    into = cv2.COLOR_BGRA2RGBA if found.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(found, into, dst=found), np.uint8)
