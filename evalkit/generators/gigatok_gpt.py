"""GigaTok's decoder: LlamaGen's with learned positions (arXiv 2504.08736; SilentView/GigaTok autoregressive/models/gpt_1d.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.adaptive import AdaptiveBlock, SharedAdaptiveBlock, modulate, modulation
from evalkit.generators.nets.decoder import Decoder, DecoderSizes
from evalkit.generators.nets.llama import SIZES, Block, ClassEmbedding, rope_1d, with_prefix
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler

ROPE_ZEROS = 120


@dataclass(frozen=True)
class GigaTokGptConfig(DecoderSizes):
    """Sizes of the network, and the variants that the official code can train.

    `adaptive`: norms are steered by the class, with weights of their own in each block or with shared ones; `plain`
    blocks stand in between, one in front of each of the first so many adaptive blocks. `rope`: the official table, whose
    first 120 rows are zeros and whose base is 1, instead of learned positions.
    """

    tokens: int = 256
    scale: float = 2.5
    qk_norm: bool = False
    rope: bool = False
    adaptive: Literal["none", "own", "shared"] = "none"
    plain: int = 0


class GigaTokGptNet(Decoder):
    """LlamaGen's decoder with learned positions and, in some variants, norms steered by the class."""

    def __init__(self, config: GigaTokGptConfig) -> None:
        width, head = config.width, config.width // config.heads
        table = with_prefix(rope_1d(config.tokens, head, 1.0), ROPE_ZEROS)[: 1 + config.tokens]
        condition = ClassEmbedding(config.classes, width)
        super().__init__(config.codes, width, config.heads, _blocks(config), condition, table if config.rope else None)
        if not config.rope:
            self.positional_embedding = nn.Parameter(torch.zeros(1 + config.tokens, width))
        if config.adaptive == "shared":
            self.adaLN = modulation(width, 6)
        if config.adaptive != "none":
            self.final_adaLN = modulation(width, 2)
        self.learned, self.adaptive = not config.rope, config.adaptive

    def condition(self, conditions: Tensor) -> Tensor:
        """[B, 1, width]: the class at position 0."""
        y = super().condition(conditions)
        return y + self.positional_embedding[:1] if self.learned else y

    def embed(self, tokens: Tensor, at: Tensor) -> Tensor:
        """[B, n, width]: codes at the positions behind the class."""
        y = super().embed(tokens, at)
        return y + self.positional_embedding.index_select(0, at + 1) if self.learned else y

    def steer(self, cond: Tensor) -> Tensor | None:
        """The class embedding for blocks of their own weights, or what the shared layer makes of it."""
        if self.adaptive == "none":
            return None
        steer: Tensor = self.adaLN(cond) if self.adaptive == "shared" else cond
        return steer

    def head_of(self, hidden: Tensor, cond: Tensor, at: Tensor) -> Tensor:
        """float32 logits [B, n, V]."""
        if self.adaptive == "none":
            return super().head_of(hidden, cond, at)
        shift, scale = self.final_adaLN(cond).chunk(2, -1)
        y: Tensor = self.output(modulate(self.norm(hidden), shift, scale))
        return y.float()


def _blocks(config: GigaTokGptConfig) -> Iterator[nn.Module]:
    kind = {"none": Block, "own": AdaptiveBlock, "shared": SharedAdaptiveBlock}[config.adaptive]
    for index in range(config.layers):
        if config.adaptive != "none" and index < config.plain:
            yield Block(config.width, config.heads, config.qk_norm)
        yield kind(config.width, config.heads, config.qk_norm)


def _model(
    size: str, tokenizer: str, file: str, scale: float, aliases: tuple[str, ...] = ()
) -> Callable[[type[NextTokenGenerator]], type[NextTokenGenerator]]:
    config = GigaTokGptConfig(*SIZES[size], scale=scale)
    name = f"gigatok-gpt-{size}-{tokenizer}"
    return register(name, weights=file, config=config, tokenizer=f"gigatok-{tokenizer}", aliases=aliases)


@_model("xxl", "xlxxl", "GPT_XXL256_e300_VQ_XLXXL.pt", 1.25)
@_model("xxl", "bl", "GPT_XXL256_e300_VQ_BL.pt", 1.25)
@_model("xl", "bl", "GPT_XL256_e300_VQ_BL.pt", 1.25)
@_model("b", "xlxxl", "GPT_B256_e300_VQ_XLXXL.pt", 1.75)
@_model("b", "bl-dino", "GPT_B256_e300_VQ_BL_dino_disc.pt", 2.5)
@_model("b", "bl", "GPT_B256_e300_VQ_BL.pt", 2.5, aliases=("gigatok-gpt",))
@_model("b", "sb", "GPT_B256_e300_VQ_SB.pt", 2.5)
@_model("b", "ss", "GPT_B256_e300_VQ_SS.pt", 2.5)
class GigaTokGpt(NextTokenGenerator):
    """Images of an ImageNet class at 256 px from GigaTok's codes in a learned order.

    The default guidance starts after 18 % of the codes, as in the authors' evaluation; its scale is the one that their
    instructions give (B with XL-XXL codes), or the one with which their search for the best scale begins.
    """

    architecture = GigaTokGptNet
    config: GigaTokGptConfig

    def setup(self) -> None:
        """Sizes and sampler follow from the configuration."""
        super().setup()
        self.tokens_per_image = self.config.tokens
        self.default_sampler = Sampler(Guidance("llamagen", self.config.scale, schedule="step"))
