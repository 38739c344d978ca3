import math

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.vendi import features_to_statistics, merge, statistics_to_value, vendi


def by_similarities(x, order):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    p = np.linalg.eigvalsh(unit @ unit.T / len(x))
    p = p[p > 1e-14]
    if order == 1:
        return math.exp(-(p * np.log(p)).sum())
    return 1 / p.max() if math.isinf(order) else math.exp(math.log((p**order).sum()) / (1 - order))


@pytest.mark.parametrize("order", [1, 2, 0.5, math.inf])
@pytest.mark.parametrize(("n", "d"), [(40, 7), (9, 30)])
def test_the_score_is_that_of_all_similarities(n, d, order):
    x = np.random.default_rng(n).normal(size=(n, d)) + 0.5
    assert vendi(x, order=order).value == pytest.approx(by_similarities(x, order), rel=1e-6)


def test_statistics_merge_in_any_order():
    x = np.random.default_rng(0).normal(size=(50, 6))
    a, b, c = (features_to_statistics(part) for part in np.split(x, [11, 30]))
    assert statistics_to_value(merge(c, merge(a, b))) == pytest.approx(vendi(x).value, rel=1e-12)


def test_equal_images_amount_to_one_and_unlike_ones_to_their_number():
    assert vendi(np.ones((9, 4))).value == pytest.approx(1)
    assert vendi(np.eye(6)).value == pytest.approx(6)
    assert vendi(np.ones((1, 4))).value == 1
    assert vendi(np.ones((1, 4))).low is None


@pytest.mark.parametrize("order", [1, 2])
def test_the_interval_is_near_the_jackknifes(order):
    x = np.random.default_rng(3).normal(size=(300, 8)) + 0.7
    left_out = np.array([vendi(np.delete(x, i, 0), order=order).value for i in range(300)])
    wanted = 1.959964 * math.sqrt(299 / 300 * np.square(left_out - left_out.mean()).sum())
    found = vendi(x, order=order)
    assert found.high - found.value == pytest.approx(wanted, rel=0.05)


def test_a_feature_without_length_is_one_sentence():
    with pytest.raises(EvalkitError, match="has no direction"):
        vendi(np.zeros((3, 4)))
