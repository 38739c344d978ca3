"""Vendi score: how many distinct images a set amounts to (Friedman and Dieng 2022, arXiv:2210.02410).

exp of the entropy of the eigenvalues of the cosine similarities over n. Those are also the eigenvalues of the mean outer
product of the features of unit length, a [d, d] matrix that merges over shards, so that sets of any size are scored.
Order q = 1 is Shannon's entropy; others are Rényi's, which weigh rare images less as q grows (Pasarkar and Dieng 2023,
arXiv:2310.12952). The interval is the infinitesimal jackknife; the score of a sample is below that of its population.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use
from scipy.special import ndtri

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.moments import BLOCK
from evalkit.metrics.rows import Array, Rows, checked, row_blocks
from evalkit.metrics.score import declare_score

DECLARED = (
    declare_score(
        "vendi",
        "Vendi score",
        "effective number of different images",
        "higher",
        source="Friedman and Dieng 2022, arXiv:2210.02410",
        unit="images",
        low=1.0,
        shown=frozenset(),
    ),
)


@dataclass(frozen=True)
class OuterSum:
    """Count and sum of outer products [d, d] of features of unit length."""

    n: int
    total: Array


def features_to_statistics(features: Array) -> OuterSum:
    """The sum over features [k, d]; raises where one of them is 0, which has no direction."""
    unit = _unit(np.asarray(features, np.float64))
    return OuterSum(len(unit), unit.T @ unit)


def merge(a: OuterSum, b: OuterSum) -> OuterSum:
    """The sum over both."""
    return OuterSum(a.n + b.n, a.total + b.total)


def statistics_to_value(statistics: OuterSum, *, order: float = 1.0) -> float:
    """The score; 1 for equal images, n for n images without any similarity.

    >>> round(statistics_to_value(features_to_statistics(np.eye(3))), 9)
    3.0
    """
    return math.exp(_entropy(scipy.linalg.eigvalsh(statistics.total / statistics.n), order))


def vendi(rows: Rows, *, order: float = 1.0, level: float = 0.95) -> Estimate:
    """Vendi score of features [n, d] with its interval over images."""
    n, _ = checked(rows, "the image set")
    total: OuterSum | None = None
    for block in row_blocks(rows, BLOCK // 4):
        part = features_to_statistics(block)
        total = part if total is None else merge(total, part)
    if total is None or n < 2:
        return Estimate(1.0 if n else math.nan, None, None, n, "one image amounts to one image", level)
    eigenvalues, vectors = scipy.linalg.eigh(total.total / n)
    value = math.exp(_entropy(eigenvalues, order))
    weights = _weights(eigenvalues, order)
    influence = np.concatenate([np.square(_unit(block) @ vectors) @ weights for block in row_blocks(rows, BLOCK // 4)])
    half = float(ndtri((1 + level) / 2)) * value * float(influence.std(ddof=1)) / math.sqrt(n)
    method = f"order {order:g}; infinitesimal jackknife over images (sampling only: the score grows with n)"
    return Estimate(value, max(1.0, value - half), value + half, n, method, level)


def _entropy(eigenvalues: Array, order: float) -> float:
    p = eigenvalues[eigenvalues > 0]
    if order == 1:
        return -float((p * np.log(p)).sum())
    if math.isinf(order):
        return -math.log(float(p.max()))
    return math.log(float((p**order).sum())) / (1 - order)


def _weights(eigenvalues: Array, order: float) -> Array:
    """How the entropy changes with the share of each eigenvector: an image's influence is its squared shares times this."""
    there = eigenvalues > 1e-14 * eigenvalues.max()  # no image has a share of the others
    p = np.where(there, eigenvalues, 1.0)
    if order == 1:
        weights = -np.log(p)
    elif math.isinf(order):
        weights = np.where(p == p[there].max(), -1 / p[there].max(), 0.0)
    else:
        weights = order / (1 - order) * p ** (order - 1) / float((p[there] ** order).sum())
    return np.where(there, weights, 0.0)


def _unit(features: Array) -> Array:
    length = np.sqrt(np.square(features).sum(1, keepdims=True))
    if not length.all():
        raise EvalkitError("A feature of length 0 has no direction to compare. Leave the image out that gave it.")
    unit: Array = features / length
    return unit
