"""The pixels of a decoded file in pieces from above, so that no step makes a whole copy of a large image."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from evalkit.freed import give_back, give_back_part
from evalkit.images.kinds import AVIF, WEBP, Kind
from evalkit.images.sample import Pixels
from evalkit.images.tiff import read_in_machine_order
from evalkit.images.webp import webp_pixels

STRIP = 2**20  # pixels that are brought to RGB at a time
LARGE = 2**24  # pixels from which memory that is free is given back first
NARROW = ("1", "L", "P", "I;16", "I;16B", "I;16L", "I;16N")  # modes of fewer bytes a pixel than RGB takes
BLOCK = 2**31 - 2**12  # bytes that Pillow may ask for at once: an image in one piece can be used where it lies

Image.core.set_block_size(BLOCK)  # type: ignore[attr-defined]


class Decoded:
    """A file's pixels: Pillow's image, or an array of a large WebP or AVIF."""

    def __init__(self, opened: ImageFile.ImageFile, kind: Kind, data: bytes) -> None:
        """Decodes the first frame. Raises what decoders raise."""
        self.opened = opened
        self._rest: npt.NDArray[np.uint8] | None = None
        pixels = opened.width * opened.height
        if pixels > LARGE:
            give_back()
        self._array = _whole(opened, kind, data) if pixels > STRIP else None
        if self._array is None:
            opened.seek(0)
            read_in_machine_order(opened)
            opened.load()

    def room(self) -> Pixels:
        """uint8 [H, W, 3] to write into from above, behind what `strips` has given: its own memory where that is enough.

        So a large image lies in memory once. Nothing but `strips` may read the image from then on.
        """
        height, width = self.opened.height, self.opened.width
        needed = height * width * 3
        own = self._memory() if height * width > STRIP else None
        if own is None or own.size < needed:
            return np.empty((height, width, 3), np.uint8)
        self._rest = own[needed:]
        return own[:needed].reshape(height, width, 3)

    def finish(self) -> None:
        """Nobody reads the file's pixels again: what `room` has not taken of their memory is given back."""
        if self._rest is not None:
            give_back_part(self._rest.ctypes.data, self._rest.size)

    def _memory(self) -> npt.NDArray[np.uint8] | None:
        """The bytes of all pixels, row behind row; None where they are not in one piece, or are not to be written."""
        if self._array is not None:
            return self._array.reshape(-1) if self._array.flags.writeable and self._array.flags.c_contiguous else None
        if self.opened.mode in NARROW or not hasattr(self.opened, "__arrow_c_array__"):  # Pillow lends it from 11.3 on
            return None
        import pyarrow as pa  # which shares the memory that Pillow gives, here alone

        try:
            lent = pa.array(self.opened)
        except (ValueError, MemoryError, pa.ArrowException):  # in several pieces
            return None
        buffer = (lent.values if isinstance(lent, pa.FixedSizeListArray) else lent).buffers()[1]
        held = (ctypes.c_uint8 * buffer.size).from_address(buffer.address)
        held.owner = buffer  # lives as long as an array that looks at it
        return np.frombuffer(held, np.uint8)

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
    channels = (len(opened.mode),) if len(opened.mode) > 1 else ()
    return frame.reshape(opened.height, opened.width, *channels)
