"""Prompt scorers that look through CLIP: CLIPScore in both forms, PickScore, HPSv2 and v2.1, LAION's aesthetic scores.

Sources: jmhessel/clipscore, torchmetrics, yuvalkirstain/PickScore, tgxs002/HPSv2, and
christophschuhmann/improved-aesthetic-predictor. The originals run in half precision on a GPU; here all is float32.
HPSv2 resizes tensors by torchvision, whose default is antialiased since version 0.17; older ones gave other scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.clip_pair import ClipPair, PairRule
from evalkit.encoders.linear_stack import LinearStack
from evalkit.encoders.prompt_scorer import PROMPT_SCORERS, Array, PromptScorer, numbers
from evalkit.metrics.image_text import (
    AESTHETIC,
    AESTHETIC_V1,
    CLIP_T,
    CLIPSCORE,
    CLIPSCORE_TORCHMETRICS,
    HPSV2,
    HPSV2_1,
    PICKSCORE,
    PREFIX,
    clip_scores,
    cosines,
    pick_scores,
)
from evalkit.metrics.metric import Metric
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

OWN = "ViT-H-14"  # what PickScore and both HPS are fine-tuned from
PAIRS = {
    CLIPSCORE.name: PairRule(CLIPSCORE.needs[0], "ViT-B-32", quick=True, resize="clip"),
    CLIPSCORE_TORCHMETRICS.name: PairRule(
        CLIPSCORE_TORCHMETRICS.needs[0], "ViT-L-14", quick=True, resize="clip-transformers"
    ),
    CLIP_T.name: PairRule(CLIP_T.needs[0], "ViT-B-32", quick=True, resize="clip"),
    PICKSCORE.name: PairRule(PICKSCORE.needs[0], OWN, quick=False, resize="clip-transformers"),
    HPSV2.name: PairRule(HPSV2.needs[0], OWN, quick=False, resize="fit-bicubic"),
    HPSV2_1.name: PairRule(HPSV2_1.needs[0], OWN, quick=False, resize="fit-bicubic"),
    **{each.name: PairRule(each.needs[0], "ViT-L-14", quick=True, resize="clip") for each in (AESTHETIC, AESTHETIC_V1)},
}
Formula = Callable[[Array, Array, float], Array]  # of image embeddings, text embeddings, logit scale


class PairScorer(PromptScorer):
    """A formula over CLIP's two embeddings; `prefix` stands before every prompt."""

    def __init__(self, name: str, pair: ClipPair, formula: Formula, prefix: str = "") -> None:
        self.name, self.pair, self.formula, self.prefix = name, pair, formula, prefix
        self.weights_sha256 = pair.weights_sha256

    def score(self, images: Tensor, prompts: Sequence[str]) -> Array:
        """The formula's values."""
        self._check(images, prompts)
        texts = self.pair.texts([self.prefix + prompt for prompt in prompts])
        return self.formula(numbers(self.pair.images(images)), numbers(texts), self.pair.logit_scale)


class AestheticScorer(PromptScorer):
    """LAION's aesthetic predictors on embeddings of unit length; prompts are not looked at.

    v2 (sac+logos+ava1, linear): photographs lie between 4.5 and 6.5 as a rule. v1 is one linear layer (sa_0_4_vit_l_14)
    on another scale.
    """

    def __init__(self, pair: ClipPair, head: Path, name: str = AESTHETIC.name) -> None:
        self.pair, self.name = pair, name
        with without_init():
            self.head = LinearStack(pair.dim) if name == AESTHETIC.name else nn.Linear(pair.dim, 1)
        fit(self.head, read_checkpoint(head), head, self.name)
        self.head.eval().requires_grad_(False).to(pair.device)
        self.weights_sha256 = file_sha256(head)

    @torch.inference_mode()
    def score(self, images: Tensor, prompts: Sequence[str]) -> Array:
        """The head's output."""
        self._check(images, prompts)
        return numbers(self.of_embeddings(self.pair.images(images)))

    def of_embeddings(self, embeddings: Tensor) -> Tensor:
        """Scores [B] of CLIP's embeddings [B, d]; an embedding of 0 stays 0."""
        out: Tensor = self.head(F.normalize(embeddings, dim=1))
        return out.flatten()


def _percent(images: Array, texts: Array, _: float) -> Array:
    return 100 * cosines(images, texts)


def _original(images: Array, texts: Array, _: float) -> Array:
    return clip_scores(images, texts)


def _cosine(images: Array, texts: Array, _: float) -> Array:
    return cosines(images, texts)


FORMULAS: dict[str, tuple[Formula, str]] = {
    CLIPSCORE.name: (_original, PREFIX),
    CLIPSCORE_TORCHMETRICS.name: (_percent, ""),
    CLIP_T.name: (_cosine, ""),
    PICKSCORE.name: (pick_scores, ""),
    HPSV2.name: (_percent, ""),
    HPSV2_1.name: (_percent, ""),
}


def _pair(name: str, weights: str | Path | None, device: torch.device) -> PromptScorer:
    formula, prefix = FORMULAS[name]
    return PairScorer(name, ClipPair(PAIRS[name], weights, device), formula, prefix)


def _aesthetic(metric: Metric, weights: str | Path | None, device: torch.device) -> PromptScorer:
    head = find_weights(metric.needs[1], weights)
    return AestheticScorer(ClipPair(PAIRS[metric.name], None, device), head, metric.name)


for _name in FORMULAS:
    PROMPT_SCORERS.add(_name, partial(_pair, _name))
for _metric in (AESTHETIC, AESTHETIC_V1):
    PROMPT_SCORERS.add(_metric.name, partial(_aesthetic, _metric))
