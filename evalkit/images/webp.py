"""Large WebP files through OpenCV: the same library (libwebp), where Pillow holds four copies of the image."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from evalkit.errors import BadImage
from evalkit.images.sample import Pixels

ALPHA = 0x10  # flag of VP8X


def webp_pixels(data: bytes, height: int, width: int, mode: str) -> Pixels:
    """uint8 [H, W, 3 or 4] of a still WebP, or of an animation's first frame on its canvas. Raises `BadImage`.

    `mode` is that of Pillow, RGB or RGBA. Around a frame that is smaller than the canvas nothing is seen.
    """
    frame = _first_frame(data)
    if frame is None:
        return _decoded(data)
    (left, top), still = frame
    found, channels = _decoded(still), len(mode)
    if found.shape == (height, width, channels):
        return found
    canvas = np.zeros((height, width, channels), np.uint8)
    place = canvas[top : top + len(found), left : left + found.shape[1]]
    shared = min(channels, found.shape[2])
    place[..., :shared] = found[: len(place), : place.shape[1], :shared]
    place[..., shared:] = 255
    return canvas


def _decoded(data: bytes) -> Pixels:
    import cv2

    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise BadImage("damaged or truncated image: the WebP file cannot be decoded")
    into = cv2.COLOR_BGRA2RGBA if found.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(found, into, dst=found), np.uint8)


def _first_frame(data: bytes) -> tuple[tuple[int, int], bytes] | None:
    """(left, top) of an animation's first frame, and the frame as a still file; None of a still one."""
    body = next((body for name, body in _chunks(data, 12) if name == b"ANMF"), None)
    if body is None:
        return None
    left, top, width, height = (int.from_bytes(body[at : at + 3], "little") for at in (0, 3, 6, 9))
    parts = {name: part for name, part in _chunks(body, 16) if name in (b"ALPH", b"VP8 ", b"VP8L")}
    if b"ALPH" in parts:
        size = width.to_bytes(3, "little") + height.to_bytes(3, "little")
        parts = {b"VP8X": struct.pack("<I", ALPHA) + size, **parts}
    inner = b"".join(
        name + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for name, part in parts.items()
    )
    return (2 * left, 2 * top), b"RIFF" + struct.pack("<I", len(inner) + 4) + b"WEBP" + inner


def _chunks(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
