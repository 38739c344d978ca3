import numpy as np
import pytest

from evalkit.stats.padded import Padded
from evalkit.stats.shares import clopper_pearson


@pytest.mark.parametrize(("k", "n"), [(1, 5), (3, 20), (7, 200)])
def test_values_of_zero_and_one_give_clopper_and_pearson(k, n):
    p = k / n
    found = Padded(p, np.array([-p, 1 - p]), np.array([n - k, k], float), -p, 1 - p).bounds(0.05)
    assert found == pytest.approx(clopper_pearson(k, n), rel=0.03)


def test_tails_are_those_of_drawn_weights():
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 1, 15)
    apart = values - values.mean()
    below, above = 3 * apart.min(), 3 * apart.max()
    weights = rng.dirichlet(np.ones(16), 50_000)
    low = np.quantile(weights @ np.append(apart, below), 0.025)
    high = np.quantile(weights @ np.append(apart, above), 0.975)
    assert Padded(0.0, apart, np.ones(15), below, above).bounds(0.05) == pytest.approx((low, high), rel=0.03)


def test_p_is_the_alpha_at_which_the_interval_ends():
    rule = Padded(0.0, np.array([-1.0, -0.5, -0.2, 0.1, 1.6]), np.ones(5), -3.0, 5.0, 0.5)
    for alpha in (0.3, 0.05, 0.001):
        low, high = rule.bounds(alpha)
        assert (rule.p(low), rule.p(high)) == pytest.approx((alpha, alpha), rel=1e-6)
    assert rule.p(0.0) == 1.0
    assert rule.p(9.0) == 0.0


def test_a_further_unit_that_is_further_away_widens_its_side_only():
    apart, ones = np.array([-1.0, -0.5, 0.3, 1.2]), np.ones(4)
    near, far = Padded(0.0, apart, ones, -2.0, 2.0).bounds(0.05), Padded(0.0, apart, ones, -2.0, 4.0).bounds(0.05)
    assert far[0] == near[0]
    assert far[1] > 1.2 * near[1]
