"""Janus and Janus-Pro through transformers: text to 576 codes of LlamaGen's tokenizer (arXiv 2410.13848, 2501.17811).

The network is transformers'; the loop is evalkit's, so that seeds, guidance, filters and watermarks work as everywhere.
The unconditional rows hold the prompt with every token but the first and the last replaced by padding, as officially.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from evalkit.errors import MissingDependency
from evalkit.generators.base import Conditions, Request, Step, TokenGenerator
from evalkit.generators.folders import folder_digest, load_whole, model_folder
from evalkit.generators.guidance import Guidance
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import Source, register
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer

REPOS = {
    "janus-1.3b": "deepseek-community/Janus-1.3B",
    "janus-pro-1b": "deepseek-community/Janus-Pro-1B",
    "janus-pro-7b": "deepseek-community/Janus-Pro-7B",
}
LENGTH = 64  # prompts are padded on the left to multiples of this, so that rows of equal shape can share a batch


@register("janus-1.3b", config=REPOS["janus-1.3b"], tokenizer="janus")
@register("janus-pro-1b", config=REPOS["janus-pro-1b"], tokenizer="janus")
@register("janus-pro-7b", config=REPOS["janus-pro-7b"], tokenizer="janus")
class JanusGenerator(TokenGenerator):
    """Prompts as the official chat template writes them; codes of a 24 x 24 grid, pictures of 384 px."""

    conditions: Conditions = "text"
    default_sampler = Sampler(Guidance("llamagen", 5.0))

    def __init__(self, source: Source, model: Any, processor: Any) -> None:
        self.name, self.device, self.dtype = source.name, source.device, source.dtype
        self.tokenizer_name = source.tokenizer
        self.model, self.processor = model.eval().requires_grad_(False).to(source.device), processor
        vision = model.config.vq_config
        self.vocab_size = int(vision.num_embeddings)
        self.tokens_per_image = int(model.model.vision_model.config.num_image_tokens)
        self.side = round(self.tokens_per_image**0.5) * 2 ** (len(vision.channel_multiplier) - 1)
        self.logits_processors = []

    @classmethod
    def load(cls, source: Source) -> JanusGenerator:
        """The runner of a folder in transformers' layout (model.safetensors, processor and tokenizer files)."""
        try:
            from transformers import JanusForConditionalGeneration, JanusProcessor
        except ImportError:
            raise MissingDependency(source.name, "hf") from None
        folder = model_folder(source, source.config)
        model = load_whole(folder, JanusForConditionalGeneration.from_pretrained, dtype=source.dtype)
        made = cls(source, model, JanusProcessor.from_pretrained(str(folder), local_files_only=True))
        made.weights_sha256 = folder_digest(folder)
        return made

    def alike(self, request: Request) -> Hashable:
        """The padded length of the prompt."""
        return self._padded(len(self._ids(request.prompt or "")))

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """int64 [B, 2, L]: token ids, padded on the left, and which of them count."""
        rows = [self._ids(request.prompt or "") for request in requests]
        length = self._padded(max(map(len, rows)))
        conditions = torch.zeros(len(rows), 2, length, dtype=torch.int64)
        conditions[:, 0] = self._pad
        for row, ids in zip(conditions, rows, strict=True):
            row[0, length - len(ids) :] = torch.tensor(ids)
            row[1, length - len(ids) :] = 1
        return conditions.to(self.device)

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts code i of `tokens` [B, N]."""
        with torch.inference_mode():
            inside, mask = self._start(conditions.to(self.device))
            codes = self.model.prepare_embeddings_for_image_generation(tokens[:, :-1].to(self.device))
            whole = torch.cat([inside, codes.to(inside.dtype)], 1)
            mask = torch.cat([mask, mask.new_ones(len(mask), codes.shape[1])], 1)
            hidden = self._run(whole, mask, None).last_hidden_state[:, -tokens.shape[1] :]
            scores: Tensor = self.model.model.generation_head(hidden)
        return scores.float()

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, count, guidance = len(conditions), self.tokens_per_image, sampler.guidance
        both = conditions if guidance.off else torch.cat([conditions, self._without_prompt(conditions)])
        inputs, mask = self._start(both)
        tokens = torch.zeros(rows, count, dtype=torch.int64, device=conditions.device)
        cache = None
        for i in range(count):
            out = self._run(inputs, mask, cache)
            cache = out.past_key_values
            logits = self.model.model.generation_head(out.last_hidden_state[:, -1]).float()
            if not guidance.off:
                logits = guidance.combine(logits[:rows], logits[rows:], i / max(count - 1, 1))
            step = Step(i, range(i, i + 1), tokens[:, :i], seeds)
            tokens[:, i] = self.choose(logits[:, None], step, sampler, draws)[:, 0]
            last = tokens[:, i : i + 1].repeat(len(both) // rows, 1)
            inputs = self.model.prepare_embeddings_for_image_generation(last)
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
        return tokens, count

    def _run(self, inputs: Tensor, mask: Tensor, cache: Any) -> Any:
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -inputs.shape[1] :]
        return self.model.model.language_model(
            inputs_embeds=inputs, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )

    def _start(self, conditions: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.get_input_embeddings()(conditions[:, 0]), conditions[:, 1]

    def _without_prompt(self, conditions: Tensor) -> Tensor:
        ids, counts = conditions[:, 0].clone(), conditions[:, 1]
        first = counts.argmax(1)
        inner = torch.arange(ids.shape[1], device=ids.device) > first[:, None]
        inner[:, -1] = False
        return torch.stack([ids.masked_fill(inner & counts.bool(), self._pad), counts], 1)

    def _ids(self, prompt: str) -> list[int]:
        talk = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
        text = self.processor.apply_chat_template(talk, add_generation_prompt=True)
        found = self.processor(text=text, generation_mode="image", return_tensors="pt")
        return [int(i) for i in found["input_ids"][0]]

    @property
    def _pad(self) -> int:
        return int(self.processor.tokenizer.pad_token_id or 0)

    @staticmethod
    def _padded(length: int) -> int:
        return -(-length // LENGTH) * LENGTH

    @property
    def tokenizer(self) -> Tokenizer:
        """evalkit's `janus` tokenizer around the VQ network inside the model."""
        from evalkit.tokenizers.transformers_vq import Janus

        return Janus("janus", None, self.model.model.vqmodel, torch.device(self.device), torch.float32)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        model = self.tokenizer
        return to_uint8(model.decode(model.codes(indices=tokens)), "truncate")
