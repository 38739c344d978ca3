import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from evalkit.errors import EvalkitError
from evalkit.metrics import kid as kid_module
from evalkit.metrics.kernels import GaussianKernel, PolynomialKernel
from evalkit.metrics.kid import (
    features_to_statistics,
    kid,
    kid_difference,
    statistics_to_value,
    subset_pairs,
    subset_values,
)
from evalkit.metrics.rules import CUBIC, SubsetRule


def sets(n=300, m=260, d=12, shift=0.2):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)) + shift, rng.normal(size=(m, d))


def test_one_pair_of_subsets_is_torchmetrics():
    x, y = sets(80, 80)
    k_xx, k_yy, k_xy = (torch.from_numpy(PolynomialKernel()(a, b)) for a, b in ((x, x), (y, y), (x, y)))
    from torchmetrics.image.kid import maximum_mean_discrepancy

    wanted = float(maximum_mean_discrepancy(k_xx, k_xy, k_yy))
    assert statistics_to_value(features_to_statistics(x, y)) == pytest.approx(wanted, rel=1e-12)
    peer = float(poly_mmd(torch.from_numpy(x), torch.from_numpy(y), 3, None, 1.0))
    assert statistics_to_value(features_to_statistics(x, y)) == pytest.approx(peer, rel=1e-12)


def test_identical_sets_are_below_zero_since_subsets_are_drawn_apart():
    x, _ = sets()
    assert kid(x, x, SubsetRule(20, 100)).value < 0


def test_too_small_sets_are_refused_cut_or_halved_as_the_rule_says():
    x, y = sets(60, 50)
    refused = kid(x, y)
    assert math.isnan(refused.value)
    assert "subsets of 1000 images need as many in both sets; 60 and 50 given" in refused.method
    whole, half = kid(x, y, SubsetRule(10, fit="whole")), kid(x, y, SubsetRule(10, fit="half"))
    assert whole.low is None
    assert "whole set" in whole.method
    assert "subsets of 25" in half.method
    assert half.low < half.value < half.high
    assert math.isnan(kid(x[:1], y[:1], SubsetRule(fit="whole")).value)


def test_a_subset_of_both_whole_sets_is_computed_once():
    x, y = sets(50, 50)
    once = kid(x, y, SubsetRule(7, fit="whole"))
    assert once.value == pytest.approx(subset_values(x, y, SubsetRule(7, fit="whole")).mean(), rel=1e-12)


def test_the_interval_covers_the_distance_of_the_laws():
    rng, hits, d = np.random.default_rng(5), 0, 4
    big = rng.normal(size=(2, 3000, d))
    big[0] += 0.3
    truth = statistics_to_value(features_to_statistics(*big))
    for _ in range(60):
        x, y = rng.normal(size=(300, d)) + 0.3, rng.normal(size=(300, d))
        estimate = kid(x, y, SubsetRule(20, 60))
        hits += estimate.low <= truth <= estimate.high
    assert hits >= 52


def test_a_difference_by_shared_subsets_is_surer_than_two_distances():
    x, y = sets(400, 400)
    other = x + 0.02
    apart = kid_difference(other, x, y, SubsetRule(30, 100))
    alone = kid(x, y, SubsetRule(30, 100))
    assert apart.value == pytest.approx(kid(other, y, SubsetRule(30, 100)).value - alone.value, rel=1e-9)
    assert 0 < apart.low < apart.value
    assert apart.high - apart.low < (alone.high - alone.low) / 2
    assert math.isnan(kid_difference(x, x[:300], y, SubsetRule(30, 100)).value)
    assert kid_difference(other, x, y, SubsetRule(5, 400)).low is None


def test_kernels_have_their_stated_form():
    x, y = sets(5, 4, 3)
    assert PolynomialKernel(2, 0.5, 2.0)(x, y) == pytest.approx((0.5 * x @ y.T + 2) ** 2)
    squared = np.square(x[:, None] - y[None]).sum(-1)
    assert GaussianKernel(3.0)(x, y) == pytest.approx(np.exp(-squared / 18))


def test_features_of_two_encoders_are_refused():
    with pytest.raises(EvalkitError, match="3 and of 4 dimensions"):
        kid(np.zeros((5, 3)), np.zeros((5, 4)))


@pytest.mark.parametrize("kernel", [CUBIC, GaussianKernel(3.0)])
def test_kernels_of_whole_sets_give_what_each_subset_gives(kernel, monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 8)), rng.normal(0.2, 1, (70, 8))
    rule = SubsetRule(subsets=12, size=40, kernel=kernel)
    monkeypatch.setattr(kid_module, "_TILE", 32)
    together = subset_values(x, y, rule)
    monkeypatch.setattr(kid_module, "_sums_of_subsets", None)
    one_by_one = [subset_values(x, y, replace(rule, subsets=1))[0]]
    draws = list(subset_pairs(90, 70, rule))
    alone = [statistics_to_value(features_to_statistics(x[i], y[j], kernel)) for i, j in draws]
    assert together == pytest.approx(alone, abs=1e-12)
    assert one_by_one == alone[:1]
