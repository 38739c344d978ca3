import numpy as np
import pytest

from evalkit.stats.signs import flip_bounds, sign_flip
from evalkit.stats.units import units_of


@pytest.mark.parametrize("n", [6, 9, 12])
def test_the_interval_is_what_the_test_does_not_reject(n):
    values = np.random.default_rng(n).normal(0.3, 1, n)
    low, high = flip_bounds(units_of(values), 0.05)
    for inside, outside in ((low + 1e-9, low - 1e-6), (high - 1e-9, high + 1e-6)):
        assert sign_flip(values - inside) >= 0.05 > sign_flip(values - outside)


def test_too_few_units_have_no_interval():
    assert flip_bounds(units_of([1.0, 2.0, 3.0, 4.0, 5.0]), 0.05) is None
    assert flip_bounds(units_of([1.0, 2.0, 3.0, 4.0, 5.0]), 0.1) is not None


def test_clusters_of_unequal_size_agree_too():
    values, clusters = np.random.default_rng(2).normal(0.5, 1, 30), np.arange(30) // 4
    units = units_of(values, clusters)
    low, _ = flip_bounds(units, 0.05)
    assert (
        sign_flip(units.top - (low + 1e-9) * units.bottom) >= 0.05 > sign_flip(units.top - (low - 1e-6) * units.bottom)
    )
