import numpy as np
import pytest
from scipy import stats

from evalkit.errors import EvalkitError
from evalkit.stats.paired import independent_difference, paired_difference
from evalkit.stats.signs import sign_flip
from evalkit.stats.verdicts import mcnemar


def test_pairing_narrows_what_samples_share():
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 5, 100)
    a, b = shared + rng.normal(0.2, 0.1, 100), shared + rng.normal(0, 0.1, 100)
    paired, apart = paired_difference(a, b), independent_difference(a, b)
    assert paired.estimate.value == pytest.approx(apart.estimate.value)
    assert paired.estimate.high - paired.estimate.low < 0.1 * (apart.estimate.high - apart.estimate.low)
    assert paired.p < 1e-6 < apart.p


def test_swapping_the_two_turns_the_interval():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=40), rng.normal(size=40)
    one, two = paired_difference(a, b), paired_difference(b, a)
    assert one.estimate.low == pytest.approx(-two.estimate.high)
    assert one.p == pytest.approx(two.p)


def test_the_paired_p_is_that_of_scipy():
    half = np.random.default_rng(4).normal(size=15)
    a, b = np.concatenate([half, 0.8 - half]), np.zeros(30)  # without skewness, which scipy's test does not look at
    assert paired_difference(a, b).p == pytest.approx(stats.ttest_rel(a, b).pvalue)


@pytest.mark.parametrize("law", ["normal", "exponential", "rare", "flips", "clusters"])
def test_the_interval_leaves_out_zero_exactly_where_p_is_below_alpha(law):
    rng = np.random.default_rng(1)
    for _ in range(60):
        n = 10 if law == "flips" else 40
        a = rng.exponential(0.4, n) if law == "exponential" else rng.normal(0.3, 1, n)
        a = a * (rng.random(n) < 0.3) if law == "rare" else a
        clusters = np.arange(n) // 2 if law == "clusters" else None
        for level in (0.9, 0.95):
            found = paired_difference(a, np.zeros(n), clusters=clusters, level=level)
            if found.estimate.low is not None:
                assert (found.estimate.low <= 0 <= found.estimate.high) == (found.p >= 1 - level)


def test_few_pairs_are_tested_by_all_sign_flips():
    a = np.array([1.0, 2.0, 3.0, 4.0])
    result = paired_difference(a, np.zeros(4))
    assert result.p == pytest.approx(2 / 16)
    assert "16 sign flips" in result.test
    wanted = stats.permutation_test((a, np.zeros(4)), lambda x, y: np.mean(x - y), permutation_type="samples").pvalue
    assert result.p == pytest.approx(wanted)


def test_mcnemar_is_that_of_statsmodels():
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, 80), rng.integers(0, 2, 80)
    table = [[np.sum((a == i) & (b == j)) for j in (0, 1)] for i in (0, 1)]
    assert mcnemar(a, b) == pytest.approx(float(tables.mcnemar(table, exact=True).pvalue))
    assert paired_difference(a, b).test == "McNemar, exact"
    assert mcnemar([1, 0], [1, 0]) == 1.0


def test_prompts_of_four_images_count_once():
    rng = np.random.default_rng(9)
    prompts = np.repeat(np.arange(50), 4)
    a = np.repeat(rng.integers(0, 2, 50), 4)
    b = np.repeat(rng.integers(0, 2, 50), 4)
    alone, together = paired_difference(a, b), paired_difference(a, b, clusters=prompts)
    assert together.estimate.high - together.estimate.low > 1.8 * (alone.estimate.high - alone.estimate.low)
    assert together.p > alone.p


def test_missing_and_infinite_pairs_are_left_out():
    result = paired_difference([1.0, np.nan, np.inf, 2.0, 3.0, np.inf], [0.0, 1.0, np.inf, 0.0, 3.5, 1.0])
    assert result.estimate.n == 3
    assert result.estimate.value == pytest.approx(2.5 / 3)
    assert "2 pairs with infinite values (exact images) left out" in result.estimate.method


def test_one_pair_has_no_test():
    result = paired_difference([1.5], [0.0])
    assert np.isnan(result.p)
    assert result.estimate.low is None


def test_independent_means_are_near_welch_and_their_p_is_that_of_the_interval():
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 1, 40), rng.normal(0.5, 3, 55)
    wanted = stats.ttest_ind(a, b, equal_var=False)
    mine = independent_difference(a, b)
    assert mine.p == pytest.approx(wanted.pvalue, rel=0.1)
    interval = wanted.confidence_interval()
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((interval.low, interval.high), rel=0.1)
    ends = independent_difference(a, b, level=1 - mine.p).estimate
    assert min(abs(ends.low), abs(ends.high)) == pytest.approx(0, abs=1e-4)


def test_independent_shares_have_newcombes_interval():
    """The worked example of Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873: 56 of 70 against 48 of 80."""
    a, b = np.repeat([1.0, 0.0], [56, 14]), np.repeat([1.0, 0.0], [48, 32])
    found = independent_difference(a, b).estimate
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_constants_and_single_samples_are_told_apart():
    apart, equal = independent_difference([1] * 30, [0] * 30), independent_difference([1] * 30, [1] * 30)
    assert apart.p < 1e-9
    assert equal.p == 1.0
    assert equal.estimate.low < 0 < equal.estimate.high
    assert independent_difference([1.0], [0.0, 1.0]).estimate.low is None
    assert independent_difference([0.4] * 9, [0.7] * 9).estimate.low is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: paired_difference([1, 2], [1]),
        lambda: mcnemar([0.5], [1]),
        lambda: sign_flip(np.ones(30)),
    ],
)
def test_misuse_is_explained(call):
    with pytest.raises(EvalkitError):
        call()
