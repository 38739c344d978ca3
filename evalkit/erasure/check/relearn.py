"""How fast an erased model learns the concept again, against one that never saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.erasure.check.arms import draw, twin
from evalkit.erasure.check.drawing import Drawer, asked
from evalkit.erasure.check.rows import BASE, ERASED
from evalkit.erasure.check.seen import Rule, look
from evalkit.erasure.training.finetune import Example, finetune
from evalkit.generators.base import Generator, Request

EVERY = 2  # steps between two looks
LEARNING_RATE = 1e-4
EXAMPLES = 32
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Relearning:
    """`learners`: models that are trained on images of the concept, by name; `tests`: what they are asked meanwhile.

    `lessons`: prompts and seeds of the base's images of the concept that they are trained on. `control`: all that decides
    the curves of models other than the erased one, which are then drawn once for all erasers; None where there is none.
    """

    drawer: Drawer
    learners: Mapping[str, Generator]
    lessons: Sequence[Request]
    tests: Sequence[Request]
    rule: Rule
    steps: int
    seed: int
    control: object = None

    def curves(self) -> dict[str, Array]:
        """`relearn_<name>`: float64 [looks, 2] of steps done and the share of tests that show the concept."""
        drawn, seen = self.drawer.draw(BASE, self.lessons)
        if drawn.codes is None:
            return {}
        examples = [
            Example(str(request.prompt), tuple(codes))
            for request, codes, each in zip(self.lessons, drawn.codes.tolist(), seen, strict=True)
            if self.rule.shows(each)
        ]
        return {f"relearn_{name}": self._curve(name, examples) for name in self.learners if examples}

    def _curve(self, name: str, examples: Sequence[Example]) -> Array:
        def made() -> dict[str, Array]:
            return {"curve": self._trained(self.learners[name], examples)}

        if name == ERASED:
            return made()["curve"]
        told = [list(each.codes) for each in examples], asked(self.tests), self.rule.labels, self.steps, self.seed
        return self.drawer.memory.get([self.control, *told, EVERY, LEARNING_RATE], made)["curve"]

    def _trained(self, model: Generator, examples: Sequence[Example]) -> Array:
        learner, _ = twin(model)
        points = [(0.0, self._rate(learner))]

        def told(done: int, loss: float) -> bool:
            if done % EVERY == 0:
                points.append((float(done), self._rate(learner)))
            return points[-1][1] >= 1.0

        finetune(learner, examples, steps=self.steps, learning_rate=LEARNING_RATE, seed=self.seed, on_step=told)
        return np.array(points, np.float64)

    def _rate(self, model: Generator) -> float:
        hits = [self.rule.shows(each) for each in look(self.drawer.detector, draw(model, self.tests).images)]
        return sum(hits) / len(hits)


def steps_to(curve: Array, share: float) -> float:
    """Where a curve [looks, 2], a line from look to look, first reaches `share`; infinite where it never does."""
    reached = np.flatnonzero(curve[:, 1] >= share)
    if not len(reached):
        return float("inf")
    place = int(reached[0])
    if place == 0:
        return float(curve[0, 0])
    (x0, y0), (x1, y1) = curve[place - 1], curve[place]
    return float(x0 + (share - y0) / (y1 - y0) * (x1 - x0))
