"""The guided logits of a sampling loop that chooses given codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from evalkit.generators.base import Request, Step
from evalkit.generators.guidance import Guidance
from evalkit.generators.sampling import Sampler

CLASSES = torch.tensor([1, 4])


class Forced:
    """A logits processor that writes down the guided logits of every step and lets the given codes win."""

    def __init__(self, codes: Tensor) -> None:
        self.codes, self.seen = codes, list[Tensor]()

    def __call__(self, logits: Tensor, step: Step) -> Tensor:
        self.seen.append(logits)
        chosen = self.codes[:, list(step.positions)]
        return torch.zeros_like(logits).scatter(-1, chosen[..., None], 1.0)


def guided(model: Any, codes: Tensor, guidance: Guidance) -> Tensor:
    """Guided logits of the sampling loop, with its caches, where it chooses `codes` [2, N]; in the order of generation."""
    forced, sampler = Forced(codes), Sampler(guidance, top_k=1)
    model.logits_processors = [forced]
    classes = CLASSES.tolist()
    drawn = model.sample_tokens([Request(str(c), prompt="a", class_id=c, sampler=sampler) for c in classes])
    if not torch.equal(drawn, codes):
        raise AssertionError("the loop did not take the codes that it was given")
    return torch.cat(forced.seen, 1)
