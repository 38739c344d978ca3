"""Embedding while generating: guided logits of green codes are raised before temperature, top-k and top-p."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Draws, Step, TokenGenerator
from evalkit.watermark.mark import Codes, Colours, LexicalBias, Mark, raise_green
from evalkit.watermark.spec import DRAWING

LOWEST = -1e9  # a logit of no weight; minus infinity alone has no logarithm of a sum


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


@dataclass(frozen=True)
class BiasUntil(GreenBias):
    """A bias where the test counts, and until it is enough: nothing is raised once the image would be found as it is.

    The exact test counts distinct codes: one that the image holds already adds no evidence and takes none away. So `delta`
    (finite) is added to green codes that the image lacks, and all that it lacks are lowered together: that a code is a new
    one stays as likely as the model has it. It ends while the exact p of the codes chosen so far is at most `until`. The
    detector needs to know nothing of this. It is evalkit's own, not the LBW paper's.
    """

    until: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.mark, LexicalBias):
            raise EvalkitError(
                f"{self.mark.method} does not count distinct codes of fixed lists, so until means nothing there. "
                "Leave it out, or give --method lbw, indexmark or clusters"
            )
        if not 0 < self.until < 1 or math.isinf(self.delta):
            raise EvalkitError(
                f"until is a p between 0 and 1, beside a finite delta; {self.until} and {self.delta} given. "
                "Give --until 1e-8 --delta 4, for example"
            )

    def as_dict(self) -> dict[str, Any]:
        """As for a bias, with `until`."""
        return {**super().as_dict(), "until": self.until}

    def __call__(self, logits: Tensor, step: Step) -> Tensor:
        """Guided logits [B, n, V], tilted among the codes that the rows lack where they are not found yet."""
        lacks = self._lacks(step.tokens.cpu().numpy(), logits.shape[-1])
        green = np.stack([self.mark.green_codes(self.mark.list_of(seed)) for seed in step.seeds])
        raised = raise_green(logits, green & lacks, self.delta)
        new = torch.from_numpy(lacks).to(logits.device)[:, None]
        before, after = (x.double().masked_fill(~new, LOWEST).logsumexp(-1, keepdim=True) for x in (logits, raised))
        return raised - ((after - before) * new).to(logits.dtype)

    def _lacks(self, codes: Codes, vocabulary: int) -> Colours:
        """bool [B, V]: codes whose coin (the code, its group or cluster) is not among `codes` [B, n]; none where found."""
        coins = self.mark.units(np.arange(vocabulary))
        held = np.zeros((len(codes), int(coins.max()) + 1), dtype=bool)
        if not codes.shape[1]:
            return ~held[:, coins]
        np.put_along_axis(held, coins[codes], True, axis=1)
        return (self.mark.score(codes).log_p > math.log(self.until))[:, None] & ~held[:, coins]


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


def marking(mark: Mark, delta: float | None, until: float | None = None) -> GreenBias:
    """The processor that marks; raises `EvalkitError` where delta is missing, not above 0, or given to a method of draws."""
    if mark.method in DRAWING:
        if delta is not None or until is not None:
            raise EvalkitError(f"{mark.method} changes no logits and takes neither delta nor until. Leave it out")
        return KeyedDraw(mark, math.inf)
    if delta is None:
        raise EvalkitError(
            f"{mark.method} raises green logits by a delta. Give one (2 is common, inf the hard variant)"
        )
    if until is not None:
        return BiasUntil(mark, delta, until)
    return (BitBias if mark.reads == "bits" else GreenBias)(mark, delta)


def check_generator(generator: object) -> TokenGenerator:
    """The generator, where its sampling can be biased; raises `EvalkitError` where it cannot."""
    if not isinstance(generator, TokenGenerator) or not generator.vocab_size:
        name = getattr(generator, "name", str(generator))
        raise EvalkitError(
            f"{name} does not choose discrete codes here, so its sampling cannot be biased; "
            "mark its images afterwards with `evalkit watermark embed`"
        )
    return generator


def mark_generator(generator: object, mark: Mark, delta: float | None, until: float | None = None) -> GreenBias:
    """Let `generator` mark every image that it makes from now on; raises `EvalkitError` where it cannot.

    `delta`: None for methods that draw codes. `until`: the p at which `BiasUntil` stops; None never stops.
    """
    bias = marking(mark, delta, until)
    check_generator(generator).logits_processors.append(bias)
    return bias
