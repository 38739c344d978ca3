"""Differences of two systems: paired where they share samples or prompts, independent where they do not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, t

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.intervals import RESAMPLES, Method, mean_interval
from evalkit.stats.units import units_of

EXACT_FLIPS = 12  # units up to which every assignment of signs is tried


@dataclass(frozen=True)
class Difference:
    """`estimate` of a minus b with its interval, and the two-sided `p` of no difference by `test`; p is nan where unknown."""

    estimate: Estimate
    p: float
    test: str


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    method: Method = "auto",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Mean of `a` - `b` [n] over the samples that both have; whole `clusters` [n] (prompts) are drawn where given.

    Raises `EvalkitError` where the lengths differ.

    >>> paired_difference([3.0, 4.0, 6.0], [2.0, 2.0, 3.0]).estimate.value
    2.0
    """
    one, two = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    if len(one) != len(two):
        raise EvalkitError(f"paired values come in pairs; {len(one)} and {len(two)} were given")
    with np.errstate(invalid="ignore"):
        delta = one - two  # both infinite: nan, so left out
    how: Method = "t" if method == "auto" and set(np.unique(delta[~np.isnan(delta)])) <= {-1.0, 0.0, 1.0} else method
    estimate = mean_interval(delta, clusters=clusters, level=level, method=how, resamples=resamples, seed=seed)
    if clusters is None and _binary(one) and _binary(two):
        return Difference(estimate, mcnemar(one, two), "McNemar, exact")
    units = units_of(delta, clusters)
    if units.count < 2 or not math.isfinite(units.mean):
        return Difference(estimate, math.nan, "none: too few pairs")
    if units.count <= EXACT_FLIPS:
        return Difference(estimate, sign_flip(units.top), f"all {2**units.count} sign flips of {units.word}")
    return Difference(estimate, _t_test(units.mean, units.standard_error, units.count - 1), f"t over {units.word}")


def independent_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    clusters_a: npt.ArrayLike | None = None,
    clusters_b: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Difference:
    """Mean of `a` [n] minus mean of `b` [m] of samples that have nothing in common (Welch's t)."""
    one, two = units_of(a, clusters_a), units_of(b, clusters_b)
    n = int(one.bottom.sum() + two.bottom.sum())
    if min(one.count, two.count) < 2:
        value = one.mean - two.mean
        return Difference(Estimate(value, None, None, n, "no interval: too few samples", level), math.nan, "none")
    parts = one.standard_error**2, two.standard_error**2
    error = math.sqrt(sum(parts))
    spread = parts[0] ** 2 / (one.count - 1) + parts[1] ** 2 / (two.count - 1)
    df = sum(parts) ** 2 / spread if spread > 0 else float(one.count + two.count - 2)
    half = float(t.ppf((1 + level) / 2, df)) * error
    value = one.mean - two.mean
    method = f"Welch's t over {one.count} and {two.count} {one.word}"
    return Difference(
        Estimate(value, value - half, value + half, n, method, level), _t_test(value, error, df), "Welch's t"
    )


def mcnemar(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Exact two-sided p of equal success rates from paired 0/1 outcomes [n]: a binomial test on the discordant pairs.

    >>> mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    0.0625
    """
    one, two = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    if not _binary(one) or not _binary(two):
        raise EvalkitError("McNemar's test takes values of 0 and 1; give other values to paired_difference")
    up, down = int(np.sum(one > two)), int(np.sum(one < two))
    if up + down == 0:
        return 1.0
    return min(1.0, 2 * float(binom.cdf(min(up, down), up + down, 0.5)))


def sign_flip(sums: npt.ArrayLike) -> float:
    """Exact two-sided p of a symmetric difference of mean zero: the share of all sign assignments at least as extreme."""
    values = np.asarray(sums, np.float64).ravel()
    if len(values) > 20:
        raise EvalkitError(f"all sign flips are tried for at most 20 units; {len(values)} were given")
    totals = np.zeros(1)
    for value in values:
        totals = np.concatenate([totals + value, totals - value])
    seen = abs(float(values.sum()))
    return float(np.mean(np.abs(totals) >= seen - 1e-12 * max(1.0, float(np.abs(values).sum()))))


def _t_test(value: float, error: float, df: float) -> float:
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * t.sf(abs(value) / error, df))


def _binary(values: npt.NDArray[np.float64]) -> bool:
    known = values[~np.isnan(values)]
    return bool(len(known)) and bool(np.all((known == 0) | (known == 1)))
