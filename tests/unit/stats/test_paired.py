import numpy as np
import pytest
from scipy import stats

from evalkit.errors import EvalkitError
from evalkit.stats.paired import independent_difference, mcnemar, paired_difference, sign_flip


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
    one, two = paired_difference(a, b, method="t"), paired_difference(b, a, method="t")
    assert one.estimate.low == pytest.approx(-two.estimate.high)
    assert one.p == pytest.approx(two.p)


def test_the_paired_p_is_that_of_scipy():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.3, 1, 30), rng.normal(size=30)
    assert paired_difference(a, b).p == pytest.approx(stats.ttest_rel(a, b).pvalue)


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


def test_prompts_of_four_pictures_count_once():
    rng = np.random.default_rng(9)
    prompts = np.repeat(np.arange(50), 4)
    a = np.repeat(rng.integers(0, 2, 50), 4)
    b = np.repeat(rng.integers(0, 2, 50), 4)
    alone, together = paired_difference(a, b), paired_difference(a, b, clusters=prompts)
    assert together.estimate.high - together.estimate.low > 1.8 * (alone.estimate.high - alone.estimate.low)
    assert together.p > alone.p


def test_missing_and_infinite_pairs_are_left_out():
    result = paired_difference([1.0, np.nan, np.inf, 2.0], [0.0, 1.0, np.inf, 0.0])
    assert result.estimate.n == 2
    assert result.estimate.value == 1.5


def test_one_pair_has_no_test():
    result = paired_difference([1.5], [0.0])
    assert np.isnan(result.p)
    assert result.estimate.low is None


def test_welch_is_that_of_scipy():
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 1, 20), rng.normal(0.5, 3, 35)
    wanted = stats.ttest_ind(a, b, equal_var=False)
    mine = independent_difference(a, b)
    assert mine.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval()
    assert (mine.estimate.low, mine.estimate.high) == pytest.approx((interval.low, interval.high))


def test_constants_and_single_samples_are_told_apart():
    assert independent_difference([1, 1], [0, 0]).p == 0.0
    assert independent_difference([1, 1], [1, 1]).p == 1.0
    assert independent_difference([1.0], [0.0, 1.0]).estimate.low is None


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
