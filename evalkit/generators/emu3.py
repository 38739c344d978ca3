"""Emu3-Gen through transformers: text to a grid of codes, row by row, each row closed by a token of its own (2409.18869).

The closing tokens are not sampled: they are put behind the last code of each row. The unconditional rows hold the
request's negative prompt, or that of the official example.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from evalkit.errors import MissingDependency
from evalkit.generators.base import Request
from evalkit.generators.folders import folder_digest, load_whole, loaded, model_folder
from evalkit.generators.guidance import Guidance
from evalkit.generators.multimodal import MultimodalGenerator
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import Source, register
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer

AREA = 720 * 720  # pixels; images are square
STRIDE = 8
NEGATIVE = (
    "lowres, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, worst quality, "
    "low quality, normal quality, jpeg artifacts, signature, watermark, username, blurry."
)


@register("emu3-gen", config="BAAI/Emu3-Gen-hf", tokenizer="emu3")
class Emu3Generator(MultimodalGenerator):
    """90 x 90 codes, images of 720 px; the prompt is taken as it is (the official example appends words of praise)."""

    default_sampler = Sampler(Guidance("llamagen", 3.0), top_k=2048)
    avoids = True
    rows = 2

    def __init__(self, source: Source, model: Any, processor: Any, area: int = AREA) -> None:
        super().__init__(source, model, processor)
        self.area = area
        self.cells: int = round(area**0.5 / STRIDE)
        self.side, self.tokens_per_image = self.cells * STRIDE, self.cells**2
        mapping = model.model.vocabulary_mapping
        self.words = torch.tensor([mapping.img2bpe[i] for i in range(len(mapping.img2bpe))], device=source.device)
        self.vocab_size, self.row_end = len(self.words), int(mapping.eol_token_id)

    @classmethod
    def load(cls, source: Source) -> Emu3Generator:
        """The runner of a folder in transformers' layout."""
        try:
            from transformers import Emu3ForConditionalGeneration, Emu3Processor
        except ImportError:
            raise MissingDependency(source.name, "hf") from None
        folder = model_folder(source, source.config)
        model = load_whole(folder, Emu3ForConditionalGeneration.from_pretrained, dtype=source.dtype)
        made = cls(source, model, loaded(folder, Emu3Processor.from_pretrained))
        made.weights_sha256 = folder_digest(folder)
        return made

    @property
    def language(self) -> Any:
        """The language model inside."""
        return self.model.model.text_model

    @property
    def following(self) -> int:
        """Codes, and a token that ends each row."""
        return self.tokens_per_image + self.cells

    def prompt_ids(self, prompt: str) -> list[int]:
        """The prompt, the token that begins an image, and the image's size in codes."""
        found = self.processor(
            text=prompt, return_for_image_generation=True, ratio="1:1", image_area=self.area, return_tensors="pt"
        )
        return [int(i) for i in found["input_ids"][0]]

    def alike(self, request: Request) -> Hashable:
        """The padded lengths of the prompt and of its negative one."""
        negative = NEGATIVE if request.negative is None else request.negative
        return super().alike(request), super().alike(replace(request, prompt=negative))

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """int64 [B, 2, L], or [B, 4, L] where a request has a negative prompt of its own."""
        conditions = super().encode_conditions(requests)
        if all(request.negative is None for request in requests):
            return conditions
        told = (NEGATIVE if request.negative is None else request.negative for request in requests)
        other = self.pad([self.prompt_ids(text) for text in told])
        length = max(conditions.shape[2], other.shape[2])
        return torch.cat([self.longer(conditions, length), self.longer(other, length)], 1)

    def unconditional(self, conditions: Tensor) -> Tensor:
        """The negative prompts."""
        if conditions.shape[1] == 4:
            return conditions[:, 2:]
        return self.pad([self.prompt_ids(NEGATIVE)] * len(conditions))

    def embed(self, codes: Tensor, first: int) -> Tensor:
        """The words of the codes; behind the last of a row, the word that ends it."""
        words = self.words[codes]
        if (first + codes.shape[1]) % self.cells == 0:
            words = torch.cat([words, words.new_full((len(words), 1), self.row_end)], 1)
        inside: Tensor = self.model.get_input_embeddings()(words)
        return inside

    def scores(self, hidden: Tensor) -> Tensor:
        """The language head, over the words that are codes."""
        found: Tensor = self.model.lm_head(hidden)
        return found[..., self.words]

    @property
    def tokenizer(self) -> Tokenizer:
        """evalkit's `emu3` around the VQ network inside the model."""
        from evalkit.tokenizers.transformers_vq import Emu3

        return Emu3("emu3", None, self.model.model.vqmodel, torch.device(self.device), torch.float32)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        model = self.tokenizer
        return to_uint8(model.decode(model.codes(indices=tokens, grid=(self.cells, self.cells))), "round")
