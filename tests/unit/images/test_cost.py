"""Decoding takes the memory that its header promises, large images lie in it once, and what promises too much is not begun."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import BadImage
from evalkit.images import cost, strips
from evalkit.images.decode import decode_image
from evalkit.images.kinds import kind_of_bytes
from evalkit.images.loader import sample_from_bytes
from tests.helpers.peaks import bytes_a_pixel, large_images

SIDE = 2048
NOISE = 2.9  # bytes a pixel at this size, of strips: 12 MB for any image
DEEP = 8.6  # those of floats
FEW = ("rgb.png", "alpha.tif", "float.tif", "progressive.jpg", "cmyk.jpg", "alpha.webp", "still.avif", "alpha.avif")


def promised(path) -> float:
    """Bytes a pixel by the file's header."""
    data = path.read_bytes()
    stream = io.BytesIO(data)
    with Image.open(stream) as opened:
        return cost._bytes_a_pixel(opened, kind_of_bytes(data[:64]), data, stream.tell())


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are set back through /proc")
@pytest.mark.parametrize("names", [FEW, pytest.param(None, marks=pytest.mark.slow)], ids=["few", "all"])
def test_decoding_takes_the_promised_bytes_a_pixel_and_keeps_one_copy(names, tmp_path):
    files = {path.name: path for path in large_images(tmp_path, SIDE, names).iterdir()}
    found = bytes_a_pixel(sorted(files.values()))
    noise = {name: DEEP if name.startswith(("float", "deep")) else NOISE for name in found}
    assert {name: peak for name, (peak, _) in found.items() if peak > promised(files[name]) + noise[name]} == {}
    assert {name: kept for name, (_, kept) in found.items() if kept > 3 + NOISE} == {}
    assert len(found) == len(files)


def test_pixels_are_the_same_where_an_image_is_brought_to_rgb_in_its_own_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "STRIP", 1000)
    files = {path.name: path.read_bytes() for path in large_images(tmp_path, 96).iterdir()}
    own = {name: decode_image(data) for name, data in files.items()}
    monkeypatch.setattr(strips.Decoded, "_memory", lambda self: None)
    for name, data in files.items():
        copied = decode_image(data)
        assert np.array_equal(own[name], copied), name
        assert own[name].flags.c_contiguous, name
        assert own[name].flags.writeable, name
    assert len(files) > 20


def test_kinds_that_take_more_memory_are_allowed_fewer_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "LEAST", 0)
    files = {path.name: path.read_bytes() for path in large_images(tmp_path, 512).iterdir()}
    refused = {}
    for name, data in files.items():
        try:
            decode_image(data, max_pixels=512**2)
        except BadImage as error:
            refused[name] = str(error)
    assert {"progressive.jpg", "alpha.avif", "whole-chroma.avif", "lossless.webp", "deep.ppm"} <= set(refused)
    assert not {"rgb.png", "rgb.jpg", "subsampled.jpg", "cmyk.jpg", "alpha.tif", "float.tif", "still.avif"} & set(
        refused
    )
    assert all("bytes each to decode" in reason and cost.MOST in reason for reason in refused.values())
    for data in files.values():
        decode_image(data, max_pixels=2 * 1024**2)


def test_scans_that_come_one_by_one_count_as_progressive():
    blocks = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blocks).save(buffer, "JPEG", quality=80, subsampling=0)
    data = buffer.getvalue()
    with Image.open(io.BytesIO(data)) as opened:
        whole = cost._bytes_a_pixel(opened, kind_of_bytes(data[:64]), data, data.index(b"\xff\xda") + 2)
        alone = data.replace(b"\xff\xda\x00\x0c\x03", b"\xff\xda\x00\x08\x01", 1)
        single = cost._bytes_a_pixel(opened, kind_of_bytes(data[:64]), alone, alone.index(b"\xff\xda") + 2)
    assert single == pytest.approx(cost.STORE + len(data) / 64**2 + 6)
    assert single > whole


def test_a_file_larger_than_the_memory_of_the_largest_image_is_not_read(monkeypatch, tmp_path):
    from evalkit.images.folder import FolderSet

    monkeypatch.setattr(cost, "LEAST", 1000)
    monkeypatch.setenv(cost.MOST, "10")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2000))
    (found,) = FolderSet.of_folder(tmp_path).read(0, 1)
    assert found.reason.endswith("2008 bytes are more than the 1000 allowed")


def test_a_large_grey_avif_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "STRIP", 1000)
    (path,) = large_images(tmp_path, 96, ["grey.avif"]).iterdir()
    assert sample_from_bytes("a", path.read_bytes).image.shape == (96, 96, 3)
