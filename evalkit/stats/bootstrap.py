"""Percentile bootstrap intervals for means and ratios, deterministic and flat in memory.

Resampling n rows with replacement is drawing multinomial counts; `RESAMPLES` of them are drawn in pieces. Above
`EXACT_UP_TO` rows the mean's distribution is normal for every purpose here, and the interval is taken from the central
limit theorem instead, with the method string saying so. With `clusters` whole clusters are drawn (Miller 2024,
arXiv:2411.00640).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate

Array = npt.NDArray[np.float64]
RESAMPLES = 2000
EXACT_UP_TO = 20_000
_PIECE = 4_000_000  # counts held at once


def bootstrap_mean(
    values: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Mean of `values` [n] with its interval; nan values are left out and `n` counts what is left.

    Infinite values (PSNR of identical pictures) make the mean infinite, and no interval is stated then.

    >>> estimate = bootstrap_mean([1.0, 2.0, 3.0, 4.0])
    >>> estimate.value, estimate.low < 2.5 < estimate.high
    (2.5, True)
    """
    array = np.asarray(values, np.float64).ravel()
    groups = None if clusters is None else np.asarray(clusters).ravel()
    _check(array, groups)
    keep = ~np.isnan(array)
    ones = np.ones(int(keep.sum()))
    return bootstrap_ratio(
        array[keep],
        ones,
        clusters=None if groups is None else groups[keep],
        level=level,
        resamples=resamples,
        seed=seed,
    )


def bootstrap_ratio(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Sum of `numerators` over sum of `denominators` [n] (a corpus rate) with its interval over resampled rows."""
    top, bottom = np.asarray(numerators, np.float64).ravel(), np.asarray(denominators, np.float64).ravel()
    groups = None if clusters is None else np.asarray(clusters).ravel()
    _check(top, groups)
    _check(top, bottom)
    n = len(top)
    if n == 0 or bottom.sum() == 0:
        return Estimate(math.nan, None, None, n, "nothing to measure: no sample has this value", level)
    value = float(top.sum() / bottom.sum())
    if not np.isfinite(value):
        count = int(np.isinf(top).sum())
        return Estimate(
            value, None, None, n, f"no interval: {count} of {n} values are infinite (identical pairs)", level
        )
    unit = "samples" if groups is None else "clusters"
    if groups is not None:
        top, bottom = _by_cluster(top, bottom, groups)
    if len(top) == 1:
        return Estimate(value, None, None, n, f"no interval: there is one of the {unit}", level)
    if len(top) > EXACT_UP_TO:
        return _normal(value, top, bottom, n, level, unit)
    draws = _draws(top, bottom, resamples, seed)
    low, high = np.quantile(draws[np.isfinite(draws)], [(1 - level) / 2, (1 + level) / 2])
    method = f"percentile bootstrap over {len(top)} {unit}, {resamples} resamples"
    return Estimate(value, float(low), float(high), n, method, level)


def transform(estimate: Estimate, function: Callable[[float], float], what: str) -> Estimate:
    """The estimate of a monotone function of an estimated value, its bounds carried through the function."""
    if math.isnan(estimate.value):
        return estimate
    bounds = [None if b is None else function(b) for b in (estimate.low, estimate.high)]
    known = sorted(b for b in bounds if b is not None)
    low, high = known if len(known) == 2 else (None, None)
    return replace(
        estimate,
        value=function(estimate.value),
        low=low,
        high=high,
        method=f"{estimate.method}, carried through {what}",
    )


def _draws(top: Array, bottom: Array, resamples: int, seed: int) -> Array:
    n = len(top)
    rng = np.random.default_rng([seed, n, resamples])
    piece = max(1, _PIECE // n)
    stacked = np.stack([top, bottom], axis=1)
    even = np.full(n, 1 / n)
    parts = []
    for start in range(0, resamples, piece):
        counts = rng.multinomial(n, even, size=min(piece, resamples - start))
        sums = counts @ stacked
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append(sums[:, 0] / sums[:, 1])
    return np.concatenate(parts)


def _normal(value: float, top: Array, bottom: Array, n: int, level: float, unit: str) -> Estimate:
    residuals = (top - value * bottom) / bottom.mean()
    half = float(ndtri((1 + level) / 2)) * float(residuals.std(ddof=1)) / math.sqrt(len(top))
    method = f"normal approximation over {len(top)} {unit} (more than {EXACT_UP_TO})"
    return Estimate(value, value - half, value + half, n, method, level)


def _by_cluster(top: Array, bottom: Array, groups: npt.NDArray[Any]) -> tuple[Array, Array]:
    _, which = np.unique(groups, return_inverse=True)
    return np.bincount(which, top).astype(np.float64), np.bincount(which, bottom).astype(np.float64)


def _check(values: npt.NDArray[Any], other: npt.NDArray[Any] | None) -> None:
    if other is not None and len(other) != len(values):
        raise EvalkitError(f"one value for each sample is expected; {len(values)} and {len(other)} were given")
