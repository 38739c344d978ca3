"""From logits to tokens: temperature, top-k, top-p, min-p, and draws that depend on the request alone.

A token is drawn by inverse transform: the first code whose cumulative probability exceeds a uniform number. Each request
brings its own uniform numbers (one for each token, from its seed), so neither the batch nor the device's random state
matters, and two models that are asked the same are compared under common random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.guidance import Guidance

Filter = Literal["llamagen", "var"]


@dataclass(frozen=True)
class Sampler:
    """How tokens are drawn.

    `top_k` 0 and `top_p` 1 are off (as is `top_p` 0 by VAR's rule; by LlamaGen's it leaves the likeliest alone); `top_k` 1
    is greedy and exact. `min_p`: codes below this share of the likeliest are left out. `steps`: iterations of models that
    choose their number. `filter`: whose rule decides ties at the border of top-k and top-p. `unset`: settings that the
    model is not told; records hold null for them.
    """

    guidance: Guidance = field(default_factory=Guidance)
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    steps: int | None = None
    filter: Filter = "llamagen"
    unset: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise EvalkitError(f"a finite temperature above 0 is needed; {self.temperature} given (greedy is top_k 1)")
        if not 0 <= self.top_p <= 1 or not 0 <= self.min_p < 1 or self.top_k < 0:
            raise EvalkitError(
                f"top_k must be 0 or more, top_p in [0, 1], min_p in [0, 1); {self.top_k}, {self.top_p}, {self.min_p} given"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as records keep it: null for what the model is not told."""
        said = {each: getattr(self, each) for each in SETTINGS}
        return {**said, "guidance": self.guidance.as_dict(), **dict.fromkeys(self.unset)}


SETTINGS = tuple(each.name for each in fields(Sampler) if each.name != "unset")


def sample(logits: Tensor, uniforms: Tensor, sampler: Sampler) -> Tensor:
    """int64 [...] codes of float [..., V] logits; `uniforms` in [0, 1) has the shape [...]."""
    return logits.argmax(-1) if sampler.top_k == 1 else pick(law(logits, sampler), uniforms)


def law(logits: Tensor, sampler: Sampler) -> Tensor:
    """float64 [..., V]: the probabilities that `sample` draws with; greedy is all on the likeliest code."""
    if sampler.top_k == 1:
        return torch.zeros_like(logits, dtype=torch.float64).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    return torch.softmax(filtered(logits.float() / sampler.temperature, sampler).double(), -1)


def pick(law: Tensor, uniforms: Tensor) -> Tensor:
    """int64 [...] codes of probabilities [..., V]: the first whose cumulative share exceeds its uniform number."""
    mass = law.cumsum(-1)
    target = uniforms.to(mass.device, torch.float64).unsqueeze(-1) * mass[..., -1:]
    return torch.searchsorted(mass, target, right=True).squeeze(-1).clamp_(max=law.shape[-1] - 1)


def filtered(logits: Tensor, sampler: Sampler) -> Tensor:
    """`logits` with what top-k, top-p and min-p leave out set to minus infinity."""
    if sampler.top_k:
        logits = _top_k(logits, sampler.top_k)
    if sampler.filter == "var":
        logits = _top_p_var(logits, sampler.top_p) if 0 < sampler.top_p < 1 else logits
    elif sampler.top_p < 1:
        logits = _top_p(logits, sampler.top_p)
    if sampler.min_p:
        probabilities = torch.softmax(logits, -1)
        low = probabilities < sampler.min_p * probabilities.amax(-1, keepdim=True)
        logits = logits.masked_fill(low, -torch.inf)
    return logits


def _top_k(logits: Tensor, k: int) -> Tensor:
    """Codes below the k-th largest are left out; codes equal to it stay, as in all official samplers."""
    least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def _top_p(logits: Tensor, p: float) -> Tensor:
    """LlamaGen's rule: from the likeliest down, until the mass before a code exceeds p; the likeliest always stays."""
    ordered, order = torch.sort(logits, descending=True)
    out = torch.softmax(ordered, -1).cumsum(-1) > p
    out = torch.cat([torch.zeros_like(out[..., :1]), out[..., :-1]], -1)
    return logits.masked_fill(torch.zeros_like(out).scatter(-1, order, out), -torch.inf)


def _top_p_var(logits: Tensor, p: float) -> Tensor:
    """VAR's and Infinity's rule: from the least likely up, codes whose cumulative mass stays within 1 - p are left out."""
    ordered, order = torch.sort(logits, descending=False)
    out = torch.softmax(ordered, -1).cumsum(-1) <= 1 - p
    out[..., -1] = False
    return logits.masked_fill(torch.zeros_like(out).scatter(-1, order, out), -torch.inf)


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """float64 [B, count] in [0, 1): row b depends on `seeds[b]` alone."""
    return torch.stack([torch.rand(count, generator=_generator(seed), dtype=torch.float64) for seed in seeds])


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
