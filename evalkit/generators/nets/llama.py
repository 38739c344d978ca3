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


BUCKET = 32  # cached positions are read in multiples of this, so that steps have few shapes


@dataclass(frozen=True)
class LayerCache:
    """Keys and values of one layer, [B, H, L, D]."""

    keys: Tensor
    values: Tensor

    def extend(self, keys: Tensor, values: Tensor, at: Tensor, reach: int) -> tuple[Tensor, Tensor]:
        """Write [B, H, n, D] at the positions `at` [n]; the first `reach` positions of these rows, filled or not."""
        held = self.keys[: len(keys)].index_copy_(2, at, keys), self.values[: len(keys)].index_copy_(2, at, values)
        return held[0][:, :, :reach], held[1][:, :, :reach]


class KVCache:
    """Keys and values of all layers for `length` positions, allocated once; what is not filled holds zeros."""

    def __init__(
        self, layers: int, rows: int, heads: int, length: int, head: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        length = reach_of(length)
        held = torch.zeros(layers, 2, rows, heads, length, head, device=device, dtype=dtype)
        self.layers = [LayerCache(*layer) for layer in held]
        self.places = torch.arange(length, device=device)

    def bias(self, seen: Tensor) -> Tensor:
        """What is added to attention where keys are `seen` (bool): nothing, or minus infinity elsewhere."""
        keys = self.layers[0].keys
        return torch.zeros(seen.shape, device=keys.device, dtype=keys.dtype).masked_fill_(~seen, -torch.inf)

    def up_to(self, at: Tensor, reach: int) -> Tensor:
        """`bias` [n, reach] of positions `at` [n] that see themselves and what lies before them."""
        return self.bias(self.places[:reach] <= at[:, None])


def reach_of(end: int) -> int:
    """The positions that are read where `end` are filled.

    >>> reach_of(1), reach_of(32), reach_of(33)
    (32, 32, 64)
    """
    return -(-end // BUCKET) * BUCKET


@dataclass(frozen=True)
class Context:
    """What a pass over n positions hands to every block.

    `turn` [2, n, 1, 1, D] turns queries and keys (`turning`), `shift` [n, 1, H, D] is added to them. `mask`: True where a
    key is seen, or what is added there (without one: keys up to the query's place). `steer` [B, 1, ...] is the condition
    for blocks that it steers. New keys and values go to the positions `at` [n] of a cache, which is read up to `reach`.
    """

    turn: Tensor | None = None
    shift: Tensor | None = None
    mask: Tensor | None = None
    steer: Tensor | None = None
    at: Tensor | None = None
    reach: int = 0


class RMSNorm(nn.Module):
    """Root-mean-square norm in float32 with a gain."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """[..., width] -> the same shape."""
        return F.rms_norm(x, self.weight.shape, eps=self.eps) * self.weight


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
        self.heads, self.head, self.norm = heads, width // heads, norm
        self.wqkv = nn.Linear(width, 3 * width, bias=False)
        self.wo = nn.Linear(width, width, bias=False)
        self.q_norm = nn.LayerNorm(self.head) if norm else nn.Identity()
        self.k_norm = nn.LayerNorm(self.head) if norm else nn.Identity()

    def forward(self, x: Tensor, context: Context, cache: LayerCache | None = None) -> Tensor:
        """[B, n, width] -> the same shape."""
        b, n, width = x.shape
        qkv = self.wqkv(x).view(b, n, 3, self.heads, self.head)
        both, v = qkv[:, :, :2], qkv[:, :, 2]
        if self.norm:
            both = torch.stack([self.q_norm(both[:, :, 0]), self.k_norm(both[:, :, 1])], 2)
        if context.turn is not None:
            both = rotate(both, context.turn)
        if context.shift is not None:
            both = both + context.shift
        q, k = both.transpose(1, 3).unbind(2)
        v = v.transpose(1, 2)
        if cache is not None and context.at is not None:
            k, v = cache.extend(k, v, context.at, context.reach)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=context.mask, is_causal=context.mask is None and n > 1)
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

    def forward(self, x: Tensor, context: Context, cache: LayerCache | None = None) -> Tensor:
        """[B, n, width] -> the same shape."""
        x = x + self.attention(self.attention_norm(x), context, cache)
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


def turning(rope: Tensor) -> Tensor:
    """[2, n, D] of a table [n, D/2, (cos, sin)]: factors of a channel and of its neighbour, as `rotate` takes them."""
    cos, sin = rope.unbind(-1)
    return torch.stack([torch.stack([cos, cos], -1), torch.stack([-sin, sin], -1)]).flatten(-2)


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Rotary embedding of [..., D] by `turn` [2, ..., D], in float32: neighbouring channels turn together."""
    y = x.float()
    other = y.view(*y.shape[:-1], -1, 2).flip(-1).flatten(-2)
    return torch.addcmul(y * turn[0], other, turn[1]).type_as(x)


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


def run_dtype(weight: Tensor) -> torch.dtype:
    """What matrix products give where this weight lives: autocast's type, else its own."""
    kind = weight.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
