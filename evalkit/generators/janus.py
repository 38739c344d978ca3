"""Janus and Janus-Pro through transformers: text to 576 codes of LlamaGen's tokenizer (arXiv 2410.13848, 2501.17811).

The unconditional rows hold the prompt with every token but the first and the last replaced by padding, as officially.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from evalkit.errors import MissingDependency
from evalkit.generators.folders import folder_digest, load_whole, loaded, model_folder
from evalkit.generators.guidance import Guidance
from evalkit.generators.multimodal import MultimodalGenerator
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import Source, register
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer


@register("janus-1.3b", config="deepseek-community/Janus-1.3B", tokenizer="janus")
@register("janus-pro-1b", config="deepseek-community/Janus-Pro-1B", tokenizer="janus")
@register("janus-pro-7b", config="deepseek-community/Janus-Pro-7B", tokenizer="janus")
class JanusGenerator(MultimodalGenerator):
    """Prompts as the official chat template writes them; codes of a 24 x 24 grid, images of 384 px."""

    default_sampler = Sampler(Guidance("llamagen", 5.0))

    def __init__(self, source: Source, model: Any, processor: Any) -> None:
        super().__init__(source, model, processor)
        vision = model.config.vq_config
        self.vocab_size = int(vision.num_embeddings)
        self.tokens_per_image = int(model.model.vision_model.config.num_image_tokens)
        self.side = round(self.tokens_per_image**0.5) * 2 ** (len(vision.channel_multiplier) - 1)

    @classmethod
    def load(cls, source: Source) -> JanusGenerator:
        """The runner of a folder in transformers' layout (model.safetensors, processor and tokenizer files)."""
        try:
            from transformers import JanusForConditionalGeneration, JanusProcessor
        except ImportError:
            raise MissingDependency(source.name, "hf") from None
        folder = model_folder(source, source.config)
        model = load_whole(folder, JanusForConditionalGeneration.from_pretrained, dtype=source.dtype)
        made = cls(source, model, loaded(folder, JanusProcessor.from_pretrained))
        made.weights_sha256 = folder_digest(folder)
        return made

    @property
    def language(self) -> Any:
        """The Llama inside."""
        return self.model.model.language_model

    def prompt_ids(self, prompt: str) -> list[int]:
        """The chat template's text and the token that begins an image."""
        talk = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
        text = self.processor.apply_chat_template(talk, add_generation_prompt=True)
        found = self.processor(text=text, generation_mode="image", return_tensors="pt")
        return [int(i) for i in found["input_ids"][0]]

    def unconditional(self, conditions: Tensor) -> Tensor:
        """The prompt's inner tokens become padding that still counts."""
        ids, counts = conditions[:, 0].clone(), conditions[:, 1]
        inner = torch.arange(ids.shape[1], device=ids.device) > counts.argmax(1)[:, None]
        inner[:, -1] = False
        return torch.stack([ids.masked_fill(inner & counts.bool(), self.padding), counts], 1)

    def embed(self, codes: Tensor, first: int) -> Tensor:
        """The generation embedding behind its aligner."""
        inside: Tensor = self.model.prepare_embeddings_for_image_generation(codes)
        return inside

    def scores(self, hidden: Tensor) -> Tensor:
        """The generation head."""
        found: Tensor = self.model.model.generation_head(hidden)
        return found

    @property
    def tokenizer(self) -> Tokenizer:
        """evalkit's `janus` around the VQ network inside the model."""
        from evalkit.tokenizers.transformers_vq import Janus

        return Janus("janus", None, self.model.model.vqmodel, torch.device(self.device), torch.float32)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        model = self.tokenizer
        return to_uint8(model.decode(model.codes(indices=tokens)), "truncate")
