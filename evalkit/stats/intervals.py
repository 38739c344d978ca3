"""Intervals that hold what they promise at the sample sizes of image evaluation: means, shares and corpus rates.

How an interval is made is chosen in `stats/choice.py`, and for verdicts in `stats/shares.py`; its name is in
`Estimate.method`. Nothing is drawn at random: equal data give equal intervals, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalkit.metrics.base import Estimate
from evalkit.moved import moved
from evalkit.stats.choice import Range, estimate
from evalkit.stats.shares import share_interval
from evalkit.stats.units import ratio_units, units_of

Method = Literal["auto", "mean"]
UNBOUNDED: Range = (None, None)


def mean_interval(
    values: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    method: Method = "auto",
    range: Range = UNBOUNDED,
    level: float = 0.95,
) -> Estimate:
    """Mean of `values` [n] with its interval; nan is left out, whole `clusters` [n] are drawn where given.

    "auto" takes values that are all 0 or 1 for verdicts, unless another `range` is declared; "mean" takes all for
    measurements. `range`: what a value cannot pass; it bounds the interval, and without it rare values leave none.
    Infinite values (PSNR of identical images) count in `n`, are named in the method, and are not in the mean.

    >>> estimate = mean_interval([1, 0, 1, 1, 0, 1, 1, 1])
    >>> estimate.value, round(estimate.low, 3), round(estimate.high, 3)
    (0.75, 0.349, 0.968)
    """
    array = np.asarray(values, np.float64).ravel()
    infinite = np.isinf(array)
    if infinite.any():
        return _of_the_rest(array, infinite, clusters, method, range, level)
    units = units_of(array, clusters)
    n = int(units.bottom.sum())
    if method == "auto" and units.count > 1 and range in (UNBOUNDED, (0.0, 1.0)) and _is_binary(array):
        return share_interval(units, n, level)
    return estimate(units, n, range, level)


def ratio_interval(
    numerators: npt.ArrayLike,
    denominators: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    range: Range = UNBOUNDED,
    level: float = 0.95,
) -> Estimate:
    """Sum of `numerators` over sum of `denominators` [n] (a corpus rate) with its interval over samples, or `clusters`.

    `range`: what a single sample's rate cannot pass. Raises `EvalkitError` where the lengths differ.

    >>> ratio_interval([1, 0, 2], [10, 5, 5]).value
    0.15
    """
    return estimate(ratio_units(numerators, denominators, clusters), int(np.size(numerators)), range, level)


def log_mean_interval(values: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of values [n] that are not negative (errors), with an interval whose bounds are positive where the mean is."""
    found = mean_interval(values, method="mean", range=(0.0, None), level=level)
    if found.low is None or found.high is None or found.low > 0:
        return found
    return replace(found, low=found.value**2 / found.high)  # as far below as above, on the scale of the logarithm


def transform(estimate: Estimate, function: Callable[[float], float], what: str) -> Estimate:
    """The estimate of a monotone function of an estimated value, its bounds carried through the function."""
    if math.isnan(estimate.value):
        return estimate
    known = sorted(function(bound) for bound in (estimate.low, estimate.high) if bound is not None)
    low, high = known if len(known) == 2 else (None, None)
    how = f"{estimate.method}, carried through {what}"
    return replace(estimate, value=function(estimate.value), low=low, high=high, method=how)


def _of_the_rest(
    values: npt.NDArray[np.float64],
    infinite: npt.NDArray[np.bool_],
    clusters: npt.ArrayLike | None,
    method: Method,
    range: Range,
    level: float,
) -> Estimate:
    """The mean of the finite values; the infinite ones stay in the count, so that a value never decides what is compared."""
    count, n = int(infinite.sum()), int((~np.isnan(values)).sum())
    said = f"{count} of {n} values are infinite (exact images) and left out"
    rest = np.where(infinite, math.nan, values)
    if count == n:
        return Estimate(float(values[infinite][0]), None, None, n, f"no interval: all {n} values are infinite", level)
    found = mean_interval(rest, clusters=clusters, method=method, range=range, level=level)
    return replace(found, n=n, method=f"{found.method}; {said}")


def _is_binary(array: npt.NDArray[np.float64]) -> bool:
    known = array[~np.isnan(array)]
    return bool(np.all((known == 0) | (known == 1)))


def __getattr__(name: str) -> object:
    """Names that had their home here before."""
    return moved(__name__, name)
