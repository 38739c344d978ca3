"""Set metrics for training loops: update, merge, compute; and the bank that keeps the features of a set on disk."""

from evalkit.metrics.sets.bank import FeatureBank
from evalkit.metrics.sets.base import SetMetric
from evalkit.metrics.sets.distances import ClipDiscrepancy, FrechetDistance, FrechetInfinity, KernelDistance
from evalkit.metrics.sets.qualities import Authenticity, InceptionScore, Manifold, VendiScore

__all__ = [
    "Authenticity",
    "ClipDiscrepancy",
    "FeatureBank",
    "FrechetDistance",
    "FrechetInfinity",
    "InceptionScore",
    "KernelDistance",
    "Manifold",
    "SetMetric",
    "VendiScore",
]
