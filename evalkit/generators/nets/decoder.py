"""A decoder of one code after another behind a prefix: what LlamaGen and its closest relatives share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evalkit.generators.nets.caption import CaptionEmbedding
from evalkit.generators.nets.llama import Block, ClassEmbedding, Context, KVCache, RMSNorm


@dataclass(frozen=True)
class DecoderSizes:
    """Sizes that every decoder of the family has; `scale` of the guidance that the authors sample with."""

    layers: int = 12
    heads: int = 12
    width: int = 768
    scale: float = 2.0
    codes: int = 16384
    classes: int = 1000


class Decoder(nn.Module):
    """Code embeddings, blocks, norm and head under LlamaGen's names; position 0 .. prefix-1 hold the condition.

    `rope` [prefix + tokens, D/2, 2] or None. Parameters may be in lower precision; the rotary table stays float32.
    """

    rope: Tensor | None

    def __init__(
        self,
        codes: int,
        width: int,
        heads: int,
        blocks: Iterable[nn.Module],
        condition: ClassEmbedding | CaptionEmbedding,
        rope: Tensor | None,
        outputs: int | None = None,
    ) -> None:
        super().__init__()
        self.cls_embedding = condition
        self.tok_embeddings = nn.Embedding(codes, width)
        self.layers = nn.ModuleList(blocks)
        self.norm = RMSNorm(width)
        self.output = nn.Linear(width, outputs or codes, bias=False)
        self.heads, self.head = heads, width // heads
        self.register_buffer("rope", rope, persistent=False)

    def null(self, conditions: Tensor) -> Tensor:
        """The conditions of the unconditional branch, in the shape of `conditions`."""
        return self.cls_embedding.null(conditions)

    def embed(self, tokens: Tensor, start: int) -> Tensor:
        """[B, n, width] of codes [B, n], the first of which stands at code position `start`."""
        y: Tensor = self.tok_embeddings(tokens)
        return y

    def embed_sampled(self, tokens: Tensor, start: int) -> Tensor:
        """As `embed`, for codes just sampled; differs only where an official sampler differs from the training."""
        return self.embed(tokens, start)

    def condition(self, conditions: Tensor) -> Tensor:
        """[B, prefix, width]."""
        y: Tensor = self.cls_embedding(conditions)
        return y

    def mask(self, conditions: Tensor, length: int) -> Tensor | None:
        """Which positions see which, [B, 1, length, length], where that is not plainly causal."""
        return None

    def new_cache(self, rows: int, length: int) -> KVCache:
        """Room for `length` positions of `rows` sequences."""
        weight = self.tok_embeddings.weight
        return KVCache(len(self.layers), rows, self.heads, length, self.head, device=weight.device, dtype=weight.dtype)

    def steer(self, cond: Tensor) -> Tensor | None:
        """What blocks are told of the condition [B, prefix, width]."""
        return None

    def shift(self, start: int, end: int) -> Tensor | None:
        """What is added to queries and keys of the positions from `start` to `end`, [n, H, D]."""
        return None

    def run(self, x: Tensor, cond: Tensor, mask: Tensor | None, cache: KVCache | None) -> Tensor:
        """Hidden states of the positions `x` [B, n, width] behind those in `cache`; `cond` [B, prefix, width]."""
        start = 0 if cache is None else cache.used
        end = start + x.shape[1]
        rope = None if self.rope is None else self.rope[start:end]
        context = Context(rope, self.shift(start, end), mask, self.steer(cond), cache)
        for index, layer in enumerate(self.layers):
            x = layer(x, context, index)
        if cache is not None:
            cache.used = end
        return x

    def head_of(self, hidden: Tensor, cond: Tensor, start: int) -> Tensor:
        """float32 logits [B, n, V] of hidden states, the first of which predicts code `start`."""
        y: Tensor = self.output(self.norm(hidden))
        return y.float()

    def forward(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts code i of `tokens` [B, N]."""
        cond = self.condition(conditions)
        x = torch.cat([cond, self.embed(tokens[:, :-1], 0)], 1)
        hidden = self.run(x, cond, self.mask(conditions, x.shape[1]), None)
        return self.head_of(hidden[:, cond.shape[1] - 1 :], cond, 0)


class ClassDecoder(Decoder):
    """Plain blocks behind one class at position 0; `more` blocks than the configuration says."""

    def __init__(self, config: DecoderSizes, rope: Tensor | None, *, more: int = 0, outputs: int | None = None) -> None:
        blocks = (Block(config.width, config.heads) for _ in range(config.layers + more))
        condition = ClassEmbedding(config.classes, config.width)
        super().__init__(config.codes, config.width, config.heads, blocks, condition, rope, outputs)


class Decoding:
    """The state of sequences that grow code by code: `first` gives the logits of code 0, `after` those of the next."""

    def __init__(self, network: Decoder, conditions: Tensor, tokens: int) -> None:
        self.network = network
        self.cond = network.condition(conditions)
        self.prefix = self.cond.shape[1]
        self.cache = network.new_cache(len(conditions), self.prefix + tokens - 1)
        self.seen = network.mask(conditions, self.prefix + tokens - 1)

    def first(self) -> Tensor:
        """float32 [B, V]."""
        n = self.prefix
        mask = None if self.seen is None else self.seen[:, :, :n, :n]
        hidden = self.network.run(self.cond, self.cond, mask, self.cache)
        return self.network.head_of(hidden[:, -1:], self.cond, 0)[:, 0]

    def after(self, codes: Tensor) -> Tensor:
        """float32 [B, V] behind `codes` [B]; fewer rows than before keep the first sequences alone."""
        start, rows = self.cache.used, len(codes)
        mask = None if self.seen is None else self.seen[:rows, :, start : start + 1, : start + 1]
        x = self.network.embed_sampled(codes[:, None], start - self.prefix)
        hidden = self.network.run(x, self.cond[:rows], mask, self.cache)
        return self.network.head_of(hidden, self.cond[:rows], start - self.prefix + 1)[:, 0]

    def block(self, codes: Tensor, start: int) -> Tensor:
        """float32 [B, n, V] behind codes [B, n] from position `start` on; whatever stood there before is forgotten."""
        n = codes.shape[1]
        begin, end = self.prefix + start, self.prefix + start + n
        self.cache.used = begin
        mask = None if self.seen is None else self.seen[:, :, begin:end, :end]
        if mask is None and n > 1:
            mask = torch.ones(n, end, dtype=torch.bool, device=codes.device).tril(begin)
        parts = [self.network.embed_sampled(codes[:, i : i + 1], start + i) for i in range(n)]
        hidden = self.network.run(torch.cat(parts, 1), self.cond, mask, self.cache)
        return self.network.head_of(hidden, self.cond, start + 1)
