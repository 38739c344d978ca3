"""Infinity's transformer: VAR's blocks with rotary positions, cross-attention to a text, and bits at the head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.nets.llama import run_dtype
from evalkit.generators.nets.next_scale import (
    EPS,
    Attention,
    BeforeHead,
    Cache,
    FeedForward,
    Seen,
    SharedAdaLin,
    plain_norm,
)
from evalkit.generators.nets.over_text import CrossAttention, Whole

Combine = Callable[[Tensor, Tensor], Tensor]  # (conditional, unconditional) -> guided
LEVELS = 15


@dataclass(frozen=True)
class Prompt:
    """What the network makes of a text: `whole` [B, C], modulation `steer` [B, 1, 6, C], `words` [B, T, C] and their mask."""

    whole: Tensor
    steer: Tensor
    words: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Stage:
    """What the blocks need beside their input.

    `rope` [2, n, D] turns queries and keys; `guide` mixes both halves of the batch behind the blocks `mixed`.
    """

    prompt: Prompt
    rope: Tensor
    mask: Tensor | None = None
    cache: Seen | None = None
    guide: Combine | None = None
    mixed: tuple[int, ...] = ()


class Block(nn.Module):
    """Attention to the image, to the text, and feed-forward; the first and the last are steered by the text."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.sa, self.ca, self.ffn = (
            Attention(width, heads, True),
            CrossAttention(width, heads),
            FeedForward(width, 4.0),
        )
        self.ca_norm = nn.LayerNorm(width, eps=EPS)
        self.ada_gss = nn.Parameter(torch.zeros(1, 1, 6, width))

    def forward(self, x: Tensor, stage: Stage, layer: int) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        gate1, gate2, scale1, scale2, shift1, shift2 = (self.ada_gss + stage.prompt.steer).unbind(2)
        turned = self.sa(plain_norm(x) * (scale1 + 1) + shift1, stage.mask, stage.cache, layer, stage.rope)
        x = x + turned * gate1
        norm = self.ca_norm
        looked = F.layer_norm(x, norm.normalized_shape, norm.weight.to(x), norm.bias.to(x), EPS)
        x = x + self.ca(looked, stage.prompt.words, stage.prompt.mask)
        y: Tensor = x + self.ffn(plain_norm(x) * (scale2 + 1) + shift2) * gate2
        return y


class Chunk(nn.Module):
    """Some blocks in a row, as official files group them."""

    def __init__(self, blocks: list[Block], first: int) -> None:
        super().__init__()
        self.module, self.first = nn.ModuleList(blocks), first

    def forward(self, x: Tensor, stage: Stage) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        for layer, block in enumerate(self.module, self.first):
            x = block(x, stage, layer)
            if stage.guide is not None and layer in stage.mixed:
                x = stage.guide(*x.chunk(2)).repeat(2, 1, 1)
        return x


class Infinity(nn.Module):
    """The network with the names of the official checkpoints."""

    def __init__(
        self, depth: int, width: int, heads: int, chunks: int, bits: int, features: int, text_tokens: int
    ) -> None:
        super().__init__()
        self.depth, self.heads, self.head_width, self.bits = depth, heads, width // heads, bits
        self.cfg_uncond = nn.Parameter(torch.zeros(text_tokens, features))
        self.text_norm = nn.RMSNorm(features, eps=EPS)
        self.text_proj_for_sos = Whole(width, features)
        self.text_proj_for_ca = nn.Sequential(
            nn.Linear(features, width), nn.GELU(approximate="tanh"), nn.Linear(width, width)
        )
        self.pos_start = nn.Parameter(torch.zeros(1, 1, width))
        self.lvl_embed, self.word_embed = nn.Embedding(LEVELS, width), nn.Linear(bits, width)
        self.shared_ada_lin = nn.Sequential(nn.SiLU(), SharedAdaLin(width, 6 * width))
        self.head_nm, self.head = BeforeHead(width), nn.Linear(width, 2 * bits)
        each = depth // chunks
        self.block_chunks = nn.ModuleList(
            Chunk([Block(width, heads) for _ in range(each)], first) for first in range(0, depth, each)
        )

    def read(self, text: Tensor) -> Prompt:
        """Features [B, T, D] of texts with their mask as a last channel [B, T, D + 1]."""
        mask = text[:, None, None, :, -1].bool()
        normed = self.text_norm(text[..., :-1].float())
        whole = self.text_proj_for_sos(normed, mask).float()
        with torch.autocast(whole.device.type, enabled=False):
            steer = self.shared_ada_lin(whole)
        return Prompt(whole, steer, self.text_proj_for_ca(normed), mask)

    def null(self, text: Tensor) -> Tensor:
        """No text, as long as `text` [B, T, D + 1] is: the learned features of the first words."""
        count = text[..., -1].sum(1, keepdim=True)
        there = torch.arange(text.shape[1], device=text.device) < count
        empty = self.cfg_uncond[: text.shape[1]].to(text).expand(len(text), -1, -1)
        return torch.cat([empty, there[..., None].to(text)], -1)

    def start(self, prompt: Prompt) -> Tensor:
        """[B, 1, C]: the text as the first input, at the first level."""
        return prompt.whole[:, None] + self.pos_start + self.lvl_embed.weight[0]

    def embed(self, values: Tensor, level: int) -> Tensor:
        """[B, n, bits] -> [B, n, C]: sums of codes as inputs of scale number `level`."""
        embedded: Tensor = self.word_embed(values) + self.lvl_embed.weight[level]
        return embedded

    def run(self, x: Tensor, stage: Stage) -> Tensor:
        """float32 logits [B, n, bits, (0, 1)] of inputs [B, n, C] behind those in the cache.

        Half as many rows where guidance acts inside; else both halves are returned.
        """
        for chunk in self.block_chunks:
            x = chunk(x, stage)
        if stage.cache is not None:
            stage.cache.advance(x.shape[1])
        whole = stage.prompt.whole
        if stage.mixed:
            x, whole = x[: len(x) // 2], whole[: len(x) // 2]
        with torch.autocast(x.device.type, enabled=False):
            logits: Tensor = self.head(self.head_nm(x.float(), whole.float()))
        return logits.view(*logits.shape[:2], self.bits, 2)

    def new_cache(self, rows: int, length: int) -> Cache:
        """Room for `length` positions of `rows` sequences."""
        like = torch.empty(0, dtype=run_dtype(self.head.weight), device=self.head.weight.device)
        return Cache(self.depth, rows, self.heads, length, self.head_width, like)
