"""Blocks whose norms are steered by the class (GigaTok's adaLN variants; as DiT's adaLN-zero, arXiv 2212.09748)."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.nets.llama import Block, Context, LayerCache


def modulation(width: int, parts: int) -> nn.Sequential:
    """From a class embedding to `parts` vectors of the same width."""
    return nn.Sequential(nn.SiLU(), nn.Linear(width, parts * width))


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """`x` moved and stretched around one."""
    return x * (1 + scale) + shift


class _Steered(Block):
    @abstractmethod
    def six(self, steer: Tensor) -> Tensor:
        """[B, 1, 6 * width]: shift, scale, gate before attention, then before the feed-forward."""

    def forward(self, x: Tensor, context: Context, cache: LayerCache | None = None) -> Tensor:
        """[B, n, width] -> the same shape."""
        if context.steer is None:
            raise EvalkitError("an adaptive block needs the class embedding. Give context.steer")
        shift, scale, gate, shift2, scale2, gate2 = self.six(context.steer).chunk(6, -1)
        x = x + gate * self.attention(modulate(self.attention_norm(x), shift, scale), context, cache)
        y: Tensor = x + gate2 * self.feed_forward(modulate(self.ffn_norm(x), shift2, scale2))
        return y


class AdaptiveBlock(_Steered):
    """Shift, scale and gate of both halves come from the class embedding [B, 1, width] through the block's own layer."""

    def __init__(self, width: int, heads: int, qk_norm: bool = False) -> None:
        super().__init__(width, heads, qk_norm)
        self.adaLN_modulation = modulation(width, 6)

    def six(self, steer: Tensor) -> Tensor:
        """[B, 1, 6 * width] of the class embedding."""
        y: Tensor = self.adaLN_modulation(steer)
        return y


class SharedAdaptiveBlock(_Steered):
    """The six vectors come ready from one layer for all blocks; each block adds a table of its own."""

    def __init__(self, width: int, heads: int, qk_norm: bool = False) -> None:
        super().__init__(width, heads, qk_norm)
        self.ada_gss = nn.Parameter(torch.zeros(1, 1, 6, width))

    def six(self, steer: Tensor) -> Tensor:
        """[B, 1, 6 * width] of the shared vectors."""
        return steer + self.ada_gss.flatten(2)
