"""D-AR: LlamaGen's decoder over the codes of a diffusion tokenizer (arXiv 2505.23660; showlab/D-AR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.decoder import ClassDecoder, DecoderSizes
from evalkit.generators.nets.llama import SIZES, rope_1d
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler


@dataclass(frozen=True)
class DarGptConfig(DecoderSizes):
    """Sizes of the network; guidance grows from `start` at the first code to `scale` at the last."""

    tokens: int = 256
    start: float = 1.2
    scale: float = 8.0


class DarGptNet(ClassDecoder):
    """Rotary embedding by place in the sequence, the class at place 0."""

    def __init__(self, config: DarGptConfig) -> None:
        super().__init__(config, rope_1d(1 + config.tokens, config.width // config.heads))


@register("d-ar-xl", weights="D-AR-XL-360K.pt", config=DarGptConfig(*SIZES["xl"]), tokenizer="d-ar")
@register("d-ar-l", weights="D-AR-L-360K.pt", config=DarGptConfig(*SIZES["l"]), tokenizer="d-ar")
class DarGpt(NextTokenGenerator):
    """Images of an ImageNet class at 256 px; the decoder's noise is drawn from each request's seed."""

    prefixes: ClassVar[tuple[str, ...]] = ("_orig_mod.",)
    architecture = DarGptNet
    config: DarGptConfig

    def setup(self) -> None:
        """Sizes and the sampler of the authors' evaluation follow from the configuration."""
        super().setup()
        self.tokens_per_image = self.config.tokens
        self.default_sampler = Sampler(Guidance("d-ar", self.config.scale, start=self.config.start))
