"""Images that the base draws for prompts, as codes: each depends on the seed and its place in the list alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from evalkit.erasure.seeds import stream_seed
from evalkit.erasure.training.chosen import Chosen
from evalkit.erasure.training.learner import Learner

ROWS = 16  # drawn at once, always the same ones together, so that a resumed training draws the same codes


class Rollouts:
    """Codes of the base for a list of conditions, drawn when they are first asked for.

    `conditions`: of the places of a part of the list. `stream`: lists with different names draw different images, lists
    with equal names draw from common random numbers.
    """

    def __init__(
        self,
        learner: Learner,
        chosen: Chosen,
        conditions: Callable[[Sequence[int]], Tensor],
        count: int,
        guidance: float,
        seed: int,
        stream: str,
    ) -> None:
        self.learner, self.chosen, self.conditions = learner, chosen, conditions
        self.count, self.guidance = count, guidance
        self.seeds = [stream_seed(seed, stream, i) for i in range(count)]
        self._known: dict[int, Tensor] = {}

    def codes(self, places: Sequence[int]) -> Tensor:
        """int64 [len(places), N]."""
        for place in places:
            if place not in self._known:
                self._draw(place - place % ROWS)
        return torch.stack([self._known[place] for place in places])

    def _draw(self, start: int) -> None:
        part = range(start, min(start + ROWS, self.count))
        with self.chosen.base():
            codes = self.learner.sample(self.conditions(part), [self.seeds[i] for i in part], self.guidance)
        self._known.update(zip(part, codes, strict=True))
