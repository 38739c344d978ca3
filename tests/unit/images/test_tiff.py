"""TIFF of one grey value a pixel: every depth, sign, order of bytes, compression and photometric gives its values."""

import struct
import zlib

import numpy as np
import pytest

from evalkit.images.decode import decode_image

RNG = np.random.default_rng(12)
HEIGHT, WIDTH = 6, 8
KINDS = ("u1", "u2", "i2", "u4", "i4", "f4", "f8")


def tiff(values, order, white, packed):
    """A file with one strip of `values` [H, W], whose dtype says its kind; white is zero where `white` is 0."""
    kind, bits = {"u": 1, "i": 2, "f": 3}[values.dtype.kind], values.dtype.itemsize * 8
    return file(values.astype(values.dtype.newbyteorder(order)).tobytes(), bits, kind, order, white, packed)


def file(data, bits, kind, order, white, packed):
    data = zlib.compress(data) if packed else data
    tags = ((256, WIDTH), (257, HEIGHT), (258, bits), (259, 8 if packed else 1), (262, white), (273, 134))
    tags += ((277, 1), (278, HEIGHT), (279, len(data)), (339, kind))
    entries = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", 0) + data


def drawn(kind):
    """Values of the kind, and the one that is white by docs/images.md."""
    if kind[0] == "f":
        return RNG.random((HEIGHT, WIDTH)).astype(kind), 1.0
    if kind == "u4":
        values = RNG.integers(0, 2**32, (HEIGHT, WIDTH)).astype(kind)
        values[0, 0] = 2**32 - 1
        return values, 2.0**32 - 1
    low, high = {"u1": (0, 255), "u2": (0, 65535), "i2": (-300, 30000), "i4": (-9, 65535)}[kind]
    values = RNG.integers(low, high + 1, (HEIGHT, WIDTH)).astype(kind)
    values[0, 0] = high
    return values, 255.0 if kind == "u1" else 65535.0


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("white", [0, 1])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", KINDS)
def test_grey_values_are_read_as_the_file_states_them(kind, order, white, packed):
    values, top = drawn(kind)
    part = np.clip(values.astype(float) / top, 0, 1)
    shown = decode_image(tiff(values, order, white, packed))
    assert np.abs(shown[..., 0] - (part if white else 1 - part) * 255).max() <= 0.51


@pytest.mark.parametrize("white", [0, 1])
@pytest.mark.parametrize("order", ["<", ">"])
def test_twelve_bits_are_read_from_either_order(order, white):
    values = RNG.integers(0, 4096, (HEIGHT, WIDTH))
    bits = (values[..., None] >> np.arange(12)[::-1]) & 1
    shown = decode_image(file(np.packbits(bits).tobytes(), 12, 1, order, white, False))
    assert np.abs(shown[..., 0] - (values if white else 4095 - values) / 4095 * 255).max() <= 0.51
