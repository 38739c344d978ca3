"""One scale of codes after another: the loop of VAR and FlexVAR."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import ClassVar, cast

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request, Step
from evalkit.generators.nets.next_scale import CachePlan, NextScale, scale_mask
from evalkit.generators.network import LOGIT, NetworkTokenGenerator
from evalkit.generators.next_token import class_ids
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels


class NextScaleGenerator(NetworkTokenGenerator):
    """Codes are the scales one after the other, raster order in each; a family says what a scale makes of the next input."""

    wrapping: ClassVar[tuple[str, ...]] = ("trainer.var_wo_ddp",)  # of files that training writes
    unused: ClassVar[tuple[str, ...]] = (r"^lvl_1L$", r"^attn_bias_for_masking$", r"\.zero_k_bias$")
    float32: ClassVar[str] = r"^head"
    network: NextScale
    scales: tuple[int, ...]
    classes: int
    plan: CachePlan | None = None

    def use_scales(self, scales: tuple[int, ...]) -> None:
        """Draw with these sides of the code maps, coarse to fine."""
        self.scales = scales
        self.tokens_per_image = sum(side * side for side in scales)

    def row_bytes(self) -> int:
        """Keys and values, and the logits and activations of the last scale."""
        last, depth, width = (
            self.scales[-1] ** 2,
            len(self.network.blocks),
            self.network.heads * self.network.head_width,
        )
        return self._cache_bytes(depth, width, self.tokens_per_image) + last * (LOGIT * self.vocab_size + 160 * width)

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """Class ids [B]; the id behind the last class is the unconditional one."""
        return class_ids(requests, self.classes, self.name, self.device)

    @abstractmethod
    def inputs(self) -> Inputs:
        """A fresh state that turns the codes of each scale into features of the next."""

    def progress(self, number: int) -> float:
        """Where scale `number` stands in the guidance's schedule."""
        return number / max(len(self.scales) - 1, 1)

    def sampler_at(self, number: int, sampler: Sampler) -> Sampler:
        """The sampler of scale `number`."""
        return sampler

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, L, V] for all codes `tokens` [B, L] of the scales in use, under the class alone (its null id too)."""
        with torch.inference_mode():
            return self.teacher_forced(conditions.to(self.device), tokens.to(self.device))

    def teacher_forced(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """`logits`, differentiable; of the first scales alone where `tokens` holds no more than those."""
        scales = self.scales[: reached(tokens.shape[1], [side * side for side in self.scales])]
        with self._autocast():
            cond = self.network.class_emb(conditions)
            parts, inputs = [self.network.start(cond)], self.inputs() if len(scales) > 1 else None
            for number, codes in enumerate(torch.split(tokens, [side * side for side in scales], 1)[:-1]):
                parts.append(self.network.word_embed(cast(Inputs, inputs).after(number, codes)))
            x = torch.cat(parts, 1) + self.network.positions(self.scales)[:, : tokens.shape[1]]
            return self.network.run(x, cond, scale_mask(scales, self.device), None)

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, guidance = len(conditions), sampler.guidance
        draws = draws.to(conditions.device)  # once, not at every scale
        null = torch.full_like(conditions, self.classes)
        with self._autocast():
            cond = self.network.class_emb(conditions if guidance.off else torch.cat([conditions, null]))
            places, inputs = self.network.positions(self.scales), self.inputs()
            plain = partial(self.network.new_cache, len(cond), self.tokens_per_image)
            lengths = tuple(side * side for side in self.scales)
            cache = plain() if self.plan is None else self.plan.new_cache(plain, lengths)
            found: list[Tensor] = []
            x, start = self.network.start(cond) + places[:, :1], 0
            for number, side in enumerate(self.scales):
                logits = self.network.run(x, cond, None, cache)
                if not guidance.off:
                    logits = guidance.combine(logits[:rows], logits[rows:], self.progress(number))
                end = start + side * side
                before = torch.cat(found, 1) if found else conditions.new_zeros(rows, 0)
                step = Step(number, range(start, end), before, seeds)
                found.append(self.choose(logits, step, self.sampler_at(number, sampler), draws))
                start = end
                if number + 1 < len(self.scales):
                    following = self.scales[number + 1] ** 2
                    x = self.network.word_embed(inputs.after(number, found[-1])) + places[:, end : end + following]
                    x = x.repeat(len(cond) // rows, 1, 1)
        return torch.cat(found, 1), len(self.scales)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        from evalkit.generators.pixels import to_uint8

        return to_uint8(self._decode(tokens, seeds), "truncate")


def reached(count: int, lengths: Sequence[int]) -> int:
    """How many scales of `lengths` codes hold `count` codes; raises `EvalkitError` where the last one is not whole."""
    for number, end in enumerate(accumulate(lengths), 1):
        if end == count:
            return number
    raise EvalkitError(f"{count} codes fill no whole scales. Give {', '.join(map(str, accumulate(lengths)))} of them")


class Inputs(ABC):
    """What the codes of the scales so far say to the next one."""

    @abstractmethod
    def after(self, number: int, codes: Tensor) -> Tensor:
        """Features [B, n, d] of the inputs of scale `number` + 1, from the codes [B, p*p] of scale `number`."""
