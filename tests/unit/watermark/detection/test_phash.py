"""Perceptual hashes and the groups of near-duplicates."""

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evalkit.watermark.detection.phash import groups, phash

RNG = np.random.default_rng(0)


def smooth(seed):
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC))


def bits(a, b):
    return int(np.bitwise_count(np.uint64(a & 2**64 - 1) ^ np.uint64(b & 2**64 - 1)))


def test_recompressed_and_scaled_images_are_near_and_others_are_far():
    hashes = [phash(smooth(i)) for i in range(20)]
    for i, one in enumerate(hashes):
        buffer = io.BytesIO()
        Image.fromarray(smooth(i)).save(buffer, "JPEG", quality=60)
        small = np.asarray(Image.open(buffer).convert("RGB").resize((64, 64)))
        assert bits(one, phash(small)) <= 4
        assert all(bits(one, other) > 8 for j, other in enumerate(hashes) if j != i)


def test_flat_images_hash_to_zero_and_join_no_group():
    assert phash(np.full((64, 64, 3), 9, np.uint8)) == 0
    assert groups(np.array([0, 0, 5, 5])).tolist() == [0, 1, 2, 2]
    assert groups(np.zeros(0, np.int64)).tolist() == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30), st.integers(0, 2**32), st.integers(0, 4))
def test_every_pair_within_four_bits_is_in_one_group_named_by_its_first(words, seed, flips):
    rng = np.random.default_rng(seed)
    copies = []
    for word in words:
        for bit in rng.choice(64, flips, replace=False):
            word ^= -(2**63) if bit == 63 else 1 << int(bit)
        copies.append(word)
    hashes = np.array([*words, *copies], np.int64)
    found = groups(hashes)
    for i in range(len(words)):
        if hashes[i] and hashes[i + len(words)]:
            assert found[i] == found[i + len(words)]
    assert (found <= np.arange(len(hashes))).all()
    assert np.array_equal(found[found], found)


def test_hashes_far_apart_stay_apart_and_many_equal_ones_cost_nothing():
    far = RNG.integers(-(2**63), 2**63 - 1, 2000)
    assert np.array_equal(groups(far), np.arange(2000))
    assert np.array_equal(groups(np.full(50_000, 77)), np.zeros(50_000))
