"""Pairs that disagree: their counts, exact tests, and whether a rate stayed within a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, t

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.units import units_of
from evalkit.stats.verdicts import exact_p


@dataclass(frozen=True)
class Discordant:
    """`lost`: pairs with a success before and none after; `gained`: the reverse; exact two-sided `p` and its `mid_p`."""

    lost: int
    gained: int
    p: float
    mid_p: float


def discordant(before: npt.ArrayLike, after: npt.ArrayLike) -> Discordant:
    """McNemar's exact test of paired 0/1 outcomes [n], and its mid-p version, which is less conservative.

    Raises `EvalkitError` where the lengths differ.

    >>> discordant([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0]).p
    0.0625
    """
    one, two = np.asarray(before, np.float64).ravel(), np.asarray(after, np.float64).ravel()
    if len(one) != len(two):
        raise EvalkitError(f"paired outcomes come in pairs; {len(one)} and {len(two)} were given")
    return of_counts(int(np.sum(one > two)), int(np.sum(one < two)))


def of_counts(lost: int, gained: int) -> Discordant:
    """The same from the counts of both kinds of pairs that disagree."""
    n, least = lost + gained, min(lost, gained)
    if n == 0:
        return Discordant(0, 0, 1.0, 1.0)
    p = exact_p(lost, gained)
    return Discordant(lost, gained, p, p - float(binom.pmf(least, n, 0.5)))


@dataclass(frozen=True)
class Kept:
    """A mean change with its interval; `p` of a loss of `margin` or more (one-sided), and whether that is ruled out.

    `equivalent`: whether a gain of `margin` is ruled out too, each at 5 %.
    """

    change: Estimate
    margin: float
    p: float
    holds: bool
    equivalent: bool


def kept_within(
    before: npt.ArrayLike, after: npt.ArrayLike, margin: float, *, clusters: npt.ArrayLike | None = None
) -> Kept:
    """Two one-sided tests (Schuirmann 1987) of the mean of `after` - `before` [n], over whole `clusters` where given.

    The variance gains 1 / (clusters + 2)^2, that of one pair of each kind that was not seen (Agresti and Min 2005,
    doi:10.1002/sim.1781), so that few pairs without a difference prove nothing. `change` has the 95 % interval.

    >>> kept_within([1] * 200, [1] * 200, 0.05).holds, kept_within([1] * 10, [1] * 10, 0.05).holds
    (True, False)
    """
    units = units_of(np.asarray(after, np.float64) - np.asarray(before, np.float64), clusters)
    n, mean = int(units.bottom.sum()), units.mean
    if units.count < 2:
        return Kept(Estimate(mean, None, None, n, "no interval: too few pairs"), margin, 1.0, False, False)
    error, df = math.hypot(units.standard_error, 1 / (units.count + 2)), units.count - 1
    half = float(t.ppf(0.975, df)) * error
    loss, gain = (float(t.sf((margin + side * mean) / error, df)) for side in (1, -1))
    how = f"Student's t over {units.count} {units.word}, one unseen pair of each kind added"
    return Kept(Estimate(mean, mean - half, mean + half, n, how), margin, loss, loss < 0.05, max(loss, gain) < 0.05)
