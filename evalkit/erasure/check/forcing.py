"""What only models of codes allow: going on behind true codes of the concept, and the likelihood of given codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalkit.erasure.check.arms import Drawn, draw
from evalkit.generators.base import Request, Step, TokenGenerator
from evalkit.generators.likelihood import log_probabilities, of_codes


class Prefix:
    """A logits processor that leaves nothing but the given code at each of the first `count` positions."""

    def __init__(self, codes: Mapping[int, Tensor], count: int) -> None:
        """`codes` [N] by the seed of the request."""
        self.codes, self.count = codes, count

    def __call__(self, logits: Tensor, step: Step) -> Tensor:
        """Logits [B, n, V] of the positions of `step`."""
        here = [i for i, position in enumerate(step.positions) if position < self.count]
        if not here:
            return logits
        places = [step.positions[i] for i in here]
        given = torch.stack([self.codes[seed][places] for seed in step.seeds]).to(logits.device)
        only = torch.full_like(logits[:, here], -torch.inf).scatter(-1, given[..., None], 0.0)
        out = logits.clone()
        out[:, here] = only
        return out


def go_on(generator: TokenGenerator, requests: Sequence[Request], codes: Tensor, count: int) -> Drawn:
    """Images whose first `count` codes are those of `codes` [n, N]; the rest is drawn as the requests say."""
    before = generator.logits_processors
    generator.logits_processors = [
        *before, Prefix({request.seed: row for request, row in zip(requests, codes, strict=True)}, count)
    ]  # fmt: skip
    try:
        return draw(generator, requests)
    finally:
        generator.logits_processors = before


@dataclass(frozen=True)
class Likelihood:
    """Per image: mean negative log-likelihoods of the base's codes in nats per code, both float64 [n], and `kl` [n, N]."""

    base: Tensor
    erased: Tensor
    kl: Tensor


def likelihood(base: TokenGenerator, erased: TokenGenerator, requests: Sequence[Request], codes: Tensor) -> Likelihood:
    """Both models on the codes [n, N] that the base drew (teacher forcing); the divergence is of the base from the erased."""
    parts = []
    for start in range(0, len(requests), base.rows):
        rows, given = requests[start : start + base.rows], codes[start : start + base.rows]
        one, two = (log_probabilities(model, rows, given).cpu() for model in (base, erased))
        own = [-of_codes(each, given).mean(1) for each in (one, two)]
        parts.append((*own, (one.exp() * (one - two)).sum(-1)))
    return Likelihood(*(torch.cat(each) for each in zip(*parts, strict=True)))
