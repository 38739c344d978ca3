"""Fréchet distances class by class, and how different the images of one class are from each other.

A set can match its reference as a whole and miss single classes, or give one image a class. Classes hold few images, so
the distance of each comes from an [n, m] problem and is biased upwards by its small n: compare classes of equal size.
Intra-class diversity is the mean distance of two images of a class in feature space; beside that of the reference it
shows a collapse inside classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.frechet import HEUSEL, frechet_distance
from evalkit.metrics.rows import Index, Rows, Taken, checked_pair, gaussian_of, row_blocks
from evalkit.metrics.score import declare_score

Labels = npt.ArrayLike
DECLARED = (
    declare_score(
        "fid_per_class",
        "FID per class",
        "mean over classes of the FID of a class",
        "lower",
        source=HEUSEL,
        shown=frozenset(),
    ),
    declare_score(
        "intra_class_diversity",
        "Diversity in classes",
        "mean feature distance of two images of a class",
        "higher",
        shown=frozenset(),
    ),
)


@dataclass(frozen=True)
class ClassValues:
    """One value a class, with the number of its images; `mean` is that over classes with its interval."""

    values: Mapping[str, float]
    counts: Mapping[str, int]
    mean: Estimate


def frechet_per_class(
    images: Rows, labels: Labels, reference: Rows, reference_labels: Labels, *, level: float = 0.95
) -> ClassValues:
    """Fréchet distance of each class's features to the reference's of that class.

    `labels` [n], `reference_labels` [m]: any values; a class with fewer than two images on either side is left out, and
    counted in the method.
    """
    checked_pair(images, reference)
    own, theirs = (
        _members(labels, len(images), "images"),
        _members(reference_labels, len(reference), "reference images"),
    )
    shared = [name for name in own if len(own[name]) > 1 and len(theirs.get(name, ())) > 1]
    values = {
        name: frechet_distance(
            *(gaussian_of(Taken(*each)) for each in ((images, own[name]), (reference, theirs[name])))
        )
        for name in shared
    }
    lost = len(set(own) | set(theirs)) - len(shared)
    return _over_classes(values, {name: len(own[name]) for name in shared}, lost, level)


def intra_class_diversity(images: Rows, labels: Labels, *, level: float = 0.95) -> ClassValues:
    """Mean Euclidean distance of two different images of a class, over classes with at least two.

    >>> intra_class_diversity(np.array([[0.0], [3.0], [1.0]]), ["a", "a", "b"]).values
    {'a': 3.0}
    """
    members = _members(labels, len(images), "images")
    shared = {name: rows for name, rows in members.items() if len(rows) > 1}
    values = {name: _mean_distance(Taken(images, rows)) for name, rows in shared.items()}
    counts = {name: len(rows) for name, rows in shared.items()}
    return _over_classes(values, counts, len(members) - len(shared), level)


def _mean_distance(rows: Rows) -> float:
    n, total = len(rows), 0.0
    for i, x in enumerate(row_blocks(rows)):
        ends = np.square(x).sum(1)
        for j, y in enumerate(row_blocks(rows)):
            squared = np.maximum(ends[:, None] + np.square(y).sum(1) - 2 * (x @ y.T), 0.0)
            if i == j:
                np.fill_diagonal(squared, 0.0)
            total += float(np.sqrt(squared).sum())
    return total / (n * (n - 1))


def _members(labels: Labels, n: int, what: str) -> dict[str, Index]:
    """Row numbers of every class, classes in sorted order."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise EvalkitError(
            f"{n} {what} need one class each; labels of shape {array.shape} were given. Give one an image."
        )
    names, place = np.unique(array, return_inverse=True)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=len(names)))
    return {str(name): rows for name, rows in zip(names, np.split(order, ends[:-1]), strict=True)}


def _over_classes(values: dict[str, float], counts: dict[str, int], lost: int, level: float) -> ClassValues:
    from evalkit.stats.intervals import mean_interval  # scipy.stats is slow to import

    said = f"; {lost} classes have too few images" if lost else ""
    if not values:
        return ClassValues(
            {}, {}, Estimate(math.nan, None, None, 0, f"no class has two images on each side{said}", level)
        )
    mean = mean_interval(list(values.values()), method="mean", level=level)
    method = f"mean over {len(values)} classes; {mean.method.replace('samples', 'classes')}{said}"
    return ClassValues(values, counts, Estimate(mean.value, mean.low, mean.high, mean.n, method, level))
