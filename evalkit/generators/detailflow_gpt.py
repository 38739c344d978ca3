"""DetailFlow's decoder: coarse codes one by one, then groups at once (arXiv 2505.21473; ByteFlow-AI/DetailFlow)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.generators.base import Step
from evalkit.generators.nets.decoder import ClassDecoder, DecoderSizes
from evalkit.generators.nets.llama import SIZES, KVCache, reach_of, rope_2d, with_prefix
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler


@dataclass(frozen=True)
class DetailFlowGptConfig(DecoderSizes):
    """Sizes of the network: the first `causal` codes come one by one, the others in groups of `group`."""

    tokens: int = 128
    scale: float = 1.5
    group: int = 8
    causal: int = 8
    codes: int = 8192


class SpecialTokens(nn.Module):
    """Learned inputs that stand beside the last single code, where the first group is predicted."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.special_embeddings = nn.Embedding(count, width)


class DetailFlowGptNet(ClassDecoder):
    """Position p predicts code p; groups see each other's past and the whole of themselves."""

    def __init__(self, config: DetailFlowGptConfig) -> None:
        rows = config.tokens // config.group
        super().__init__(config, with_prefix(rope_2d(rows, config.group, config.width // config.heads), 1))
        self.spe_tok_embeddings = SpecialTokens(config.group - 1, config.width)
        self.group, self.causal = config.group, config.causal

    def forward(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts code i of `tokens` [B, N]; a group's own codes are not read."""
        n, cond = tokens.shape[1], self.condition(conditions)
        if n <= self.causal:
            x = torch.cat([cond, self.tok_embeddings(tokens[:, : n - 1])], 1)
        else:
            known = self.tok_embeddings(tokens[:, : (n - 1) // self.group * self.group])
            x = torch.cat([cond, known[:, : self.causal], self.special(len(tokens)), known[:, self.causal :]], 1)
        at = torch.arange(x.shape[1], device=x.device)
        seen = torch.where(
            (at < self.causal)[:, None], at[:, None] >= at, at[:, None] // self.group >= at // self.group
        )
        return self.head_of(self.run(x, cond, seen)[:, :n], cond, at[:n])

    def special(self, rows: int) -> Tensor:
        """[B, group - 1, width]."""
        return self.spe_tok_embeddings.special_embeddings.weight.expand(rows, -1, -1)

    def step(self, x: Tensor, start: int, cache: KVCache) -> Tensor:
        """float32 logits [B, n, V] of the positions `x` [B, n, width] from `start` on, which see each other and the past."""
        end = start + x.shape[1]
        at, reach = cache.places[start:end], reach_of(end)
        seen = cache.up_to(at[-1:], reach).expand(len(at), -1)
        hidden = self.cached(x, replace(self.context(at, x, seen), at=at, reach=reach), cache)
        return self.head_of(hidden, x, at)


@register(
    "detailflow-64-gpt-l",
    weights="detailflow-64-gpt-l",
    config=DetailFlowGptConfig(*SIZES["l"], tokens=512, scale=1.32),
    tokenizer="detailflow-64",
)
@register(
    "detailflow-32-gpt-l",
    weights="detailflow-32-gpt-l",
    config=DetailFlowGptConfig(*SIZES["l"], tokens=256, scale=1.5),
    tokenizer="detailflow-32",
)
@register(
    "detailflow-16-gpt-l",
    weights="detailflow-16-gpt-l",
    config=DetailFlowGptConfig(*SIZES["l"], tokens=128, scale=1.45),
    tokenizer="detailflow-16",
    aliases=("detailflow-gpt",),
)
class DetailFlowGpt(NextTokenGenerator):
    """Images of an ImageNet class at 256 px; `Guidance("detailflow", s, schedule="linear_re")` fades out by group."""

    wrapping: ClassVar[tuple[str, ...]] = ("ema", "model", "module", "state_dict")
    architecture = DetailFlowGptNet
    network: DetailFlowGptNet
    config: DetailFlowGptConfig

    def setup(self) -> None:
        """Sizes and the sampler of the authors' evaluation follow from the configuration."""
        super().setup()
        self.tokens_per_image = self.config.tokens

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, count, net, guidance = len(conditions), self.tokens_per_image, self.network, sampler.guidance
        draws = draws.to(conditions.device)  # once, not at every step
        guided, group = not guidance.off, self.config.group
        both = torch.cat([conditions, net.null(conditions)]) if guided else conditions
        cache = net.new_cache(len(both), count)
        tokens = torch.zeros(rows, count, dtype=torch.int64, device=conditions.device)
        starts = [*range(self.config.causal), *range(self.config.causal, count, group)]
        for number, start in enumerate(starts):
            if start == 0:
                x = net.condition(both)
            else:
                last = tokens[:, start - 1 : start] if start <= self.config.causal else tokens[:, start - group : start]
                guided = guided and guidance.active(start - 1)
                last = torch.cat([last, last]) if guided else last
                x = net.tok_embeddings(last)
                if start == self.config.causal:
                    x = torch.cat([x, net.special(len(x))], 1)
            logits = net.step(x, start, cache)
            if guided:
                single = start < self.config.causal
                progress = 0.0 if single else (start // group) / (count // group + 1)
                logits = guidance.combine(logits[:rows], logits[rows:], progress)
            end = start + logits.shape[1]
            step = Step(number, range(start, end), tokens[:, :start], seeds)
            tokens[:, start:end] = self.choose(logits, step, sampler, draws)
        return tokens, len(starts)
