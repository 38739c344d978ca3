"""Exact tails against brute force over all outcomes, and what they do where doubles end."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.watermark.exact import binomial_log_tail, pooled, smallest_log_p, unit_log_tail, weighted_log_tail


def brute(weights: list[int], score: int, gamma: float) -> float:
    """P[sum >= score] over all 2^n outcomes of independent coins with these weights."""
    total = 0.0
    for coins in itertools.product((0, 1), repeat=len(weights)):
        if sum(w * c for w, c in zip(weights, coins, strict=True)) >= score:
            total += math.prod(gamma if c else 1 - gamma for c in coins)
    return total


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 8), st.integers(0, 9), st.sampled_from([0.1, 0.25, 0.5, 0.8]))
def test_binomial_tail_is_the_sum_over_all_outcomes(n: int, score: int, gamma: float) -> None:
    expected = brute([1] * n, score, gamma)
    assert np.exp(binomial_log_tail(score, n, gamma)) == pytest.approx(expected, rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=8), st.integers(0, 20), st.sampled_from([0.25, 0.5]))
def test_weighted_tail_is_the_sum_over_all_outcomes(weights: list[int], score: int, gamma: float) -> None:
    copies = [weights.count(w) for w in range(1, 5)]
    found = weighted_log_tail(score, copies, gamma)
    expected = brute(weights, score, gamma)
    assert np.exp(found) == pytest.approx(expected, rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), max_size=4), st.integers(0, 10))
def test_unit_tail_is_the_sum_over_the_one_green_code_of_every_unit(units: list[list[int]], score: int) -> None:
    size, total = 3, 0
    outcomes = list(itertools.product(range(size), repeat=len(units)))
    for chosen in outcomes:  # a code of the unit that does not occur weighs nothing
        total += sum(w[c] if c < len(w) else 0 for w, c in zip(units, chosen, strict=True)) >= score
    found = unit_log_tail(score, [(w, size) for w in units])
    assert np.exp(found) == pytest.approx(total / len(outcomes), rel=1e-10)


def test_tails_begin_at_one_and_end_at_zero() -> None:
    assert binomial_log_tail(0, 5, 0.5) == 0
    assert weighted_log_tail(0, (2,), 0.5) == 0
    assert unit_log_tail(0, []) == 0
    assert binomial_log_tail(6, 5, 0.5) == -np.inf
    assert weighted_log_tail(3, (2,), 0.5) == -np.inf


def test_a_tail_that_no_double_holds_is_still_true_and_never_zero() -> None:
    assert binomial_log_tail(680, 680, 0.25) == pytest.approx(680 * np.log(0.25))
    both = binomial_log_tail([680, 679], 680, 0.25)
    assert both[1] == pytest.approx(both[0] + np.log(1 + 680 * 3))
    exact = 1200 * np.log(0.25)
    assert exact < weighted_log_tail(1200, (1200,), 0.25) < -690  # too large, which errs on the safe side


def test_the_pool_multiplies_p_and_the_floor_is_all_units_green() -> None:
    assert np.allclose(pooled(np.log([1e-6, 0.5]), [64, 64]), [np.log(64e-6), 0.0])
    assert np.allclose(smallest_log_p([0, 20], 0.5), [0.0, 20 * np.log(0.5)])
    assert smallest_log_p(7, 0.25) == pytest.approx(float(binomial_log_tail(7, 7, 0.25)))
