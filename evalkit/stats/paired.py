"""Differences of two systems: paired where they share samples or prompts, independent where they do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.choice import Range, choose, estimate
from evalkit.stats.combined import weighted_sum
from evalkit.stats.intervals import UNBOUNDED, mean_interval
from evalkit.stats.signs import flip_bounds, sign_flip
from evalkit.stats.units import Array, Units, units_of
from evalkit.stats.verdicts import is_binary, mcnemar, verdict_difference

EXACT_FLIPS = 12  # units up to which every assignment of signs is tried
SURE = 1e-12  # alpha below which no p is looked for


@dataclass(frozen=True)
class Difference:
    """`estimate` of a minus b with its interval, and the two-sided `p` of no difference by `test`; p is nan where unknown.

    The interval of level 1 - alpha holds 0 where p is alpha or more, and else not.
    """

    estimate: Estimate
    p: float
    test: str


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    clusters: npt.ArrayLike | None = None,
    range: Range = UNBOUNDED,
    level: float = 0.95,
) -> Difference:
    """Mean of `a` - `b` [n] over the samples that both have; whole `clusters` [n] (prompts) are drawn where given.

    `range`: what a value of one system cannot pass. Pairs with an infinite value are left out, and counted in the
    method. Raises `EvalkitError` where the lengths differ.

    >>> paired_difference([3.0, 4.0, 6.0, 5.0], [2.0, 2.0, 3.0, 0.0]).estimate.value
    2.75
    """
    one, two = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    if len(one) != len(two):
        raise EvalkitError(f"paired values come in pairs; {len(one)} and {len(two)} were given")
    verdicts = is_binary(one) and is_binary(two)
    if verdicts and clusters is None:
        return _of_verdicts(one, two, level)
    with np.errstate(invalid="ignore"):
        delta = one - two
    infinite = np.isinf(one) | np.isinf(two)
    delta[infinite] = math.nan
    low, high = (0.0, 1.0) if verdicts else range
    bounds = UNBOUNDED if low is None or high is None else (low - high, high - low)
    found = _of_units(units_of(delta, clusters), int((~np.isnan(delta)).sum()), bounds, level)
    if not infinite.any():
        return found
    said = f"{found.estimate.method}; {int(infinite.sum())} pairs with infinite values (exact images) left out"
    return replace(found, estimate=replace(found.estimate, method=said))


def _of_verdicts(one: Array, two: Array, level: float) -> Difference:
    both = ~np.isnan(one) & ~np.isnan(two)
    one, two = one[both], two[both]
    n = len(one)
    if n < 2:
        value = float((one - two).mean()) if n else math.nan
        return Difference(Estimate(value, None, None, n, "no interval: too few pairs", level), math.nan, "none")
    found = verdict_difference(int(np.sum(one > two)), int(np.sum(one < two)), n, level)
    return Difference(found, mcnemar(one, two), "McNemar, exact")


def _of_units(units: Units, n: int, bounds: Range, level: float) -> Difference:
    """Sign flips of few units, else the interval of the mean and the p that belongs to it."""
    chosen, found = choose(units, bounds), estimate(units, n, bounds, level)
    few = int(np.count_nonzero(units.top)) <= EXACT_FLIPS
    flips = f"all sign flips of {units.word}"
    if units.count < 2 or math.isnan(units.mean):
        return Difference(found, math.nan, "none: too few pairs")
    if chosen.rule is None:
        p = sign_flip(units.top[units.top != 0]) if few else math.nan
        return Difference(found, p, flips if few else "none")
    if units.count > EXACT_FLIPS:
        return Difference(found, chosen.rule.p(0.0), chosen.said)
    p, said = sign_flip(units.top), f"all {2**units.count} sign flips of {units.word}"
    if chosen.rare:
        return Difference(found, p, said)
    ends = flip_bounds(units, 1 - level)
    if ends is None:
        why = f"no interval: {units.count} {units.word} are too few for an exact test at this level"
        return Difference(Estimate(units.mean, None, None, n, why, level), p, said)
    return Difference(Estimate(units.mean, *ends, n, f"differences that {said} do not reject", level), p, said)


def independent_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    clusters_a: npt.ArrayLike | None = None,
    clusters_b: npt.ArrayLike | None = None,
    range: Range = UNBOUNDED,
    level: float = 0.95,
) -> Difference:
    """Mean of `a` [n] minus mean of `b` [m] of samples that have nothing in common, from the intervals of both.

    Each bound is as far from the difference as both intervals together reach (MOVER; for shares this is Newcombe's
    hybrid score interval, 1998). p is the alpha at which the interval ends at 0.
    """

    def at(alpha: float) -> Estimate:
        parts = [
            mean_interval(values, clusters=clusters, range=range, level=1 - alpha)
            for values, clusters in ((a, clusters_a), (b, clusters_b))
        ]
        return weighted_sum(parts, (1.0, -1.0))

    found = at(1 - level)
    if found.low is None or found.high is None:
        return Difference(found, math.nan, "none")
    return Difference(found, _p(lambda alpha: _nearer(at(alpha))), "inversion of the interval")


def _nearer(found: Estimate) -> float:
    """How far the bound that is nearer to 0 lies beyond it; negative where the interval holds 0."""
    return max(found.low or 0.0, -(found.high or 0.0)) if found.low != 0 and found.high != 0 else 0.0


def _p(beyond: Callable[[float], float]) -> float:
    """The alpha at which an interval ends at 0; `beyond` rises with alpha."""
    if beyond(SURE) >= 0:
        return SURE
    return (
        1.0
        if beyond(0.99) <= 0
        else float(10 ** brentq(lambda x: beyond(10**x), math.log10(SURE), math.log10(0.99), xtol=1e-5))
    )
