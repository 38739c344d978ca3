"""Learners of models that draw one scale of codes after another."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from evalkit.erasure.training.learner import Learner
from evalkit.generators.infinity import Infinity
from evalkit.generators.next_scale import NextScaleGenerator


class ScaleLearner(Learner):
    """VAR and FlexVAR, whose prompts are classes."""

    layer: ClassVar[str] = r"^blocks\.(\d+)\."
    modules: ClassVar[str] = r"\.attn\."
    generator: NextScaleGenerator

    def __init__(self, generator: NextScaleGenerator) -> None:
        super().__init__(generator)
        self.first = generator.scales[0] ** 2

    def null(self, conditions: Tensor) -> Tensor:
        """The class behind the last."""
        return torch.full_like(conditions, self.generator.classes)

    def logits(self, conditions: Tensor, codes: Tensor) -> Tensor:
        """float32 [B, N, V] of the scales that `codes` holds."""
        return self.generator.teacher_forced(conditions, codes)


class BitScaleLearner(Learner):
    """Infinity, whose codes are vectors of bits."""

    layer: ClassVar[str] = r"^block_chunks\.(\d+)\."
    modules: ClassVar[str] = r"\.(sa|ca)\."
    generator: Infinity

    def __init__(self, generator: Infinity) -> None:
        super().__init__(generator)
        self.first = generator.lengths[0]

    def null(self, conditions: Tensor) -> Tensor:
        """No text."""
        found: Tensor = self.generator.network.null(conditions)
        return found

    def logits(self, conditions: Tensor, codes: Tensor) -> Tensor:
        """float32 [B, N, bits, 2] of the scales that `codes` holds."""
        return self.generator.teacher_forced(conditions, codes)
