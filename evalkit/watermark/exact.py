"""Exact tails under the key-random null: the image is fixed, the key was drawn without knowing it.

A code that occurs c times is one coin, not c coins: it counts with weight min(c, cap). With cap 1 (the default) the score
is the number of distinct green codes, Binomial(U, gamma) for lists whose codes are coloured independently; with a larger
cap the distribution is a convolution over the weights. Units with one green code of several (paired lists) convolve the
same way. No normal approximation anywhere, so tails of 1e-30 are true; they are given as natural logarithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from scipy.stats import binom, hypergeom

Floats = npt.NDArray[np.float64]
SMALLEST = float(np.finfo(np.float64).tiny)


def binomial_log_tail(score: npt.ArrayLike, n: npt.ArrayLike, gamma: float) -> Floats:
    """log P[Binomial(n, gamma) >= score], elementwise; 0 for a score of 0."""
    g, count = np.broadcast_arrays(np.asarray(score), np.asarray(n))
    with np.errstate(divide="ignore"):
        tail = np.asarray(np.where(g <= 0, 0.0, binom.logsf(np.maximum(g, 1) - 1, count, gamma)))
    below = np.isneginf(tail) & (g <= count)  # smaller than the smallest double: summed as logarithms
    tail[below] = [
        logsumexp(binom.logpmf(np.arange(a, b + 1), b, gamma)) for a, b in zip(g[below], count[below], strict=True)
    ]
    found: Floats = np.minimum(np.where(g > count, -np.inf, tail), 0.0)
    return found


def weighted_log_tail(score: int, copies: Sequence[int], gamma: float) -> float:
    """log P[sum of w * coins >= score], where `copies[w - 1]` independent coins have weight w.

    >>> round(float(np.exp(weighted_log_tail(3, (1, 1), 0.5))), 4)
    0.25
    """
    if score <= 0:
        return 0.0
    return _tail(_weighted(tuple(int(each) for each in copies), gamma), score)


def unit_log_tail(score: int, units: Sequence[tuple[Sequence[int], int]]) -> float:
    """log P[total >= score] for units of several codes with exactly one green: (weights of the codes that occur, size).

    >>> round(float(np.exp(unit_log_tail(2, [((1,), 2), ((1, 1), 2)]))), 4)
    0.5
    """
    if score <= 0:
        return 0.0
    pmf = np.ones(1)
    for weights, size in units:
        step = np.zeros(max(weights) + 1)
        step[0] = (size - len(weights)) / size
        for weight in weights:
            step[weight] += 1 / size
        pmf = np.convolve(pmf, step)
    return _tail(pmf, score)


def hypergeometric_log_tail(score: int, draws: Sequence[tuple[int, int, int]]) -> float:
    """log P[total >= score] where each (codes, green, drawn) is a list of exact size of which distinct codes are drawn.

    >>> round(float(np.exp(hypergeometric_log_tail(2, [(4, 2, 2)]))), 4)
    0.1667
    """
    if score <= 0:
        return 0.0
    pmf = np.ones(1)
    for codes, green, drawn in draws:
        pmf = np.convolve(pmf, _hypergeometric(codes, green, drawn))
    return _tail(pmf, score)


def coins_log_tail(score: int, weights: Sequence[int]) -> float:
    """log P[sum of w * fair coins >= score] for coins of any whole weights above 0.

    >>> round(float(np.exp(coins_log_tail(5, [5, 3, 1]))), 4)
    0.5
    """
    if score <= 0:
        return 0.0
    pmf = np.zeros(sum(weights) + 1)
    pmf[0], end = 1.0, 1
    for weight in sorted(weights):
        lower = 0.5 * pmf[:end]
        pmf[:end] = lower
        pmf[weight : weight + end] += lower
        end += weight
    return _tail(pmf, score)


def pooled(log_p: npt.ArrayLike, tests: npt.ArrayLike) -> Floats:
    """log of Bonferroni's min(1, tests * p): valid whatever the dependence of lists, shifts and scales that were tried."""
    found: Floats = np.minimum(np.asarray(log_p) + np.log(np.asarray(tests, dtype=np.float64)), 0.0)
    return found


def smallest_log_p(units: npt.ArrayLike, gamma: float) -> Floats:
    """log of the smallest p that an image with this many independent units can reach: gamma ** units."""
    found: Floats = np.asarray(units, dtype=np.float64) * np.log(gamma)
    return found


@lru_cache(maxsize=100_000)
def _weighted(copies: tuple[int, ...], gamma: float) -> Floats:
    pmf = np.ones(1)
    for weight, count in enumerate(copies, start=1):
        if count:
            step = np.zeros(weight * count + 1)
            step[::weight] = binom.pmf(np.arange(count + 1), count, gamma)
            pmf = np.convolve(pmf, step)
    return pmf


@lru_cache(maxsize=10_000)
def _hypergeometric(codes: int, green: int, drawn: int) -> Floats:
    found: Floats = hypergeom.pmf(np.arange(min(green, drawn) + 1), codes, green, drawn)
    return found


def _tail(pmf: Floats, score: int) -> float:
    if score >= len(pmf):
        return -np.inf
    mass = float(np.sort(pmf[score:]).sum())  # small terms first
    return float(np.log(max(mass, SMALLEST * len(pmf))))  # what a double cannot hold is given as too large, never as 0
