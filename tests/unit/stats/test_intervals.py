import math
import time

import numpy as np
import pytest
from scipy import stats

from evalkit.errors import EvalkitError
from evalkit.stats.intervals import log_mean_interval, mean_interval, ratio_interval, transform
from evalkit.stats.shares import wilson


def test_the_same_data_give_the_same_interval():
    values = np.random.default_rng(3).lognormal(0, 1.2, 40)
    assert mean_interval(values) == mean_interval(values)


def test_intervals_scale_with_the_data():
    values = np.random.default_rng(5).gamma(1.0, size=30)
    one, ten = mean_interval(values), mean_interval(10 * values + 3)
    assert (10 * one.low + 3, 10 * one.high + 3) == pytest.approx((ten.low, ten.high))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "nothing to measure"),
        ([3.0], "there is one of the samples"),
        ([1.0, np.inf], "1 of 2 values are infinite"),
        ([np.inf, np.inf], "all 2 values are infinite"),
        ([0.0] * 19 + [7.0], "only 1 of 20 samples differ"),
        ([2.5] * 20, "all 20 samples are equal, and up to 17 % of further ones may differ"),
    ],
)
def test_no_interval_is_stated_where_there_is_none(values, said):
    estimate = mean_interval(values)
    assert estimate.low is None
    assert said in estimate.method


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


def test_the_interval_of_a_mean_error_is_positive_and_covers():
    held = 0
    for seed in range(400):
        estimate = log_mean_interval(np.random.default_rng(seed).gamma(2.0, 1.0, 20))
        held += 0 < estimate.low <= 2.0 <= estimate.high
    assert 364 <= held <= 396
    assert log_mean_interval([0.0, 0.0]).value == 0
    assert log_mean_interval([1.0]).low is None


def test_a_falling_function_swaps_the_bounds():
    estimate = transform(log_mean_interval([0.01, 0.02, 0.03]), lambda v: -10 * math.log10(v), "the logarithm")
    assert estimate.low < estimate.value < estimate.high
    assert "the logarithm" in estimate.method
    assert math.isnan(transform(mean_interval([]), math.log, "x").value)
    assert transform(mean_interval([2.0]), math.log, "x").low is None


def test_a_symmetric_mean_has_the_t_interval_of_scipy():
    half = np.random.default_rng(0).normal(size=12)
    values = np.concatenate([half, 4 - half])
    wanted = stats.t.interval(0.95, 23, values.mean(), stats.sem(values))
    found = mean_interval(values)
    assert found.method == "Student's t over 24 samples"
    assert (found.low, found.high) == pytest.approx(wanted)


def test_many_zeros_and_ones_take_wilson_and_clusters_shrink_the_sample():
    values = np.tile([1, 1, 1, 1, 0, 0, 0, 0], 20)
    alone, together = mean_interval(values), mean_interval(values, clusters=np.arange(160) // 4)
    assert alone.method == "Wilson score interval over 160 samples"
    assert (alone.low, alone.high) == pytest.approx(wilson(80, 160))
    assert "160 samples in 40 clusters, worth" in together.method
    assert together.high - together.low > 1.8 * (alone.high - alone.low)


def test_clusters_that_all_agree_are_less_than_one_sample_each():
    estimate = mean_interval(np.ones(40), clusters=np.arange(40) // 4)
    assert estimate.low < wilson(10, 10)[0]
    assert estimate.high == 1.0


def test_a_skewed_mean_is_corrected_and_a_strongly_skewed_one_is_conservative():
    rng = np.random.default_rng(3)
    some, strong = mean_interval(rng.gamma(2.0, 1.0, 200)), mean_interval(rng.lognormal(0, 1.5, 40))
    assert some.method == "Student's t over 200 samples, corrected for skewness"
    assert strong.method.startswith("conservative, since 40 samples are few for this skewness")
    for each in (some, strong):
        assert each.high - each.value > each.value - each.low


def test_a_known_range_turns_a_refusal_into_a_wide_interval():
    values = [0.0] * 19 + [0.7]
    assert mean_interval(values, method="mean").low is None
    found = mean_interval(values, method="mean", range=(0.0, 1.0))
    assert found.method.startswith("conservative, since only 1 of 20 samples differ")
    assert 0 < found.low < found.value < 0.2 < found.high < 0.3


def test_a_range_turns_equal_values_into_the_rule_of_three():
    found = mean_interval([1.0] * 20, method="mean", range=(0.0, 1.0))
    assert found.low == pytest.approx(0.025 ** (1 / 20), rel=0.002)
    assert found.high == 1.0


def test_zeros_and_ones_of_another_range_are_measurements():
    counts = mean_interval([0.0] * 12 + [1.0] * 8, range=(0.0, None))
    assert "Student's t" in counts.method


@pytest.mark.parametrize("n", [2, 3, 8, 20, 200])
def test_no_interval_is_without_width(n):
    rng = np.random.default_rng(n)
    for values in (
        np.zeros(n),
        np.full(n, 0.1),
        0.1 * 3 * np.ones(n),
        np.r_[np.ones(n - 1), 0.0],
        rng.random(n) < 0.02,
    ):
        for limits in ((None, None), (0.0, 1.0), (0.0, None)):
            for clusters in (None, np.arange(n) // 4):
                found = mean_interval(np.asarray(values, float), clusters=clusters, range=limits)
                assert found.low is None or found.high - found.low > 1e-6, found


def test_infinite_values_stay_in_the_count_and_not_in_the_mean():
    values = np.random.default_rng(0).normal(30, 2, 21)
    alone, among = mean_interval(values), mean_interval([*values, math.inf, math.inf, math.inf])
    assert (among.value, among.low, among.high) == (alone.value, alone.low, alone.high)
    assert among.n == 24
    assert among.method.endswith("3 of 24 values are infinite (exact images) and left out")


def covered(draw, truth, trials=300, **options):
    """How often the interval holds the truth where one is stated, and how often one is."""
    rng = np.random.default_rng(11)
    found = [mean_interval(draw(rng), **options) for _ in range(trials)]
    stated = [each for each in found if each.low is not None]
    return np.mean([each.low <= truth <= each.high for each in stated]), len(stated) / trials


@pytest.mark.parametrize(
    ("draw", "truth"),
    [
        (lambda rng: rng.weibull(0.6, 30), math.gamma(1 + 1 / 0.6)),
        (lambda rng: 1 - rng.beta(0.4, 10, 25), 1 - 0.4 / 10.4),
        (lambda rng: (rng.random(200) < 0.08) * rng.gamma(2.0, 1.0, 200), 0.16),
        (lambda rng: (rng.random(60) < 0.03).astype(float), 0.03),
    ],
    ids=["heavy", "near one", "mostly zeros", "rare"],
)
def test_intervals_of_other_laws_than_the_table_hold_the_truth(draw, truth):
    held, stated = covered(draw, truth)
    assert held >= 0.93
    assert stated > 0.9


def test_intervals_of_skewed_clustered_means_hold_the_truth():
    def draw(rng):
        return np.repeat(rng.exponential(size=40), 4) + rng.normal(size=160)

    held, stated = covered(draw, 1.0, clusters=np.repeat(np.arange(40), 4))
    assert 0.92 <= held <= 0.995
    assert stated == 1.0


def test_intervals_of_corpus_rates_hold_the_truth_or_are_not_stated():
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        chars = rng.integers(5, 80, 100)
        edits = rng.binomial(chars, rng.beta(1, 9, 100) * (rng.random(100) < 0.1))
        estimate = ratio_interval(edits, chars, range=(0.0, None))
        if estimate.low is not None:
            held.append(estimate.low <= 0.01 <= estimate.high)
    assert np.mean(held) >= 0.95
    assert len(held) >= 225


def test_an_interval_of_fifty_thousand_skewed_samples_takes_less_than_a_second():
    values = np.random.default_rng(1).pareto(1.5, 50_000)
    start = time.process_time()
    assert mean_interval(values).low is not None
    assert time.process_time() - start < 1.0
