"""NIQE in the place of a scorer: it looks at the image alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from evalkit.encoders.prompt_scorer import PROMPT_SCORERS, Array, PromptScorer
from evalkit.metrics.niqe import LUMA, niqe


class Niqe(PromptScorer):
    """NIQE by the luminance that `name` stands for; nan for images of fewer than two blocks of 96 px with structure."""

    partial = True
    weights_sha256 = ""  # its parameters come with evalkit

    def __init__(self, name: str) -> None:
        self.name = name

    def score(self, images: Tensor, prompts: Sequence[str]) -> Array:
        """float64 [B] of uint8 [B, 3, H, W] images."""
        self._check(images, prompts)
        rows = images.permute(0, 2, 3, 1).cpu().numpy()
        return np.array([niqe(each, LUMA[self.name]) for each in rows])


def _load(name: str, weights: str | Path | None, device: torch.device) -> Niqe:
    return Niqe(name)


for _name in LUMA:
    PROMPT_SCORERS.add(_name, partial(_load, _name))
