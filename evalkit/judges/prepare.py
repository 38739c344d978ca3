"""Images on their way to a judge: their size, their file format, and the MIME type that is true."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.judges.request import ImagePart

_MARKS = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"WEBP", 8, "image/webp"),
    (b"GIF8", 0, "image/gif"),
)


@dataclass(frozen=True)
class Preparation:
    """`max_side`: longer sides are scaled down to it (`filter`). `format` "stored" sends a file's bytes as they are.

    `quality`: of JPEG and WEBP. `detail`: the endpoint's own word for how closely to look.
    """

    max_side: int | None = None
    format: Literal["PNG", "JPEG", "WEBP", "stored"] = "PNG"
    quality: int = 95
    filter: str = "bicubic"
    detail: str | None = None

    def pixels(self, image: Pixels, *, size: tuple[int, int] | None = None) -> ImagePart:
        """uint8 [H, W, 3] as it is sent; `size` (height, width) is taken first, such as that of an edit's source."""
        if self.format == "stored":
            raise EvalkitError("pixels have no stored file. Give PNG, JPEG or WEBP as the format")
        if size is not None:
            image = resize_exact(image, size, self.filter)
        image = resize_exact(image, self._bounded(image), self.filter)
        buffer = io.BytesIO()
        if self.format == "PNG":
            Image.fromarray(image).save(buffer, "PNG")
        else:
            Image.fromarray(image).save(buffer, self.format, quality=self.quality)
        return ImagePart(buffer.getvalue(), f"image/{self.format.lower()}", self.detail)

    def file(self, data: bytes, *, size: tuple[int, int] | None = None) -> ImagePart:
        """A file's bytes as they are sent. Raises `EvalkitError` for what is no PNG, JPEG, WEBP or GIF if "stored"."""
        if self.format != "stored":
            return self.pixels(decode_image(data), size=size)
        return ImagePart(data, mime_of(data), self.detail)

    def _bounded(self, image: Pixels) -> tuple[int, int]:
        height, width = image.shape[:2]
        if self.max_side is None or max(height, width) <= self.max_side:
            return height, width
        factor = self.max_side / max(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))


def mime_of(data: bytes) -> str:
    """The MIME type by a file's first bytes, whatever its name says."""
    for mark, start, mime in _MARKS:
        if data[start : start + len(mark)] == mark:
            return mime
    raise EvalkitError("a judge was given a file that is no PNG, JPEG, WEBP or GIF. Save it as PNG")
