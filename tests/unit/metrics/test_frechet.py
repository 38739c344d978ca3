import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.image.fid import _compute_fid

from evalkit.errors import EvalkitError
from evalkit.metrics.frechet import (
    _by_moments,
    _by_samples,
    frechet_distance,
    frechet_distance_of_features,
    paired_frechet,
)
from evalkit.metrics.moments import features_to_statistics, fold, load_moments, merge, save_moments


def draw(n, d, seed=0, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(d, d)) / math.sqrt(d)
    return rng.normal(size=(n, d)) @ mixing * scale + shift


def in_chunks(x, y, size=13):
    return lambda: [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


def test_distance_is_that_of_the_eigenvalue_route():
    x, y = draw(300, 24), draw(260, 24, seed=1, scale=1.3, shift=0.2)
    a, b = features_to_statistics(x), features_to_statistics(y)
    peer = _compute_fid(*(torch.from_numpy(v) for v in (a.mean, a.covariance(), b.mean, b.covariance())))
    assert frechet_distance(a, b) == pytest.approx(float(peer), rel=1e-8)


def test_diagonal_gaussians_have_the_closed_form():
    rng = np.random.default_rng(0)
    mean1, mean2, s1, s2 = rng.normal(size=(4, 6)) ** 2
    from evalkit.metrics.moments import Moments

    a, b = Moments(11, mean1, np.diag(s1) * 10), Moments(11, mean2, np.diag(s2) * 10)
    wanted = ((mean1 - mean2) ** 2).sum() + ((np.sqrt(s1) - np.sqrt(s2)) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 40, 64), (30, 90, 64), (200, 150, 16)])
def test_samples_and_moments_give_the_same_distance(n, m, d):
    x, y = draw(n, d), draw(m, d, seed=1, scale=1.2)
    by_moments = frechet_distance(features_to_statistics(x), features_to_statistics(y))
    assert frechet_distance_of_features(x, y) == pytest.approx(by_moments, rel=1e-6)


@pytest.mark.parametrize(("n", "d"), [(40, 64), (300, 16)])
def test_equal_sets_are_at_distance_zero(n, d):
    x = draw(n, d)
    assert frechet_distance_of_features(x, x) < 1e-5
    assert frechet_distance(features_to_statistics(x), features_to_statistics(x)) < 1e-5


def test_distance_is_symmetric():
    x, y = draw(100, 12), draw(80, 12, seed=1, scale=0.7)
    assert frechet_distance_of_features(x, y) == pytest.approx(frechet_distance_of_features(y, x), rel=1e-9)


def test_a_dimension_without_variance_is_no_problem():
    x, y = draw(100, 12), draw(90, 12, seed=1)
    x[:, 3] = 0
    value = frechet_distance(features_to_statistics(x), features_to_statistics(y))
    assert value == pytest.approx(frechet_distance_of_features(x[:, :], y), rel=1e-9)
    assert paired_frechet(in_chunks(x[:90], y)).low is not None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 1000))
def test_moments_do_not_depend_on_how_the_set_is_cut(sizes, seed):
    x = np.random.default_rng(seed).normal(3, 2, size=(sum(sizes), 5))
    parts = np.split(x, np.cumsum(sizes)[:-1])
    whole = features_to_statistics(x)
    folded = fold(parts)
    merged = features_to_statistics(parts[0])
    for part in parts[1:]:
        merged = merge(merged, features_to_statistics(part))
    for other in (folded, merged):
        assert other.n == whole.n
        assert np.allclose(other.mean, whole.mean, rtol=1e-12)
        assert np.allclose(other.scatter, whole.scatter, rtol=1e-9, atol=1e-9)


def test_batch_size_never_changes_the_estimate():
    x, y = draw(120, 10), draw(120, 10) + 0.1
    one, other = paired_frechet(in_chunks(x, y, 1)), paired_frechet(in_chunks(x, y, 64))
    assert one.value == pytest.approx(other.value, rel=1e-12)
    assert one.low == pytest.approx(other.low, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(50, 80), (120, 40), (200, 12)])
def test_both_routes_to_the_interval_agree_and_are_near_the_jackknife(n, d):
    x = draw(n, d)
    y = x + 0.4 * np.random.default_rng(5).normal(size=x.shape) + 0.1
    value, variance = _by_samples(in_chunks(x, y))
    assert _by_moments(in_chunks(x, y)) == pytest.approx((value, variance), rel=1e-6)
    left_out = [frechet_distance_of_features(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(n)]
    jackknife = math.sqrt((n - 1) / n * ((left_out - np.mean(left_out)) ** 2).sum())
    assert math.sqrt(variance / n) == pytest.approx(jackknife, rel=0.25)


def test_the_interval_covers_in_repeated_sampling():
    d, n, hits = 6, 400, 0
    rng = np.random.default_rng(11)
    mixing = rng.normal(size=(d, d)) / math.sqrt(d)
    s1 = mixing.T @ mixing
    wanted = d * 0.04 + np.trace(s1) + np.trace(s1 * 1.44) - 2 * np.trace(s1 * 1.2)
    for _ in range(200):
        x = rng.normal(size=(n, d)) @ mixing
        estimate = paired_frechet(in_chunks(x, rng.normal(size=(n, d)) @ mixing * 1.2 + 0.2, 100))
        hits += estimate.low <= wanted <= estimate.high
    assert hits >= 176  # 95 % nominal; the upward bias at n = 400 costs a little


def test_fewer_than_two_pairs_have_no_distance():
    x = draw(1, 4)
    estimate = paired_frechet(in_chunks(x, x))
    assert math.isnan(estimate.value)
    assert "at least 2" in estimate.method
    with pytest.raises(EvalkitError, match="at least 2"):
        frechet_distance_of_features(x, x)
    with pytest.raises(EvalkitError, match="at least 2"):
        features_to_statistics(x).covariance()


def test_singular_covariances_are_named_in_the_method():
    x = draw(20, 40)
    assert "singular" in paired_frechet(in_chunks(x, x + 0.1)).method


def test_features_of_two_extractors_are_not_compared():
    with pytest.raises(EvalkitError, match="one extractor"):
        frechet_distance(features_to_statistics(draw(9, 3)), features_to_statistics(draw(9, 4)))
    with pytest.raises(EvalkitError, match="one extractor"):
        merge(features_to_statistics(draw(9, 3)), features_to_statistics(draw(9, 4)))
    with pytest.raises(EvalkitError, match="one shape"):
        paired_frechet(lambda: [(draw(9, 3), draw(8, 3))])
    with pytest.raises(EvalkitError, match=r"\[n, d\]"):
        features_to_statistics(np.zeros(3))
    with pytest.raises(EvalkitError, match="no features"):
        fold([])


def test_moments_survive_the_disk(tmp_path):
    a, b = features_to_statistics(draw(30, 7)), features_to_statistics(draw(20, 7, seed=2))
    save_moments(tmp_path / "m.npz", original=a, reconstruction=b)
    back = load_moments(tmp_path / "m.npz")
    assert back["original"].n == 30
    assert np.array_equal(back["original"].scatter, a.scatter)
    assert frechet_distance(back["original"], back["reconstruction"]) == frechet_distance(a, b)
