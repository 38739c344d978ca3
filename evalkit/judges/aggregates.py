"""Ways from valued items to one number; each rises, or stays, where a value rises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from evalkit.judges.policy import Item

Aggregate = Callable[[Sequence[Item]], float]  # of items that all have a value


def mean_of_items(items: Sequence[Item]) -> float:
    """The mean over items by their weights, all categories pooled; nan for none."""
    total = math.fsum(item.weight for item in items)
    return math.fsum(item.weight * (item.value or 0.0) for item in items) / total if total else math.nan


def mean_of_categories(items: Sequence[Item]) -> float:
    """The unweighted mean of the categories' means; nan for none."""
    means = category_means(items)
    return math.fsum(means.values()) / len(means) if means else math.nan


def weighted_categories(weights: Mapping[str, float], digits: int | None = None) -> Aggregate:
    """The sum of weight x mean over the categories of `weights`; nan where one of them has no item.

    `digits`: to which means are rounded first. Equal items are summed from left to right then, as official scripts do, so
    that a mean between two roundings goes their way.
    """

    def aggregate(items: Sequence[Item]) -> float:
        means = category_means(items) if digits is None else {}
        for name, group in by_category(items).items() if digits is not None else ():
            alike = all(item.weight == 1 for item in group)
            mean = sum(item.value or 0.0 for item in group) / len(group) if alike else mean_of_items(group)
            means[name] = round(mean, digits)
        return math.fsum(weight * means.get(name, math.nan) for name, weight in weights.items())

    return aggregate


def category_means(items: Sequence[Item]) -> dict[str, float]:
    """The mean of each category, in the order in which they appear."""
    return {name: mean_of_items(group) for name, group in by_category(items).items()}


def by_category(items: Sequence[Item]) -> dict[str, list[Item]]:
    """The items of each category."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.category, []).append(item)
    return groups
