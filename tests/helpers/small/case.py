"""One small network and the arrays that are stored of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from evalkit.tokenizers.network import NetworkTokenizer
from helpers.filled import Gains, generator, tokenizer

Arrays = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """A class with a small configuration; `run` gives the arrays of a model whose weights follow from their names."""

    cls: type[Any]
    config: Any
    run: Callable[[Any], Arrays]
    gains: Gains = ()

    def arrays(self, moved: int | None = None) -> Arrays:
        """The arrays, computed now; `moved`: by weights that differ in a millionth, at random from this seed."""
        make = tokenizer if issubclass(self.cls, NetworkTokenizer) else generator
        model = make(self.cls, self.config, self.gains)
        if moved is not None:
            chance = torch.Generator().manual_seed(moved)
            for parameter in model.network.parameters():
                parameter.mul_(1 + 1e-6 * torch.randn(parameter.shape, generator=chance))
        return self.run(model)
