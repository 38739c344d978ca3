"""A decoder of one code after another behind a prefix: what LlamaGen and its closest relatives share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from evalkit.generators.nets.caption import CaptionEmbedding
from evalkit.generators.nets.llama import Block, ClassEmbedding, Context, KVCache, RMSNorm, reach_of, turning


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
    Places are tensors: a step of the cached loop is the same work wherever it stands, which a device can capture.
    """

    turn: Tensor | None

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
        self.register_buffer("turn", None if rope is None else turning(rope), persistent=False)

    def null(self, conditions: Tensor) -> Tensor:
        """The conditions of the unconditional branch, in the shape of `conditions`."""
        return self.cls_embedding.null(conditions)

    def embed(self, tokens: Tensor, at: Tensor) -> Tensor:
        """[B, n, width] of the codes [B, n] that stand at the code positions `at` [n]."""
        y: Tensor = self.tok_embeddings(tokens)
        return y

    def embed_sampled(self, tokens: Tensor, at: Tensor) -> Tensor:
        """As `embed`, for codes just sampled; differs only where an official sampler differs from the training."""
        return self.embed(tokens, at)

    def condition(self, conditions: Tensor) -> Tensor:
        """[B, prefix, width]."""
        y: Tensor = self.cls_embedding(conditions)
        return y

    def mask(self, conditions: Tensor, length: int) -> Tensor | None:
        """Which positions see which, [B, 1, length, length], where that is not plainly causal."""
        return None

    def new_cache(self, rows: int, length: int) -> KVCache:
        """Room for `length` positions of `rows` sequences, at least."""
        weight = self.tok_embeddings.weight
        return KVCache(len(self.layers), rows, self.heads, length, self.head, device=weight.device, dtype=weight.dtype)

    def steer(self, cond: Tensor) -> Tensor | None:
        """What blocks are told of the condition [B, prefix, width]."""
        return None

    def shift(self, places: Tensor) -> Tensor | None:
        """What is added to queries and keys at `places` [n], [n, 1, H, D]."""
        return None

    def context(self, places: Tensor, cond: Tensor, mask: Tensor | None) -> Context:
        """What blocks are handed for inputs at `places` [n] without a cache."""
        turn = None if self.turn is None else self.turn.index_select(1, places)[:, :, None, None]
        return Context(turn, self.shift(places), mask, self.steer(cond))

    def run(self, x: Tensor, cond: Tensor, mask: Tensor | None) -> Tensor:
        """Hidden states of the first positions `x` [B, n, width], without a cache; `cond` [B, prefix, width]."""
        context = self.context(torch.arange(x.shape[1], device=x.device), cond, mask)
        for layer in self.layers:
            x = layer(x, context)
        return x

    def cached(self, x: Tensor, context: Context, cache: KVCache, layers: slice = slice(None)) -> Tensor:
        """Hidden states of inputs [B, n, width] that `context` puts into the cache, behind some of the layers."""
        for layer, held in zip(self.layers[layers], cache.layers[layers], strict=True):
            x = layer(x, context, held)
        return x

    def head_of(self, hidden: Tensor, cond: Tensor, at: Tensor) -> Tensor:
        """float32 logits [B, n, V] of hidden states that predict the codes at the code positions `at` [n]."""
        y: Tensor = self.output(self.norm(hidden))
        return y.float()

    def forward(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts code i of `tokens` [B, N]."""
        cond, at = self.condition(conditions), torch.arange(tokens.shape[1], device=tokens.device)
        x = torch.cat([cond, self.embed(tokens[:, :-1], at[:-1])], 1)
        hidden = self.run(x, cond, self.mask(conditions, x.shape[1]))
        return self.head_of(hidden[:, cond.shape[1] - 1 :], cond, at)


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
        self.prefix, self.used = self.cond.shape[1], 0
        self.cache = network.new_cache(len(conditions), self.prefix + tokens - 1)
        self.seen = network.mask(conditions, len(self.cache.places))

    def first(self) -> Tensor:
        """float32 [B, V]."""
        self.used = self.prefix
        at = self.cache.places[: self.prefix]
        hidden = self.network.cached(self.cond, self._context(self.cond, at, reach_of(self.prefix)), self.cache)
        return self.network.head_of(hidden[:, -1:], self.cond, self.cache.places[:1])[:, 0]

    def after(self, codes: Tensor) -> Tensor:
        """float32 [B, V] behind `codes` [B]; fewer rows than before keep the first sequences alone."""
        return self.block(codes[:, None], self.used - self.prefix)[:, 0]

    def block(self, codes: Tensor, start: int) -> Tensor:
        """float32 [B, n, V] behind codes [B, n] from position `start` on; whatever stood there before is forgotten."""
        begin, self.used = self.prefix + start, self.prefix + start + codes.shape[1]
        return self.step(codes, self.cache.places[begin : self.used], reach_of(self.used))

    def step(self, codes: Tensor, at: Tensor, reach: int) -> Tensor:
        """`block` of the codes at the places `at` [n] of the sequence, below `reach`: tensors in, a tensor out."""
        cond, place = self.cond[: len(codes)], at - self.prefix
        x = self.network.embed_sampled(codes, place)
        hidden = self.network.cached(x, self._context(cond, at, reach), self.cache)
        return self.network.head_of(hidden, cond, place + 1)

    def _context(self, cond: Tensor, at: Tensor, reach: int) -> Context:
        if self.seen is None:
            mask = self.cache.up_to(at, reach)
        else:
            mask = self.cache.bias(self.seen[: len(cond), :, :, :reach].index_select(2, at))
        return replace(self.network.context(at, cond, mask), at=at, reach=reach)
