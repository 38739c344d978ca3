"""Two systems' verdicts on the same samples: McNemar's exact test, and the interval of the difference that agrees with it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import bdtr, ndtri

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate

FEW = 10  # discordant pairs below which half of alpha is left out, since the score test can then reject too often


def is_binary(values: npt.NDArray[np.float64]) -> bool:
    """Whether all values that are known are 0 or 1, and there are some."""
    known = values[~np.isnan(values)]
    return bool(len(known)) and bool(np.all((known == 0) | (known == 1)))


def mcnemar(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Exact two-sided p of equal success rates from paired 0/1 outcomes [n]: a binomial test on the discordant pairs.

    >>> mcnemar([1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    0.0625
    """
    one, two = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    if not is_binary(one) or not is_binary(two):
        raise EvalkitError("McNemar's test takes values of 0 and 1; give other values to paired_difference")
    return exact_p(int(np.sum(one > two)), int(np.sum(one < two)))


def exact_p(up: int, down: int) -> float:
    """McNemar's exact p of `up` pairs against `down`."""
    return min(1.0, 2 * float(bdtr(min(up, down), up + down, 0.5))) if up + down else 1.0


def verdict_difference(up: int, down: int, n: int, level: float) -> Estimate:
    """Difference of two shares of n pairs, of which `up` speak for the first and `down` for the second.

    Differences that Tango's score test does not reject (1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891), and
    no difference where McNemar's exact test does not: so that interval and test agree.
    """
    alpha, few, value = 1 - level, up + down < FEW, (up - down) / n
    z = -float(ndtri(alpha / 4 if few else alpha / 2))
    low = -1.0 if value == -1 else float(brentq(lambda d: score(up, down, n, d) - z, -1 + 1e-12, value))
    high = 1.0 if value == 1 else float(brentq(lambda d: score(up, down, n, d) + z, value, 1 - 1e-12))
    if exact_p(up, down) >= alpha:
        low, high = min(low, 0.0), max(high, 0.0)
    careful = ", conservative" if few else ""
    said = (
        f"Tango's score interval, holding 0 where McNemar's exact test does, {up + down} of {n} pairs differ{careful}"
    )
    return Estimate(value, low, high, n, said, level)


def score(up: int, down: int, n: int, difference: float) -> float:
    """Tango's score of a difference: the observed one less it, over the error that it would have."""
    b = (2 * n - up + down) * difference - up - down
    share = (math.sqrt(max(b * b + 8 * n * down * difference * (1 - difference), 0.0)) - b) / (4 * n)
    variance = n * (2 * share + difference * (1 - difference))
    apart = up - down - n * difference
    return apart / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, apart) if apart else 0.0
