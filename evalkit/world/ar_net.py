"""world-ar's network: a transformer over the words of a caption and, row by row, the 64 codes of an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.nets.llama import KVCache, reach_of, run_dtype
from evalkit.world.text import LENGTH, words

NEAR_GROUPS = 2  # parts of the channels that are mixed among neighbouring words


@dataclass(frozen=True)
class WorldARConfig:
    """Sizes of the generator; `text` words before a `side` x `side` map of `codes` codes."""

    width: int = 256
    layers: int = 6
    heads: int = 4
    codes: int = 1024
    side: int = 8
    text: int = LENGTH
    vocabulary: int = len(words()) + 1


@dataclass(frozen=True)
class Past:
    """What was read before: new keys and values go to the positions `at` of the cache, which is read up to `reach`."""

    cache: KVCache
    at: Tensor
    reach: int


class Block(nn.Module):
    """Attention, then a two-layer network, each after a normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.rise = nn.Linear(width, 4 * width)
        self.fall = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor | None, past: Past | None = None, layer: int = 0) -> Tensor:
        """[B, n, width] -> the same shape; `mask` is True where a position may look, or what is added there."""
        batch, n, width = x.shape
        q, k, v = self.qkv(self.norm_1(x)).view(batch, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = past.cache.layers[layer].extend(k, v, past.at, past.reach)
        mixed = self._mixed(q, k, v, mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, n, width))
        out: Tensor = x + self.fall(F.gelu(self.rise(self.norm_2(x))))
        return out

    def _mixed(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if self.training and q.is_cuda:  # a fused kernel; decoding keeps the sums that its images were published with
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e4) if mask.dtype == torch.bool else scores + mask
        mixed: Tensor = scores.softmax(-1).to(v.dtype) @ v
        return mixed


class WorldARNet(nn.Module):
    """The position that predicts code i holds code i - 1 (the first: a learned start) and the place of code i."""

    visible: Tensor

    def __init__(self, config: WorldARConfig) -> None:
        super().__init__()
        self.config = config
        self.words = nn.Embedding(config.vocabulary, config.width)
        self.codes = nn.Embedding(config.codes, config.width)
        # a word's neighbours within three: which colour is whose, and on which side of a relation a thing stands
        self.near = nn.Conv1d(config.width, config.width, 7, padding=3, groups=NEAR_GROUPS, bias=False)
        self.word_places = nn.Parameter(torch.zeros(config.text, config.width))
        self.rows = nn.Parameter(torch.zeros(config.side, 1, config.width))
        self.columns = nn.Parameter(torch.zeros(1, config.side, config.width))
        self.start = nn.Parameter(torch.zeros(1, 1, config.width))
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        total = config.text + config.side**2
        causal = torch.ones(total, total, dtype=torch.bool).tril()
        causal[: config.text, : config.text] = True  # the caption is read in both directions
        self.register_buffer("visible", causal, persistent=False)
        self._start_values()

    def _start_values(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
            if name.endswith(("out.weight", "fall.weight")):
                nn.init.normal_(parameter, std=0.02 / (2 * self.config.layers) ** 0.5)
        nn.init.zeros_(self.near.weight)

    def forward(self, text: Tensor, tokens: Tensor) -> Tensor:
        """Logits [B, N, codes] of int64 codes [B, N] under captions [B, text] (teacher forcing)."""
        return self.head(self.whole(text, tokens)[:, self.config.text :])

    def whole(self, text: Tensor, tokens: Tensor) -> Tensor:
        """States [B, text + N, width] of captions and of the positions that predict codes [B, N]; the last is not read."""
        n = tokens.shape[1]
        x = torch.cat([self.read(text), self.places(tokens[:, : n - 1], n)], 1)
        reach = self.config.text + n
        return self.states(x, self.visible[:reach, :reach])

    def begin(self, text: Tensor) -> tuple[Tensor, KVCache]:
        """Logits [B, codes] of the first code, and the cache that `block` goes on with."""
        config, like, count = self.config, self.norm.weight, self.config.text + 1
        head, length = config.width // config.heads, config.text + config.side**2
        dtype = run_dtype(like)
        cache = KVCache(config.layers, len(text), config.heads, length, head, device=like.device, dtype=dtype)
        x = torch.cat([self.read(text), self.places(text[:, :0], 1)], 1)
        reach = reach_of(count)
        seen = F.pad(self.visible[:count, :count], (0, reach - count))
        return self._run(x, cache.bias(seen), Past(cache, cache.places[:count], reach))[:, -1], cache

    def block(self, codes: Tensor, start: int, cache: KVCache) -> Tensor:
        """Logits [B, n, codes] behind codes [B, n] from position `start` on; what the cache held there is forgotten."""
        begin = self.config.text + 1 + start
        end = begin + codes.shape[1]
        return self.step(codes, cache.places[begin:end], reach_of(end), cache)

    def step(self, codes: Tensor, at: Tensor, reach: int, cache: KVCache) -> Tensor:
        """`block` of the codes at the places `at` [n] of the sequence, below `reach`: tensors in, a tensor out."""
        x = self.codes(codes) + self.map().index_select(0, at - self.config.text)
        return self._run(x, cache.up_to(at, reach), Past(cache, at, reach))

    def read(self, text: Tensor) -> Tensor:
        """[B, text, width] of word numbers."""
        x = self.words(text) + self.word_places
        out: Tensor = x + self.near(x.transpose(1, 2)).transpose(1, 2)
        return out

    def places(self, before: Tensor, count: int) -> Tensor:
        """[B, count, width]: what stands before each of the first `count` positions."""
        start = self.start.expand(len(before), -1, -1)
        return torch.cat([start, self.codes(before)], 1) + self.map()[:count]

    def map(self) -> Tensor:
        """[positions, width]: the place of each code, row by row."""
        return (self.rows + self.columns).flatten(0, 1)

    def head(self, states: Tensor) -> Tensor:
        """Logits [..., codes] of states [..., width]."""
        return F.linear(states, self.codes.weight)

    def _run(self, x: Tensor, mask: Tensor | None, past: Past | None) -> Tensor:
        return self.head(self.states(x, mask, past))

    def states(self, x: Tensor, mask: Tensor | None, past: Past | None = None) -> Tensor:
        """[B, n, width]: what the blocks and the last normalisation make of inputs of that shape."""
        for layer, block in enumerate(self.blocks):
            x = block(x, mask, past, layer)
        normed: Tensor = self.norm(x)
        return normed
