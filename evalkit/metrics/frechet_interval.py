"""How sure a Fréchet distance of a set to a reference is, which images carry it, and whether two sets differ in it.

The interval is the infinitesimal jackknife: the variance of the influences of single images over their number, and that
of the reference's images too where they are at hand. It speaks of sampling at this n; the distance itself is biased
upwards by about K / n, which `jackknife_bias` estimates from groups that are left out in turn (Quenouille 1956; for the
bias of FID see Chong and Forsyth 2020, arXiv:1911.07023). Two sets that are compared with one reference share its
sampling error, so the interval of their difference counts each reference image once, by the difference of its influences.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import BLOCK, Moments, merge
from evalkit.metrics.rows import Array, Rows, Taken, checked, gaussian_of, moments_of, row_blocks
from evalkit.metrics.transport import Gaussian, Transport, same_dimensions, transport

GROUPS = 10  # parts that are left out in turn


@dataclass(frozen=True)
class FrechetDifference:
    """`estimate`: distance of the first set less that of the second, with its interval; `p`: two-sided, of no difference."""

    estimate: Estimate
    p: float


def frechet_estimate(
    images: Rows, reference: Gaussian, reference_rows: Rows | None = None, *, level: float = 0.95
) -> Estimate:
    """Fréchet distance of features [n, d] of `images` to a `reference`, with its interval.

    `reference_rows` [m, d]: the features that the reference was taken from; without them it is taken as given.
    One image has no distance: the value is nan, and the method says why.
    """
    n = len(images)
    if n < 2:
        return Estimate(math.nan, None, None, n, f"a Fréchet distance needs at least 2 images; {n} given", level)
    found = transport(gaussian_of(images), reference)
    variance = influences(images, found).var(ddof=1) / n
    if reference_rows is not None:
        variance += influences(reference_rows, found, second=True).var(ddof=1) / len(reference_rows)
    half = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
    method = _method(n, reference.dim, "both sets" if reference_rows is not None else "the images, reference as given")
    return Estimate(found.value, max(0.0, found.value - half), found.value + half, n, method, level)


def corrected_estimate(images: Rows, reference: Gaussian, *, groups: int = GROUPS, level: float = 0.95) -> Estimate:
    """The distance less its jackknife bias: near that of infinitely many images where n is twice the dimensions or more.

    nan, with the reason as the method, where there are fewer.
    """
    n, d = images.shape
    if n < max(2 * d, 2 * groups):
        reason = f"the bias is to first order only from 2 images a dimension on: {max(2 * d, 2 * groups)}; {n} given"
        return Estimate(math.nan, None, None, n, reason, level)
    plain, bias = frechet_estimate(images, reference, level=level), jackknife_bias(images, reference, groups=groups)
    low, high = ((bound or 0.0) - bias for bound in (plain.low, plain.high))
    method = f"{plain.method.partition(' (')[0]}, less the jackknife bias {bias:.4g} from {groups} groups"
    return Estimate(plain.value - bias, low, high, n, method, level)


def influences(rows: Rows, found: Transport, *, second: bool = False) -> Array:
    """Influence [n] of every image of the first (or `second`) set on the distance, with mean 0."""
    of = found.of_second if second else found.of_first
    values: Array = np.concatenate([of(block) for block in row_blocks(rows, BLOCK // 4)])
    values -= values.mean()
    return values


def contributions(images: Rows, reference: Gaussian) -> Array:
    """How much of the distance goes away with each image [n], to first order; the largest carry the distance.

    They sum to 0: an image below 0 holds the set near the reference.
    """
    checked(images, "the image set", 2)
    return influences(images, transport(gaussian_of(images), reference)) / len(images)


def frechet_difference(
    first: Rows,
    second: Rows,
    reference: Gaussian,
    reference_rows: Rows | None = None,
    *,
    paired: bool = False,
    level: float = 0.95,
) -> FrechetDifference:
    """Distance of `first` [n, d] to the reference less that of `second` [m, d].

    `paired`: image i of both sets answers one prompt or seed, so their influences are subtracted before the variance.
    Raises where a set has fewer than two images, or paired sets have different sizes.
    """
    n, _ = checked(first, "the first set", 2)
    m, _ = checked(second, "the second set", 2)
    if paired and n != m:
        raise EvalkitError(f"Paired sets have one size; {n} and {m} images were given. Compare them unpaired.")
    one, two = transport(gaussian_of(first), reference), transport(gaussian_of(second), reference)
    a, b = influences(first, one), influences(second, two)
    variance = (a - b).var(ddof=1) / n if paired else a.var(ddof=1) / n + b.var(ddof=1) / m
    if reference_rows is not None:
        shared = influences(reference_rows, one, second=True) - influences(reference_rows, two, second=True)
        variance += shared.var(ddof=1) / len(reference_rows)
    value, error = one.value - two.value, math.sqrt(variance)
    half = float(ndtri((1 + level) / 2)) * error
    over = "the images" if reference_rows is None else "the images and the shared reference"
    method = _method(min(n, m), reference.dim, f"{over}{', paired' if paired else ''}")
    p = float(2 * ndtr(-abs(value) / error)) if error > 0 else float(value == 0)
    return FrechetDifference(Estimate(value, value - half, value + half, min(n, m), method, level), p)


def jackknife_bias(images: Rows, reference: Gaussian, *, groups: int = GROUPS) -> float:
    """By how much the distance at this n exceeds that at infinitely many images, to first order.

    Image i belongs to group i modulo `groups`, so that sorted files do not make groups of one class. Raises where a
    group would be empty.
    """
    n, _ = checked(images, "the image set", 2 * groups)
    parts = [moments_of(Taken(images, np.arange(group, n, groups))) for group in range(groups)]
    return bias_of_parts(parts, reference)


def bias_of_parts(parts: Sequence[Moments], reference: Gaussian) -> float:
    """The same from the moments of groups of images, such as shards of equal size: features need not be kept."""
    same_dimensions(parts[0].dim, reference.dim)
    whole = frechet_distance(_merged(parts), reference)
    without = [frechet_distance(_merged([*parts[:i], *parts[i + 1 :]]), reference) for i in range(len(parts))]
    return (len(parts) - 1) * (float(np.mean(without)) - whole)


def _merged(parts: Sequence[Moments]) -> Moments:
    total = parts[0]
    for part in parts[1:]:
        total = merge(total, part)
    return total


def _method(n: int, d: int, over: str) -> str:
    said = f"infinitesimal jackknife over {over} (sampling only: the value is biased upwards at small n)"
    if n <= d:
        said += f"; n={n} is not above the {d} dimensions, so the covariance is singular"
    return said
