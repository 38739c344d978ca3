"""D-AR: LlamaGen's decoder over the codes of a diffusion tokenizer (arXiv 2505.23660; showlab/D-AR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.decoder import Decoder
from evalkit.generators.nets.llama import SIZES, Block, ClassEmbedding, rope_1d
from evalkit.generators.next_token import CLASSES, NextTokenGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler


@dataclass(frozen=True)
class DarGptConfig:
    """Sizes of the network; guidance grows from `start` at the first code to `scale` at the last."""

    layers: int = 24
    heads: int = 16
    width: int = 1024
    tokens: int = 256
    start: float = 1.2
    scale: float = 8.0
    codes: int = 16384
    classes: int = CLASSES


class DarGptNet(Decoder):
    """Rotary embedding by place in the sequence, the class at place 0."""

    def __init__(self, config: DarGptConfig) -> None:
        super().__init__(
            config.codes,
            config.width,
            config.heads,
            (Block(config.width, config.heads) for _ in range(config.layers)),
            ClassEmbedding(config.classes, config.width),
            rope_1d(1 + config.tokens, config.width // config.heads),
        )


@register("d-ar-xl", weights="D-AR-XL-360K.pt", config=DarGptConfig(*SIZES["xl"]), tokenizer="d-ar")
@register("d-ar-l", weights="D-AR-L-360K.pt", config=DarGptConfig(*SIZES["l"]), tokenizer="d-ar")
class DarGpt(NextTokenGenerator):
    """Images of an ImageNet class at 256 px; the decoder's noise is drawn from each request's seed."""

    prefixes: ClassVar[tuple[str, ...]] = ("_orig_mod.",)
    config: DarGptConfig

    @classmethod
    def build(cls, config: DarGptConfig) -> nn.Module:
        """The network with the official names."""
        return DarGptNet(config)

    def setup(self) -> None:
        """Sizes and the sampler of the authors' evaluation follow from the configuration."""
        super().setup()
        self.classes, self.vocab_size, self.tokens_per_image = (
            self.config.classes,
            self.config.codes,
            self.config.tokens,
        )
        self.default_sampler = Sampler(Guidance("d-ar", self.config.scale, start=self.config.start))
