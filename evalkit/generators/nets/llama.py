"""Blocks of the LlamaGen family of decoders (arXiv 2406.06525; FoundationVision/LlamaGen autoregressive/models/gpt.py)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# (layers, heads, width) by the family's names
SIZES: dict[str, tuple[int, int, int]] = {
    "b": (12, 12, 768),
    "m": (18, 16, 1024),
    "l": (24, 16, 1024),
    "xl": (36, 20, 1280),
    "xxl": (48, 24, 1536),
    "2b": (48, 32, 1920),
    "3b": (24, 32, 3200),
}


class KVCache:
    """Keys and values of all layers for `length` positions, allocated once; `used` positions are filled."""

    def __init__(
        self, layers: int, rows: int, heads: int, length: int, head: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.keys = torch.empty(layers, rows, heads, length, head, device=device, dtype=dtype)
        self.values = torch.empty_like(self.keys)
        self.used = 0

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write [B, H, n, D] behind the used positions of a layer; all of its B rows' keys and values up to there."""
        rows, end = len(keys), self.used + keys.shape[2]
        self.keys[layer, :rows, :, self.used : end] = keys
        self.values[layer, :rows, :, self.used : end] = values
        return self.keys[layer, :rows, :, :end], self.values[layer, :rows, :, :end]


@dataclass(frozen=True)
class Context:
    """What a pass over n positions hands to every block.

    `rope` [n, D/2, 2] turns queries and keys, `shift` [n, H, D] is added to them; `mask` is True where a key is seen
    (without one: keys up to the query's place, or all where not `causal`); `steer` [B, 1, ...] is the condition for
    blocks that it steers; new keys and values go to `cache`.
    """

    rope: Tensor | None = None
    shift: Tensor | None = None
    mask: Tensor | None = None
    steer: Tensor | None = None
    cache: KVCache | None = None
    causal: bool = True


class RMSNorm(nn.Module):
    """Root-mean-square norm in float32 with a gain."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] -> the same shape."""
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return y.type_as(x) * self.weight


class FeedForward(nn.Module):
    """SwiGLU; the hidden width is 8/3 of the width, rounded up to a multiple of 256."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = -(-int(8 * width / 3) // 256) * 256
        self.w1 = nn.Linear(width, hidden, bias=False)
        self.w3 = nn.Linear(width, hidden, bias=False)
        self.w2 = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, width] -> the same shape."""
        y: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return y


class Attention(nn.Module):
    """Self-attention; `norm` normalises queries and keys per head before they are rotated."""

    def __init__(self, width: int, heads: int, norm: bool = False) -> None:
        super().__init__()
        self.heads, self.head = heads, width // heads
        self.wqkv = nn.Linear(width, 3 * width, bias=False)
        self.wo = nn.Linear(width, width, bias=False)
        self.q_norm = nn.LayerNorm(self.head) if norm else nn.Identity()
        self.k_norm = nn.LayerNorm(self.head) if norm else nn.Identity()

    def forward(self, x: Tensor, context: Context, layer: int) -> Tensor:
        """[B, n, width] -> the same shape."""
        b, n, width = x.shape
        q, k, v = self.wqkv(x).view(b, n, 3, self.heads, self.head).unbind(2)
        q, k = self.q_norm(q), self.k_norm(k)
        if context.rope is not None:
            q, k = rotate(q, context.rope), rotate(k, context.rope)
        if context.shift is not None:
            q, k = q + context.shift, k + context.shift
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        if context.cache is not None:
            k, v = context.cache.extend(layer, k, v)
        causal = context.causal and context.mask is None and n > 1
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=context.mask, is_causal=causal)
        out: Tensor = self.wo(y.transpose(1, 2).reshape(b, n, width))
        return out


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm."""

    def __init__(self, width: int, heads: int, qk_norm: bool = False) -> None:
        super().__init__()
        self.attention = Attention(width, heads, qk_norm)
        self.feed_forward = FeedForward(width)
        self.attention_norm = RMSNorm(width)
        self.ffn_norm = RMSNorm(width)

    def forward(self, x: Tensor, context: Context, layer: int) -> Tensor:
        """[B, n, width] -> the same shape."""
        x = x + self.attention(self.attention_norm(x), context, layer)
        y: Tensor = x + self.feed_forward(self.ffn_norm(x))
        return y


class ClassEmbedding(nn.Module):
    """One prefix token for a class; the row behind the last class stands for no class."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, classes: Tensor) -> Tensor:
        """Class ids [B] -> [B, 1, width]."""
        y: Tensor = self.embedding_table(classes)[:, None]
        return y

    def null(self, classes: Tensor) -> Tensor:
        """The condition of the unconditional branch."""
        return torch.full_like(classes, self.embedding_table.num_embeddings - 1)


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Rotary embedding of [B, n, H, D] by `rope` [n, D/2, (cos, sin)]: neighbouring channels turn together."""
    even, odd = x.float().view(*x.shape[:-1], -1, 2).unbind(-1)
    cos, sin = rope[:, None, :, 0], rope[:, None, :, 1]
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2).type_as(x)


def rope_1d(length: int, head: int, base: float = 10000.0) -> Tensor:
    """[length, head/2, (cos, sin)] of positions 0, 1, ..."""
    rates = 1.0 / base ** (torch.arange(0, head, 2)[: head // 2].float() / head)
    return _table(torch.outer(torch.arange(length).float(), rates))


def rope_2d(height: int, width: int, head: int, base: float = 10000.0) -> Tensor:
    """[height * width, head/2, (cos, sin)] in raster order: the first half of the pairs turns by row, the rest by column."""
    half = head // 2
    rates = 1.0 / base ** (torch.arange(0, half, 2)[: half // 2].float() / half)
    rows, columns = (torch.outer(torch.arange(n).float(), rates) for n in (height, width))
    angles = torch.cat([rows[:, None].expand(-1, width, -1), columns[None].expand(height, -1, -1)], -1)
    return _table(angles.flatten(0, 1))


def with_prefix(table: Tensor, count: int) -> Tensor:
    """A rotary table behind `count` rows of zeros: queries and keys there vanish, as in the official code."""
    return torch.cat([torch.zeros(count, *table.shape[1:]), table])


def _table(angles: Tensor) -> Tensor:
    return torch.stack([angles.cos(), angles.sin()], -1)
