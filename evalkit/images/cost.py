"""How large an image may be: its pixels, and the memory that decoding its kind takes, told by its header.

Bytes for each pixel are measured (tests/unit/images/test_cost.py). Most kinds take 4 to 8; those that take more than
`BYTES` are allowed fewer pixels, so that no image of any kind takes more memory than another.
"""

from __future__ import annotations

import os

from PIL import ImageFile

from evalkit.errors import BadImage
from evalkit.images.kinds import AVIF, JPEG, PNM, TIFF, WEBP, Kind

MOST = "EVALKIT_MAX_PIXELS"  # environment variable: pixels of an image that are allowed
MAX_PIXELS = 8192**2
BYTES = 8.5  # for each allowed pixel, that the file and its decoding may take
LEAST = 2**26  # bytes that are always allowed
STORE, TURNED = 4.1, 7.6  # bytes of a pixel as Pillow keeps it, and beside its copy that is turned upright
PNM_VALUES = 14.0  # bytes of a pixel whose values are turned one by one into bytes
SUBSAMPLING = {0b00: 3.0, 0b10: 2.0, 0b11: 1.5}  # values a pixel of AV1's planes
ROWS, TILE_ROWS, SAMPLES, BITS = 278, 323, 277, 258  # TIFF tags


def most_pixels() -> int:
    """The largest allowed number of pixels; what is no number leaves the default."""
    given = os.environ.get(MOST, "")
    return int(given) if given.isascii() and given.isdigit() and 0 < len(given) <= 12 else MAX_PIXELS


def most_bytes(pixels: int | None = None) -> int:
    """Bytes that a file and its decoding may take, where `pixels` are allowed [those of EVALKIT_MAX_PIXELS]."""
    return max(LEAST, int(BYTES * (pixels or most_pixels())))


def check_cost(opened: ImageFile.ImageFile, kind: Kind, data: bytes, header: int, most: int) -> None:
    """Raise `BadImage` where an image has more than `most` pixels, or takes more memory than so many may take.

    `data`: the file, whose `header` bytes were read.
    """
    width, height = opened.size
    if width * height > most:
        raise BadImage(
            f"{width}x{height} pixels are more than the {most} allowed (decompression bomb?); where it is none, set {MOST}"
        )
    each = _bytes_a_pixel(opened, kind, data, header)
    if each * width * height > most_bytes(most):
        allowed = int(most_bytes(most) / each)
        raise BadImage(
            f"{width}x{height} pixels of this {kind.name} take {each:.0f} bytes each to decode, and at most {allowed} "
            f"are allowed; save it as PNG, or set {MOST}"
        )


def _bytes_a_pixel(opened: ImageFile.ImageFile, kind: Kind, data: bytes, header: int) -> float:
    file = len(data) / max(1, opened.width * opened.height)
    if kind is JPEG:
        return max(TURNED, STORE + file + _coefficients(opened, data, header))
    if kind is AVIF:
        return _avif(opened, data)
    if kind is WEBP:
        whole = 8.1 if opened.mode == "RGBA" else 5.9
        return file + whole + 2.3 * (b"VP8L" in data) + 1.8 * (b"ANMF" in data)
    if kind is TIFF:
        return max(TURNED, STORE + file + _strip(opened))
    values = kind is PNM and any(str(tile[0]).startswith("ppm") for tile in opened.tile)
    return max(TURNED, file + (PNM_VALUES if values else STORE))


def _coefficients(opened: ImageFile.ImageFile, data: bytes, header: int) -> float:
    """Bytes of a pixel's coefficients, which are all kept where they come in several scans."""
    layers = getattr(opened, "layer", [])
    scanned = data[header + 2 : header + 3]  # components in the first scan
    several = opened.info.get("progressive") or (scanned and scanned[0] < len(layers))
    if not several or not layers:
        return 0.0
    parts = [int(layer[1]) * int(layer[2]) for layer in layers]
    return 2.0 * sum(parts) / max(1, max(int(layer[1]) for layer in layers) * max(int(layer[2]) for layer in layers))


def _avif(opened: ImageFile.ImageFile, data: bytes) -> float:
    """Planes, and their RGB twice; what the configuration of the first image says (AV1 in ISOBMFF 2.3)."""
    channels = max(3, len(opened.mode))
    at = data.find(b"av1C") + 6
    flags = data[at] if 6 <= at < len(data) else 0
    values = SUBSAMPLING.get(flags >> 2 & 0b11, 3.0) + (channels == 4)
    return 1.1 * (values * (2 if flags & 0b0100_0000 else 1) + 2 * channels)


def _strip(opened: ImageFile.ImageFile) -> float:
    """Bytes of a pixel for the largest strip or row of tiles that libtiff unpacks beside the image."""
    if not any(tile[0] == "libtiff" for tile in opened.tile):
        return 0.0
    tags = getattr(opened, "tag_v2", {})
    try:
        rows = tags.get(TILE_ROWS) or tags.get(ROWS) or opened.height
        size = tags.get(SAMPLES, 1) * max(tags.get(BITS, (8,))) / 8
        return float(min(rows, opened.height) / max(1, opened.height) * max(size, 4))
    except (TypeError, ValueError):  # tags of other types than they have to be
        return 4.0
