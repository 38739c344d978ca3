"""Kernels of the maximum mean discrepancies: the polynomial one of KID and the Gaussian one of CMMD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evalkit.metrics.rows import Array


class Kernel(Protocol):
    """A positive definite similarity of features."""

    def __call__(self, x: Array, y: Array) -> Array:
        """[n, m] of float64 features [n, d] and [m, d]."""
        ...


@dataclass(frozen=True)
class PolynomialKernel:
    """(gamma x·y + offset)^degree; `gamma` None is 1 / d, as KID takes it."""

    degree: int = 3
    gamma: float | None = None
    offset: float = 1.0

    def __call__(self, x: Array, y: Array) -> Array:
        """[n, m]."""
        base = (x @ y.T) * (1 / x.shape[1] if self.gamma is None else self.gamma) + self.offset
        power = base.copy()
        for _ in range(self.degree - 1):  # far faster than raising floats to a power
            power *= base
        return power


@dataclass(frozen=True)
class GaussianKernel:
    """exp(-|x - y|² / (2 width²))."""

    width: float = 10.0

    def __call__(self, x: Array, y: Array) -> Array:
        """[n, m]."""
        squared = np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * (x @ y.T)
        squared *= -1 / (2 * self.width**2)
        similarity: Array = np.exp(squared, out=squared)
        return similarity
