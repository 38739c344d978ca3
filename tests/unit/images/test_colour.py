"""Pixels by what a file says of them, against formulas written here."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from evalkit.images.colour import SRGB, Tag, by_tag, png_tag
from evalkit.images.decode import decode_image

RAMP = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (4, 1))[..., None], 3, 2)


def saved(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def with_chunk(png, kind, body):
    return png[:33] + struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) + png[33:]


def encoded(linear):
    linear = np.asarray(linear, float)
    return np.round(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255)


LINEAR = encoded(RAMP / 255)


def profile(gamma, name=b"any", space=b"RGB "):
    """A small ICC v2 profile with sRGB's primaries, or grey, and a power curve."""

    def xyz(*v):
        return b"XYZ \0\0\0\0" + struct.pack(">iii", *[round(x * 65536) for x in v])

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    desc = (
        b"desc\0\0\0\0"
        + struct.pack(">I", len(name) + 1)
        + name
        + b"\0"
        + struct.pack(">IIHB", 0, 0, 0, 0)
        + b"\0" * 67
    )
    tags = [(b"desc", desc), (b"cprt", b"text\0\0\0\0CC0\0"), (b"wtpt", xyz(0.9642, 1, 0.8249))]
    if space == b"GRAY":
        tags.append((b"kTRC", curve))
    else:
        colorants = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
        tags += [(name + b"XYZ", xyz(*values)) for name, values in zip((b"r", b"g", b"b"), colorants, strict=True)]
        tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    start, table, body = 132 + 12 * len(tags), b"", b""
    for tag, value in tags:
        value += b"\0" * (-len(value) % 4)
        table += tag + struct.pack(">II", start + len(body), len(value))
        body += value
    head = struct.pack(">I", start + len(body)) + b"lcms" + struct.pack(">I", 0x02100000) + b"mntr" + space + b"XYZ "
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 24 + struct.pack(">I", 0)
    head += struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_a_profile_counts_by_its_curves_whatever_it_is_called():
    called_srgb = decode_image(saved(Image.fromarray(RAMP), icc_profile=profile(1.0, b"sRGB")))
    assert np.abs(called_srgb - LINEAR).max() <= 1
    real = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode_image(saved(Image.fromarray(RAMP), icc_profile=real)), RAMP)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_holds_in_every_grey_mode(mode):
    grey = Image.fromarray(RAMP[..., 0])
    image = {
        "L": grey,
        "LA": Image.merge("LA", [grey, Image.new("L", grey.size, 255)]),
        "I;16": Image.fromarray(RAMP[..., 0].astype(np.uint16) * 257),
    }[mode]
    assert np.abs(decode_image(saved(image, icc_profile=profile(1.0, space=b"GRAY"))) - LINEAR).max() <= 1


def test_a_palette_and_a_grey_image_with_an_rgb_profile_are_taken_to_srgb():
    palette = Image.fromarray(RAMP[..., 0]).convert("P")
    for image in (palette, Image.fromarray(RAMP[..., 0])):
        assert np.abs(decode_image(saved(image, icc_profile=profile(1.0))) - LINEAR).max() <= 1


def test_transparent_pixels_keep_their_white_under_a_profile():
    clear = np.dstack([RAMP, np.zeros(RAMP.shape[:2], np.uint8)])
    assert (decode_image(saved(Image.fromarray(clear), icc_profile=profile(1.0))) == 255).all()


GAMMA_1 = struct.pack(">I", 100_000)


def test_chunks_count_in_the_order_of_the_png_specification():
    png = saved(Image.fromarray(RAMP))
    linear_gama = with_chunk(png, b"gAMA", GAMMA_1)
    assert np.abs(decode_image(linear_gama) - LINEAR).max() <= 1
    assert np.array_equal(decode_image(with_chunk(linear_gama, b"sRGB", b"\0")), RAMP)  # sRGB before gAMA
    with_profile = with_chunk(saved(Image.fromarray(RAMP), icc_profile=profile(2.0)), b"gAMA", GAMMA_1)
    assert np.abs(decode_image(with_profile) - encoded((RAMP / 255) ** 2)).max() <= 1  # iCCP before gAMA
    linear_cicp = with_chunk(with_profile, b"cICP", bytes([1, 8, 0, 1]))
    assert np.abs(decode_image(linear_cicp) - LINEAR).max() <= 1  # cICP before iCCP
    unknown = with_chunk(png, b"cICP", bytes([2, 2, 0, 1]))
    assert np.array_equal(decode_image(unknown), RAMP)


def test_the_gamma_of_srgb_changes_nothing_and_zero_is_no_gamma():
    png = saved(Image.fromarray(RAMP))
    for value in (45455, 45454, 0, 2**32 - 1):
        assert np.array_equal(decode_image(with_chunk(png, b"gAMA", struct.pack(">I", value))), RAMP)


def test_narrow_range_and_deep_grey_follow_a_cicp_chunk():
    png = saved(Image.fromarray(RAMP))
    narrow = decode_image(with_chunk(png, b"cICP", bytes([1, 13, 0, 0])))
    assert narrow[0, 16].tolist() == [0, 0, 0]
    assert narrow[0, 235].tolist() == [255, 255, 255]
    deep = saved(Image.fromarray(RAMP[..., 0].astype(np.uint16) * 257))
    assert np.abs(decode_image(with_chunk(deep, b"gAMA", GAMMA_1)) - LINEAR).max() <= 1


def test_wide_primaries_are_turned_by_the_matrix_of_their_chromaticities():
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    display_p3 = by_tag(red, png_tag({b"cICP": bytes([12, 13, 0, 1])}, profile=False))
    assert display_p3[0, 0].tolist() == [255, 0, 0]  # outside sRGB, so clipped
    grey = np.full((1, 1, 3), 128, np.uint8)
    assert by_tag(grey, png_tag({b"cICP": bytes([9, 13, 0, 1])}, profile=False))[0, 0].tolist() == [128, 128, 128]
    inside = np.array([[[120, 130, 125]]], np.uint8)
    assert np.abs(by_tag(inside, Tag(lambda v: v, SRGB))[0, 0] - encoded(inside[0, 0] / 255)).max() <= 1


def test_a_broken_chromaticity_chunk_is_ignored():
    for body in (b"", bytes(32), struct.pack(">8I", *[1000] * 8)):
        tag = png_tag({b"gAMA": GAMMA_1, b"cHRM": body}, profile=False)
        assert tag is not None
        assert tag.primaries == SRGB
