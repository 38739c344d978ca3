"""Intervals that hold what they promise at the sample sizes of image evaluation: means, clustered means and shares.

A mean takes Student's t where its sampling skewness is negligible, and the studentised bootstrap where it is not: that
one is second-order accurate (Hall 1988, doi:10.1214/aos/1176350933), which the percentile bootstrap is not. Below a dozen
units resamples with hardly any spread would blow its bounds up, so t is taken there too. A share of
samples takes Wilson's score interval (Wilson 1927), with the effective sample size where samples come in clusters. A ratio
of sums (a corpus rate) is a mean over units of different weight, and takes the same two ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtr, ndtri, stdtrit

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.units import Array, Units, ratio_units, units_of

Method = Literal["auto", "mean", "t", "studentised", "bca", "wilson"]
RESAMPLES = 2000
MOST = 20_000  # units up to which resamples are drawn; the mean of more is normal for every purpose here
FEWEST = 12  # units from which the studentised bootstrap is taken by itself
NEGLIGIBLE = 0.02  # skewness of the mean below which t and the studentised bootstrap agree
_PIECE = 4_000_000  # counts held at once


def mean_interval(
    values: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    method: Method = "auto",
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Mean of `values` [n] with its interval; nan is left out, whole `clusters` [n] are drawn where given.

    "mean" is t, or the studentised bootstrap where the mean is skewed (of 12 to 20,000 units); "auto" is Wilson for values
    that are all 0 or 1, else "mean". Infinite values (PSNR of identical images) make the mean infinite: no interval then.

    >>> estimate = mean_interval([1, 0, 1, 1, 0, 1, 1, 1])
    >>> estimate.value, round(estimate.low, 3), round(estimate.high, 3)
    (0.75, 0.409, 0.929)
    """
    units = units_of(values, clusters)
    n = int(units.bottom.sum())
    if n and not math.isfinite(units.mean):
        count = int(np.isinf(np.asarray(values, np.float64)).sum())
        said = f"no interval: {count} of {n} values are infinite (identical pairs)"
        return Estimate(units.mean, None, None, n, said, level)
    if n and units.count > 1 and (method == "wilson" or (method == "auto" and _is_binary(values))):
        return _share(units, n, level)
    return _of_units(units, n, method, level, resamples, seed)


def ratio_interval(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Sum of `numerators` over sum of `denominators` [n] (a corpus rate) with its interval over samples, or `clusters`.

    Raises `EvalkitError` where the lengths differ.

    >>> ratio_interval([1, 0, 2], [10, 5, 5]).value
    0.15
    """
    units = ratio_units(numerators, denominators, clusters)
    return _of_units(units, int(np.size(numerators)), "mean", level, resamples, seed)


def log_mean_interval(values: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of values [n] that are not negative (errors), with Student's t interval of its logarithm: bounds stay positive."""
    units = units_of(values)
    n, mean = int(units.bottom.sum()), units.mean
    if units.count < 2 or not math.isfinite(mean) or mean <= 0:
        return _of_units(units, n, "t", level, 0, 0)
    half = float(stdtrit(units.count - 1, (1 + level) / 2)) * units.standard_error / mean
    how = f"Student's t of the logarithm over {units.count} {units.word}"
    return Estimate(mean, mean * math.exp(-half), mean * math.exp(half), n, how, level)


def transform(estimate: Estimate, function: Callable[[float], float], what: str) -> Estimate:
    """The estimate of a monotone function of an estimated value, its bounds carried through the function."""
    if math.isnan(estimate.value):
        return estimate
    known = sorted(function(bound) for bound in (estimate.low, estimate.high) if bound is not None)
    low, high = known if len(known) == 2 else (None, None)
    how = f"{estimate.method}, carried through {what}"
    return replace(estimate, value=function(estimate.value), low=low, high=high, method=how)


def _of_units(units: Units, n: int, method: Method, level: float, resamples: int, seed: int) -> Estimate:
    mean = units.mean
    if math.isnan(mean):
        return Estimate(mean, None, None, n, "nothing to measure: no sample has this value", level)
    if units.count < 2:
        return Estimate(mean, None, None, n, f"no interval: there is one of the {units.word}", level)
    plain = not FEWEST <= units.count <= MOST or abs(_skewness(units)) < NEGLIGIBLE
    if method == "t" or (method in ("auto", "mean") and plain):
        return replace(t_interval(units, level=level), n=n)
    if units.standard_error == 0:
        return Estimate(mean, mean, mean, n, f"all {units.count} {units.word} are equal", level)
    low, high = (_bca if method == "bca" else _studentised)(units, level, resamples, seed)
    name = "BCa" if method == "bca" else "studentised"
    said = f"{name} bootstrap over {units.count} {units.word}, {resamples} resamples"
    return Estimate(mean, low, high, n, said, level)


def t_interval(units: Units, *, level: float = 0.95) -> Estimate:
    """Student's t interval of a mean over units, with one degree of freedom less than there are units."""
    half = float(stdtrit(units.count - 1, (1 + level) / 2)) * units.standard_error
    how = f"Student's t over {units.count} {units.word}"
    return Estimate(units.mean, units.mean - half, units.mean + half, int(units.bottom.sum()), how, level)


def wilson(successes: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share; `n` may be an effective, fractional number of samples.

    >>> [round(bound, 4) for bound in wilson(0, 10)]
    [0.0, 0.2775]
    """
    _check_share(successes, n)
    z = float(ndtri((1 + level) / 2))
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(max(p * (1 - p), 0.0) / n + z * z / (4 * n * n))
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == n else middle + half)


def clopper_pearson(successes: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share, never below its level: for small rates such as false positives of a detector."""
    _check_share(successes, n)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def _share(units: Units, n: int, level: float) -> Estimate:
    """Wilson, at the sample size that independent samples would need for the same standard error."""
    p, error = units.mean, units.standard_error if units.clustered else 0.0
    # without spread inside clusters each one is at best one sample: the count of clusters bounds the effective size
    size = min(float(n), p * (1 - p) / error**2) if error > 0 else float(units.count)
    low, high = wilson(p * size, size, level=level)
    clustered = f", {size:.0f} effective in {units.count} clusters" if units.clustered else ""
    return Estimate(p, min(low, p), max(high, p), n, f"Wilson score interval over {n} samples{clustered}", level)


def _studentised(units: Units, level: float, resamples: int, seed: int) -> tuple[float, float]:
    """Bootstrap of (mean* - mean) / error*, turned around the estimate."""
    a, b = units.top, units.bottom
    sums = _resampled_sums(np.stack([a, b, a * a, a * b, b * b], axis=1), resamples, seed)
    ratio = sums[:, 0] / sums[:, 1]
    squares = sums[:, 2] - 2 * ratio * sums[:, 3] + ratio**2 * sums[:, 4]
    g = units.count
    errors = np.sqrt(np.maximum(squares, 0.0) * g / (g - 1)) / sums[:, 1]
    good = errors > 1e-9 * units.standard_error
    roots = (ratio[good] - units.mean) / errors[good]
    upper, lower = np.quantile(roots, [(1 + level) / 2, (1 - level) / 2])
    return float(units.mean - upper * units.standard_error), float(units.mean - lower * units.standard_error)


def _bca(units: Units, level: float, resamples: int, seed: int) -> tuple[float, float]:
    """Bias-corrected and accelerated percentiles (Efron 1987, doi:10.1080/01621459.1987.10478410)."""
    sums = _resampled_sums(np.stack([units.top, units.bottom], axis=1), resamples, seed)
    draws = sums[:, 0] / sums[:, 1]
    below = (np.sum(draws < units.mean) + 0.5 * np.sum(draws == units.mean)) / len(draws)
    bias = float(ndtri(np.clip(below, 1e-6, 1 - 1e-6)))
    influence = units.influence
    acceleration = float((influence**3).sum() / (6 * (influence**2).sum() ** 1.5))
    z = ndtri(np.array([(1 - level) / 2, (1 + level) / 2])) + bias
    low, high = np.quantile(draws, ndtr(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def _resampled_sums(columns: Array, resamples: int, seed: int) -> Array:
    n = len(columns)
    rng = np.random.default_rng([seed, n, resamples])
    piece, even = max(1, _PIECE // n), np.full(n, 1 / n)
    parts = [
        rng.multinomial(n, even, size=min(piece, resamples - start)) @ columns for start in range(0, resamples, piece)
    ]
    return np.concatenate(parts).astype(np.float64)


def _skewness(units: Units) -> float:
    """Skewness of the sampling distribution of the mean: that of the units over the root of their count."""
    influence = units.influence
    spread = float((influence**2).mean())
    return 0.0 if spread == 0 else float((influence**3).mean()) / spread**1.5 / math.sqrt(units.count)


def _is_binary(values: npt.ArrayLike) -> bool:
    array = np.asarray(values, np.float64).ravel()
    array = array[~np.isnan(array)]
    return bool(np.all((array == 0) | (array == 1)))


def _check_share(successes: float, n: float) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise EvalkitError(f"a share needs 0 to n successes of n > 0 samples; {successes} of {n} were given")
