"""Coins of decoy keys: of the share that was asked for, alike on every call, and of another seed others."""

import numpy as np
import pytest

from evalkit.watermark.decoys.coins import Coins


def bits(words):
    return np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")


@pytest.mark.parametrize("share", [0.5, 0.25, 0.3, 0.1])
def test_the_share_of_green_coins_is_the_one_asked_for(share):
    found = bits(Coins(share, "a").words(np.arange(4000), 0, 8))
    assert found.mean() == pytest.approx(share, abs=4 * (share * (1 - share) / found.size) ** 0.5)
    assert found.mean(0).std() < 2 * (share * (1 - share) / 4000) ** 0.5  # no key leans


def test_coins_depend_on_unit_key_and_seed_alone():
    whole = Coins(0.5, "a").words(np.arange(100), 0, 6)
    assert np.array_equal(Coins(0.5, "a").words(np.arange(40, 60), 2, 3), whole[40:60, 2:5])
    other = bits(Coins(0.5, "b").words(np.arange(100), 0, 6)) == bits(whole)
    assert other.mean() == pytest.approx(0.5, abs=0.03)


def test_keys_are_not_correlated():
    found = 2.0 * bits(Coins(0.5, "a").words(np.arange(4000), 0, 2)) - 1
    pairs = (found.T @ found / 4000)[~np.eye(128, dtype=bool)]
    assert np.abs(pairs).max() < 6 / 4000**0.5
    assert pairs.std() == pytest.approx(4000**-0.5, rel=0.05)


def test_balanced_lists_have_each_unit_in_exactly_its_share_of_them():
    found = Coins(0.25, "a").balanced(300, 0, 8, 16).reshape(8, 16, 300)
    assert (found.sum(1) == 4).all()
    assert found.mean((0, 2)) == pytest.approx([0.25] * 16, abs=0.05)  # no list is larger than another
