"""ELM: a plain language model over binary codes, each split into sub-codes (2410.16257; Pepper-lll/LMforImageGeneration).

The network is LlamaGen's with an embedding and a head for each sub-code; sub-codes of a place are drawn together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.decoder import Decoder, DecoderSizes, Decoding
from evalkit.generators.nets.llama import SIZES, Block, ClassEmbedding, KVCache, rope_2d, with_prefix
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels


@dataclass(frozen=True)
class ElmGptConfig(DecoderSizes):
    """Sizes of the network: `split` sub-codes of `bits` each at every place of the `grid`; `codes` is 2 to the `bits`."""

    scale: float = 4.0
    codes: int = 1024
    split: int = 2
    bits: int = 10
    grid: int = 16


class ElmNet(Decoder):
    """Codes [B, n, split] in, logits [B, n, split, V] out."""

    def __init__(self, config: ElmGptConfig) -> None:
        width, head = config.width, config.width // config.heads
        table = with_prefix(rope_2d(config.grid, config.grid, head), 1)
        blocks = (Block(width, config.heads) for _ in range(config.layers))
        super().__init__(1, width, config.heads, blocks, ClassEmbedding(config.classes, width), table)
        del self.tok_embeddings, self.output
        embeddings = [nn.Embedding(config.codes, width) for _ in range(config.split)]
        heads = [nn.Linear(width, config.codes, bias=False) for _ in range(config.split)]
        self.split = config.split
        if config.split == 1:  # the official file names them without a number
            self.tok_embedder: nn.Module = embeddings[0]
            self.output: nn.Module = heads[0]  # type: ignore[assignment]
        else:
            self.tok_embedder, self.output = nn.ModuleList(embeddings), nn.ModuleList(heads)
            self.proj = nn.Linear(config.split * width, width, bias=False)

    def embed(self, tokens: Tensor, at: Tensor) -> Tensor:
        """[B, n, width] of codes [B, n, split]."""
        parts = [table(tokens[..., number]) for number, table in enumerate(self._each(self.tok_embedder))]
        y: Tensor = parts[0] if self.split == 1 else self.proj(torch.cat(parts, -1))
        return y

    def _each(self, part: nn.Module) -> list[nn.Module]:
        """The modules of the sub-codes."""
        return list(part) if isinstance(part, nn.ModuleList) else [part]

    def head_of(self, hidden: Tensor, cond: Tensor, at: Tensor) -> Tensor:
        """float32 logits [B, n, split, V]."""
        normed = self.norm(hidden)
        return torch.stack([head(normed).float() for head in self._each(self.output)], 2)

    def new_cache(self, rows: int, length: int) -> KVCache:
        """Room for `length` places of `rows` sequences."""
        like = self.norm.weight
        return KVCache(len(self.layers), rows, self.heads, length, self.head, device=like.device, dtype=like.dtype)

    def forward(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts sub-code i of `tokens` [B, N], of whole places."""
        return super().forward(conditions, tokens.unflatten(1, (-1, self.split))).flatten(1, 2)  # type: ignore[no-untyped-call]


def _model(size: str, split: int, bits: int) -> Callable[[type[NextTokenGenerator]], type[NextTokenGenerator]]:
    sizes = (48, 28, 1792) if size == "2b" else SIZES[size]
    name, config = f"elm-{size}-{split}-{bits}", ElmGptConfig(*sizes, codes=2**bits, split=split, bits=bits)
    return register(name, weights=name, config=config, tokenizer=f"elm-bae-{split * bits}")


@_model("2b", 2, 12)
@_model("xxl", 2, 12)
@_model("xxl", 2, 10)
@_model("xxl", 1, 16)
@_model("xl", 2, 12)
@_model("xl", 2, 10)
@_model("xl", 2, 8)
@_model("xl", 1, 16)
@_model("l", 2, 12)
@_model("l", 2, 10)
@_model("l", 2, 8)
@_model("l", 1, 16)
class Elm(NextTokenGenerator):
    """Images of an ImageNet class at 256 px; guidance grows from place to place, as in the authors' script for FID."""

    architecture = ElmNet
    wrapping: ClassVar[tuple[str, ...]] = ()
    network: ElmNet
    config: ElmGptConfig

    def setup(self) -> None:
        """Sizes and the sampler of sample_fid.sh."""
        super().setup()
        config = self.config
        self.places, self.side = config.grid**2, 16 * config.grid
        self.tokens_per_image = self.places * config.split
        self.default_sampler = Sampler(Guidance("constant", config.scale, schedule="linear"), top_k=1000)

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """As for every generator, but for whole places alone."""
        if tokens.shape[1] % self.config.split:
            raise EvalkitError(f"{self.name} has {self.config.split} codes a place; {tokens.shape[1]} fill no places")
        return super().logits(conditions, tokens)

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, split, guidance = len(conditions), self.config.split, sampler.guidance
        draws = draws.to(conditions.device)  # once, not at every step
        both = conditions if guidance.off else torch.cat([conditions, self.network.null(conditions)])
        decoding = Decoding(self.network, both, self.places)
        tokens = torch.zeros(rows, self.tokens_per_image, dtype=torch.int64, device=conditions.device)
        logits = decoding.first()
        for i in range(self.places):
            at = range(i * split, (i + 1) * split)
            if i:
                last = tokens[:, at.start - split : at.start]
                logits = decoding.after(last.repeat(len(both) // rows, 1))
            if not guidance.off:
                logits = guidance.combine(logits[:rows], logits[rows:], (i + 1) / self.places)
            tokens[:, at.start : at.stop] = self.choose(
                logits, Step(i, at, tokens[:, : at.start], seeds), sampler, draws
            )
        return tokens, self.places

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        """The sub-codes are the halves of the tokenizer's codes, the upper one first."""
        parts = tokens.reshape(len(tokens), self.places, self.config.split)
        shifts = torch.arange(self.config.split - 1, -1, -1, device=tokens.device) * self.config.bits
        whole = (parts << shifts).sum(-1)
        return to_uint8(self._decode(whole, seeds, (self.config.grid, self.config.grid)), "truncate")
