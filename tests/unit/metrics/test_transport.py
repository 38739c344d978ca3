"""The maps behind a Fréchet distance and its interval, where covariances are singular or nearly so."""

import tracemalloc

import numpy as np
import pytest
import scipy.linalg

from evalkit.metrics.transport import _singular


def turned(values, rows, columns, seed=0):
    rng = np.random.default_rng(seed)
    left, right = (scipy.linalg.qr(rng.normal(size=(n, n)))[0] for n in (rows, columns))
    k = min(rows, columns)
    return left[:, :k] * values[:k] @ right[:, :k].T


@pytest.mark.parametrize(("rows", "columns"), [(60, 60), (60, 90), (90, 60), (150, 60)])
@pytest.mark.parametrize("last", [0, -7, -11])
def test_singular_values_are_those_of_an_svd_however_small(rows, columns, last):
    values = np.logspace(0, last, 60)
    product = turned(values, rows, columns)
    vectors, roots = _singular([product], refined=True)
    order = np.argsort(roots)[::-1][:60]
    assert np.allclose(roots[order], values, rtol=1e-4, atol=1e-14)
    assert roots.sum() == pytest.approx(values.sum(), rel=1e-11)
    assert np.allclose(np.linalg.norm(vectors[:, order].T @ product, axis=1), values, rtol=1e-4, atol=1e-14)
    assert np.allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-10)


def test_a_matrix_of_zeros_has_none():
    assert not _singular([np.zeros((5, 5))], refined=True)[1].any()


def test_singular_sets_take_the_memory_of_few_matrices():
    product = turned(np.logspace(0, -7, 200), 200, 200)
    _singular([product.copy()], refined=True)
    tracemalloc.start()
    _singular([product.copy()], refined=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4.5 * product.nbytes  # an SVD takes seven
