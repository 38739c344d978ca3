"""Copies of training images among generated ones: nearest neighbours by feature distance, and authenticity.

An image is authentic where its nearest training image is nearer to another training image than to it (Alaa et al. 2022,
arXiv:2102.08921; AuthPct of Jiralerspong et al. 2023). The share of authentic images of a model that copies tends to 0;
that of fresh images from the training distribution is about one half. A feature distance finds near copies, and likeness
of style or content: look at the nearest pairs before a claim is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.metrics.balls import Flags
from evalkit.metrics.base import Estimate
from evalkit.metrics.nearest import nearest
from evalkit.metrics.rows import Array, Index, Rows, checked_pair
from evalkit.metrics.score import declare_score

DECLARED = (
    declare_score(
        "authenticity",
        "Authenticity",
        "share of images that are no near copy",
        "higher",
        source="Alaa et al. 2022, arXiv:2102.08921",
        high=1.0,
        shown=frozenset(),
    ),
)


@dataclass(frozen=True)
class Memorisation:
    """For each image [n]: number of the `nearest` training image, its `distance`, and that training image's own `margin`.

    `margin`: distance from that training image to its nearest other one.
    """

    nearest: Index
    distance: Array
    margin: Array

    @property
    def authentic(self) -> Flags:
        """Whether each image is further from its nearest training image than that is from another one."""
        flags: Flags = self.distance > self.margin
        return flags

    @property
    def suspicion(self) -> Array:
        """Margin over distance: above 1 for what is no longer authentic, inf for an exact copy."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.distance == 0, np.inf, self.margin / self.distance)


def memorisation(images: Rows, training: Rows) -> Memorisation:
    """Compare features [n, d] of images with those [m, d] of a training set of at least two images.

    Only the training images that are nearest to something are searched for their own neighbours.
    """
    checked_pair(images, training)
    found = nearest(images, training)
    near, distance = found.index[:, 0], found.distance[:, 0]
    used, place = np.unique(near, return_inverse=True)
    own = nearest(np.asarray(training[used]), training, itself=used)
    return Memorisation(near, distance, own.distance[:, 0][place])


def authenticity(images: Rows, training: Rows, *, level: float = 0.95) -> Estimate:
    """Share of authentic images with Wilson's interval over them, the training set taken as given.

    >>> authenticity(np.array([[0.0], [9.0]]), np.array([[0.0], [1.0], [2.0]])).value
    0.5
    """
    from evalkit.stats.intervals import mean_interval  # scipy.stats is slow to import

    share = mean_interval(memorisation(images, training).authentic.astype(np.float64), level=level)
    method = f"{share.method}; {len(training)} training images, taken as given"
    return Estimate(share.value, share.low, share.high, share.n, method, level)
