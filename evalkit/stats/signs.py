"""The exact sign-flip test of a symmetric difference, and the interval of all differences that it does not reject."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.stats.units import Array, Units

MOST = 20  # units up to which every assignment of signs is tried


def sign_flip(sums: npt.ArrayLike) -> float:
    """Exact two-sided p of a symmetric difference of mean zero: the share of all sign assignments at least as extreme."""
    values = np.asarray(sums, np.float64).ravel()
    if len(values) > MOST:
        raise EvalkitError(f"all sign flips are tried for at most {MOST} units; {len(values)} were given")
    totals = np.zeros(1)
    for value in values:
        totals = np.concatenate([totals + value, totals - value])
    seen = abs(float(values.sum()))
    return float(np.mean(np.abs(totals) >= seen - 1e-12 * max(1.0, float(np.abs(values).sum()))))


def flip_bounds(units: Units, alpha: float) -> tuple[float, float] | None:
    """The differences whose sign-flip p is `alpha` or more; None where there are too few units to reject any.

    The means of all subsets cut the line into equally likely parts (Hartigan 1969, doi:10.1080/01621459.1969.10501057).
    """
    left_out = math.ceil(alpha * 2**units.count / 2 - 1 - 1e-9)
    if left_out < 1:
        return None
    means = np.sort(_subset_means(units))
    return float(means[left_out - 1]), float(means[-left_out])


def _subset_means(units: Units) -> Array:
    """The mean of every subset of units that is not empty."""
    top, bottom = np.zeros(1), np.zeros(1)
    for a, b in zip(units.top, units.bottom, strict=True):
        top, bottom = np.concatenate([top, top + a]), np.concatenate([bottom, bottom + b])
    means: Array = top[1:] / bottom[1:]
    return means
