"""Precision, recall, density and coverage of images against a reference, by balls around features.

Precision is the share of images that lie in the ball of a reference image, recall the share of reference images that lie
in the ball of an image (Kynkäänniemi et al. 2019, arXiv:1904.06991). Density counts the reference balls that hold an
image, over k, and coverage is the share of reference balls that hold any image (Naeem et al. 2020, arXiv:2002.09797).
A ball's radius is the distance to the k-th nearest other image of its own set. guided-diffusion's evaluator and
torch-fidelity take k = 3 and count what lies at the radius; the `prdc` package takes k = 5 and does not count it. The
evaluator compares squared distances, which is the same, and in half precision where that is finite, which is not done
here. The values depend on the sizes of both sets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from evalkit.errors import EvalkitError
from evalkit.metrics.balls import contained
from evalkit.metrics.base import Estimate
from evalkit.metrics.nearest import centre_of, nearest_others
from evalkit.metrics.neighbours import prepare
from evalkit.metrics.rows import Array, Rows, checked_pair
from evalkit.metrics.rules import BallRule
from evalkit.metrics.score import declare_score

Quantity = Literal["precision", "recall", "density", "coverage"]
_PRECISION, _DENSITY = "Kynkäänniemi et al. 2019, arXiv:1904.06991", "Naeem et al. 2020, arXiv:2002.09797"
DECLARED = (
    declare_score(
        "precision", "Precision", "share of images in the reference's manifold", "higher", source=_PRECISION, high=1.0
    ),
    declare_score(
        "recall", "Recall", "share of the reference in the images' manifold", "higher", source=_PRECISION, high=1.0
    ),
    declare_score(
        "density", "Density", "reference balls that hold an image, over k", "higher", source=_DENSITY, shown=frozenset()
    ),
    declare_score(
        "coverage",
        "Coverage",
        "share of reference balls that hold an image",
        "higher",
        source=_DENSITY,
        high=1.0,
        shown=frozenset(),
    ),
)


@dataclass(frozen=True)
class Counted:
    """One quantity: what each counted image gives [counted], and what leaving each ball out would take away [balls]."""

    values: Array
    lost: Array

    @property
    def variance(self) -> float:
        """Variance of the mean over draws of both sets, the radii taken as given."""
        return _variance_of_mean(self.values) + _variance_of_sum(self.lost)


def features_to_statistics(images: Rows, reference: Rows, rule: BallRule) -> Mapping[Quantity, Counted]:
    """Compare features of `images` [n, d] with those of `reference` [m, d]; each set needs more than `rule.k`."""
    n, m, _ = checked_pair(images, reference, rule.k + 1)
    centre = centre_of(reference)
    true, made = prepare(reference, centre, max(n, m)), prepare(images, centre, max(n, m))
    true_radius = nearest_others(true, rule.k).distance[:, -1]
    made_radius = nearest_others(made, rule.k).distance[:, -1]
    found = contained(true, made, true_radius, made_radius, closed=rule.closed)
    precise, covered, recalled = found.y_in_x, found.x_around_y, found.x_in_y
    return {
        "precision": Counted((precise.count > 0).astype(np.float64), precise.only(m) / n),
        "recall": Counted((recalled.count > 0).astype(np.float64), recalled.only(n) / m),
        "density": Counted(precise.count / rule.k, covered.count / (rule.k * n)),
        "coverage": Counted((covered.count > 0).astype(np.float64), covered.only(n) / m),
    }


def statistics_to_value(counted: Counted) -> float:
    """The mean over the images (precision, density) or over the reference (recall, coverage)."""
    return float(counted.values.mean())


def prdc(
    images: Rows, reference: Rows, rule: BallRule | None = None, *, level: float = 0.95
) -> Mapping[Quantity, Estimate]:
    """All four with their intervals over both sets.

    >>> x = np.arange(12.0).reshape(6, 2)
    >>> prdc(x, x, BallRule(k=1))["precision"].value
    1.0
    """
    rule = rule or BallRule()
    statistics = features_to_statistics(images, reference, rule)
    return {quantity: estimate(quantity, counted, rule, level=level) for quantity, counted in statistics.items()}


def estimate(quantity: Quantity, counted: Counted, rule: BallRule, *, level: float = 0.95) -> Estimate:
    """One value with its interval: Wilson's at the sample size that the variance is worth, or for densities the normal one.

    The variance is that over the counted images plus the jackknife's over the balls, each left out in turn, which errs
    towards wide intervals.
    """
    from evalkit.stats.shares import wilson  # scipy.stats is slow to import

    n, value, variance = len(counted.values), statistics_to_value(counted), counted.variance
    said = f"k = {rule.k}, border {'counted' if rule.closed else 'not counted'}; "
    if quantity == "density":
        if variance == 0:
            return Estimate(value, None, None, n, said + "no interval: all images lie in equally many balls", level)
        half = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
        return Estimate(value, max(0.0, value - half), value + half, n, said + "normal interval over both sets", level)
    sure = value in (0.0, 1.0)  # then the variance tells nothing
    size = min(n, len(counted.lost)) if sure else max(1.0, min(float(n), value * (1 - value) / variance))
    low, high = wilson(value * size, size, level=level)
    method = said + f"Wilson score interval over both sets, worth {size:.0f} independent images"
    return Estimate(value, min(low, value), max(high, value), n, method, level)


def difference(
    quantity: Quantity, first: Counted, second: Counted, *, paired: bool = False, level: float = 0.95
) -> Estimate:
    """The quantity of one set less that of another against the same reference, whose draw counts once.

    `paired`: image i of both sets answers one prompt or seed. Raises where paired sets differ in size.
    """
    over_reference = quantity in ("recall", "coverage")
    if paired and _images(first, over_reference) != _images(second, over_reference):
        raise EvalkitError("Paired sets have one size; these have two. Compare them unpaired.")
    values = _parts(first.values, second.values, together=paired or over_reference)
    lost = _parts(first.lost, second.lost, together=paired or not over_reference)
    variance = sum(map(_variance_of_mean, values)) + sum(map(_variance_of_sum, lost))
    value = statistics_to_value(first) - statistics_to_value(second)
    half = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
    method = f"normal interval over images{', paired' if paired else ''} and the shared reference"
    return Estimate(value, value - half, value + half, len(first.values), method, level)


def _images(counted: Counted, over_reference: bool) -> int:
    return len(counted.lost if over_reference else counted.values)


def _parts(a: Array, b: Array, *, together: bool) -> list[Array]:
    return [a - b] if together else [a, b]


def _variance_of_mean(values: Array) -> float:
    return float(values.var(ddof=1)) / len(values)


def _variance_of_sum(values: Array) -> float:
    return float(values.var(ddof=1)) * len(values)
