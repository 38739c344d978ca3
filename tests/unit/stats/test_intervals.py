import math

import numpy as np
import pytest
from scipy import stats

from evalkit.errors import EvalkitError
from evalkit.stats.intervals import (
    MOST,
    clopper_pearson,
    log_mean_interval,
    mean_interval,
    ratio_interval,
    t_interval,
    transform,
    wilson,
)
from evalkit.stats.units import units_of


def test_wilson_and_clopper_pearson_are_those_of_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for k, n in ((0, 7), (3, 10), (10, 10), (451, 553)):
        assert wilson(k, n) == pytest.approx(proportion.proportion_confint(k, n, method="wilson"), abs=1e-12)
        assert clopper_pearson(k, n) == pytest.approx(proportion.proportion_confint(k, n, method="beta"), abs=1e-12)


def test_t_interval_is_that_of_scipy():
    values = np.random.default_rng(0).normal(size=23)
    wanted = stats.t.interval(0.95, 22, values.mean(), stats.sem(values))
    estimate = t_interval(units_of(values))
    assert (estimate.low, estimate.high) == pytest.approx(wanted)


def test_bca_agrees_with_scipy_within_resampling_noise():
    values = np.random.default_rng(0).gamma(1.0, size=60)
    wanted = stats.bootstrap((values,), np.mean, method="BCa", n_resamples=9999, rng=0).confidence_interval
    mine = mean_interval(values, method="bca", resamples=9999)
    assert (mine.low, mine.high) == pytest.approx((wanted.low, wanted.high), abs=0.02)
    assert mine.method.startswith("BCa bootstrap over 60 samples")


def test_zeros_and_ones_take_wilson_and_clusters_shrink_the_sample():
    values = np.tile([1, 1, 1, 1, 0, 0, 0, 0], 20)
    alone, together = mean_interval(values), mean_interval(values, clusters=np.arange(160) // 4)
    assert alone.method.startswith("Wilson score interval over 160 samples")
    assert "40 clusters" in together.method
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


def test_clusters_that_all_agree_are_one_sample_each():
    estimate = mean_interval(np.ones(40), clusters=np.arange(40) // 4)
    assert (estimate.low, estimate.high) == pytest.approx(wilson(10, 10))


def test_skewed_means_take_the_studentised_bootstrap_and_lean_to_the_long_side():
    values = np.random.default_rng(3).lognormal(0, 1.2, 40)
    estimate = mean_interval(values)
    assert estimate.method.startswith("studentised bootstrap over 40 samples")
    assert estimate.high - estimate.value > estimate.value - estimate.low


def test_symmetric_means_take_t():
    assert mean_interval(np.linspace(-1, 1, 30)).method == "Student's t over 30 samples"


def test_few_skewed_values_take_t_and_keep_finite_bounds():
    estimate = mean_interval([0.0, 0.0, 1000.0])
    assert estimate.method == "Student's t over 3 samples"
    assert estimate.high < 2000


def test_the_same_data_give_the_same_interval():
    values = np.random.default_rng(3).lognormal(0, 1.2, 40)
    assert mean_interval(values) == mean_interval(values)


def test_intervals_scale_with_the_data():
    values = np.random.default_rng(5).gamma(1.0, size=30)
    one, ten = mean_interval(values), mean_interval(10 * values + 3)
    assert (10 * one.low + 3, 10 * one.high + 3) == pytest.approx((ten.low, ten.high))


@pytest.mark.parametrize(
    ("values", "said"),
    [([], "nothing to measure"), ([3.0], "there is one of the samples"), ([1.0, np.inf], "infinite")],
)
def test_no_interval_is_stated_where_there_is_none(values, said):
    estimate = mean_interval(values)
    assert estimate.low is None
    assert said in estimate.method


def test_equal_values_have_an_interval_of_no_width():
    estimate = mean_interval([2.5, 2.5, 2.5], method="studentised")
    assert (estimate.low, estimate.high) == (2.5, 2.5)


def test_a_share_must_be_one():
    with pytest.raises(EvalkitError, match="5 of 3"):
        wilson(5, 3)
    with pytest.raises(EvalkitError, match="n > 0"):
        clopper_pearson(0, 0)


def test_intervals_of_skewed_clustered_means_cover_the_truth():
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(300):
        shift = rng.exponential(size=40)
        values = np.repeat(shift, 4) + rng.normal(size=160)
        estimate = mean_interval(values, clusters=np.repeat(np.arange(40), 4), resamples=500)
        hits += estimate.low <= 1.0 <= estimate.high
    assert 0.91 <= hits / 300 <= 0.99


def test_a_ratio_is_of_sums_and_is_drawn_by_samples():
    top, bottom = np.array([1.0, 0.0, 4.0, 2.0] * 30), np.array([10.0, 5.0, 20.0, 10.0] * 30)
    estimate = ratio_interval(top, bottom)
    assert estimate.value == pytest.approx(7 / 45)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.n == 120
    assert math.isnan(ratio_interval([1.0], [0.0]).value)
    with pytest.raises(EvalkitError, match="one value for each sample"):
        ratio_interval([1.0, 2.0], [1.0])


def test_a_ratio_of_equal_weights_is_a_mean():
    values = np.random.default_rng(5).gamma(1.0, 1.0, 40)
    one, two = mean_interval(values, method="mean"), ratio_interval(values, np.ones(40))
    assert (one.value, one.low, one.high, one.method) == (two.value, two.low, two.high, two.method)


def test_intervals_of_corpus_rates_cover_the_truth():
    held = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        chars = rng.integers(5, 80, 40)
        edits = rng.binomial(chars, rng.beta(1, 9, 40))
        estimate = ratio_interval(edits, chars, resamples=400)
        held += estimate.low <= 0.1 <= estimate.high
    assert 273 <= held <= 297


def test_the_interval_of_a_mean_error_is_positive_and_covers():
    held = 0
    for seed in range(400):
        estimate = log_mean_interval(np.random.default_rng(seed).gamma(2.0, 1.0, 20))
        held += 0 < estimate.low <= 2.0 <= estimate.high
    assert 364 <= held <= 396
    assert log_mean_interval([0.0, 0.0]).value == 0
    assert log_mean_interval([1.0]).low is None


def test_ones_that_are_measured_are_no_share():
    estimate = mean_interval([1.0] * 20, method="mean")
    assert (estimate.low, estimate.high) == (1.0, 1.0)
    assert mean_interval([1.0] * 20).low < 0.9


def test_very_large_sets_draw_no_resamples():
    estimate = mean_interval(np.random.default_rng(1).pareto(2.5, MOST + 1), method="mean")
    assert "Student's t" in estimate.method


def test_a_falling_function_swaps_the_bounds():
    estimate = transform(log_mean_interval([0.01, 0.02, 0.03]), lambda v: -10 * math.log10(v), "the logarithm")
    assert estimate.low < estimate.value < estimate.high
    assert "the logarithm" in estimate.method
    assert math.isnan(transform(mean_interval([]), math.log, "x").value)
    assert transform(mean_interval([2.0]), math.log, "x").low is None


def test_infinite_values_are_counted():
    infinite = mean_interval([1.0, math.inf])
    assert infinite.value == math.inf
    assert infinite.low is None
    assert "1 of 2 values are infinite" in infinite.method
