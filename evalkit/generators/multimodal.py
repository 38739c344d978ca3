"""Image codes behind a prompt inside a language model of transformers: the loop that Janus and Emu3 share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from evalkit.generators.base import CodingGenerator, Conditions, Request, Step
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler

PLACES = 512  # of a sequence whose scores over all words are held at once
LENGTH = 64  # prompts are padded on the left to multiples of this, so that rows of equal shape can share a batch


class MultimodalGenerator(CodingGenerator):
    """The network is transformers'; the loop is evalkit's, so that seeds, filters and watermarks work as everywhere.

    Conditions are int64 [B, 2, L]: token ids, padded on the left, and which of them count; a model that takes negative
    prompts adds theirs, [B, 4, L].
    """

    conditions: Conditions = "text"

    def __init__(self, source: Source, model: Any, processor: Any) -> None:
        self.name, self.device, self.dtype = source.name, source.device, source.dtype
        self.tokenizer_name = source.tokenizer
        self.model, self.processor = model.eval().requires_grad_(False).to(source.device), processor
        self.model.model.vqmodel.float()  # as evalkit's tokenizers work, at any precision of the language model
        self.logits_processors = []

    @property
    @abstractmethod
    def language(self) -> Any:
        """The transformer that takes embeddings."""

    @abstractmethod
    def prompt_ids(self, prompt: str) -> list[int]:
        """Token ids of a prompt, up to where the first code of the image follows."""

    @abstractmethod
    def unconditional(self, conditions: Tensor) -> Tensor:
        """What stands in the unconditional rows, of the same shape."""

    @abstractmethod
    def embed(self, codes: Tensor, first: int) -> Tensor:
        """Embeddings [B, n', C] of the codes [B, n] at the positions from `first` on, with what must follow them."""

    @abstractmethod
    def scores(self, hidden: Tensor) -> Tensor:
        """Logits [..., V] over the codes."""

    @property
    def following(self) -> int:
        """Places behind the prompt that an image takes."""
        return self.tokens_per_image

    def alike(self, request: Request) -> Hashable:
        """The padded length of the prompt."""
        return _padded(len(self.prompt_ids(request.prompt or "")))

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """int64 [B, 2, L]."""
        return self.pad([self.prompt_ids(request.prompt or "") for request in requests])

    def pad(self, rows: Sequence[Sequence[int]], length: int = 0) -> Tensor:
        """Conditions of token ids, at least `length` long."""
        length = _padded(max(length, *map(len, rows)))
        conditions = torch.zeros(len(rows), 2, length, dtype=torch.int64)
        conditions[:, 0] = self.padding
        for row, ids in zip(conditions, rows, strict=True):
            row[0, length - len(ids) :] = torch.tensor(ids)
            row[1, length - len(ids) :] = 1
        return conditions.to(self.device)

    @property
    def padding(self) -> int:
        """The id that fills short prompts."""
        return int(self.processor.tokenizer.pad_token_id or 0)

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts code i of `tokens` [B, N]."""
        with torch.inference_mode():
            hidden, ends = self.states(conditions.to(self.device), tokens.to(self.device))
            parts = torch.split(hidden[:, ends], PLACES, 1)
            return torch.cat([self.scores(part).float() for part in parts], 1)

    def states(self, conditions: Tensor, tokens: Tensor) -> tuple[Tensor, list[int]]:
        """Last hidden states [B, n, C] of the prompt and the codes before the last, and where each code is predicted."""
        parts = [self.model.get_input_embeddings()(conditions[:, 0])]
        ends = [parts[0].shape[1] - 1]
        for i in range(tokens.shape[1] - 1):
            parts.append(self.embed(tokens[:, i : i + 1], i).to(parts[0].dtype))
            ends.append(ends[-1] + parts[-1].shape[1])
        whole = torch.cat(parts, 1)
        mask = torch.cat(
            [conditions[:, 1], conditions.new_ones(len(conditions), whole.shape[1] - parts[0].shape[1])], 1
        )
        return self.hidden(whole, mask), ends

    def hidden(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Last hidden states [B, n, C] of whole sequences of embeddings, of which `mask` [B, n] says which count."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        found: Tensor = self.language(
            inputs_embeds=inputs, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        return found

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, count, guidance = len(conditions), self.tokens_per_image, sampler.guidance
        both = conditions[:, :2]
        if not guidance.off:
            other = self.unconditional(conditions)
            conditions = both
            length = max(conditions.shape[2], other.shape[2])
            both = torch.cat([self.longer(conditions, length), self.longer(other, length)])
        inputs, growing = (
            self.model.get_input_embeddings()(both[:, 0]),
            Growing(self.language, both[:, 1], self.following),
        )
        tokens = torch.zeros(rows, count, dtype=torch.int64, device=conditions.device)
        draws = draws.to(conditions.device)  # once, not at every step
        for i in range(count):
            logits = self.scores(growing.after(inputs)[:, -1]).float()
            if not guidance.off:
                logits = guidance.combine(logits[:rows], logits[rows:], i / max(count - 1, 1))
            step = Step(i, range(i, i + 1), tokens[:, :i], seeds)
            tokens[:, i] = self.choose(logits[:, None], step, sampler, draws)[:, 0]
            inputs = self.embed(tokens[:, i : i + 1].repeat(len(both) // rows, 1), i)
        return tokens, count

    def longer(self, conditions: Tensor, length: int) -> Tensor:
        """Conditions padded to `length`."""
        missing = length - conditions.shape[2]
        front = conditions.new_zeros(*conditions.shape[:2], missing)
        front[:, ::2] = self.padding
        return torch.cat([front, conditions], 2)


class Growing:
    """Sequences that grow in a cache of fixed size: every step sees the whole allocation under a mask of one shape.

    `counts` [B, L]: which tokens of the prompts count. Places behind them are hidden by the causal mask until they are
    filled, so that steps differ in numbers alone, which a device can capture.
    """

    def __init__(self, language: Any, counts: Tensor, more: int) -> None:
        from transformers import StaticCache

        self.language, self.filled = language, 0
        self.mask = torch.cat([counts, counts.new_ones(len(counts), more)], 1)
        self.positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        self.cache = StaticCache(config=language.config, max_cache_len=self.mask.shape[1])

    def after(self, inputs: Tensor) -> Tensor:
        """Hidden states [B, n, C] of the next inputs [B, n, C]."""
        start, self.filled = self.filled, self.filled + inputs.shape[1]
        out: Tensor = self.language(
            inputs_embeds=inputs,
            attention_mask=self.mask,
            position_ids=self.positions[:, start : self.filled],
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return out


def _padded(length: int) -> int:
    return -(-length // LENGTH) * LENGTH
