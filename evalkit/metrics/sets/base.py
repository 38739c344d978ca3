"""What every set metric does in a training loop: take images or features, merge with another worker, give an estimate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.rows import Index
from evalkit.metrics.sets.bank import FeatureBank


class Embeds(Protocol):
    """Whatever turns uint8 images [B, 3, H, W] into features [B, d]: an extractor of evalkit.encoders, say."""

    def features(self, images: Any) -> Any:
        """float [B, d], a tensor or an array."""
        ...


class SetMetric(ABC):
    """A number of a set of images, or of a set and a reference.

    `extractor`: its features are taken where `update` gets images; without it `update` gets features. Values do not
    depend on batches, nor on the order of workers where image numbers are given.

    >>> from evalkit.metrics.sets import FrechetDistance
    >>> metric = FrechetDistance()
    >>> metric.update(np.eye(4), reference=True)
    >>> metric.update(2 * np.eye(4))
    >>> round(metric.compute().value, 6)
    1.25
    """

    def __init__(self, *, extractor: Embeds | None = None, folder: Path | None = None) -> None:
        self.extractor = extractor
        self._folder = folder
        self.reset()

    def update(self, batch: Any, *, reference: bool = False, numbers: Index | None = None) -> None:
        """Take in a batch of images or of features [B, d], of the set or of its `reference`.

        `numbers` [B]: the images' places in their set; without them images count on in the order they come.
        """
        (self.reference if reference else self.images).add(self._features(batch), numbers)

    def merge(self, other: Self) -> None:
        """Take in what another worker has; both gave image numbers."""
        self.images.merge(other.images)
        self.reference.merge(other.reference)

    def reset(self) -> None:
        """Forget both sets."""
        self.images, self.reference = FeatureBank(self._folder), FeatureBank(self._folder)

    @abstractmethod
    def compute(self) -> Estimate:
        """The value with its interval; nan, with the reason as the method, where it is not defined.

        Raises `EvalkitError` where a set is not there, or the sets cannot be compared.
        """

    def _features(self, batch: Any) -> npt.NDArray[Any]:
        if getattr(batch, "ndim", 2) == 4:
            if self.extractor is None:
                raise EvalkitError("Images were given and no extractor. Give extractor=…, or features [B, d].")
            batch = self.extractor.features(batch)
        if hasattr(batch, "detach"):
            batch = batch.detach().cpu().numpy() if batch.dtype.itemsize >= 4 else batch.detach().cpu().float().numpy()
        return np.asarray(batch)
