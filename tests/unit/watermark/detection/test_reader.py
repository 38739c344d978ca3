"""Reading in batches: order, memory, broken caches, and tokenizers of bits and of scales."""

import gc
import sqlite3
import weakref

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.tokenizers.base import Codes
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.layout import batch_of, code_shape
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.views import View


@pytest.fixture
def folder(toy, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for i in range(23):
        (data / f"{i:02d}.png").write_bytes(toy.saved(toy.plain(i)))
    (data / "07.png").write_bytes(b"")
    return data


def reader(folder, tokenizer, cache=":memory:", batch_size=4):
    return Reader(open_images(folder), tokenizer, CodeCache(cache), batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_codes_come_in_order_whatever_the_batch(toy, folder, batch_size):
    ticks = []
    mine = reader(folder, toy.Blocks(), batch_size=batch_size)
    positions = [*range(12), *range(15, 23)]
    read = mine.read(positions, ticks.append)
    assert [each.id for each in read] == [f"{i:02d}.png" for i in positions]
    assert [each.id for each in read if each.kept is None] == ["07.png"]
    codes = mine.codes([each.kept for each in read if each.kept])
    wanted = [np.random.default_rng([1, i]).integers(0, 512, 64) for i in positions if i != 7]
    assert np.array_equal(codes, wanted)
    assert sum(ticks) == len(positions)


def test_few_images_are_in_memory_at_their_own_size(toy, folder, monkeypatch):
    images, alive = open_images(folder), []
    read = images.read

    def watched(start, stop, *, threads=2):
        for sample in read(start, stop, threads=1):
            if hasattr(sample, "image"):
                alive.append(weakref.ref(sample.image))
            yield sample
            del sample
            gc.collect()
            assert sum(each() is not None for each in alive) <= 2

    monkeypatch.setattr(images, "read", watched)
    mine = Reader(images, Large(toy), CodeCache(":memory:"), batch_size=8)
    assert len(mine.read(range(23))) == 23
    assert len(alive) == 22


class Large:
    """Blocks of images that are fitted first, so that no image is its own preparation."""

    def __new__(cls, toy):
        tokenizer = toy.Blocks()
        tokenizer.native_size = 128
        return tokenizer


def test_codes_of_another_length_in_the_cache_are_made_anew(toy, folder, tmp_path):
    first = reader(folder, toy.Blocks(), tmp_path / "c")
    first.read(range(23))
    first.cache.close()
    with sqlite3.connect(tmp_path / "c") as db:
        db.execute("update images set codes = x'00'")
    tokenizer = toy.Blocks()
    again = reader(folder, tokenizer, tmp_path / "c")
    read = again.read(range(23))
    assert tokenizer.encoded == 22
    assert again.codes([each.kept for each in read if each.kept]).shape == (22, 64)


def test_an_exhausted_device_gets_smaller_batches(toy, folder):
    class Small(toy.Blocks):
        def encode(self, images):
            if len(images) > 3:
                raise torch.cuda.OutOfMemoryError
            return super().encode(images)

    mine = reader(folder, Small(), batch_size=16)
    assert sum(each.kept is not None for each in mine.read(range(23))) == 22
    assert mine.batch_size <= 4

    class Full(toy.Blocks):
        def encode(self, images):
            raise torch.cuda.OutOfMemoryError

    with pytest.raises(EvalkitError, match="does not fit the device's memory"):
        reader(folder, Full()).read(range(3))


def test_bits_are_kept_and_masked_as_bits(toy, folder, tmp_path):
    class Bits(toy.Blocks):
        name, vocab_size = "bits", None

        def bits_per_code(self):
            return 9.0

        def encode(self, images):
            indices = super().encode(images).indices
            return Codes(bits=((indices[..., None] >> torch.arange(9)) & 1).to(torch.int8))

    mine = reader(folder, Bits(), tmp_path / "c")
    codes = mine.codes([each.kept for each in mine.read(range(3))])
    again = reader(folder, Bits(), tmp_path / "c")
    assert np.array_equal(again.codes([each.kept for each in again.read(range(3))]), codes)
    assert codes.shape == (3, 64, 9)
    assert np.array_equal((codes << np.arange(9)).sum(-1)[0], np.random.default_rng([1, 0]).integers(0, 512, 64))
    (_, seen), (_, half) = mine.views(0, [View(flip=True), View(scale=0.5)])
    assert (seen >= 0).all()
    unseen = (half < 0).all(-1)
    assert 0 < unseen.sum() < 64
    assert ((half < 0).any(-1) == unseen).all()


def test_tokenizers_without_discrete_codes_are_refused(toy):
    tokenizer = toy.Blocks()
    tokenizer.vocab_size = None
    with pytest.raises(EvalkitError, match="no fixed number of discrete codes"):
        code_shape(tokenizer)
    assert batch_of(toy.Blocks(), "auto") == 8
    assert batch_of(toy.Blocks(), 5) == 5


def test_unreadable_images_have_no_views_and_no_image(toy, folder):
    mine = reader(folder, toy.Blocks())
    assert list(mine.views(7, [View(flip=True)])) == []
    assert mine.image(7) is None
    mine.learn_layout()
    assert mine.grid == (8, 8)
