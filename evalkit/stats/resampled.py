"""Bootstrap of any function of sums over units (prompts), within strata that were fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evalkit.stats.units import Array

Function = Callable[[Array], Array]  # of sums [..., k] to values [...]


def draws(count: int, resamples: int, rng: np.random.Generator) -> Array:
    """float64 [resamples, count]: how often each of `count` units is drawn."""
    picked = rng.integers(0, count, size=(resamples, count))
    return np.stack([np.bincount(row, minlength=count) for row in picked]).astype(np.float64)


def resampled_sums(
    columns: Array, resamples: int, rng: np.random.Generator, strata: npt.ArrayLike | None = None
) -> Array:
    """float64 [resamples, k]: sums of `columns` [units, k] over units drawn with replacement within each stratum [units].

    Source: Efron and Tibshirani 1993, chapter 8; whole prompts are drawn, so images of one prompt stay together.
    """
    groups = np.zeros(len(columns), int) if strata is None else np.unique(np.asarray(strata), return_inverse=True)[1]
    total = np.zeros((resamples, columns.shape[1]))
    for group in range(int(groups.max(initial=-1)) + 1):
        mine = columns[groups == group]
        total += draws(len(mine), resamples, rng) @ mine
    return total


def percentiles(values: Array, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval of resampled values [resamples]; None where none of them is a number."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def influences(function: Function, columns: Array, step: float = 1e-6) -> Array:
    """float64 [units]: the derivative of `function` of the sums of `columns` [units, k] by each unit's weight.

    Their sum is 0 for a function of ratios, and their squares sum to its variance (the infinitesimal jackknife).
    """
    total = columns.sum(0)
    up, down = function(total[None] + step * columns), function(total[None] - step * columns)
    slopes: Array = (up - down) / (2 * step)
    return np.where(np.isfinite(slopes), slopes, 0.0)
