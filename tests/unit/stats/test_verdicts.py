import numpy as np
import pytest
from scipy.stats import binom

from evalkit.stats.paired import paired_difference
from evalkit.stats.verdicts import exact_p, score, verdict_difference


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_interval_leaves_out_zero_exactly_where_mcnemar_rejects(level):
    for up in range(25):
        for down in range(25 - up):
            found = verdict_difference(up, down, 24, level)
            assert (found.low <= 0 <= found.high) == (exact_p(up, down) >= 1 - level)
            assert found.low <= found.value <= found.high
            assert found.high - found.low > 1e-3


def test_its_bounds_are_where_tangos_score_is_the_normal_quantile():
    found = verdict_difference(30, 12, 100, 0.95)
    assert score(30, 12, 100, found.low) == pytest.approx(1.959964, abs=1e-5)
    assert score(30, 12, 100, found.high) == pytest.approx(-1.959964, abs=1e-5)


@pytest.mark.parametrize(("up", "down"), [(0.5, 0.0), (2.0, 1.0), (6.0, 0.5)])
def test_rare_discordant_pairs_are_covered(up, down):
    """Over all outcomes; `up` and `down` are how many are expected of 50."""
    n, held = 50, 0.0
    for u in range(25):
        for d in range(12):
            chance = binom.pmf(u, n, up / n) * binom.pmf(d, n - u, down / (n - up))
            if chance > 1e-7:
                found = verdict_difference(u, d, n, 0.95)
                held += chance * (found.low <= (up - down) / n <= found.high)
    assert held >= 0.935


def test_equal_verdicts_have_an_interval_with_width():
    found = paired_difference(np.ones(20), np.ones(20)).estimate
    assert found.low < -0.1 < 0.1 < found.high
