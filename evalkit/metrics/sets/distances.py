"""Distances of a set to a reference, for training loops: Fréchet (FID, sFID, FD-DINOv2, CLIP-FID), FID∞, KID, CMMD."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.cmmd import cmmd
from evalkit.metrics.fid_infinity import fid_infinity_of
from evalkit.metrics.frechet_interval import contributions, frechet_estimate
from evalkit.metrics.kid import kid
from evalkit.metrics.rows import Array, checked, gaussian_of
from evalkit.metrics.rules import SubsetRule
from evalkit.metrics.sets.base import Embeds, SetMetric
from evalkit.metrics.transport import Gaussian


class FrechetDistance(SetMetric):
    """Fréchet distance of whatever features come: FID of pool features, sFID of spatial ones, FD-DINOv2, CLIP-FID.

    `known`: statistics of the reference, such as those of a file; else `update` gets the reference's images too.
    """

    def __init__(
        self, *, known: Gaussian | None = None, extractor: Embeds | None = None, folder: Path | None = None
    ) -> None:
        super().__init__(extractor=extractor, folder=folder)
        self.known = known

    def compute(self) -> Estimate:
        """The distance; its interval counts the reference's images where they came through `update`."""
        rows = None if self.known is not None else self.reference
        return frechet_estimate(self.images, self._reference(), rows)

    def contributions(self) -> Array:
        """How much of the distance goes away with each image [n], in the order of image numbers."""
        return contributions(self.images, self._reference())

    def _reference(self) -> Gaussian:
        if self.known is not None:
            if len(self.reference):
                raise EvalkitError("The reference came as statistics and as images. Give one of them.")
            return self.known
        checked(self.reference, "the reference", 2)
        return gaussian_of(self.reference)


class FrechetInfinity(FrechetDistance):
    """The distance that infinitely many images would have; sub-samples are drawn by `seed`."""

    def __init__(
        self,
        *,
        known: Gaussian | None = None,
        seed: int = 0,
        extractor: Embeds | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__(known=known, extractor=extractor, folder=folder)
        self.seed = seed

    def compute(self) -> Estimate:
        """The extrapolated distance, the reference taken as given."""
        return fid_infinity_of(self.images, self._reference(), seed=self.seed)


class KernelDistance(SetMetric):
    """KID by the subsets of `rule`."""

    def __init__(
        self, *, rule: SubsetRule | None = None, extractor: Embeds | None = None, folder: Path | None = None
    ) -> None:
        super().__init__(extractor=extractor, folder=folder)
        self.rule = rule or SubsetRule()

    def compute(self) -> Estimate:
        """Mean over subsets with its interval."""
        return kid(self.images, self.reference, self.rule)


class ClipDiscrepancy(SetMetric):
    """CMMD of CLIP embeddings of unit length."""

    def compute(self) -> Estimate:
        """The discrepancy times 1,000 with its interval."""
        return cmmd(self.images, self.reference)
