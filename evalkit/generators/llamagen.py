"""LlamaGen: codes of an image in raster order (arXiv 2406.06525; FoundationVision/LlamaGen autoregressive/)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.caption import CaptionEmbedding, TextFeatures
from evalkit.generators.nets.caption_text import clean_caption
from evalkit.generators.nets.decoder import Decoder, DecoderSizes
from evalkit.generators.nets.llama import SIZES, Block, ClassEmbedding, rope_2d, with_prefix
from evalkit.generators.nets.t5 import TextEncoder
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler

CAPTION_TOKENS = 120


@dataclass(frozen=True)
class LlamaGenConfig(DecoderSizes):
    """Sizes of the network; `grid` codes a side of the image, `scale` of the guidance that the authors sample with.

    `caption`: channels of the text features for text-to-image models, else None. `saved`: side of the images that the
    official script writes where it resizes them.
    """

    grid: int = 16
    top_k: int = 0
    caption: int | None = None
    caption_tokens: int = CAPTION_TOKENS
    saved: int | None = None


class LlamaGenNet(Decoder):
    """LlamaGen's transformer: rotary embedding by row and column, none for the condition."""

    def __init__(self, config: LlamaGenConfig) -> None:
        condition: nn.Module
        if config.caption is None:
            prefix, condition = 1, ClassEmbedding(config.classes, config.width)
        else:
            prefix = config.caption_tokens
            condition = CaptionEmbedding(config.caption, config.width, prefix)
        table = rope_2d(config.grid, config.grid, config.width // config.heads)
        blocks = (Block(config.width, config.heads) for _ in range(config.layers))
        super().__init__(config.codes, config.width, config.heads, blocks, condition, with_prefix(table, prefix))

    def mask(self, conditions: Tensor, length: int) -> Tensor | None:
        """Hides the padding of captions that come with a mask."""
        embedding = self.cls_embedding
        return embedding.mask(conditions, length) if isinstance(embedding, CaptionEmbedding) else None


def _config(size: str, grid: int, scale: float) -> LlamaGenConfig:
    return LlamaGenConfig(*SIZES[size], scale, grid=grid, saved=256 if grid == 24 else None)


def _t2i(grid: int) -> LlamaGenConfig:
    return LlamaGenConfig(*SIZES["xl"], 7.5, grid=grid, top_k=1000, caption=2048)


def _class_model(
    size: str, grid: int, scale: float, cca: bool = False, aliases: tuple[str, ...] = ()
) -> Callable[[type[NextTokenGenerator]], type[NextTokenGenerator]]:
    name = f"llamagen-{size}" + ("-384" if grid == 24 else "") + ("-cca" if cca else "")
    file = f"c2i_{size.upper()}_{16 * grid}{'_CCA_0005000' if cca else ''}.pt"
    return register(name, weights=file, config=_config(size, grid, scale), tokenizer="llamagen-vq16", aliases=aliases)


@_class_model("3b", 24, 1.0, cca=True)
@_class_model("xxl", 24, 1.0, cca=True)
@_class_model("xl", 24, 1.0, cca=True)
@_class_model("l", 24, 1.0, cca=True)
@_class_model("b", 24, 1.0, cca=True)
@_class_model("3b", 24, 1.65, aliases=("llamagen-3b",))
@_class_model("xxl", 24, 1.75, aliases=("llamagen-xxl",))
@_class_model("xl", 24, 1.75, aliases=("llamagen-xl",))
@_class_model("l", 24, 2.0)
@_class_model("l", 16, 2.0)
@_class_model("b", 24, 2.0)
@_class_model("b", 16, 2.0)
class LlamaGen(NextTokenGenerator):
    """Images of an ImageNet class. The 384 px models write 256 px images, as the official script does.

    `cca`: the weights of CCA (arXiv 2410.09347), which are sampled without guidance.
    """

    architecture = LlamaGenNet
    config: LlamaGenConfig

    def setup(self) -> None:
        """Sizes and the authors' sampler follow from the configuration."""
        super().setup()
        config = self.config
        self.tokens_per_image, self.rows_of_codes = config.grid**2, config.grid
        self.resize, self.side = config.saved, config.saved or 16 * config.grid
        self.default_sampler = Sampler(Guidance("llamagen", config.scale), top_k=config.top_k)


@register("llamagen-xl-t2i-512", weights="t2i_XL_stage2_512.pt", config=_t2i(32), tokenizer="llamagen-vq16-t2i")
@register("llamagen-xl-t2i", weights="t2i_XL_stage1_256.pt", config=_t2i(16), tokenizer="llamagen-vq16-t2i")
class LlamaGenText(LlamaGen):
    """Images of a prompt, through features of flan-t5-xl (`TextFeatures`, 120 tokens, padded at the left)."""

    conditions = "text"
    _encoder: TextEncoder | None = None

    def logits(self, conditions: Tensor | TextFeatures, tokens: Tensor) -> Tensor:
        """float32 [B, N, V] for text features [B, 120, 2048]; padding is hidden where they come with a mask.

        `TextFeatures`, or their packed tensor [B, 120, 2049], carry the mask; a plain tensor has none.
        """
        return super().logits(conditions.packed() if isinstance(conditions, TextFeatures) else conditions, tokens)

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """Packed features [B, 120, 2049] of the prompts."""
        if self._encoder is None:
            self._encoder = TextEncoder("flan-t5-xl", self.source.weights, self.source.device, self.dtype)
        texts = [clean_caption(request.prompt or "") for request in requests]
        return TextFeatures.left_padded(*self._encoder(texts, self.config.caption_tokens)).packed()
