import io
import struct

import numpy as np
import pytest
from PIL import Image

from evalkit.images.decode import decode_image
from evalkit.images.depth import scale_of, to_sixteen_bits

GREY = np.tile(np.arange(256, dtype=np.uint8), (4, 1))


def tiff(values, bits, photometric, sample_format=1):
    """The smallest grey TIFF: one strip, little endian."""
    h, w = values.shape
    body = values.tobytes()
    tags = [(256, 4, w), (257, 4, h), (258, 3, bits), (259, 3, 1), (262, 3, photometric)]
    tags += [(273, 4, 8 + 2 + 12 * 10 + 4), (277, 3, 1), (278, 4, h), (279, 4, len(body)), (339, 3, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 10) + entries + struct.pack("<I", 0) + body


@pytest.mark.parametrize("bits", [8, 16])
def test_white_is_zero_is_turned_round_at_any_depth(bits):
    values = GREY if bits == 8 else GREY.astype("<u2") * 257
    top = 2**bits - 1
    for photometric, stored in ((1, values), (0, (top - values).astype(values.dtype))):
        shown = decode_image(tiff(stored, bits, photometric))[..., 0]
        assert np.array_equal(shown, GREY)


@pytest.mark.parametrize(
    ("values", "top"),
    [
        (GREY.astype("<f4") / 255, 1.0),
        (GREY.astype("<f4"), 255.0),
        (GREY.astype("<f4") * 257, 65535.0),
        (GREY.astype("<f4") * 1000, 255000.0),
    ],
)
def test_float_tiffs_have_the_first_scale_that_holds_their_largest_value(values, top):
    shown = decode_image(tiff(values, 32, 1, sample_format=3))[..., 0]
    assert np.abs(shown - values / top * 255).max() <= 0.51


def test_below_zero_is_black_nan_is_black_and_infinity_is_white():
    values = np.array([[-5.0, np.nan, np.inf, 0.5, 1.0]], "<f4")
    assert decode_image(tiff(values, 32, 1, sample_format=3))[0, :, 0].tolist() == [0, 0, 255, 128, 255]


def test_twelve_bits_are_scaled_by_4095():
    values = np.array([[0, 4095, 2048]], np.uint16)
    scale = scale_of([values], {258: (12,), 262: 1})
    assert to_sixteen_bits(values, scale)[0].tolist() == [0, 65535, 32776]


@pytest.mark.parametrize("clear", [0, 40 * 257])
def test_the_transparent_grey_of_a_sixteen_bit_png_is_laid_on_white(clear):
    deep = io.BytesIO()
    Image.fromarray(GREY.astype(np.uint16) * 257).save(deep, "PNG", transparency=clear)
    shown = decode_image(deep.getvalue())[..., 0]
    assert np.array_equal(shown, np.where(clear // 257 == GREY, 255, GREY))


def test_a_transparent_colour_of_sixteen_bits_matches_its_pixels():
    """Pillow keeps the high byte of each sample, so the transparent colour is compared by it."""
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + struct.pack(">3H", 1000, 2000, 3000) + struct.pack(">3H", 60000, 2000, 3000)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    png += (
        chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3000)) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    )
    shown = decode_image(png)
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[0, 1].tolist() == [60000 >> 8, 2000 >> 8, 3000 >> 8]
