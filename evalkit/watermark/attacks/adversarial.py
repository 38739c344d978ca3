"""PGD on what a tokenizer's encoder sees: pixels move by at most eps levels so that the features before rounding move most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.regenerate import TOKENIZER, TokenizerAttack
from evalkit.watermark.attacks.spelling import Options, Parameter, register

STEP = 0.05  # of eps, as WAVES steps (adversarial/embedding.py)


@dataclass(frozen=True)
class Adversarial(TokenizerAttack):
    """Untargeted l-infinity PGD from a random start, up the squared distance to the image's own features.

    Every image has a start and a gradient of its own, so it does not depend on its batch. The result is rounded to
    8 bits, which keeps whole-numbered bounds.
    """

    most: ClassVar[int] = 2**20  # the gradient keeps every layer's output

    def change(self, x: Tensor, seeds: list[int]) -> Tensor:
        """Images within eps / 255 of `x`."""
        eps = float(self.parameters["eps"]) / 255
        with torch.no_grad():
            own = self.tokenizer.features(x).detach()
        starts = [torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        x = x.to(own.device)
        moved = (x + (2 * torch.stack(starts).to(x.device) - 1) * eps).clamp(0, 1)
        for _ in range(int(self.parameters["steps"])):
            moved.requires_grad_()
            away = (self.tokenizer.features(moved) - own).square().sum()
            (gradient,) = torch.autograd.grad(away, moved)
            moved = moved.detach() + STEP * eps * gradient.sign()
            moved = (x + (moved - x).clamp(-eps, eps)).clamp(0, 1)
        return moved


@register(
    "adversarial",
    TOKENIZER,
    Parameter("eps", low=0, high=255),
    Parameter("steps", "whole", 1, 10000, default=200),
    about="PGD on the tokenizer's features, at most eps of 255 levels a value, steps of eps / 20",
)
def adversarial(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """WAVES's AdvEmb with the detector's own encoder: a white-box attack, with 200 steps as there."""
    TOKENIZERS.get(str(values["tokenizer"]))
    return Adversarial(name, values, options)
