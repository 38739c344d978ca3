import numpy as np
import pytest
from scipy.stats import binom

from evalkit.errors import EvalkitError
from evalkit.stats.intervals import mean_interval
from evalkit.stats.shares import clopper_pearson, wilson


def test_wilson_and_clopper_pearson_are_those_of_statsmodels():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for k, n in ((0, 7), (3, 10), (10, 10), (451, 553)):
        assert wilson(k, n) == pytest.approx(proportion.proportion_confint(k, n, method="wilson"), abs=1e-12)
        assert clopper_pearson(k, n) == pytest.approx(proportion.proportion_confint(k, n, method="beta"), abs=1e-12)


def test_a_share_must_be_one():
    with pytest.raises(EvalkitError, match="5 of 3"):
        wilson(5, 3)
    with pytest.raises(EvalkitError, match="n > 0"):
        clopper_pearson(0, 0)


@pytest.mark.parametrize("n", [20, 50, 200])
def test_a_share_is_covered_wherever_it_lies(n):
    """Over all counts, so that no noise hides the dips of Wilson's interval near 0 and 1."""
    stated = [mean_interval(np.repeat([1.0, 0.0], [k, n - k])) for k in range(n + 1)]
    low, high = (np.array([getattr(each, end) for each in stated]) for end in ("low", "high"))
    for p in [*np.geomspace(0.0005, 0.05, 40), *np.linspace(0.06, 0.5, 40)]:
        assert binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum() >= 0.93


def test_few_events_take_the_exact_interval_and_say_that_it_is_conservative():
    rare, common = mean_interval([1.0] * 3 + [0.0] * 97), mean_interval([1.0] * 30 + [0.0] * 70)
    assert (rare.low, rare.high) == pytest.approx(clopper_pearson(3, 100))
    assert "conservative" in rare.method
    assert "conservative" not in common.method
