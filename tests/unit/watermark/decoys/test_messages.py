"""Decoys of messages scatter as other keys do, and none is as sure of a message as the key that marked."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.keys import Key
from evalkit.watermark.methods.payload import PayloadMark
from evalkit.watermark.spec import MarkSpec

PLACES, CODES = ("id:16", "places", 64, 64), ("user:24", "codes", 256, 1024)


def mark(layout, carrier, vocabulary, number=0, message=None):
    key = Key(number.to_bytes(32, "big"))
    return PayloadMark(MarkSpec("payload", layout=layout, carrier=carrier, message=message), key, "t@x", vocabulary)


@pytest.mark.parametrize(("layout", "carrier", "count", "vocabulary"), [PLACES, CODES])
def test_decoys_find_messages_as_often_as_keys_that_marked_nothing(layout, carrier, count, vocabulary):
    share = 1 / np.arange(1, vocabulary + 1) ** 1.2
    codes = np.random.default_rng(5).choice(vocabulary, (2, count), p=share / share.sum())
    codes[1, ::5] = -1  # padding
    decoys = decoys_of(mark(layout, carrier, vocabulary), 80, "a").scores(codes)
    keys = np.array([mark(layout, carrier, vocabulary, number).evidence(codes, codes[:, 0]) for number in range(1, 81)])
    for image in range(2):
        assert ks_2samp(decoys[image], keys[:, image]).pvalue > 1e-3
    assert not np.array_equal(decoys, decoys_of(mark(layout, carrier, vocabulary), 80, "b").scores(codes))


@pytest.mark.parametrize(("layout", "carrier", "count", "vocabulary"), [PLACES, CODES])
def test_the_key_that_marked_is_surer_than_every_decoy(layout, carrier, count, vocabulary):
    made = mark(layout, carrier, vocabulary, 7, f"{layout.partition(':')[0]}=9")
    rng = np.random.default_rng(2)
    green = np.broadcast_to(made.green_places(0, count), (count, vocabulary))
    codes = np.array([[rng.choice(np.flatnonzero(each)) for each in green]])
    codes[0, ::7] = rng.integers(0, vocabulary, len(codes[0, ::7]))  # some are read wrongly
    assert made.evidence(codes, codes[:, 0])[0] > decoys_of(made, 99, "a").scores(codes).max() + 100


def test_no_image_has_no_score():
    assert decoys_of(mark("id:16", "places", 64), 99, "a").scores(np.zeros((0, 64), np.int64)).shape == (0, 99)
    nothing = np.full((1, 64), -1)
    assert len(set(decoys_of(mark("id:16", "places", 64), 99, "a").scores(nothing)[0])) == 1
