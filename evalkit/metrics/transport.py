"""The optimal map between two Gaussians, and how far a single sample of either moves their Fréchet distance.

With T the map from the first Gaussian to the second, the first-order effect of a sample is its influence function:
of a first sample 2 (m1 - m2)·(x - m1) + (x - m1)ᵀ(I - T)(x - m1), of a second one the same with the roles turned and
T's inverse, each less its mean. The variance of the distance is that of the influences over the number of samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy  # its parts are loaded at their first use

from evalkit.errors import EvalkitError

Array = npt.NDArray[np.float64]
_TINY = 1e-12  # eigenvalues below this share of the largest are rounding
_SMALL = 1e-4  # singular values below this share of the largest, which their squares do not give to the last digits


class Gaussian(Protocol):
    """Mean and covariance of a set of features: `Moments`, or what a file of statistics holds."""

    @property
    def mean(self) -> Array:
        """[d]."""
        ...

    @property
    def dim(self) -> int:
        """Number of features."""
        ...

    def covariance(self) -> Array:
        """[d, d], made for the caller, who may write over it."""
        ...


@dataclass(frozen=True)
class Transport:
    """The Fréchet distance `value` of two Gaussians and the maps that give the influence of samples.

    xᵀTx is the squared length of x through `forward` [d, r], yᵀT⁻¹y that of y through `backward` [d, r].
    """

    value: float
    first_mean: Array
    second_mean: Array
    forward: Array
    backward: Array

    def of_first(self, x: Array) -> Array:
        """Influence, not yet centred, of samples [k, d] of the first set."""
        return self._influence(x - self.first_mean, self.first_mean - self.second_mean, self.forward)

    def of_second(self, y: Array) -> Array:
        """Influence, not yet centred, of samples [k, d] of the second set."""
        return self._influence(y - self.second_mean, self.second_mean - self.first_mean, self.backward)

    @staticmethod
    def _influence(centred: Array, delta: Array, through: Array) -> Array:
        influence: Array = 2 * centred @ delta + np.square(centred).sum(1) - np.square(centred @ through).sum(1)
        return influence


@dataclass(frozen=True)
class FewSamples:
    """Mean [d] of fewer samples than dimensions, and the samples themselves, from which the covariance is factored.

    `centred` [n, d]: less their mean, over the root of n - 1.
    """

    mean: Array
    centred: Array

    @property
    def dim(self) -> int:
        """Number of features."""
        return len(self.mean)

    def covariance(self) -> Array:
        """[d, d]."""
        found: Array = self.centred.T @ self.centred
        return found


@dataclass(frozen=True)
class Factor:
    """`root` [d, r] times its transpose is the covariance, whose trace is `trace`; r is d where it is `definite`.

    `made`: the root, which is not held where something else gives it. `inverse`: v [r, k] -> F⁻ᵀ v, on the support of
    the covariance; v may be written over.
    """

    made: Callable[[], Array]
    trace: float
    definite: bool
    inverse: Callable[[Array], Array]

    @property
    def root(self) -> Array:
        """[d, r]."""
        return self.made()


def transport(a: Gaussian, b: Gaussian) -> Transport:
    """The map between two Gaussians [d], on the support of the first where its covariance is singular."""
    same_dimensions(a.dim, b.dim)
    means = a.mean, b.mean
    one = factor(a)
    del a  # a matrix of 2,048 features takes 34 MB, so none is held longer than it is needed
    vectors, roots, trace, least = _between(one, b)
    keep = roots > least * roots.max(initial=0.0)
    if not keep.all():
        vectors = vectors[:, keep]
    shares = np.sqrt(roots[keep])
    backward = one.root @ vectors
    backward /= shares
    forward = one.inverse(vectors)
    forward *= shares
    value = assemble(means[0] - means[1], one.trace, trace, float(roots.sum()))
    return Transport(value, *means, forward, backward)


def _between(one: Factor, b: Gaussian) -> tuple[Array, Array, float, float]:
    """Left singular vectors [r, k] and values [k] of F1ᵀ F2, the trace of the second covariance, and what share is noise."""
    two = factor(b)
    held, trace, definite = [one.root.T @ two.root], two.trace, one.definite and two.definite
    del two
    return *_singular(held, refined=not definite), trace, math.sqrt(_TINY) if definite else _TINY


def _singular(held: list[Array], *, refined: bool) -> tuple[Array, Array]:
    """Left singular vectors [r, k] and values [k] of the matrix that is taken out of `held`, in half the memory of an SVD.

    The eigenvalues of its square lose values below 1e-8 of the largest. `refined`: those below `_SMALL` are taken again,
    of what the other vectors leave, so that they are as good as those of an SVD.
    """
    product = held.pop()  # so that nobody else holds it
    if len(product) > 2 * product.shape[1]:
        vectors, roots, _ = scipy.linalg.svd(product, full_matrices=False, check_finite=False)
        return vectors, roots
    roots, vectors = _roots(product)
    small, turn = _below(roots) if refined else 0, vectors
    while small:
        product = turn[:, :small].T @ product
        roots[:small], turn = _roots(product)
        vectors[:, :small] = vectors[:, :small] @ turn
        small = _below(roots[:small])
    return vectors, roots


def _roots(product: Array) -> tuple[Array, Array]:
    """Left singular values, ascending, and vectors, from the square of a matrix."""
    # the transpose is the same matrix in LAPACK's order, so that it is not copied
    squares, vectors = scipy.linalg.eigh((product @ product.T).T, overwrite_a=True, check_finite=False)
    return roots_of(squares), vectors


def _below(roots: Array) -> int:
    """How many are too small beside the last, which is the largest, to come from their squares."""
    return int((roots < _SMALL * roots[-1]).sum()) if len(roots) else 0


def cross_trace(one: Factor, two: Factor) -> float:
    """The trace of the root of the product of two covariances.

    Of singular ones it is the sum of the singular values of F1ᵀ F2: where an eigenvalue is 0, rounding leaves 1e-16 of the
    largest, and its root would be 1e-8.
    """
    product = one.root.T @ two.root
    if one.definite and two.definite:
        return float(
            roots_of(scipy.linalg.eigvalsh((product @ product.T).T, overwrite_a=True, check_finite=False)).sum()
        )
    return float(scipy.linalg.svdvals(product.T, overwrite_a=True, check_finite=False).sum())


def factor(gaussian: Gaussian) -> Factor:
    """By Cholesky, by the samples where they are fewer than dimensions, or by eigenvectors where it is singular."""
    if isinstance(gaussian, FewSamples):
        x = gaussian.centred
        return Factor(lambda: x.T, float(np.square(x).sum()), definite=False, inverse=partial(_through_samples, x))
    s = gaussian.covariance()
    trace = float(np.trace(s))
    try:
        lower = scipy.linalg.cholesky(s, lower=True, overwrite_a=True, check_finite=False)
        spread = np.diag(lower)
        if spread.min() > 1e-7 * spread.max():
            return Factor(lambda: lower, trace, definite=True, inverse=partial(_solved, lower))
    except scipy.linalg.LinAlgError:
        pass
    del s
    values, vectors = scipy.linalg.eigh(gaussian.covariance(), overwrite_a=True, check_finite=False)
    keep = values > _TINY * values.max(initial=0.0)
    axes, roots = vectors[:, keep], np.sqrt(values[keep])
    del vectors
    return Factor(lambda: axes * roots, trace, definite=False, inverse=lambda v: (axes / roots) @ v)


def _solved(lower: Array, v: Array) -> Array:
    found: Array = scipy.linalg.solve_triangular(lower, v, lower=True, trans="T", overwrite_b=True, check_finite=False)
    return found


def _through_samples(centred: Array, v: Array) -> Array:
    left, lengths, axes = scipy.linalg.svd(centred, full_matrices=False, check_finite=False)
    keep = lengths > _TINY * lengths.max(initial=0.0)
    found: Array = (axes[keep].T / lengths[keep]) @ (left[:, keep].T @ v)
    return found


def roots_of(eigenvalues: Array) -> Array:
    """Square roots, of 0 where rounding made an eigenvalue negative."""
    return np.sqrt(np.maximum(eigenvalues, 0.0))


def assemble(delta: Array, trace1: float, trace2: float, cross: float) -> float:
    """The distance from the difference of means, both traces and the trace of the root of the product."""
    return max(0.0, float(delta @ delta) + trace1 + trace2 - 2 * cross)


def same_dimensions(a: int, b: int) -> None:
    """Raise where features of different encoders or outputs meet."""
    if a != b:
        raise EvalkitError(f"features of {a} and of {b} dimensions cannot be compared; use one extractor for both sets")
