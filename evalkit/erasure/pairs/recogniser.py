"""Whether an image shows a concept: one score for each image, from any detector or classifier of evalkit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from evalkit.encoders.base import Encoder
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels


class Recogniser(Protocol):
    """`facts`: what a record says of it. `scores`: in [0, 1] for each image, the higher the surer."""

    @property
    def facts(self) -> dict[str, Any]:
        """Plain data."""

    def scores(self, images: Sequence[Pixels]) -> list[float]:
        """One score for each uint8 [H, W, 3] image."""


class ByLabel:
    """The best score of any of `labels` among what an encoder finds; 0 where it finds none of them."""

    def __init__(self, encoder: Encoder, labels: Sequence[str]) -> None:
        """Raise `EvalkitError` for an encoder that names nothing, and for a label that it does not know."""
        known = getattr(encoder, "classes", None) or getattr(encoder, "labels", None)
        if not known or not callable(encoder):
            raise EvalkitError(f"{encoder.id} names nothing in images. Give a detector such as world")
        lost = [label for label in labels if label not in known]
        if lost or not labels:
            raise EvalkitError(
                f"{encoder.id} has no label {lost[0] if lost else ''!r}. Give --label with one of {', '.join(known[:8])}, …"
            )
        self.encoder, self.labels = encoder, frozenset(labels)
        self._look: Callable[[Sequence[Pixels]], list[Any]] = encoder

    @property
    def facts(self) -> dict[str, Any]:
        """The encoder and the labels that count."""
        return {**self.encoder.facts, "labels": sorted(self.labels)}

    def scores(self, images: Sequence[Pixels]) -> list[float]:
        """The best score for each image."""
        return [
            max((float(each.score) for each in found if each.label in self.labels), default=0.0)
            for found in self._look(images)
        ]
