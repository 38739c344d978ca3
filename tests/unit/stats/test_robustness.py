import itertools

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.stats.robustness import fewest_to_flip


@pytest.mark.parametrize("seed", range(8))
def test_no_smaller_set_turns_the_order(seed):
    d = np.random.default_rng(seed).normal(0.4, 1, 9)
    flip = fewest_to_flip(d)
    sign = np.sign(d.sum())
    turned = [
        size
        for size in range(1, 9)
        if any(sign * np.delete(d, list(gone)).sum() <= 0 for gone in itertools.combinations(range(9), size))
    ]
    assert flip.count == (turned[0] if turned else None)
    if flip.count:
        assert sign * np.delete(d, flip.which).sum() <= 1e-12
        assert flip.share == flip.count / 9


def test_clusters_go_as_a_whole():
    d = [3.0, 3.0, -1.0, -1.0, 1.0, 1.0]
    flip = fewest_to_flip(d, clusters=["p", "p", "q", "q", "r", "r"])
    assert (flip.count, flip.units, flip.which) == (1, 3, (0,))  # 6 - 2 + 2 without its first is 0


def test_one_sided_differences_cannot_be_turned():
    flip = fewest_to_flip([1.0, 2.0, 3.0])
    assert flip.count is None
    assert flip.share is None


def test_a_claim_blurs_before_it_turns():
    d = np.random.default_rng(0).normal(0.5, 1, 200)
    flip = fewest_to_flip(d)
    assert 0 < flip.blur < flip.count
    assert fewest_to_flip(np.random.default_rng(0).normal(0.01, 1, 50)).blur == 0


def test_equality_and_nothing_are_refused():
    for values in ([1.0, -1.0], [], [np.inf, 1.0]):
        with pytest.raises(EvalkitError):
            fewest_to_flip(values)
