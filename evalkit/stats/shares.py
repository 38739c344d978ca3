"""Intervals of a share: Wilson's score interval, and Clopper and Pearson's where few samples are of one kind.

Wilson's (1927) is near its level on average, but with fewer than `RARE` events it can fall to 84 % (Brown, Cai and DasGupta
2001, doi:10.1214/ss/1009213286). There the exact one is taken, which errs to the wide side. Clustered samples count as many
as independent ones would for the same standard error, with Student's quantile (Korn and Graubard 1998).
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainccinv, betaincinv, ndtri, stdtrit

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.units import Array, Units

RARE = 10  # events, or their absence, below which the exact interval is taken


def share_interval(units: Units, n: int, level: float) -> Estimate:
    """The share of ones among samples that are all 0 or 1, in two units or more."""
    p, size = units.mean, _worth(units, n, level)
    k = p * size
    rare = min(k, size - k) < RARE
    low, high = (clopper_pearson if rare else wilson)(k, size, level=level)
    over = f"{n} samples" + (
        f" in {units.count} clusters, worth {size:.0f} independent ones" if units.clustered else ""
    )
    said = (
        f"exact interval (Clopper-Pearson) over {over}, conservative" if rare else f"Wilson score interval over {over}"
    )
    return Estimate(p, min(low, p), max(high, p), n, said, level)


def wilson(successes: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share; `n` may be an effective, fractional number of samples.

    >>> [round(bound, 4) for bound in wilson(0, 10)]
    [0.0, 0.2775]
    """
    _check_share(successes, n)
    low, high = wilsons(np.array([successes], np.float64), n, 1 - level)
    return float(low[0]), float(high[0])


def clopper_pearson(successes: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share, never below its level; `n` may be an effective, fractional number of samples."""
    _check_share(successes, n)
    low, high = clopper_pearsons(np.array([successes], np.float64), n, 1 - level)
    return float(low[0]), float(high[0])


def wilsons(successes: Array, n: float, alpha: float) -> tuple[Array, Array]:
    """Wilson's bounds of many counts [k] of n."""
    z = -float(ndtri(alpha / 2))
    p = successes / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(np.maximum(p * (1 - p), 0.0) / n + z * z / (4 * n * n))
    return np.where(successes == 0, 0.0, middle - half), np.where(successes == n, 1.0, middle + half)


def clopper_pearsons(successes: Array, n: float, alpha: float) -> tuple[Array, Array]:
    """Exact bounds of many counts [k] of n."""
    with np.errstate(invalid="ignore"):
        low = np.where(successes == 0, 0.0, betaincinv(successes, n - successes + 1, alpha / 2))
        return low, np.where(successes == n, 1.0, betainccinv(successes + 1, n - successes, alpha / 2))


def _worth(units: Units, n: int, level: float) -> float:
    """How many independent samples would have the same standard error, less what few clusters leave uncertain."""
    if not units.clustered:
        return float(n)
    p, error = units.mean, units.standard_error
    # without spread inside clusters each one is at best one sample: the count of clusters bounds the effective size
    size = min(float(n), p * (1 - p) / error**2) if error > 0 else float(units.count)
    return size * float(ndtri((1 + level) / 2) / stdtrit(units.count - 1, (1 + level) / 2)) ** 2


def _check_share(successes: float, n: float) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise EvalkitError(f"a share needs 0 to n successes of n > 0 samples; {successes} of {n} were given")
