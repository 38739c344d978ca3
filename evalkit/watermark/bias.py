"""Embedding while generating: guided logits of green codes are raised before temperature, top-k and top-p."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Draws, Step, TokenGenerator
from evalkit.watermark.mark import Mark
from evalkit.watermark.spec import DRAWING


@dataclass(frozen=True)
class GreenBias:
    """A logits processor that marks; lists know no order, so next-token, random-order and next-scale models are alike.

    `delta` is added to guided logits of green codes; infinity (the hard variant) leaves green codes only. Each request's
    list is drawn by the key from its seed.
    """

    mark: Mark
    delta: float

    def __post_init__(self) -> None:
        if not self.delta > 0:
            raise EvalkitError(f"delta is above 0 (inf for the hard variant); {self.delta} given")

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as records keep it; infinity as a string. Holds key_id, never the key."""
        delta = "inf" if math.isinf(self.delta) else self.delta
        return {**self.mark.as_dict(), "tokenizer": self.mark.tokenizer, "delta": delta}

    def notes(self, seed: int) -> dict[str, Any]:
        """What the manifest keeps of a marked image."""
        return {"watermark_list": self.mark.list_of(seed)}

    def __call__(self, logits: Tensor, step: Step) -> Tensor:
        """Guided logits [B, n, V] with green ones raised."""
        return self.mark.bias(logits, step, self.delta)


@runtime_checkable
class BitMarks(Protocol):
    """A mark that colours a bit by those before it in its code."""

    def bit(self, logits: Tensor, drawn: Tensor, step: Step, delta: float) -> Tensor:
        """Logits [B, n, 2] of the next bit, the green one raised."""


class BitBias(GreenBias):
    """The same for codes that are vectors of bits, drawn one bit after the other."""

    def bit(self, logits: Tensor, drawn: Tensor, step: Step) -> Tensor:
        """Logits [B, n, 2] of the next bit behind those `drawn` [B, n, k], the green one raised."""
        mark: object = self.mark
        if not isinstance(mark, BitMarks):
            raise EvalkitError(f"{self.mark.method} marks no bits; give --method bitmark")
        return mark.bit(logits, drawn, step, self.delta)


class KeyedDraw(GreenBias):
    """For methods that leave logits alone, and draw codes by the key."""

    def as_dict(self) -> dict[str, Any]:
        """As for a bias; there is no delta."""
        return {**super().as_dict(), "delta": None}

    def draw(self, law: Tensor, draws: Tensor, step: Step) -> Tensor:
        """Codes [B, n] of probabilities [B, n, V]."""
        mark: object = self.mark
        if not isinstance(mark, Draws):
            raise EvalkitError(f"{self.mark.method} draws no codes; give one of {', '.join(DRAWING)}")
        return mark.draw(law, draws, step)


def marking(mark: Mark, delta: float | None) -> GreenBias:
    """The processor that marks; raises `EvalkitError` where delta is missing, not above 0, or given to a method of draws."""
    if mark.method in DRAWING:
        if delta is not None:
            raise EvalkitError(f"{mark.method} changes no logits, so there is no delta. Leave it out")
        return KeyedDraw(mark, math.inf)
    if delta is None:
        raise EvalkitError(
            f"{mark.method} raises green logits by a delta. Give one (2 is common, inf the hard variant)"
        )
    return (BitBias if mark.reads == "bits" else GreenBias)(mark, delta)


def said_of(mark: Mark, delta: float | None) -> dict[str, Any]:
    """What plans and manifests say of a mark that is added with `delta`; raises `EvalkitError` as `marking` does."""
    return marking(mark, delta).as_dict()


def check_generator(generator: object) -> TokenGenerator:
    """The generator, where its sampling can be biased; raises `EvalkitError` where it cannot."""
    if not isinstance(generator, TokenGenerator) or not generator.vocab_size:
        name = getattr(generator, "name", str(generator))
        raise EvalkitError(
            f"{name} does not choose discrete codes here, so its sampling cannot be biased; "
            "mark its images afterwards with `evalkit watermark embed`"
        )
    return generator


def mark_generator(generator: object, mark: Mark, delta: float | None) -> GreenBias:
    """Let `generator` mark every image that it makes from now on; raises `EvalkitError` where it cannot.

    `delta`: None for methods that draw codes.
    """
    bias = marking(mark, delta)
    check_generator(generator).logits_processors.append(bias)
    return bias
