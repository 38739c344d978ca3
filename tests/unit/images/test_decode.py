import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from evalkit.errors import BadImage
from evalkit.images.decode import decode_image, decode_with_source

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(image: Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def test_rgb_comes_back_as_it_was():
    assert np.array_equal(decode_image(saved(Image.fromarray(RGB))), RGB)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate 90 degrees clockwise to show
    data = saved(Image.fromarray(RGB), "PNG", exif=exif)
    assert np.array_equal(decode_image(data), np.rot90(RGB, -1))


def test_palette_and_palette_with_transparency():
    image = Image.fromarray(RGB).quantize(16)
    assert np.array_equal(decode_image(saved(image)), np.asarray(image.convert("RGB")))
    image.info["transparency"] = 0
    shown = decode_image(saved(image, transparency=0))
    assert (shown[np.asarray(image) == 0] == 255).all()


def test_sixteen_bits_are_scaled_not_clipped():
    grey = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    shown = decode_image(saved(Image.fromarray(grey)))
    assert shown.shape == (20, 30, 3)
    assert np.abs(shown[..., 0].astype(float) - grey / 257).max() <= 0.51


def test_float_tiff_on_the_unit_scale():
    values = np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30)
    shown = decode_image(saved(Image.fromarray(values), "TIFF"))
    assert np.abs(shown[..., 0] - values * 255).max() <= 0.51


def test_constant_and_nan_float_images_do_not_fail():
    values = np.full((4, 4), np.nan, np.float32)
    assert decode_image(saved(Image.fromarray(values), "TIFF")).shape == (4, 4, 3)


def test_alpha_is_laid_on_white():
    pixels = np.dstack([RGB, np.zeros((20, 30), np.uint8)])
    assert (decode_image(saved(Image.fromarray(pixels))) == 255).all()


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_modes_become_three_equal_channels(mode):
    shown = decode_image(saved(Image.fromarray(RGB).convert(mode)))
    assert shown.shape == (20, 30, 3)
    assert np.array_equal(shown[..., 0], shown[..., 1])


def test_cmyk_jpeg_is_converted():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    shown = decode_image(saved(red, "JPEG", quality=95))
    assert shown[..., 0].mean() > 200
    assert shown[..., 1:].mean() < 60


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    shown = decode_image(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert shown[0, 0].tolist() == [255, 0, 0]


def test_an_srgb_profile_changes_nothing_and_a_broken_one_is_ignored():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode_image(saved(Image.fromarray(RGB), icc_profile=profile)), RGB)
    assert np.array_equal(decode_image(saved(Image.fromarray(RGB), icc_profile=b"rubbish")), RGB)


def test_another_profile_is_taken_to_srgb():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    data = saved(Image.fromarray(RGB), icc_profile=profile)
    assert decode_image(data).shape == RGB.shape


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"not an image at all", "not an image"),
        (saved(Image.fromarray(RGB))[:200], "damaged or truncated"),
        (saved(Image.fromarray(RGB), "JPEG")[:300], "damaged or truncated"),
    ],
)
def test_bad_files_say_why(data, said):
    with pytest.raises(BadImage, match=said):
        decode_image(data)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked():
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    with pytest.raises(BadImage, match="decompression bomb"):
        decode_image(bomb)


@pytest.mark.parametrize(
    ("format", "frames"), [("GIF", 2), ("WEBP", 2), ("PNG", 2), ("TIFF", 2), ("PNG", 1), ("GIF", 1)]
)
def test_the_source_says_format_and_whether_there_are_several_frames_or_pages(format, frames):
    first, second = Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())
    options = {"save_all": True, "append_images": [second] * (frames - 1)} if frames > 1 else {}
    pixels, source = decode_with_source(saved(first, format, **options))
    assert source["format"] == format
    assert source["animated"] == (frames > 1)
    assert pixels.shape == RGB.shape


@pytest.mark.parametrize("orientation", [1, 6, 99])
def test_the_source_says_the_orientation_that_was_undone(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    _, source = decode_with_source(saved(Image.fromarray(RGB), "PNG", exif=exif))
    assert source["orientation"] == (orientation if orientation == 6 else 1)


def test_an_animation_whose_second_frame_is_damaged_still_gives_its_first():
    first, second = Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())
    data = saved(first, "GIF", save_all=True, append_images=[second])
    pixels, source = decode_with_source(data[: len(data) * 2 // 3])
    assert pixels.shape == RGB.shape
    assert source["animated"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation_is_undone_as_pillow_does(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(RGB), "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(decode_image(data), upright)


MODES = {
    "RGBA": Image.fromarray(np.dstack([RGB, RGB[..., 0]])),
    "LA": Image.fromarray(np.dstack([RGB[..., 1], RGB[..., 0]])),
    "P": Image.fromarray(RGB).quantize(16),
    "1": Image.fromarray(RGB).convert("1"),
    "I;16": Image.fromarray(RGB[..., 0].astype(np.uint16) * 200),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_an_image_in_strips_is_the_whole_image(mode, format, monkeypatch):
    data = saved(MODES[mode], format, **({"transparency": 3} if mode in ("P", "I;16") and format == "PNG" else {}))
    whole = decode_image(data)
    monkeypatch.setattr("evalkit.images.strips.STRIP", 64)
    assert np.array_equal(decode_image(data), whole)


SEVERAL = {"several": True}


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize(
    ("format", "how"),
    [
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 30}),
        ("WEBP", {"quality": 60} | SEVERAL),
        ("WEBP", {"lossless": True} | SEVERAL),
        ("AVIF", {"quality": 60}),
        ("AVIF", {"quality": 60} | SEVERAL),
    ],
    ids=str,
)
def test_a_large_webp_or_avif_is_read_as_a_small_one(mode, format, how, monkeypatch):
    image = MODES["RGBA"].resize((61, 43)).convert(mode)
    more = {"save_all": True, "append_images": [image.rotate(90)]} if "several" in how else {}
    data = saved(image, format, **{name: each for name, each in how.items() if name != "several"}, **more)
    whole = decode_image(data)
    monkeypatch.setattr("evalkit.images.strips.STRIP", 64)
    assert np.array_equal(decode_image(data), whole)
    with pytest.raises(BadImage):
        decode_image(data[: len(data) // 2])


def test_a_frame_smaller_than_its_canvas_lies_where_its_file_says(monkeypatch):
    """Frames of animations may be patches: around the first one nothing is seen."""
    whole = Image.new("RGBA", (61, 43), (0, 0, 0, 0))
    whole.paste(MODES["RGBA"].resize((21, 15)), (24, 12))
    data = saved(whole, "WEBP", save_all=True, append_images=[whole.rotate(90)], lossless=True, minimize_size=True)
    size = [int.from_bytes(data[data.index(b"ANMF") + at :][:3], "little") + 1 for at in (14, 17)]
    read = decode_image(data)
    monkeypatch.setattr("evalkit.images.strips.STRIP", 64)
    assert np.array_equal(decode_image(data), read)
    assert size != [61, 43]


def test_a_float_image_in_strips_has_one_scale(monkeypatch):
    values = np.linspace(0, 200, 600, dtype=np.float32).reshape(20, 30)
    monkeypatch.setattr("evalkit.images.strips.STRIP", 64)
    assert np.abs(decode_image(saved(Image.fromarray(values), "TIFF"))[..., 0] - values).max() <= 0.51
