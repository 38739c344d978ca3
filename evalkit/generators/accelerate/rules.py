"""Acceptance rules with what they need of a tokenizer: which codes lie near each other in its codebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.acceptance import (
    Accepted,
    GroupRule,
    accept,
    accept_grouped,
    accept_relaxed,
    accept_relaxed_greedily,
)
from evalkit.generators.sampling import Sampler
from evalkit.tokenizers.base import Tokenizer


@dataclass(frozen=True)
class Said:
    """The verifier's `logits` [n, V] and the `laws` [n, V] that `sampler` makes of them."""

    logits: Tensor
    laws: Tensor
    sampler: Sampler


class Rule(Protocol):
    """Which drafted codes are kept."""

    def __call__(self, drafted: Tensor, draft: Tensor, said: Said, uniforms: Tensor) -> Accepted:
        """Codes [n] drawn from the laws `draft` [n, V], against the verifier's `logits` [n, V]."""


def exact(drafted: Tensor, draft: Tensor, said: Said, uniforms: Tensor) -> Accepted:
    """The law of the codes is the verifier's."""
    return accept(drafted, draft, said.laws, uniforms)


class Grouped:
    """GSD."""

    def __init__(self, codebook: Tensor, rule: GroupRule) -> None:
        self.distances, self.rule = Distances(codebook), rule

    def __call__(self, drafted: Tensor, draft: Tensor, said: Said, uniforms: Tensor) -> Accepted:
        """A code has the ratio of its whole group."""
        return accept_grouped(drafted, draft, said.laws, uniforms, self.distances, self.rule, ranking=said.logits)


class Relaxed:
    """LANTERN."""

    def __init__(self, codebook: Tensor, k: int, delta: float) -> None:
        self.nearest, self.k, self.delta = Nearest(codebook), k, delta

    def __call__(self, drafted: Tensor, draft: Tensor, said: Said, uniforms: Tensor) -> Accepted:
        """A code has the probability of its neighbours too."""
        if said.sampler.top_k == 1:
            softened = torch.softmax(said.logits.double() / said.sampler.temperature, -1)
            return accept_relaxed_greedily(drafted, said.laws, softened, self.nearest, self.k, self.delta)
        return accept_relaxed(drafted, draft, said.laws, uniforms, self.nearest, self.k, self.delta)


class Distances:
    """Squared distances between codes, `distances[token, others]`, computed when they are asked for."""

    def __init__(self, codebook: Tensor) -> None:
        self.codebook = codebook.float()

    def __getitem__(self, at: Any, /) -> Tensor:
        """Of one code to others."""
        token, others = at
        return (self.codebook[others] - self.codebook[token]).square().sum(-1)


class Nearest:
    """The other codes by distance, `nearest[token, :k]`, kept once they were asked for."""

    def __init__(self, codebook: Tensor) -> None:
        self.distances, self.codes = Distances(codebook), len(codebook)
        self.kept: dict[int, Tensor] = {}

    def __getitem__(self, at: Any, /) -> Tensor:
        """The nearest codes of one."""
        token, part = at
        if token not in self.kept:
            order = self.distances[token, slice(None)].argsort(stable=True)
            self.kept[token] = order[order != token]
        return self.kept[token][part]


def codebook_of(tokenizer: Tokenizer, codes: int) -> Tensor:
    """float32 [codes, d]: the tokenizer's codes as it compares them; raises `EvalkitError` where it has no such table."""
    network = getattr(tokenizer, "network", None)
    tables = []
    for module in network.modules() if isinstance(network, nn.Module) else ():
        table = getattr(module, "table", None)
        found = table() if callable(table) else getattr(module, "codebook", None)
        if isinstance(found, Tensor) and found.ndim == 2:
            tables.append(found)
    if len(tables) != 1 or len(tables[0]) != codes:
        raise EvalkitError(
            f"{tokenizer.name} has no single codebook of {codes} codes in which neighbours could be looked up; "
            "give speculative, which needs none"
        )
    return tables[0].float()
