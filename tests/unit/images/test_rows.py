"""Streams: rows are decoded from their bytes, and pulled once."""

import io

import datasets
import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import Sample, Unreadable
from evalkit.images.hub import HubSet
from evalkit.images.rows import RowStream, bytes_of

FEATURES = datasets.Features({"image": datasets.Image()})


def encoded(image, format="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def counted(rows):
    pulled = [0]

    def make():
        for row in rows:
            pulled[0] += 1
            yield {"image": row if isinstance(row, Image.Image) else {"bytes": row, "path": None}}

    def opened(repo, config, split):
        return datasets.IterableDataset.from_generator(make, features=FEATURES, split=datasets.Split(split))

    return HubSet("hf:a/b/test", opened), pulled


def test_one_corrupt_row_is_one_failed_sample_and_cmyk_is_read():
    good = Image.fromarray(np.full((8, 8, 3), 90, np.uint8))
    rows = [encoded(good), b"no image", encoded(good.convert("CMYK"), "JPEG"), b"", encoded(good)]
    samples = list(counted(rows)[0].read(0, 5))
    assert [type(each) for each in samples] == [Sample, Unreadable, Sample, Unreadable, Sample]
    assert samples[1].sha256 is not None
    assert np.abs(samples[2].image.astype(int) - 90).max() <= 3


def test_a_pass_in_shards_pulls_each_row_once_and_can_begin_anywhere():
    images, pulled = counted([encoded(Image.new("RGB", (4, 4), (i, 0, 0))) for i in range(100)])
    pulled[0] = 0
    reds = [s.image[0, 0, 0] for start in range(0, 100, 16) for s in images.read(start, min(start + 16, 100))]
    assert reds == list(range(100))
    assert pulled[0] == 100
    images.fingerprints()
    again = counted([encoded(Image.new("RGB", (4, 4), (i, 0, 0))) for i in range(100)])[0]
    assert [s.image[0, 0, 0] for s in again.read(60, 64)] == [60, 61, 62, 63]
    assert [s.image[0, 0, 0] for s in again.read(3, 5)] == [3, 4]


def test_the_last_rows_are_looked_at_again_without_a_new_pass(monkeypatch):
    images, pulled = counted([encoded(Image.new("RGB", (4, 4), (i, 0, 0))) for i in range(50)])
    list(images.read(0, 50))
    pulled[0] = 0
    assert next(images.read(17, 18)).image[0, 0, 0] == 17
    assert pulled[0] == 0
    monkeypatch.setattr("evalkit.images.rows.KEPT_ROWS", 10)
    small, pulled = counted([encoded(Image.new("RGB", (4, 4), (i, 0, 0))) for i in range(50)])
    list(small.read(0, 50))
    assert [s.image[0, 0, 0] for start in (3, 20, 44) for s in small.read(start, start + 1)] == [3, 20, 44]


def test_a_stream_that_breaks_off_says_where_and_goes_on():
    class Broken:
        failed = False

        def skip(self, n):
            return [{"x": i} for i in range(n, 5)]

        def __iter__(self):
            yield {"x": 0}
            raise ConnectionError("the line is cut\nand more")

    rows = RowStream(Broken(), lambda row: (row["x"], None), "hf:a/b/test")
    assert rows.row(0) == (0, None)
    with pytest.raises(EvalkitError, match=r"breaks off at row 1 \(the line is cut\)"):
        rows.row(1)
    assert rows.row(1) == (1, None)
    assert rows.row(9) is None


def test_a_set_that_ends_before_its_stated_length_fails_the_missing_rows():
    images, _ = counted([encoded(Image.new("RGB", (4, 4)))] * 3)
    images._count = 5
    assert [type(each) for each in images.read(0, 5)] == [Sample] * 3 + [Unreadable] * 2


def test_a_foreign_row_cannot_name_a_file_of_this_machine(tmp_path):
    (tmp_path / "x.png").write_bytes(b"secret")
    cell = {"bytes": None, "path": str(tmp_path / "x.png")}
    assert bytes_of(cell, local=True) == b"secret"
    for path in (cell["path"], f"file://{cell['path']}"):
        with pytest.raises(ValueError, match="names a file of this machine"):
            bytes_of({"bytes": None, "path": path}, local=False)
    for empty in (None, {"bytes": None, "path": None}):
        with pytest.raises(ValueError, match="no image"):
            bytes_of(empty, local=True)
