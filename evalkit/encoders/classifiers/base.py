"""The contract of classifiers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from evalkit.encoders.base import Encoder, Kind
from evalkit.images.sample import Pixels

MOST = 10  # labels of an image that are reported


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label and its probability among the classifier's labels."""

    label: str
    score: float


class Classifier(Encoder):
    """Says which of its `labels` an image shows; what it says does not depend on the batch.

    `top`: how many of the likeliest labels count as a hit by the usual protocol of this classifier.
    """

    kind: ClassVar[Kind] = "label"
    labels: tuple[str, ...]
    top: int = 1

    @abstractmethod
    def __call__(self, images: Sequence[Pixels]) -> list[tuple[Labelled, ...]]:
        """The likeliest labels of each of the uint8 [H, W, 3] images, at most ten, the likeliest first."""


def likeliest(probabilities: Tensor, labels: Sequence[str]) -> list[tuple[Labelled, ...]]:
    """The labels of each row of `probabilities` [n, labels], the likeliest first."""
    best = torch.topk(probabilities, min(MOST, len(labels)), dim=-1)
    return [
        tuple(Labelled(labels[i], float(p)) for i, p in zip(places, values, strict=True))
        for places, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
