"""Scores of a set for training loops: Inception score, precision to coverage, Vendi score, authenticity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evalkit.metrics.base import Estimate
from evalkit.metrics.inception_score import inception_score
from evalkit.metrics.memorisation import authenticity
from evalkit.metrics.prdc import Quantity, prdc
from evalkit.metrics.rules import BallRule, SplitRule
from evalkit.metrics.sets.base import Embeds, SetMetric
from evalkit.metrics.vendi import vendi


class InceptionScore(SetMetric):
    """Inception score of the 1,008 logits without bias, by the splits of `rule`; there is no reference."""

    def __init__(
        self, *, rule: SplitRule | None = None, extractor: Embeds | None = None, folder: Path | None = None
    ) -> None:
        super().__init__(extractor=extractor, folder=folder)
        self.rule = rule or SplitRule()

    def compute(self) -> Estimate:
        """Mean over splits with its interval."""
        return inception_score(self.images, self.rule)


class Manifold(SetMetric):
    """Precision, recall, density or coverage, whichever `quantity` names; `compute_all` gives the four."""

    def __init__(
        self,
        quantity: Quantity,
        *,
        rule: BallRule | None = None,
        extractor: Embeds | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__(extractor=extractor, folder=folder)
        self.quantity: Quantity = quantity
        self.rule = rule or BallRule()

    def compute(self) -> Estimate:
        """The quantity with its interval over images."""
        return self.compute_all()[self.quantity]

    def compute_all(self) -> Mapping[Quantity, Estimate]:
        """All four, for the cost of one."""
        return prdc(self.images, self.reference, self.rule)


class VendiScore(SetMetric):
    """How many distinct images the set amounts to; there is no reference."""

    def __init__(self, *, order: float = 1.0, extractor: Embeds | None = None, folder: Path | None = None) -> None:
        super().__init__(extractor=extractor, folder=folder)
        self.order = order

    def compute(self) -> Estimate:
        """The score with its interval."""
        return vendi(self.images, order=self.order)


class Authenticity(SetMetric):
    """Share of images that are no near copy; the reference is the training set."""

    def compute(self) -> Estimate:
        """The share with Wilson's interval."""
        return authenticity(self.images, self.reference)
