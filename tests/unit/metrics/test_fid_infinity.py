"""FID∞: closer to the truth than FID at n, honest intervals, refusal where the law does not hold."""

import importlib

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.fid_infinity import fid_infinity, intercept, sizes_of
from evalkit.metrics.frechet import frechet_distance, paired_frechet
from evalkit.metrics.moments import Moments

D, N = 16, 600
MIX = np.eye(D) + 0.1 * np.random.default_rng(7).normal(size=(D, D))
TRUTH = frechet_distance(Moments(2, np.zeros(D), np.eye(D)), Moments(2, np.full(D, 0.1), MIX @ MIX.T))


def gaussians(seed, alike=0.5, n=N):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(n, D))
    v = alike * u + (1 - alike**2) ** 0.5 * rng.normal(size=(n, D))
    return u.astype(np.float32), (v @ MIX.T + 0.1).astype(np.float32)


def in_chunks(x, y, size):
    return lambda: ((x[i : i + size], y[i : i + size]) for i in range(0, len(x), size))


@pytest.mark.parametrize("alike", [0.0, 0.5])
def test_the_extrapolation_is_closer_to_the_truth_than_the_distance_at_n(alike):
    plain, extrapolated, covered = [], [], 0
    for seed in range(30):
        pairs = in_chunks(*gaussians(seed, alike), N)
        estimate = fid_infinity(pairs, seed=seed)
        plain.append(paired_frechet(pairs).value - TRUTH)
        extrapolated.append(estimate.value - TRUTH)
        covered += estimate.low <= TRUTH <= estimate.high
    assert abs(np.mean(extrapolated)) < 0.25 * np.mean(plain)
    assert np.mean(np.abs(extrapolated) < np.abs(plain)) > 0.7
    assert covered >= 25


def test_chunks_and_repetition_change_nothing():
    x, y = gaussians(0)
    whole = fid_infinity(in_chunks(x, y, N), seed=3)
    assert fid_infinity(in_chunks(x, y, 37), seed=3) == whole
    assert whole.low < fid_infinity(in_chunks(x, y, N), seed=4).value < whole.high
    assert fid_infinity(in_chunks(x, y, N), seed=3, level=0.5).high < whole.high


def test_equal_sets_are_at_distance_nothing():
    x, _ = gaussians(1)
    assert fid_infinity(in_chunks(x, x, 100)).value == pytest.approx(0, abs=1e-6)


def test_sizes_are_evenly_spaced_and_large_enough_for_the_dimensions():
    sizes = sizes_of(50_000, 2048)
    assert sizes[0] == 5120
    assert sizes[-1] == 50_000
    assert np.ptp(np.diff(sizes)) <= 1
    assert sizes_of(100_000, 100)[0] == 10_000
    assert sizes_of(10_240, 2048)[0] == 5120
    assert sizes_of(149, 1) == []


def test_too_few_images_are_refused_with_the_number_that_is_needed():
    x, y = gaussians(0, n=100)
    estimate = fid_infinity(in_chunks(x, y, 100))
    assert np.isnan(estimate.value)
    assert estimate.low is None
    assert estimate.n == 100
    assert "150 for 16 features; 100 could be scored" in estimate.method
    with pytest.raises(EvalkitError, match="level"):
        fid_infinity(in_chunks(x, y, 100), level=1.0)


def test_very_large_sets_are_thinned_and_say_so(monkeypatch):
    monkeypatch.setattr(importlib.import_module("evalkit.metrics.fid_infinity"), "MOST", 400)
    x, y = gaussians(2)
    estimate = fid_infinity(in_chunks(x, y, 50))
    assert "400 of 600 pairs" in estimate.method
    assert estimate.n == 600
    assert estimate == fid_infinity(in_chunks(x, y, 600))
    monkeypatch.undo()
    assert abs(estimate.value - fid_infinity(in_chunks(x, y, 600)).value) < estimate.high - estimate.low


def test_intercept_is_that_of_a_textbook_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=20)
    y = 3 + 2 * x + 0.1 * rng.normal(size=20)
    design = np.stack([np.ones(20), x], 1)
    wanted, residues, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = np.sqrt(residues[0] / 18 * np.linalg.inv(design.T @ design)[0, 0])
    assert intercept(x, y) == pytest.approx((wanted[0], error), rel=1e-9)
