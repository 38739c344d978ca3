"""Ranks with intervals: which order the data support, for all systems at once.

System j is certainly better than i where their difference, over its standard error, is beyond the quantile of the
largest such ratio among all pairs. Pairs that were separated are then left out, which lowers the quantile for the rest, until
nothing more is separated (step-down: Romano and Wolf 2005, doi:10.1111/j.1468-0262.2005.00615.x). All rank intervals hold
together with the stated level (Mogstad, Romano, Shaikh and Wilhelm 2024, doi:10.1093/restud/rdad006). The joint law of the
estimates is normal with their estimated covariance,
which is what a Gaussian multiplier bootstrap draws from; divided by a chi it is Student's for few units. `marginal` rank
intervals take the quantile over the pairs of one system only: each holds by itself, not all at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Better

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
DRAWS = 5000
METHOD = "simultaneous within a board: largest studentised difference, step-down, doi:10.1093/restud/rdad006"
STEPS = 8  # a step-down that stops early separates less, never too much
_PIECE = 256  # draws at once, so that their ratios stay in the cache


@dataclass(frozen=True)
class Ranks:
    """Ranks of m systems, 1 the best; arrays are [m] in the order given.

    `rank` by the estimates (ties share the better one), `best` to `worst` the interval, `tier` 1 for the systems that
    the best one is not certainly better than, and so on; `first`: the share of draws in which a system comes first.
    `beats[i, j]`: i is certainly better than j; `critical`: ratios beyond it are certain, of the last step (the largest
    where systems differ in it).
    """

    rank: Ints
    best: Ints
    worst: Ints
    tier: Ints
    first: Array
    beats: Flags
    critical: float
    level: float


def rank_intervals(
    values: npt.ArrayLike,
    covariance: npt.ArrayLike,
    *,
    better: Better = "higher",
    df: float = np.inf,
    level: float = 0.95,
    kind: Literal["simultaneous", "marginal"] = "simultaneous",
    draws: int = DRAWS,
    seed: int = 0,
    certain: Callable[[int, int], bool] | None = None,
) -> Ranks:
    """Rank intervals from estimates [m] and the covariance [m, m] of their errors; `df` units less one.

    A system whose variance is nan or infinite (no interval could be stated) is never separated from another.
    `certain`: whether a test of the pair alone finds the first better than the second; without it nothing is
    separated, and of two systems it alone decides.
    Raises `EvalkitError` for shapes that do not fit and for values that are nan.

    >>> ranks = rank_intervals([3.0, 1.0, 1.1], [[0.01, 0, 0], [0, 0.01, 0], [0, 0, 0.01]])
    >>> ranks.best.tolist(), ranks.worst.tolist(), ranks.tier.tolist()
    ([1, 2, 2], [1, 3, 3], [1, 2, 2])
    """
    theta = np.asarray(values, np.float64).ravel() * (1.0 if better == "higher" else -1.0)
    sigma = np.asarray(covariance, np.float64)
    m = len(theta)
    if sigma.shape != (m, m):
        raise EvalkitError(f"{m} values go with a covariance [{m}, {m}]; one of shape {list(sigma.shape)} was given")
    if np.isnan(theta).any():
        raise EvalkitError("a system without a value has no rank; leave it out")
    known = np.isfinite(np.diag(sigma)) & np.isfinite(theta)
    beats, loses = np.zeros((m, m), bool), np.zeros((m, m), bool)
    first, critical = np.full(m, np.nan), np.nan
    some = np.flatnonzero(known)
    if len(some):
        square = np.ix_(some, some)
        noise = _draw(sigma[square], df, draws, np.random.default_rng([seed, len(some), draws]))
        first[some] = np.bincount(np.argmax(theta[some] + noise, axis=1), minlength=len(some)) / draws
        apart, errors = theta[some][:, None] - theta[some][None, :], _errors(sigma[square])
        if kind == "marginal":  # asks its own system's quantile both ways
            limits = _upper(_largest(noise, errors), level)
            beats[square], loses[square] = apart > errors * limits[:, None], -apart > errors * limits[:, None]
            critical = float(np.max(limits))
        else:
            beats[square], critical = _separated(apart, errors, noise, level)
            loses = beats.T
    if certain is not None:
        asked = theta[:, None] > theta[None, :] if m == 2 else beats.copy()
        for i, j in np.argwhere(asked):
            beats[i, j] = certain(int(i), int(j))
        loses = beats.T
    rank = 1 + np.sum(theta[None, :] > theta[:, None], axis=1)
    best, worst = 1 + loses.sum(1), m - beats.sum(1)
    return Ranks(rank, best, worst, _tiers(theta, beats), first, beats, critical, level)


def _separated(apart: Array, errors: Array, noise: Array, level: float) -> tuple[Flags, float]:
    """Step by step, which pairs are separated, and the last quantile that was asked."""
    beats, limit = np.zeros(apart.shape, bool), np.inf
    for _ in range(STEPS):
        most = _largest(noise, errors).max(1) if np.isinf(limit) else _largest_of(noise, errors, ~(beats | beats.T))
        limit = min(limit, float(_upper(most, level)))
        found = apart > errors * limit
        if not (found & ~beats).any():
            break
        beats = found
    return beats, limit


def _errors(sigma: Array) -> Array:
    """Standard errors of all differences."""
    spread = np.diag(sigma)
    errors: Array = np.sqrt(np.maximum(spread[:, None] + spread[None, :] - 2 * sigma, 0.0))
    errors[errors < 1e-9 * np.sqrt(spread.max())] = 0.0  # rounding, where two systems always agree
    return errors


def _upper(largest: Array, level: float) -> Array:
    """The quantile that a further draw stays below with at least the stated chance, however few draws there are."""
    found: Array = np.quantile(largest, min(1.0, level * (1 + 1 / len(largest))), axis=0, method="higher")
    return found


def _draw(sigma: Array, df: float, draws: int, rng: np.random.Generator) -> Array:
    values, vectors = np.linalg.eigh((sigma + sigma.T) / 2)
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    noise: Array = rng.standard_normal((draws, len(sigma))) @ factor.T
    if np.isfinite(df):
        noise /= np.sqrt(rng.chisquare(max(df, 1.0), (draws, 1)) / max(df, 1.0))
    return noise


def _largest(noise: Array, errors: Array) -> Array:
    """For each draw and system, the largest absolute ratio among its pairs [draws, m]."""
    draws, m = noise.shape
    inverse = np.divide(1.0, errors, out=np.zeros_like(errors), where=errors > 0)
    largest = np.zeros((draws, m))
    for start in range(0, draws, _PIECE):
        z, most = noise[start : start + _PIECE], largest[start : start + _PIECE]
        for i in range(m - 1):
            ratios = np.abs(z[:, i + 1 :] - z[:, i : i + 1])
            ratios *= inverse[i, i + 1 :]
            np.maximum(most[:, i + 1 :], ratios, out=most[:, i + 1 :])
            np.maximum(most[:, i], ratios.max(axis=1), out=most[:, i])
    return largest


def _largest_of(noise: Array, errors: Array, pairs: Flags) -> Array:
    """For each draw, the largest absolute ratio among `pairs` [m, m], of which the upper triangle counts [draws]."""
    inverse = np.divide(1.0, errors, out=np.zeros_like(errors), where=errors > 0)
    largest = np.zeros(len(noise))
    for i in range(len(errors) - 1):
        others = np.flatnonzero(pairs[i, i + 1 :]) + i + 1
        if len(others):
            ratios = np.abs(noise[:, others] - noise[:, i : i + 1]) * inverse[i, others]
            np.maximum(largest, ratios.max(axis=1), out=largest)
    return largest


def _tiers(theta: Array, beats: Flags) -> Ints:
    """Down the order: a new tier begins with the first system that its tier's leader is certainly better than."""
    tiers = np.zeros(len(theta), np.int64)
    leader, tier = -1, 0
    for each in np.argsort(-theta, kind="stable"):
        if leader < 0 or beats[leader, each]:
            leader, tier = int(each), tier + 1
        tiers[each] = tier
    return tiers
