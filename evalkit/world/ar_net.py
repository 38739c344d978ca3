"""world-ar's network: a transformer over the words of a caption and, row by row, the 64 codes of an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


class Cache:
    """Keys and values of what was read so far: float [layers, 2, B, heads, positions, width of a head]."""

    def __init__(self, config: WorldARConfig, batch: int, like: Tensor) -> None:
        positions = config.text + config.side**2
        shape = (config.layers, 2, batch, config.heads, positions, config.width // config.heads)
        self.held = torch.empty(shape, device=like.device, dtype=like.dtype)
        self.length = 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of `layer` with the new ones [B, heads, n, width] after those before."""
        end = self.length + k.shape[2]
        self.held[layer, 0, :, :, self.length : end] = k
        self.held[layer, 1, :, :, self.length : end] = v
        return self.held[layer, 0, :, :, :end], self.held[layer, 1, :, :, :end]


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

    def forward(self, x: Tensor, mask: Tensor | None, cache: Cache | None, layer: int) -> Tensor:
        """[B, n, width] -> the same shape; `mask` [n, n] is True where a position may look."""
        batch, n, width = x.shape
        q, k, v = self.qkv(self.norm_1(x)).view(batch, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if cache is not None:
            k, v = cache.extend(layer, k, v)
        mixed = self._mixed(q, k, v, mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, n, width))
        out: Tensor = x + self.fall(F.gelu(self.rise(self.norm_2(x))))
        return out

    def _mixed(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if self.training and q.is_cuda:  # a fused kernel; decoding keeps the sums that its images were published with
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        scores = q @ k.transpose(2, 3) / q.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -1e4)
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
        return self.states(x, self.visible[:reach, :reach], None)

    def begin(self, text: Tensor) -> tuple[Tensor, Cache]:
        """Logits [B, codes] of the first code, and the cache that `step` goes on with."""
        cache = Cache(self.config, len(text), self.norm.weight)
        first = self.places(text[:, :0], 1)
        reach = self.config.text + 1
        logits = self._run(torch.cat([self.read(text), first], 1), self.visible[:reach, :reach], cache)
        return logits[:, -1], cache

    def step(self, code: Tensor, position: int, cache: Cache) -> Tensor:
        """Logits [B, codes] of code `position`, after code `position` - 1 [B] was chosen."""
        x = self.codes(code)[:, None] + self.map()[position]
        return self._run(x, None, cache)[:, -1]

    def block(self, codes: Tensor, start: int, cache: Cache) -> Tensor:
        """Logits [B, n, codes] behind codes [B, n] from position `start` on; what the cache held there is forgotten."""
        n = codes.shape[1]
        cache.length = begin = self.config.text + 1 + start
        x = self.codes(codes) + self.map()[start + 1 : start + 1 + n]
        return self._run(x, self.visible[begin : begin + n, : begin + n] if n > 1 else None, cache)

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

    def _run(self, x: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        return self.head(self.states(x, mask, cache))

    def states(self, x: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        """[B, n, width]: what the blocks and the last normalisation make of inputs of that shape."""
        for layer, block in enumerate(self.blocks):
            x = block(x, mask, cache, layer)
        if cache is not None:
            cache.length += x.shape[1]
        normed: Tensor = self.norm(x)
        return normed
