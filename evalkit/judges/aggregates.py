"""Ways from valued items to one number; each rises, or stays, where a value rises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

Valued = Sequence[tuple[str, float]]  # category, value
Aggregate = Callable[[Valued], float]


def mean_of_items(valued: Valued) -> float:
    """The mean over items, whatever their category; nan for none."""
    return fmean(value for _, value in valued) if valued else math.nan


def mean_of_categories(valued: Valued) -> float:
    """The unweighted mean of the categories' means; nan for none."""
    means = category_means(valued)
    return fmean(means.values()) if means else math.nan


def weighted_categories(weights: Mapping[str, float]) -> Aggregate:
    """The sum of weight x mean over the categories of `weights`; nan where one of them has no item."""

    def aggregate(valued: Valued) -> float:
        means = category_means(valued)
        return math.fsum(weight * means.get(name, math.nan) for name, weight in weights.items())

    return aggregate


def category_means(valued: Valued) -> dict[str, float]:
    """The mean of each category, in the order in which they appear."""
    groups: dict[str, list[float]] = {}
    for category, value in valued:
        groups.setdefault(category, []).append(value)
    return {name: fmean(group) for name, group in groups.items()}
