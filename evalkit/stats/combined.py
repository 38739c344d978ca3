"""Weighted sums of independent estimates, such as the mean of a benchmark's tasks or the difference of two systems."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate


def weighted_sum(estimates: Sequence[Estimate], weights: Sequence[float] | None = None) -> Estimate:
    """The sum of `weights` x independent estimates [k], by default their mean, with an interval.

    Each part's distance from its bound is squared, weighted and summed (MOVER: Zou and Donner 2008,
    doi:10.1002/sim.3095), so that the skewed intervals of shares near 0 and 1 stay skewed.
    Raises `EvalkitError` where there is nothing to sum, or the numbers of both differ.

    >>> parts = [Estimate(0.5, 0.4, 0.6, 100, "w"), Estimate(0.9, 0.84, 0.94, 100, "w")]
    >>> [round(x, 3) for x in (weighted_sum(parts).value, weighted_sum(parts).low, weighted_sum(parts).high)]
    [0.7, 0.642, 0.754]
    """
    shares = [1 / len(estimates)] * len(estimates) if weights is None and estimates else list(weights or ())
    if not estimates or len(shares) != len(estimates):
        raise EvalkitError("a weighted sum takes estimates with a weight each. Give as many weights as estimates")
    value = math.fsum(w * e.value for w, e in zip(shares, estimates, strict=True))
    n, level = sum(e.n for e in estimates), estimates[0].level
    below, above = [], []
    for weight, each in zip(shares, estimates, strict=True):
        if each.low is None or each.high is None or each.level != level:
            return Estimate(value, None, None, n, f"no interval: one of {len(estimates)} parts has none", level)
        down, up = weight * (each.value - each.low), weight * (each.high - each.value)
        below.append(down if weight > 0 else up)
        above.append(up if weight > 0 else down)
    said = f"MOVER of {len(estimates)} independent parts"
    careful = sum("conservative" in each.method for each in estimates)
    said += f", {careful} of them conservative" if careful else ""
    return Estimate(value, value - math.hypot(*below), value + math.hypot(*above), n, said, level)
