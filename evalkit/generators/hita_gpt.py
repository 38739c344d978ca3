"""Hita's decoder: slots for the whole image first, then its blocks (arXiv 2507.02358; CVMI-Lab/Hita autoregressive/)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.generators.nets.decoder import ClassDecoder, DecoderSizes
from evalkit.generators.nets.llama import SIZES, rope_2d, with_prefix
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import register


@dataclass(frozen=True)
class HitaGptConfig(DecoderSizes):
    """Sizes of the network: `slots` codes, then `grid` x `grid` codes; images are saved at `saved` px."""

    slots: int = 128
    grid: int = 21
    scale: float = 1.5
    saved: int | None = 256


class HitaGptNet(ClassDecoder):
    """Slots have a codebook, learned positions (added to queries and keys) and a head of their own."""

    def __init__(self, config: HitaGptConfig) -> None:
        head, slots = config.width // config.heads, config.slots
        still = torch.tensor([1.0, 0.0]).expand(slots, head // 2, 2)  # turns nothing
        table = torch.cat([still, with_prefix(rope_2d(config.grid, config.grid, head), 1)])
        super().__init__(config, table, outputs=2 * config.codes)
        self.slot_embeddings = nn.Embedding(config.codes, config.width)
        self.slot_pos = nn.Embedding(slots, config.width)
        self.slots, self.codes = slots, config.codes

    def embed(self, tokens: Tensor, at: Tensor) -> Tensor:
        """[B, n, width] of codes; slots by their own table, as in training."""
        of_slot = (at < self.slots)[:, None]
        return torch.where(of_slot, self.slot_embeddings(tokens), self.tok_embeddings(tokens))

    def embed_sampled(self, tokens: Tensor, at: Tensor) -> Tensor:
        """As `embed`, but the last slot by the table of the blocks: the official sampler counts the class as a slot."""
        return self.embed(tokens, at + 1)

    def shift(self, places: Tensor) -> Tensor | None:
        """Learned positions of the class and of all slots but the last."""
        own = self.slot_pos(places.clamp(max=self.slots - 1)) * (places < self.slots)[:, None]
        shift: Tensor = own.view(-1, 1, self.heads, self.head)
        return shift

    def head_of(self, hidden: Tensor, cond: Tensor, at: Tensor) -> Tensor:
        """float32 logits [B, n, V]: the first half of the head is for slots, the second for blocks."""
        slots, blocks = self.output(self.norm(hidden)).split(self.codes, -1)
        return torch.where((at < self.slots)[:, None], slots, blocks).float()


def _model(kind: str, size: str, scale: float = 1.5) -> Callable[[type[NextTokenGenerator]], type[NextTokenGenerator]]:
    name = f"hita-gpt-{kind}-{size}"
    return register(
        name,
        weights=name,
        config=HitaGptConfig(*SIZES[size], scale=scale),
        tokenizer=f"hita-{kind}",
        aliases=("hita-gpt",) if name == "hita-gpt-u-l" else (),
    )


@_model("u", "2b")
@_model("u", "xxl")
@_model("u", "xl")
@_model("u", "l")
@_model("u", "b")
@_model("v", "2b")
@_model("v", "xxl")
@_model("v", "xl")
@_model("v", "l")
@_model("v", "b")
class HitaGpt(NextTokenGenerator):
    """Images of an ImageNet class, made at 336 px and saved at 256 px as the official script does.

    The authors' script takes the scale of guidance from its caller; 1.5 is what it falls back to.
    """

    wrapping: ClassVar[tuple[str, ...]] = ("ema", "model", "module", "state_dict")
    architecture = HitaGptNet
    config: HitaGptConfig

    def setup(self) -> None:
        """Sizes and sampler follow from the configuration."""
        super().setup()
        config = self.config
        self.tokens_per_image = config.slots + config.grid**2
        self.rows_of_codes, self.resize, self.side = config.grid, config.saved, config.saved or 16 * config.grid
