import math

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.stats.bootstrap import EXACT_UP_TO, bootstrap_mean, bootstrap_ratio, transform

RNG = np.random.default_rng(3)


def test_interval_holds_the_mean_and_matches_the_normal_one_at_large_n():
    values = RNG.normal(5, 2, 4000)
    estimate = bootstrap_mean(values)
    half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert estimate.n == 4000


def test_interval_covers_in_repeated_sampling():
    hits = 0
    for i in range(300):
        estimate = bootstrap_mean(np.random.default_rng(i).gamma(2.0, 1.0, 60), resamples=600)
        hits += estimate.low <= 2.0 <= estimate.high
    assert 270 <= hits <= 297


def test_same_input_same_interval_and_seed_matters():
    values = RNG.random(50)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values, seed=1).low != bootstrap_mean(values).low


def test_missing_values_are_left_out_and_counted():
    estimate = bootstrap_mean([1.0, math.nan, 3.0])
    assert (estimate.value, estimate.n) == (2.0, 2)


def test_very_large_sets_take_the_normal_approximation_and_say_so():
    values = RNG.random(EXACT_UP_TO + 1)
    estimate = bootstrap_mean(values)
    assert "normal approximation" in estimate.method
    assert estimate.low < values.mean() < estimate.high


def test_no_interval_where_none_can_be_stated():
    assert math.isnan(bootstrap_mean([]).value)
    one = bootstrap_mean([2.0])
    assert (one.value, one.low, one.high) == (2.0, None, None)
    infinite = bootstrap_mean([1.0, math.inf])
    assert infinite.value == math.inf
    assert infinite.low is None
    assert "1 of 2 values are infinite" in infinite.method
    assert math.isnan(bootstrap_ratio([1.0], [0.0]).value)


def test_a_ratio_is_of_sums_and_its_interval_resamples_rows():
    top, bottom = np.array([1.0, 0.0, 4.0, 2.0] * 30), np.array([10.0, 5.0, 20.0, 10.0] * 30)
    estimate = bootstrap_ratio(top, bottom)
    assert estimate.value == pytest.approx(7 / 45)
    assert estimate.low < estimate.value < estimate.high


def test_clusters_widen_the_interval_of_repeated_rows():
    base = RNG.random(40)
    values, clusters = np.repeat(base, 10), np.repeat(np.arange(40), 10)
    plain, clustered = bootstrap_mean(values), bootstrap_mean(values, clusters=clusters)
    assert clustered.value == pytest.approx(plain.value)
    assert clustered.high - clustered.low > 2 * (plain.high - plain.low)
    assert "clusters" in clustered.method


def test_a_falling_function_swaps_the_bounds():
    estimate = transform(bootstrap_mean([0.01, 0.02, 0.03]), lambda v: -10 * math.log10(v), "the logarithm")
    assert estimate.low < estimate.value < estimate.high
    assert "the logarithm" in estimate.method
    assert math.isnan(transform(bootstrap_mean([]), math.log, "x").value)
    assert transform(bootstrap_mean([2.0]), math.log, "x").low is None


def test_lengths_must_match():
    with pytest.raises(EvalkitError, match="one value for each sample"):
        bootstrap_mean([1.0, 2.0], clusters=[1])
    with pytest.raises(EvalkitError, match="one value for each sample"):
        bootstrap_ratio([1.0, 2.0], [1.0])
