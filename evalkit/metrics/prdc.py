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

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from evalkit.metrics.balls import Contained, Flags, contained
from evalkit.metrics.base import Estimate, MetricInfo
from evalkit.metrics.nearest import moments_mean, nearest_others
from evalkit.metrics.neighbours import prepare
from evalkit.metrics.rows import Array, Rows, checked_pair

Quantity = Literal["precision", "recall", "density", "coverage"]
_PRECISION, _DENSITY = "Kynkäänniemi et al. 2019, arXiv:1904.06991", "Naeem et al. 2020, arXiv:2002.09797"
_MANY = 2000  # images whose mean density is as good as normal
INFO = (
    MetricInfo("precision", "share of images in the reference's manifold", "higher", "", 0.0, 1.0, _PRECISION),
    MetricInfo("recall", "share of the reference in the images' manifold", "higher", "", 0.0, 1.0, _PRECISION),
    MetricInfo("density", "reference balls that hold an image, over k", "higher", "", 0.0, None, _DENSITY),
    MetricInfo("coverage", "share of reference balls that hold an image", "higher", "", 0.0, 1.0, _DENSITY),
)


@dataclass(frozen=True)
class BallRule:
    """`k`: the radius is the distance to the k-th nearest other image; `closed`: whether a ball holds its border."""

    k: int = 3
    closed: bool = True


@dataclass(frozen=True)
class Manifolds:
    """What the four quantities are made of: per image `precise`, `density`; per reference image `recalled`, `covered`."""

    precise: Flags
    density: Array
    recalled: Flags
    covered: Flags
    rule: BallRule


def features_to_statistics(images: Rows, reference: Rows, rule: BallRule) -> Manifolds:
    """Compare features of `images` [n, d] with those of `reference` [m, d]; each set needs more than `rule.k`."""
    checked_pair(images, reference, rule.k + 1)
    centre = moments_mean(reference)
    true = prepare(reference, centre, max(len(images), len(reference)))
    made = prepare(images, centre, max(len(images), len(reference)))
    true_radius = nearest_others(true, rule.k).distance[:, -1]
    made_radius = nearest_others(made, rule.k).distance[:, -1]
    found: Contained = contained(true, made, true_radius, made_radius, closed=rule.closed)
    return Manifolds(found.covering > 0, found.covering / rule.k, found.inside, found.reached, rule)


def statistics_to_value(statistics: Manifolds, quantity: Quantity) -> float:
    """The mean over the images (precision, density) or over the reference (recall, coverage)."""
    return float(np.mean(_samples(statistics)[quantity]))


def prdc(
    images: Rows, reference: Rows, rule: BallRule | None = None, *, level: float = 0.95
) -> Mapping[Quantity, Estimate]:
    """All four with their intervals over the images that are counted, the balls taken as given.

    >>> x = np.arange(12.0).reshape(6, 2)
    >>> prdc(x, x, BallRule(k=1))["precision"].value
    1.0
    """
    return estimates(features_to_statistics(images, reference, rule or BallRule()), level=level)


def estimates(statistics: Manifolds, *, level: float = 0.95) -> Mapping[Quantity, Estimate]:
    """The four values, each with the interval of a mean over its own set."""
    from evalkit.stats.intervals import mean_interval  # scipy.stats is slow to import

    rule = statistics.rule
    border = "border counted" if rule.closed else "border not counted"
    found: dict[Quantity, Estimate] = {}
    for quantity, values in _samples(statistics).items():
        mean = mean_interval(values, method=_method(quantity, len(values)), level=level)
        said = f"k = {rule.k}, {border}; {mean.method}, the balls taken as given"
        if quantity == "density" and mean.low == mean.high:
            mean = replace(mean, low=None, high=None)
            said = f"k = {rule.k}, {border}; no interval: all images lie in equally many balls"
        found[quantity] = Estimate(mean.value, mean.low, mean.high, mean.n, said, level)
    return found


def _method(quantity: Quantity, n: int) -> Literal["auto", "mean", "t"]:
    """Shares by Wilson's interval; densities by one for skewed means, which at many images is Student's t."""
    if quantity != "density":
        return "auto"
    return "mean" if n <= _MANY else "t"


def _samples(statistics: Manifolds) -> dict[Quantity, Array]:
    return {
        "precision": statistics.precise.astype(np.float64),
        "recall": statistics.recalled.astype(np.float64),
        "density": statistics.density,
        "coverage": statistics.covered.astype(np.float64),
    }
