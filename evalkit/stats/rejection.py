"""How often the tests that evalkit runs find a difference: sums over all outcomes, or over drawn ones for sign flips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri
from scipy.stats import binom, nct, t

from evalkit.stats.choice import MILD, Rule, choose
from evalkit.stats.shares import RARE, clopper_pearsons, wilsons
from evalkit.stats.studentised import Studentised
from evalkit.stats.units import Array, units_of

REACH = 7.0  # standard deviations to each side over which outcomes are summed
MANY = 10**7  # discordant pairs from which the binomial is as good as normal
LARGE = 50_000  # samples of each system from which shares are
DRAWS, FEWER = 20_000, 2000
NOISY = 45  # units up to which a normal sample can look skewed


def mcnemar_power(n: int, disagree: float, difference: float, alpha: float) -> float:
    """Chance that McNemar's exact test rejects, of n pairs a share `disagree` of which differ, by `difference` on balance."""
    if n * disagree > MANY:
        null, actual = math.sqrt(disagree / n), math.sqrt(max(disagree - difference**2, 0.0) / n)
        return float(ndtr((difference - float(-ndtri(alpha / 2)) * null) / actual)) if actual > 0 else 1.0
    discordant = _outcomes(n, disagree)
    critical = binom.ppf(alpha / 2, discordant, 0.5) - 1  # as many or fewer against the rest reject
    up = (disagree + difference) / (2 * disagree)
    found = binom.cdf(critical, discordant, up) + binom.sf(discordant - critical - 1, discordant, up)
    return float(binom.pmf(discordant, n, disagree) @ np.where(critical >= 0, found, 0.0))


def shares_power(n: int, a: float, b: float, alpha: float) -> float:
    """Chance that the interval of a difference of shares of n samples each, a and b in truth, leaves 0 out."""
    if n > LARGE:
        middle = (a + b) / 2
        null, actual = math.sqrt(2 * middle * (1 - middle) / n), math.sqrt((a * (1 - a) + b * (1 - b)) / n)
        return float(ndtr((b - a - float(-ndtri(alpha / 2)) * null) / actual))
    one, two = _outcomes(n, a), _outcomes(n, b)
    (p, low, high), (q, least, most) = (_bounds(k, n, alpha) for k in (one, two))
    apart = q[None, :] - p[:, None]
    above = apart > np.hypot((q - least)[None, :], (high - p)[:, None])
    below = -apart > np.hypot((most - q)[None, :], (p - low)[:, None])
    return float(binom.pmf(one, n, a) @ (above | below) @ binom.pmf(two, n, b))


def mean_power(n: int, shift: float, alpha: float, *, paired: bool) -> float:
    """Chance that the interval of a normal mean leaves 0 out, `shift` standard errors away, or that of two such means.

    The t test's chance, less that of samples that look skewed by accident and then have a wider interval.
    """
    found = _t_power(shift, n - 1 if paired else 2 * (n - 1), alpha, n - 1)
    return found - _lost(n, shift, alpha, paired) if n <= NOISY else found


def _lost(n: int, shift: float, alpha: float, paired: bool) -> float:
    """How much more often the t interval leaves 0 out than the one that is chosen."""
    apart = shift / math.sqrt(n) * (1 if paired else math.sqrt(2))
    drawn = np.random.default_rng([n, FEWER]).standard_normal((FEWER, 1 if paired else 2, n))
    skewness = (drawn - drawn.mean(2, keepdims=True)) ** 3
    skewed = np.abs(skewness.mean(2) / drawn.std(2) ** 3).max(1) >= MILD * math.sqrt(n)
    lost = 0
    for values in drawn[skewed]:
        units = [units_of(values[0] + apart), *(units_of(each) for each in values[1:])]
        if _apart([Studentised(each.mean, each.standard_error, n - 1) for each in units], alpha):
            lost += not _apart([each.rule for each in map(choose, units) if each.rule], alpha)
    return lost / FEWER


def _apart(rules: Sequence[Rule], alpha: float) -> bool:
    """Whether the interval of one mean, or of the difference of two (MOVER), leaves 0 out."""
    if len(rules) == 1:
        return rules[0].p(0.0) < alpha
    bounds = [rule.bounds(alpha) for rule in rules]
    ((a, b), (c, d)), (p, q) = bounds, (rule.mean for rule in rules)
    return not p - q - math.hypot(p - a, d - q) <= 0 <= p - q + math.hypot(b - p, q - c)


def _t_power(shift: float, df: float, alpha: float, quantile_df: float) -> float:
    """Chance that a t test with a quantile of `quantile_df` rejects a mean that is `shift` standard errors from 0."""
    bound = float(t.isf(alpha / 2, quantile_df))
    if df > 1e5 or shift > 30:
        return float(ndtr(shift - bound))
    found = float(nct.sf(bound, df, shift) + nct.cdf(-bound, df, shift))
    return found if math.isfinite(found) else float(ndtr(shift - bound))  # scipy gives nan far out


def flips_power(units: int, shift: float, alpha: float) -> float:
    """Chance that all sign flips of so many normal differences reject, whose mean is `shift` standard errors from 0."""
    signs, noise = _flips(units)
    values = noise + np.float32(shift / math.sqrt(units))
    totals = np.abs(values @ signs.T)
    seen = np.abs(values.sum(1))
    return float(np.mean((totals >= seen[:, None] * np.float32(1 - 1e-5)).mean(1) < alpha))


@lru_cache(maxsize=4)
def _flips(units: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Half of all assignments of signs, since the other half is their mirror, and drawn normal differences."""
    bits = np.arange(2 ** (units - 1))[:, None] >> np.arange(units)[None, :] & 1
    draws = max(1000, min(DRAWS, 20_000_000 // len(bits)))
    noise = np.random.default_rng([units, draws]).standard_normal((draws, units))
    return (1.0 - 2.0 * bits).astype(np.float32), noise.astype(np.float32)


def _outcomes(n: int, p: float) -> Array:
    reach = REACH * math.sqrt(n * p * (1 - p)) + 10
    return np.arange(max(0, math.floor(n * p - reach)), min(n, math.ceil(n * p + reach)) + 1.0)


def _bounds(k: Array, n: int, alpha: float) -> tuple[Array, Array, Array]:
    low, high = wilsons(k, n, alpha)
    rare = np.minimum(k, n - k) < RARE
    low[rare], high[rare] = clopper_pearsons(k[rare], n, alpha)
    return k / n, low, high
