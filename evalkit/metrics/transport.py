"""The optimal map between two Gaussians, and how far a single sample of either moves their Fréchet distance.

With T the map from the first Gaussian to the second, the first-order effect of a sample is its influence function:
of a first sample 2 (m1 - m2)·(x - m1) + (x - m1)ᵀ(I - T)(x - m1), of a second one the same with the roles turned and
T's inverse, each less its mean. The variance of the distance is that of the influences over the number of samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy  # its parts are loaded at their first use

from evalkit.errors import EvalkitError

Array = npt.NDArray[np.float64]
_TINY = 1e-12  # eigenvalues below this share of the largest are rounding


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
        """[d, d]."""
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


def transport(a: Gaussian, b: Gaussian) -> Transport:
    """The map between two Gaussians [d], on the support of the first where its covariance is singular."""
    same_dimensions(a.dim, b.dim)
    s1, s2 = a.covariance(), b.covariance()
    root, inverse = factor(s1)
    eigenvalues, vectors = scipy.linalg.eigh(root.T @ s2 @ root, overwrite_a=True, check_finite=False)
    roots = roots_of(eigenvalues)
    keep = roots > math.sqrt(_TINY) * roots.max(initial=0.0)
    forward = inverse(vectors[:, keep]) * np.sqrt(roots[keep])
    backward = (root @ vectors[:, keep]) / np.sqrt(roots[keep])
    value = assemble(a.mean - b.mean, float(np.trace(s1)), float(np.trace(s2)), float(roots.sum()))
    return Transport(value, a.mean, b.mean, forward, backward)


def factor(s: Array) -> tuple[Array, Callable[[Array], Array]]:
    """F with F Fᵀ = `s`, and the map v -> F⁻ᵀ v (on the support of `s`)."""
    try:
        lower = scipy.linalg.cholesky(s, lower=True, check_finite=False)
        spread = np.diag(lower)
        if spread.min() > 1e-7 * spread.max():
            return lower, lambda v: scipy.linalg.solve_triangular(lower, v, lower=True, trans="T", check_finite=False)
    except scipy.linalg.LinAlgError:
        pass
    values, vectors = scipy.linalg.eigh(s, check_finite=False)
    keep = values > _TINY * values.max(initial=0.0)
    roots = np.sqrt(values[keep])
    return vectors[:, keep] * roots, lambda v: (vectors[:, keep] / roots) @ v


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
