"""Intervals of a share: Wilson's score interval, and Clopper and Pearson's where few samples are of one kind.

Wilson's (1927) is near its level on average, but with fewer than `RARE` events it can fall to 84 % (Brown, Cai and DasGupta
2001, doi:10.1214/ss/1009213286). There the exact one is taken, which errs to the wide side. Clustered samples count as many
as independent ones would for the same standard error, with Student's quantile (Korn and Graubard 1998).
"""

from __future__ import annotations

import math

from scipy.special import ndtri
from scipy.stats import beta, t

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.units import Units

RARE = 10  # events, or their absence, below which the exact interval is taken


def share_interval(units: Units, n: int, level: float) -> Estimate:
    """The share of ones among samples that are all 0 or 1, in two units or more."""
    p, size = units.mean, _worth(units, n, level)
    k = p * size
    rare = min(k, size - k) < RARE
    low, high = (clopper_pearson if rare else wilson)(k, size, level=level)
    over = f"over {n} samples" + (f", {size:.0f} effective in {units.count} clusters" if units.clustered else "")
    said = f"exact interval (Clopper-Pearson) {over}, conservative" if rare else f"Wilson score interval {over}"
    return Estimate(p, min(low, p), max(high, p), n, said, level)


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


def clopper_pearson(successes: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share, never below its level; `n` may be an effective, fractional number of samples."""
    _check_share(successes, n)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def _worth(units: Units, n: int, level: float) -> float:
    """How many independent samples would have the same standard error, less what few clusters leave uncertain."""
    if not units.clustered:
        return float(n)
    p, error = units.mean, units.standard_error
    # without spread inside clusters each one is at best one sample: the count of clusters bounds the effective size
    size = min(float(n), p * (1 - p) / error**2) if error > 0 else float(units.count)
    return size * float(ndtri((1 + level) / 2) / t.ppf((1 + level) / 2, units.count - 1)) ** 2


def _check_share(successes: float, n: float) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise EvalkitError(f"a share needs 0 to n successes of n > 0 samples; {successes} of {n} were given")
