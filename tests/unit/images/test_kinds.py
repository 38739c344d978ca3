"""The kind of a file is told by its bytes; only promised formats reach a decoder."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import BadImage
from evalkit.images.decode import decode_image
from evalkit.images.kinds import (
    AVIF,
    BMP,
    GIF,
    HEIC,
    JPEG,
    JXL,
    PNG,
    PNM,
    READ,
    TIFF,
    WEBP,
    kind_of_bytes,
    kind_of_name,
)

RGB = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)


def saved(format, **options):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("PNG", PNG),
        ("JPEG", JPEG),
        ("MPO", JPEG),
        ("WEBP", WEBP),
        ("GIF", GIF),
        ("BMP", BMP),
        ("TIFF", TIFF),
        ("PPM", PNM),
        ("AVIF", AVIF),
    ],
)
def test_every_promised_format_is_known_by_its_bytes_and_read(format, kind):
    data = saved(format)
    assert kind_of_bytes(data[:64]) is kind
    assert decode_image(data).shape == RGB.shape


def test_every_suffix_belongs_to_one_kind():
    suffixes = [suffix for kind in READ for suffix in kind.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert kind_of_name("A.JFIF") is JPEG
    assert kind_of_name("a") is None


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
        (b"\xff\x0a" + bytes(9), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
    ],
)
def test_formats_that_are_not_read_are_refused_by_name(start, name):
    with pytest.raises(BadImage, match=f"{name} files are not read"):
        decode_image(start + bytes(200))


def test_an_eps_file_starts_no_program(monkeypatch):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("Ghostscript was started"))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    with pytest.raises(BadImage, match="EPS"):
        decode_image(eps)


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        (b"heic\0\0\0\0mif1heic", HEIC),
        (b"mif1\0\0\0\0mif1heic", HEIC),
        (b"mif1\0\0\0\0mif1avif", AVIF),
        (b"avis\0\0\0\0avifmif1", AVIF),
    ],
)
def test_heif_brands_tell_heic_from_avif(brands, kind):
    assert kind_of_bytes(b"\0\0\0\x20ftyp" + brands) is kind


def test_heic_without_its_package_says_what_to_type(monkeypatch):
    monkeypatch.setattr("evalkit.images.decode.importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadImage, match=r"evalkit-ar\[heic\]"):
        decode_image(b"\0\0\0\x18ftypheic" + bytes(99))


def test_heic_is_read_where_its_package_is_there():
    heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (64, 48), (200, 60, 30))).save(buffer, quality=90)
    shown = decode_image(buffer.getvalue())
    assert shown.shape == (48, 64, 3)
    assert np.abs(shown.mean((0, 1)) - (200, 60, 30)).max() < 6


def test_plain_text_that_begins_like_an_image_is_none():
    for text in (b"BMW is a car maker", b"P1 is the first of ten", b"II is Latin for two", b"GIF is a format"):
        assert kind_of_bytes(text) is None


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_large_compressed_texts_and_profiles_cost_no_image():
    png = saved("PNG")
    long_text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(300_000_000), 1))
    assert len(long_text) > 2**16
    assert np.array_equal(decode_image(png[:33] + long_text + png[33:]), RGB)
    long_profile = chunk(b"iCCP", b"broken\0\0" + zlib.compress(bytes(20_000_000)))
    assert np.array_equal(decode_image(png[:33] + long_profile + png[33:]), RGB)
    several = chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000) * 3
    assert np.array_equal(decode_image(png[:33] + several + png[33:]), RGB)


def test_jxl_is_listed_as_an_image_that_fails_with_its_name():
    assert JXL.photo
    assert JXL.pillow is None
