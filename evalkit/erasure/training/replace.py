"""Baselines that teach distributions of codes: put something else in the place of the concept, or only unlearn it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.erasure.training.learner import divergence
from evalkit.erasure.training.objective import Objective, Work
from evalkit.erasure.training.windows import Episode
from evalkit.errors import EvalkitError


class Replace(Objective):
    """The target's codes are to follow the base's distribution for the replacement, on the replacement's images."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.images = work.rollouts("replacement", "image")

    def episode(self, places: Sequence[int]) -> Episode:
        """Kullback-Leibler divergence in nats at every code."""
        codes = self.images.codes(places)
        with self.work.chosen.base():
            goal = self.learner.logits(self.learner.conditions(self.work.prompts("replacement", places)), codes)
        target = self.learner.conditions(self.work.prompts("target", places))
        return _Taught(self, target, codes, goal)


class _Taught(Episode):
    """Losses of codes behind a condition; `goal`: logits of the base."""

    def __init__(self, method: Objective, conditions: Tensor, codes: Tensor, goal: Tensor) -> None:
        self.method, self.conditions, self.codes, self.goal = method, conditions, codes, goal
        self.passes = codes.shape[1]

    def losses(self, span: range) -> Tensor:
        """[n] means over the images."""
        part = slice(span.start, span.stop)
        return self.each(self._logits(span)[:, part], part).flatten(2).mean(2).mean(0)

    def each(self, logits: Tensor, part: slice) -> Tensor:
        """Losses [B, n, …] of logits [B, n, …, V]."""
        return divergence(self.goal[:, part], logits)[..., None]

    def _logits(self, span: range) -> Tensor:
        # models of scales take whole images; others need no codes behind the span
        whole = self.method.learner.first is not None
        return self.method.learner.logits(self.conditions, self.codes if whole else self.codes[:, : span.stop])


class GradientAscent(Objective):
    """The base's own images of the target become less likely; nothing says what takes their place."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.images = work.rollouts("target", "image")

    def episode(self, places: Sequence[int]) -> Episode:
        """Log-likelihood in nats at every code."""
        codes = self.images.codes(places)
        return _Likely(self, self.learner.conditions(self.work.prompts("target", places)), codes, codes)


class _Likely(_Taught):
    def each(self, logits: Tensor, part: slice) -> Tensor:
        """Log-likelihoods."""
        return -_surprise(logits, self.codes[:, part])[..., None]


class MaskedKL(Objective):
    """In the manner of S-VARE (arXiv 2509.22400), from its abstract: codes that differ are retaught, all others are kept.

    Both prompts' images are drawn from common random numbers. Where their codes differ, the target learns the
    replacement's code by cross-entropy; elsewhere its distribution stays the base's. Auxiliary visual tokens are left out.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.images = {side: work.rollouts(side, "image") for side in ("target", "replacement")}

    def episode(self, places: Sequence[int]) -> Episode:
        """Cross-entropy or divergence in nats, by code."""
        codes = self.images["replacement"].codes(places)
        target = self.learner.conditions(self.work.prompts("target", places))
        with self.work.chosen.base():
            goal = self.learner.logits(target, codes)
        return _Masked(self, target, codes, goal, codes != self.images["target"].codes(places))


class _Masked(_Taught):
    def __init__(self, method: Objective, conditions: Tensor, codes: Tensor, goal: Tensor, differ: Tensor) -> None:
        super().__init__(method, conditions, codes, goal)
        self.differ = differ

    def each(self, logits: Tensor, part: slice) -> Tensor:
        """Cross-entropy where codes differ, divergence from the base elsewhere."""
        taught, kept = _surprise(logits, self.codes[:, part]), divergence(self.goal[:, part], logits)
        return torch.where(self.differ[:, part], taught, kept)[..., None]


class FirstScale(Objective):
    """The first scale of next-scale models alone is taught, in the manner of SACE (arXiv 2606.15819), from its abstract.

    `strength` weighs the entropy of what is taught, which keeps the first scale from settling on one image.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        if self.learner.first is None:
            raise EvalkitError(f"{self.learner.generator.name} draws no scales. Choose another method than first-scale")
        self.images = work.rollouts("replacement", "image")

    @property
    def reach(self) -> int | None:
        """The codes of the first scale."""
        return self.learner.first

    def episode(self, places: Sequence[int]) -> Episode:
        """Divergence from the replacement's first scale, less the weighed entropy."""
        codes = self.images.codes(places)[:, : self.learner.first]
        with self.work.chosen.base():
            goal = self.learner.logits(self.learner.conditions(self.work.prompts("replacement", places)), codes)
        return _Spread(self, self.learner.conditions(self.work.prompts("target", places)), codes, goal)


class _Spread(_Taught):
    def each(self, logits: Tensor, part: slice) -> Tensor:
        """Divergence less entropy."""
        found = logits.log_softmax(-1)
        entropy = -(found.exp() * found).sum(-1)
        return (divergence(self.goal[:, part], logits) - self.method.settings.strength * entropy)[..., None]


def _surprise(logits: Tensor, codes: Tensor) -> Tensor:
    """Nats [...] of codes [...] under logits [..., V]."""
    return F.cross_entropy(logits.flatten(0, -2), codes.flatten(), reduction="none").view(codes.shape)
