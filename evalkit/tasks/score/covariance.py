"""How the errors of several scored sets' Fréchet distances go together: images of one id, and the one reference.

The influences are those of `frechet_difference`, so that a board of many sets and a comparison of two say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.metrics.frechet_interval import influences
from evalkit.metrics.rows import gaussian_of
from evalkit.metrics.sets.composition import FRECHET, HEADS
from evalkit.metrics.statistics_file import StoredGaussian
from evalkit.metrics.transport import transport
from evalkit.runs.store import Run
from evalkit.tasks.score.difference import EXTRAPOLATED, good_ids, sides_by_features

Array = npt.NDArray[np.float64]
PAIRED = frozenset(FRECHET) - {EXTRAPOLATED}


@dataclass(frozen=True)
class Influence:
    """Influence of each image by its id, and of each image of the reference [m] (None: taken as given)."""

    images: Mapping[str, float]
    reference: Array | None


def frechet_influence(run: Run, metric: str) -> Influence | None:
    """What moves a run's distance; None where its features were not kept, or its images have no ids of their own."""
    if metric not in PAIRED or run.record.get("statistics") != "features":
        return None
    mine, reference = sides_by_features(run)
    rows, ids = mine.rows.get(HEADS[metric]), good_ids(run)
    if rows is None or len(rows) < 2 or len(set(ids)) != len(rows):
        return None
    gaussian = reference.statistics(HEADS[metric], rows.shape[1])
    if gaussian is None:
        return None
    found = transport(gaussian_of(rows), gaussian)
    own = None if isinstance(gaussian, StoredGaussian) else reference.rows.get(HEADS[metric])
    shared = None if own is None else influences(own, found, second=True)
    return Influence(dict(zip(ids, influences(rows, found).tolist(), strict=True)), shared)


def frechet_covariance(found: Sequence[Influence]) -> Array:
    """Covariance [k, k] of the distances of k sets: over the images that two call by one id, and over the reference."""
    k = len(found)
    sigma = np.zeros((k, k))
    for i, a in enumerate(found):
        for j, b in enumerate(found[: i + 1]):
            ids = a.images.keys() if a.images.keys() == b.images.keys() else ()
            if ids:
                x, y = (np.array([each.images[id] for id in ids]) for each in (a, b))
                sigma[i, j] = float(np.cov(x, y)[0, 1]) / len(x)
            if a.reference is not None and b.reference is not None and len(a.reference) == len(b.reference):
                sigma[i, j] += float(np.cov(a.reference, b.reference)[0, 1]) / len(a.reference)
            sigma[j, i] = sigma[i, j]
    return sigma
