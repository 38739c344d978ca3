import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.combined import weighted_sum
from evalkit.stats.intervals import mean_interval


def part(value, low, high, n=10):
    return Estimate(value, low, high, n, "x")


def test_equal_parts_shrink_by_the_root_of_their_number():
    found = weighted_sum([part(0.5, 0.4, 0.6)] * 4)
    assert (found.value, found.low, found.high, found.n) == (0.5, pytest.approx(0.45), pytest.approx(0.55), 40)


def test_one_part_is_itself_and_weights_scale():
    assert weighted_sum([part(0.9, 0.7, 0.95)], [1]).low == pytest.approx(0.7)
    assert weighted_sum([part(0.9, 0.7, 0.95), part(0.1, 0, 1)], [1, 0]).high == pytest.approx(0.95)


def test_a_negative_weight_swaps_the_sides():
    found = weighted_sum([part(0.9, 0.7, 0.95), part(0.5, 0.2, 0.6)], [1, -1])
    assert found.low == pytest.approx(0.4 - (0.2**2 + 0.1**2) ** 0.5)
    assert found.high == pytest.approx(0.4 + (0.05**2 + 0.3**2) ** 0.5)


def test_without_the_interval_of_a_part_there_is_none():
    found = weighted_sum([part(0.5, 0.4, 0.6), Estimate(1.0, None, None, 1, "one")])
    assert (found.value, found.low, found.high) == (0.75, None, None)
    assert "no interval" in found.method


@pytest.mark.parametrize("rates", [(0.9, 0.7, 0.4), (0.99, 0.98, 0.03), (1.0, 0.95, 0.9)])
def test_the_interval_holds_the_mean_of_tasks_as_often_as_it_says(rates):
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(300):
        parts = [mean_interval((rng.random(n) < p).astype(float)) for p, n in zip(rates, (80, 99, 40), strict=True)]
        found = weighted_sum(parts)
        hits += found.low <= sum(rates) / 3 <= found.high
    assert hits >= 275  # of 285 expected; fewer has p = .01


@pytest.mark.parametrize("odd", [([], None), ([part(0, 0, 0)], [1, 2])])
def test_weights_that_do_not_fit_are_refused(odd):
    with pytest.raises(EvalkitError):
        weighted_sum(*odd)
