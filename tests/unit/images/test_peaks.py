"""Reading a large image takes a stated number of bytes for each of its pixels, for every kind."""

import sys

import pytest

from tests.helpers.peaks import bytes_a_pixel, large_images

SIDE = 2048
NOISE = 2.9  # bytes a pixel at this size, of strips: 12 MB for any image
BYTES = {
    "progressive.jpg": 10.2,
    "still.avif": 8.6,
    "alpha.webp": 8.3,
    "alpha.tif": 8.3,
    "float.tif": 8.3,
}  # others: 7.4


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are set back through /proc")
def test_decoding_takes_few_bytes_a_pixel_of_every_kind(tmp_path):
    files = sorted(large_images(tmp_path, SIDE).iterdir())
    found = bytes_a_pixel([*files, *files])  # of the first round are libraries that are loaded meanwhile
    assert {name: value for name, value in found.items() if value > BYTES.get(name, 7.4) + NOISE} == {}
    assert len(found) == len(files) > 12
