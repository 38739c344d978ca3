"""CMMD: the maximum mean discrepancy of CLIP embeddings under a Gaussian kernel (Jayasumana et al. 2024, arXiv:2401.09603).

1,000 times the biased squared discrepancy, the diagonals counted, with kernel width 10 on embeddings of unit length
(google-research/cmmd). Identical sets are at 0; unit vectors are at most 39.6 apart. Rows are summed by blocks in
float64, so that memory does not grow with the sets. The interval is first order: an image's influence is twice the
difference of its mean kernels to both sets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from evalkit.metrics.base import Estimate
from evalkit.metrics.kernels import GaussianKernel, Kernel
from evalkit.metrics.rows import Array, Rows, checked_pair, row_blocks
from evalkit.metrics.score import declare_score

KERNEL, SCALE = GaussianKernel(10.0), 1000.0
DECLARED = (
    declare_score(
        "cmmd", "CMMD", "CLIP maximum mean discrepancy", "lower", source="arXiv:2401.09603", needs=("clip-vitl14",)
    ),
)


@dataclass(frozen=True)
class KernelMeans:
    """Mean kernel of each image to its own set and to the other: images [n] `own`, `cross`; reference [m] the same."""

    own: Array
    cross: Array
    reference_own: Array
    reference_cross: Array


def features_to_statistics(images: Rows, reference: Rows, *, kernel: Kernel = KERNEL) -> KernelMeans:
    """Kernel means of embeddings [n, d] and [m, d]."""
    n, m, _ = checked_pair(images, reference)
    own, cross, reference_own, reference_cross = np.zeros(n), np.zeros(n), np.zeros(m), np.zeros(m)
    _add(images, images, own, None, kernel)
    _add(reference, reference, reference_own, None, kernel)
    _add(images, reference, cross, reference_cross, kernel)
    return KernelMeans(own / n, cross / m, reference_own / m, reference_cross / n)


def statistics_to_value(means: KernelMeans, *, scale: float = SCALE) -> float:
    """The squared discrepancy times `scale`; 0 for identical sets up to rounding, never negative."""
    return max(0.0, scale * float(means.own.mean() + means.reference_own.mean() - 2 * means.cross.mean()))


def cmmd(images: Rows, reference: Rows, *, level: float = 0.95) -> Estimate:
    """CMMD of embeddings with its interval over the images of both sets.

    >>> cmmd(np.eye(3), np.eye(3)).value
    0.0
    """
    means = features_to_statistics(images, reference)
    n, m, value = len(images), len(reference), statistics_to_value(means)
    if min(n, m) < 2:
        return Estimate(value, None, None, n, "no interval from one image", level)
    first, second = means.own - means.cross, means.reference_own - means.reference_cross
    variance = 4 * SCALE**2 * (first.var(ddof=1) / n + second.var(ddof=1) / m)
    half = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
    method = "first-order variance over the images of both sets (sampling only: the biased form is above 0 by chance)"
    return Estimate(value, max(0.0, value - half), value + half, n, method, level)


def _add(x: Rows, y: Rows, along: Array, across: Array | None, kernel: Kernel) -> None:
    """Add the kernel of every pair to the sums of its row and, where given, of its column."""
    a = 0
    for one in row_blocks(x):
        b = 0
        for two in row_blocks(y):
            similarity = kernel(one, two)
            along[a : a + len(one)] += similarity.sum(1)
            if across is not None:
                across[b : b + len(two)] += similarity.sum(0)
            b += len(two)
        a += len(one)
