"""The transformer of VAR and FlexVAR: adaptive norms, unit-length queries and keys, one scale of codes at a time.

Infinity builds on its layers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.nets.llama import rotate, run_dtype

EPS = 1e-6


class Seen(ABC):
    """What later scales see of the earlier ones; `used` counts their positions."""

    used: int = 0

    @abstractmethod
    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """[B, H, n, D]: what queries of a new scale find there and in their own keys and values [B, H, n, D]."""

    def advance(self, count: int) -> None:
        """All layers have seen `count` more positions."""
        self.used += count


class Cache(Seen):
    """Keys and values of all scales so far, in room reserved once: [layers, 2, B, H, L, D]."""

    def __init__(self, layers: int, rows: int, heads: int, length: int, head: int, like: Tensor) -> None:
        self.store = torch.empty(layers, 2, rows, heads, length, head, dtype=like.dtype, device=like.device)
        self.used = 0

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        """All keys are kept."""
        k, v = self.extend(layer, k, v)
        return F.scaled_dot_product_attention(q, k, v, scale=scale)

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values up to and including the new ones [B, H, n, D]."""
        end = self.used + k.shape[2]
        self.store[layer, 0, :, :, self.used : end] = k
        self.store[layer, 1, :, :, self.used : end] = v
        return self.store[layer, 0, :, :, :end], self.store[layer, 1, :, :, :end]


class CachePlan(Protocol):
    """Makes the caches of a runner in place of the plain ones."""

    def new_cache(self, plain: Callable[[], Cache], lengths: tuple[int, ...]) -> Seen:
        """The cache of one batch, for scales of `lengths` positions; `plain` makes the plain one."""


class Attention(nn.Module):
    """Self-attention; the keys' bias is zero by construction, so files hold those of queries and values only."""

    def __init__(self, width: int, heads: int, unit: bool) -> None:
        super().__init__()
        self.heads, self.unit = heads, unit
        if unit:
            self.scale_mul_1H11 = nn.Parameter(torch.full((1, heads, 1, 1), 4.0).log())
        self.mat_qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, mask: Tensor | None, cache: Seen | None, layer: int, rope: Tensor | None = None
    ) -> Tensor:
        """[B, n, C] -> [B, n, C]; `mask` [n, n] is True where a position may look (without a cache), `rope` [2, n, D]."""
        b, n, width = x.shape
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.mat_qkv.weight, bias).view(b, n, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scale = 0.25 / math.sqrt(width // self.heads)
        if self.unit:
            q = F.normalize(q, dim=-1) * self.scale_mul_1H11.clamp(max=math.log(100)).exp()
            k, scale = F.normalize(k, dim=-1), 1.0
        if rope is not None:
            q, k = rotate(q, rope), rotate(k, rope)
        q, k = q.to(v.dtype), k.to(v.dtype)
        if cache is None:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)
        else:
            out = cache.attend(layer, q, k, v, scale)
        y: Tensor = self.proj(out.transpose(1, 2).reshape(b, n, width))
        return y


class FeedForward(nn.Module):
    """Two layers with the tanh form of GELU."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, round(width * ratio)), nn.Linear(round(width * ratio), width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        y: Tensor = self.fc2(F.gelu(self.fc1(x), approximate="tanh"))
        return y


class Block(nn.Module):
    """Attention and feed-forward, each scaled and shifted by the class; `shared`: by one layer for all blocks."""

    def __init__(self, width: int, heads: int, unit: bool, shared: bool) -> None:
        super().__init__()
        self.attn, self.ffn, self.shared = Attention(width, heads, unit), FeedForward(width, 4.0), shared
        if shared:
            self.ada_gss = nn.Parameter(torch.zeros(1, 1, 6, width))
        else:
            self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(
        self, x: Tensor, steer: Tensor, mask: Tensor | None, cache: Seen | None, layer: int, told: Tensor | None = None
    ) -> Tensor:
        """`steer`: the class [B, C], or what the shared layer made of it [B, 1, 6, C]. `told` is added between the halves."""
        width = x.shape[-1]
        six = self.ada_gss + steer if self.shared else self.ada_lin(steer).view(-1, 1, 6, width)
        gate1, gate2, scale1, scale2, shift1, shift2 = six.unbind(2)
        x = x + self.attn(plain_norm(x) * (scale1 + 1) + shift1, mask, cache, layer) * gate1
        x = x if told is None else x + told
        y: Tensor = x + self.ffn(plain_norm(x) * (scale2 + 1) + shift2) * gate2
        return y


class BeforeHead(nn.Module):
    """The last norm, scaled and shifted by the class."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        scale, shift = self.ada_lin(cond).view(-1, 1, 2, x.shape[-1]).unbind(2)
        y: Tensor = plain_norm(x) * (scale + 1) + shift
        return y


class SharedAdaLin(nn.Linear):
    """One modulation for all blocks: [B, C] -> [B, 1, 6, C]."""

    def forward(self, cond: Tensor) -> Tensor:
        """[B, C] -> [B, 1, 6, C]."""
        return F.linear(cond, self.weight, self.bias).view(len(cond), 1, 6, -1)


class NextScale(nn.Module, ABC):
    """What both families share, under their names; a family adds the positions."""

    def __init__(
        self, depth: int, width: int, heads: int, codes: int, dim: int, classes: int, unit: bool, shared: bool
    ):
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.word_embed = nn.Linear(dim, width)
        self.class_emb = nn.Embedding(classes + 1, width)
        self.pos_start = nn.Parameter(torch.zeros(1, 1, width))
        self.shared_ada_lin = nn.Sequential(nn.SiLU(), SharedAdaLin(width, 6 * width)) if shared else nn.Identity()
        self.blocks = nn.ModuleList(Block(width, heads, unit, shared) for _ in range(depth))
        self.head_nm, self.head = BeforeHead(width), nn.Linear(width, codes)

    @abstractmethod
    def positions(self, scales: tuple[int, ...]) -> Tensor:
        """[1, L, C]: what is added to the inputs of all scales."""

    def new_cache(self, rows: int, length: int) -> Cache:
        """Room for `length` positions of `rows` sequences."""
        like = torch.empty(0, dtype=run_dtype(self.head.weight), device=self.head.weight.device)
        return Cache(len(self.blocks), rows, self.heads, length, self.head_width, like)

    def run(self, x: Tensor, cond: Tensor, mask: Tensor | None, cache: Seen | None) -> Tensor:
        """float32 logits [B, n, V] of inputs [B, n, C] behind those in `cache`."""
        steer = self.shared_ada_lin(cond)
        for layer, block in enumerate(self.blocks):
            x = block(x, steer, mask, cache, layer)
        if cache is not None:
            cache.advance(x.shape[1])
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.head(self.head_nm(x.float(), cond.float()))
        return logits

    def start(self, cond: Tensor) -> Tensor:
        """[B, 1, C]: the class as the first input."""
        return cond[:, None] + self.pos_start


def scale_mask(scales: tuple[int, ...], device: torch.device | str) -> Tensor:
    """[L, L]: a code sees its own scale and the coarser ones."""
    level = torch.cat([torch.full((side * side,), i) for i, side in enumerate(scales)]).to(device)
    return level[:, None] >= level[None, :]


def plain_norm(x: Tensor) -> Tensor:
    """Zero mean and unit variance along the channels."""
    return F.layer_norm(x, (x.shape[-1],), eps=EPS)
