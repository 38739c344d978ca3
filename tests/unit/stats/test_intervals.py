import numpy as np
import pytest
from scipy import stats

from evalkit.errors import EvalkitError
from evalkit.stats.intervals import clopper_pearson, mean_interval, t_interval, wilson
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
