"""The retention term: on prompts without the concept, the distribution of every code stays the base's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import torch
from torch import Tensor

from evalkit.erasure.training.learner import divergence
from evalkit.erasure.training.objective import Work
from evalkit.erasure.training.rollouts import Rollouts
from evalkit.errors import EvalkitError


class Retention:
    """Draws a batch of retained prompts for each update from the seed, the unit and the update alone.

    The last of several rows is unconditional, so that guidance keeps its meaning.
    """

    def __init__(self, work: Work, only: int | None = None) -> None:
        """`only`: the first codes of an image that count. Raises `EvalkitError` where there is no prompt to retain."""
        if not work.retain:
            raise EvalkitError("the retention term needs prompts without the concept. Give them with --retain FILE")
        self.work, self.learner, self.only = work, work.learner, only
        self.images = Rollouts(
            work.learner, work.chosen, self._conditions, len(work.retain), work.settings.guidance, work.seed, "retain"
        )
        self.unit, self.update = 0, 0

    def of_unit(self, unit: int) -> Callable[[], Tensor]:
        """The term of each update of this unit."""
        self.unit, self.update = unit, 0
        return self.loss

    def loss(self) -> Tensor:
        """The mean divergence of a code in nats, times the settings' weight."""
        rng = Random(f"{self.work.seed}/retain/{self.unit}/{self.update}")
        self.update += 1
        size = min(self.work.settings.retain_batch, len(self.work.retain))
        places = rng.sample(range(len(self.work.retain)), size)
        both, codes = self.learner.both(self._conditions(places)), self.images.codes(places)[:, : self.only]
        conditions = torch.cat([both[: size - 1], both[-1:]]) if size > 1 else both[:1]
        with self.work.chosen.base():
            kept = self.learner.logits(conditions, codes)
        return self.work.settings.retain * divergence(kept, self.learner.logits(conditions, codes)).mean()

    def _conditions(self, places: Sequence[int]) -> Tensor:
        return self.learner.conditions([self.work.retain[i] for i in places])
