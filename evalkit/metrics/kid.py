"""Kernel Inception distance: the squared maximum mean discrepancy of features under a cubic kernel, by subsets.

k(x, y) = (x·y / d + 1)³ unless another kernel is given, unbiased, with the diagonal of the cross term counted
(Bińkowski et al. 2018, arXiv:1801.01401). The value is the mean over subsets, drawn without replacement inside a subset.
It is negative where two sets are nearer than chance, and so that of a set with itself, whose subsets are drawn apart.
Papers often print it times 1,000. The subset rules are those of torch-fidelity (1,000 images, fixed; the images' subset is drawn
first) and of clean-fid (at most 1,000; the second set's is drawn first).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from evalkit.metrics.base import Estimate
from evalkit.metrics.kernels import Kernel
from evalkit.metrics.rows import Array, Index, Rows, checked_pair
from evalkit.metrics.rules import CUBIC, SubsetRule
from evalkit.metrics.score import declare_score

_SOURCE = "Bińkowski et al. 2018, arXiv:1801.01401"
KID = declare_score("kid", "KID", "kernel Inception distance", "lower", source=_SOURCE, low=None)
DECLARED = (KID,)
_TILE = 1024  # rows of each set whose kernel is held at once


@dataclass(frozen=True)
class KernelSums:
    """Sums of the kernel over the pairs of one subset pair of `m` and `m` images, diagonals of the own sets left out."""

    m: int
    own: float
    reference: float
    cross: float


def features_to_statistics(x: Array, y: Array, kernel: Kernel = CUBIC) -> KernelSums:
    """Kernel sums of two subsets [m, d], in float64."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    own, reference = (float(each.sum() - each.trace()) for each in (kernel(one, one) for one in (x, y)))
    return KernelSums(len(x), own, reference, float(kernel(x, y).sum()))


def statistics_to_value(sums: KernelSums) -> float:
    """The unbiased squared discrepancy of one pair of subsets."""
    return (sums.own + sums.reference) / (sums.m * (sums.m - 1)) - 2 * sums.cross / sums.m**2


def subset_values(images: Rows, reference: Rows, rule: SubsetRule) -> Array:
    """The value [subsets] of every pair of subsets; memory is that of one pair, or of few rows of the sets' kernels.

    Where subsets together have more pairs than the sets, the kernel of each pair of the sets is taken once.
    """
    n, m = len(images), len(reference)
    draws = subset_pairs(n, m, rule)
    if n**2 + m**2 + n * m < 3 * rule.subsets * size_of(n, m, rule) ** 2:
        sums = _sums_of_subsets(images, reference, list(draws), rule.kernel)
    else:
        sums = [features_to_statistics(images[i], reference[j], rule.kernel) for i, j in draws]
    return np.array([statistics_to_value(each) for each in sums])


def _sums_of_subsets(
    images: Rows, reference: Rows, draws: Sequence[tuple[Index, Index]], kernel: Kernel
) -> list[KernelSums]:
    """`features_to_statistics` of every pair of subsets, from the kernels of the whole sets."""
    mine, theirs = (np.zeros((len(draws), len(each))) for each in (images, reference))
    for number, (i, j) in enumerate(draws):
        mine[number, i] = theirs[number, j] = 1
    own, other = _sums(images, images, mine, mine, kernel), _sums(reference, reference, theirs, theirs, kernel)
    crossed = _sums(images, reference, mine, theirs, kernel)
    sums = zip(own.tolist(), other.tolist(), crossed.tolist(), strict=True)
    return [KernelSums(len(i), *each) for (i, _), each in zip(draws, sums, strict=True)]


def _sums(x: Rows, y: Rows, rows: Array, columns: Array, kernel: Kernel) -> Array:
    """Sums [subsets] of the kernel over the pairs of which `rows` [subsets, n] and `columns` [subsets, m] hold both.

    Of subsets with themselves (`rows` is `columns`), pairs are taken in both orders, and no image with itself.
    """
    total, alone = np.zeros(len(rows)), rows is columns
    for i, j in itertools.product(range(0, len(x), _TILE), range(0, len(y), _TILE)):
        if alone and j < i:
            continue
        one, two = slice(i, i + _TILE), slice(j, j + _TILE)
        tile = kernel(np.asarray(x[one], np.float64), np.asarray(y[two], np.float64))
        if alone and i == j:
            np.fill_diagonal(tile, 0)
        total += (2 if alone and i < j else 1) * ((rows[:, one] @ tile) * columns[:, two]).sum(1)
    return total


def kid(images: Rows, reference: Rows, rule: SubsetRule | None = None, *, level: float = 0.95) -> Estimate:
    """Mean over subsets with an interval; nan with the reason where a set is smaller than a subset.

    The interval is Student's t with the variance of subsets, for the draw of the subsets and for that of the images: a
    subset of m of n images varies n / m times as much as the whole set, and (n - m) / n of that shows between subsets.
    The `std` that papers print is that of `subset_values`.
    """
    rule = rule or SubsetRule()
    n, m, _ = checked_pair(images, reference)
    size = size_of(n, m, rule)
    if size < 2 or min(n, m) < size:
        wanted = f"{max(size, 2)} images need as many" if rule.fit != "half" else "half a set need four images or more"
        reason = f"subsets of {wanted} in both sets; {n} and {m} given"
        return Estimate(math.nan, None, None, n, reason, level)
    if size == n == m:
        rule = replace(rule, subsets=1)  # every subset pair is the two sets
    values = subset_values(images, reference, rule)
    return _interval(values, n, m, size, rule, level)


def kid_difference(
    first: Rows, second: Rows, reference: Rows, rule: SubsetRule | None = None, *, level: float = 0.95
) -> Estimate:
    """KID of `first` less that of `second`, both of n images, by the same subsets: the reference's draws cancel.

    Image numbers are drawn once for both, so that sets made from the same prompts or seeds are compared pair by pair.
    """
    rule = rule or SubsetRule()
    n, m, _ = checked_pair(first, reference)
    checked_pair(second, reference)
    size = size_of(min(n, len(second)), m, rule)
    if n != len(second) or size < 2 or min(n, m) < size:
        reason = f"the sets have {n} and {len(second)} images and the reference {m}; subsets of {size} do not fit all"
        return Estimate(math.nan, None, None, n, reason, level)
    values = subset_values(first, reference, rule) - subset_values(second, reference, rule)
    return _interval(values, n, m, size, rule, level)


def size_of(n: int, m: int, rule: SubsetRule) -> int:
    """Images of a subset for sets of n and m."""
    if rule.fit == "refuse":
        return rule.size
    return min(n, m, rule.size) if rule.fit == "whole" else min(min(n, m) // 2, rule.size)


def subset_pairs(n: int, m: int, rule: SubsetRule) -> Iterator[tuple[Index, Index]]:
    """Image numbers of every subset pair, drawn as numpy's RandomState draws them for the peers."""
    generator = np.random.RandomState(rule.seed)
    size = size_of(n, m, rule)
    for _ in range(rule.subsets):
        if rule.drawn == "images first":
            i = generator.choice(n, size, replace=False)
            yield i, generator.choice(m, size, replace=False)
        else:
            j = generator.choice(m, size, replace=False)
            yield generator.choice(n, size, replace=False), j


def _interval(values: Array, n: int, m: int, size: int, rule: SubsetRule, level: float) -> Estimate:
    value = float(values.mean())
    if len(values) < 2 or min(n, m) == size:
        return Estimate(value, None, None, n, f"subsets of {size} hold a whole set: no interval", level)
    part = size / min(n, m)  # subsets share this part of their images, so they vary less than independent ones
    share = 1 / len(values) + part / (1 - part)
    half = float(stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1)) * math.sqrt(share)
    method = f"{len(values)} subsets of {size} by seed {rule.seed}; Student's t over subsets, with the sets' own share"
    return Estimate(value, value - half, value + half, n, method, level)
