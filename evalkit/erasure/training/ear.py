"""EAR (arXiv 2506.20151; immc-lab/ear): last hidden states are led away from the concept, window by window.

The goal is h(replacement) - eta * (h(target) - h(replacement)), from the base; the trained network reads the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from evalkit.erasure.training.objective import Objective, Work
from evalkit.erasure.training.rollouts import Rollouts
from evalkit.erasure.training.windows import Episode


class Ear(Objective):
    """As described: every pass sees the prompt and the codes before it, and all branches see the same image.

    The image is the base's for the replacement. Conditional and unconditional rows are trained alike.
    """

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.images = work.rollouts("replacement", "replacement")

    def episode(self, places: Sequence[int]) -> Episode:
        """The goal at every position of the pairs' images."""
        codes = torch.cat([self.images.codes(places)] * 2)
        target, neutral = (self._both(side, places) for side in ("target", "replacement"))
        with self.work.chosen.base():
            away, toward = self._states(target, codes), self._states(neutral, codes)
        return _History(self, target, codes, toward - self.settings.strength * (away - toward))

    def _both(self, side: str, places: Sequence[int]) -> Tensor:
        return self.learner.both(self.learner.conditions(self.work.prompts(side, places)))

    def _states(self, conditions: Tensor, codes: Tensor) -> Tensor:
        states, prefix = self.learner.states(conditions, codes)
        return states[:, prefix:].float()


class _History(Episode):
    def __init__(self, method: Ear, conditions: Tensor, codes: Tensor, goal: Tensor) -> None:
        self.method, self.conditions, self.codes, self.goal = method, conditions, codes, goal
        self.passes = codes.shape[1]

    def losses(self, span: range) -> Tensor:
        """Mean squared error of each position's state, over rows and channels."""
        states = self.method._states(self.conditions, self.codes[:, : span.stop])
        part = slice(span.start, span.stop)
        return (states[:, part] - self.goal[:, part]).square().mean((0, 2))


class EarReleased(Objective):
    """As the released code trains: only the first pass reads the prompt; later ones read one code, without history.

    Target, replacement and goal draw three independent images. The first pass counts all positions of the prompt.
    """

    in_order: ClassVar[bool] = True

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self.images = {name: self._images(name) for name in ("positive", "neutral", "goal")}

    def _images(self, stream: str) -> Rollouts:
        work, side = self.work, int(stream != "positive")
        return Rollouts(
            self.learner,
            work.chosen,
            lambda places: self._raw(places)[side],
            len(work.pairs),
            self.settings.guidance,
            work.seed,
            stream,
        )

    def _raw(self, places: Sequence[int]) -> tuple[Tensor, Tensor]:
        return self.learner.raw(self.work.prompts("target", places), self.work.prompts("replacement", places))

    def episode(self, places: Sequence[int]) -> Episode:
        """The goals of the prompt's pass and of every code's."""
        first = [_Prompt(self, place) for place in places]
        codes = {name: images.codes(places) for name, images in self.images.items()}
        with self.work.chosen.base():
            away, neutral, toward = (self.learner.alone(codes[n][:, :-1], 0).float() for n in self.images)
        return _Bare(self, first, codes["positive"], toward - self.settings.strength * (away - neutral))


class _Prompt:
    """The first pass of a pair: both rows of guidance, every position of the prompt."""

    def __init__(self, method: EarReleased, place: int) -> None:
        self.method = method
        target, neutral = method._raw([place])
        with method.work.chosen.base():
            away, toward = self._states(target), self._states(neutral)
        self.target, self.goal = target, toward - method.settings.strength * (away - toward)

    def _states(self, conditions: Tensor) -> Tensor:
        both = self.method.learner.both(conditions)
        unread = torch.zeros(2, 1, dtype=torch.int64, device=both.device)  # the only code, which is not read
        return self.method.learner.states(both, unread)[0].float()

    def loss(self) -> Tensor:
        """The mean squared error over rows, positions and channels."""
        return (self._states(self.target) - self.goal).square().mean()


class _Bare(Episode):
    def __init__(self, method: EarReleased, first: list[_Prompt], codes: Tensor, goal: Tensor) -> None:
        self.method, self.first, self.codes, self.goal = method, first, codes, goal
        self.passes = codes.shape[1]

    def losses(self, span: range) -> Tensor:
        """Of the prompt's pass where the span begins, and of the single codes' behind it."""
        found = [torch.stack([each.loss() for each in self.first]).mean()[None]] if span.start == 0 else []
        start, stop = max(span.start, 1) - 1, span.stop - 1
        if stop > start:
            states = self.method.learner.alone(self.codes[:, start:stop], start).float()
            found.append((states - self.goal[:, start:stop]).square().mean((0, 2)))
        return torch.cat(found)
