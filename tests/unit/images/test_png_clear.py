"""Of a PNG the named colour alone is transparent, at every depth."""

import struct
import zlib

import numpy as np
import pytest

from evalkit.images.decode import decode_image

RNG = np.random.default_rng(11)
GREY, RGB = 0, 2


def png(values, bits, colour, named):
    """A file of samples [H, W] or [H, W, 3] with `bits` each, whose tRNS holds the values `named`."""
    height, width = values.shape[:2]
    flat = values.reshape(height, -1)
    if bits == 16:
        rows = [row.astype(">u2").tobytes() for row in flat]
    else:
        rows = [np.packbits((row[:, None] >> np.arange(bits)[::-1]) & 1).tobytes() for row in flat]
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = (b"IHDR", head), (b"tRNS", struct.pack(f">{len(named)}H", *named))
    parts += (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("which", [0, 1, -1])
@pytest.mark.parametrize("beyond", [0, 1])
def test_exactly_the_grey_that_is_named_is_transparent(bits, which, beyond):
    most = 2**bits - 1
    values = RNG.integers(0, most + 1, (5, 16))
    values[0] = 0
    values[1, :] = most
    named = int(np.unique(values)[which])
    shown = decode_image(png(values, bits, GREY, [named | (beyond << bits) & 0xFFFF]))
    expected = np.floor(values * 255 / most + 0.5)
    expected[values == named] = 255
    assert np.array_equal(shown, np.repeat(expected[..., None], 3, -1))


@pytest.mark.parametrize("bits", [8, 16])
def test_exactly_the_colour_that_is_named_is_transparent(bits):
    values = RNG.integers(0, 2**bits, (200, 6, 3))
    named = values[3, 3].copy()
    for k in range(3):  # neighbours that differ in one low bit
        values[100, k] = named
        values[100, k, k] ^= 1
    values[199, 5] = named
    shown = decode_image(png(values, bits, RGB, named.tolist()))
    clear = (values == named).all(-1)
    assert clear.sum() >= 2
    assert (shown[clear] == 255).all()
    assert np.abs(shown[~clear] - values[~clear] * (255 / (2**bits - 1))).max() <= 1
