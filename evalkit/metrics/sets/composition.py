"""All metrics of a set against a reference under one protocol, from the features that both left behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.freed import give_back
from evalkit.metrics.base import Estimate
from evalkit.metrics.cmmd import cmmd
from evalkit.metrics.efflite0 import ENCODER, PLAIN
from evalkit.metrics.fid_infinity import fid_infinity_of
from evalkit.metrics.frechet_interval import frechet_estimate
from evalkit.metrics.fvd import I3D
from evalkit.metrics.inception_score import inception_score
from evalkit.metrics.kid import kid
from evalkit.metrics.memorisation import authenticity
from evalkit.metrics.per_class import frechet_per_class, intra_class_diversity
from evalkit.metrics.prdc import Quantity, prdc
from evalkit.metrics.rows import Rows, gaussian_of
from evalkit.metrics.rules import BallRule
from evalkit.metrics.statistics_file import ReferenceFile, StoredGaussian
from evalkit.metrics.transport import Gaussian
from evalkit.metrics.vendi import vendi
from evalkit.protocols.score import ScoreProtocol

POOL, SPATIAL, LOGITS = "2048", "sfid", "logits_unbiased"
HEADS: Mapping[str, str] = {
    "is": LOGITS,
    "fid": POOL,
    "sfid": SPATIAL,
    "kid": POOL,
    "precision": POOL,
    "recall": POOL,
    "density": POOL,
    "coverage": POOL,
    "fid_infinity": POOL,
    "vendi": POOL,
    "fid_per_class": POOL,
    "intra_class_diversity": POOL,
    "authenticity": POOL,
    "cmmd": "clip-vitl14",
    "fd_clip_vitb32": "clip-vitb32",
    "fd_dinov2": "dinov2-vitl14",
    "fvd": I3D,
    **dict.fromkeys(PLAIN, ENCODER),
}
ALONE = frozenset({"is", "vendi", "intra_class_diversity", "vendi_efflite0"})  # metrics without a reference
CLASSES = "put each class into a folder of its own"
FRECHET = ("fid", "sfid", "fid_infinity", "fd_clip_vitb32", "fd_dinov2", "fd_efflite0", "fvd")


@dataclass(frozen=True)
class Side:
    """Features of one set: rows [n, d] by head, one class an image where known, and a file of statistics instead of rows."""

    rows: Mapping[str, Rows] = field(default_factory=dict)
    labels: npt.ArrayLike | None = None
    file: ReferenceFile | None = None

    def statistics(self, head: str, dim: int) -> Gaussian | None:
        """Mean and covariance of a head's `dim` features, from the file or from the rows; None where neither has them.

        Images beside stored statistics are some of the set only, so they do not stand for statistics that are not there.
        """
        if self.file is not None:
            stored = self.file.spatial if head == SPATIAL else self.file.pool
            if stored is not None and stored.dim == dim:
                return stored
            if head in (POOL, SPATIAL) and (self.file.pool or self.file.spatial):
                return None
        rows = self.rows.get(head)
        return gaussian_of(rows) if rows is not None and len(rows) > 1 else None


def heads_of(metrics: Sequence[str]) -> tuple[str, ...]:
    """The outputs of networks that these metrics look at, each once: what an encoder pass has to keep.

    >>> heads_of(["fid", "kid", "is"])
    ('2048', 'logits_unbiased')
    """
    for metric in metrics:
        if metric not in HEADS:
            raise EvalkitError(f"There is no set metric called {metric!r}. Use some of {', '.join(HEADS)}.")
    return tuple(dict.fromkeys(HEADS[metric] for metric in metrics))


def score_sets(
    metrics: Sequence[str], images: Side, reference: Side, protocol: ScoreProtocol, *, seed: int = 0
) -> dict[str, Estimate]:
    """Every metric's value with its interval; nan, with the reason as the method, where something it needs is not there.

    Raises where a name is unknown, the protocol does not define a metric, or statistics were made under another one.
    """
    heads_of(metrics)
    for metric in metrics:
        protocol.check(metric)
    if reference.file is not None:
        reference.file.check_made_with({"protocol": protocol.id})
    work = _Work(images, reference, protocol, seed)
    found = {}
    for metric in metrics:
        found[metric] = _measured(work, metric)
        give_back()  # matrices of this metric, before those of the next are made
    return found


class _Work:
    """One scoring; balls and Gaussians are made once for the metrics that share them."""

    def __init__(self, images: Side, reference: Side, protocol: ScoreProtocol, seed: int) -> None:
        self.images, self.reference, self.protocol, self.seed = images, reference, protocol, seed
        self._balls: dict[tuple[str, BallRule], Mapping[Quantity, Estimate]] = {}
        self._gaussians: dict[str, Gaussian | None] = {}

    def estimate(self, metric: str) -> Estimate:
        """The estimate of one metric."""
        head = HEADS[metric]
        rows = self.images.rows.get(head)
        if rows is None or not len(rows):
            return _without(0, f"the images have no features of {head}")
        if metric in FRECHET:
            return self._distance(metric, head, rows)
        self._gaussians.clear()  # 34 MB each, which no other metric needs
        if metric in ALONE:
            return self._alone(PLAIN.get(metric, metric), rows)
        other = self.reference.rows.get(head)
        if other is None or not len(other):
            return _without(len(rows), self._no_images())
        return self._against(PLAIN.get(metric, metric), head, rows, other)

    def _distance(self, metric: str, head: str, rows: Rows) -> Estimate:
        if head not in self._gaussians:
            self._gaussians[head] = self.reference.statistics(head, rows.shape[1])
        gaussian = self._gaussians[head]
        if gaussian is None:
            return _without(len(rows), self._no_statistics(head, rows.shape[1]))
        if metric == "fid_infinity":
            return fid_infinity_of(rows, gaussian, seed=self.seed)
        own = None if isinstance(gaussian, StoredGaussian) else self.reference.rows.get(head)
        return frechet_estimate(rows, gaussian, own)

    def _alone(self, metric: str, rows: Rows) -> Estimate:
        if metric == "is":
            return inception_score(rows, self.protocol.splits, classes=self.images.labels)
        if metric == "vendi":
            return vendi(rows)
        if self.images.labels is None:
            return _without(len(rows), f"the classes of the images are not known; {CLASSES}")
        return intra_class_diversity(rows, self.images.labels).mean

    def _against(self, metric: str, head: str, rows: Rows, other: Rows) -> Estimate:
        plain: Mapping[str, Callable[[], Estimate]] = {
            "kid": lambda: kid(rows, other, self.protocol.subsets),
            "cmmd": lambda: cmmd(rows, other),
            "authenticity": lambda: authenticity(rows, other),
            "fid_per_class": lambda: self._per_class(rows, other),
        }
        if metric in plain:
            return plain[metric]()
        rule = (self.protocol.balls if metric in ("precision", "recall") else self.protocol.density) or BallRule()
        if min(len(rows), len(other)) <= rule.k:
            return _without(len(rows), f"k = {rule.k} needs more images in both sets; {len(rows)}, {len(other)} given")
        if (head, rule) not in self._balls:
            self._balls[head, rule] = prdc(rows, other, rule)
        return {str(name): each for name, each in self._balls[head, rule].items()}[metric]

    def _per_class(self, rows: Rows, other: Rows) -> Estimate:
        if self.images.labels is None or self.reference.labels is None:
            return _without(len(rows), f"the classes of both sets are not known; {CLASSES}")
        return frechet_per_class(rows, self.images.labels, other, self.reference.labels).mean

    def _no_statistics(self, head: str, dim: int) -> str:
        file = self.reference.file
        if file is None:
            other = self.reference.rows.get(head)
            there = 0 if other is None else len(other)
            return f"a Fréchet distance needs at least 2 images of the reference; {there} given"
        said = f"{dim:,} spatial features" if head == SPATIAL else f"{dim:,} features"
        return f"the distance needs statistics of {said}; {file.path.name} holds {file.contents()}"

    def _no_images(self) -> str:
        file = self.reference.file
        if file is None:
            return "a comparison with images is needed, and the reference has none"
        return f"a comparison with images is needed; {file.path.name} holds {file.contents()}"


def _measured(work: _Work, metric: str) -> Estimate:
    """One metric's estimate; what is wrong with the sets for this metric is its reason and leaves the others alone."""
    try:
        return work.estimate(metric)
    except EvalkitError as error:
        return _without(0, str(error))


def _without(n: int, reason: str) -> Estimate:
    return Estimate(math.nan, None, None, n, reason)
