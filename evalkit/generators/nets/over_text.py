"""Attention of Infinity to the words of a text."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

POOL_HEAD = 128  # features of a head that reads the text as a whole


class OverText(nn.Module):
    """Attention whose keys and values are words; the keys have no bias."""

    def __init__(self, width: int, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.mat_kv = nn.Linear(features, 2 * width, bias=False)
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def look(self, q: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """Queries [B, H, n, D] over words [B, T, features] where `mask` [B, 1, 1, T] is True -> [B, n, C]."""
        bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        kv = F.linear(words, self.mat_kv.weight, bias).view(*words.shape[:2], 2, self.heads, -1)
        k, v = kv.permute(2, 0, 3, 1, 4).unbind(0)
        out: Tensor = self.proj(
            F.scaled_dot_product_attention(q.to(k.dtype), k, v, attn_mask=mask).transpose(1, 2).flatten(2)
        )
        return out


class CrossAttention(OverText):
    """Positions look at the words."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, width, heads)
        self.mat_q = nn.Linear(width, width)

    def forward(self, x: Tensor, words: Tensor, mask: Tensor) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        q = self.mat_q(x).view(*x.shape[:2], self.heads, -1).transpose(1, 2)
        return self.look(q, words, mask)


class Pool(OverText):
    """One learned query reads the text as a whole."""

    def __init__(self, width: int, features: int) -> None:
        heads = features // POOL_HEAD
        super().__init__(width, features, heads)
        self.mat_q = nn.Parameter(torch.zeros(1, heads, width // heads))

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """[B, T, features] -> [B, C]."""
        return self.look(self.mat_q[:, :, None].expand(len(words), -1, -1, -1), words, mask)[:, 0]


class Whole(nn.Module):
    """A text as one vector, under the official name of its only layer."""

    def __init__(self, width: int, features: int) -> None:
        super().__init__()
        self.ca = Pool(width, features)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """[B, T, features] -> [B, C]."""
        y: Tensor = self.ca(words, mask)
        return y
