"""Infinity: images of a prompt, scale after scale, bit by bit (2412.04431; FoundationVision/Infinity)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.base import Conditions, Request, Step
from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.bit_scales import Sums, mask_of, rotary, split
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.nets.infinity import Infinity as Network
from evalkit.generators.nets.infinity import Stage
from evalkit.generators.nets.llama import turning
from evalkit.generators.nets.next_scale import CachePlan
from evalkit.generators.nets.t5 import TextEncoder
from evalkit.generators.network import LOGIT, NetworkTokenGenerator
from evalkit.generators.next_scale import reached
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler, uniforms
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.infinity import SCHEDULES, finest
from evalkit.tokenizers.nets.residual_bits import Grid


@dataclass(frozen=True)
class InfinityConfig:
    """Sizes; `grid`: rows and columns of the last map of codes; `patch`: its codes are squares of so many tokenizer cells.

    `bits` of each code; `features`, `text_tokens` of the text; `scale` and `temperature` as in the authors' notebooks.
    """

    depth: int
    width: int
    heads: int
    chunks: int = 8
    bits: int = 32
    patch: int = 1
    grid: Grid = (64, 64)
    temperature: float = 0.5
    scale: float = 3.0
    features: int = 2048
    text_tokens: int = 512


_8B = partial(InfinityConfig, 40, 3584, 28, bits=56, patch=2, temperature=1.0)


@register(
    "infinity-8b-512", weights="infinity_8b_512x512_weights", config=_8B(grid=(32, 32)), tokenizer="infinity-d56-f8"
)
@register("infinity-8b", weights="infinity_8b_weights", config=_8B(), tokenizer="infinity-d56-f8")
@register(
    "infinity-2b", weights="infinity_2b_reg.pth", config=InfinityConfig(32, 2048, 16), tokenizer="infinity-d32reg"
)
class Infinity(NetworkTokenGenerator):
    """Codes are vectors of bits [B, N, bits], the scales one after the other, raster order in each.

    `use_grid` takes any size of the official table. `cfg_insertion_layer`: 0 guides the logits, -k what the k-th block
    from the end gives (as the official option of this name).
    """

    wrapping: ClassVar[tuple[str, ...]] = ("trainer.gpt_fsdp",)  # of files that training writes
    unused: ClassVar[tuple[str, ...]] = (
        r"^lvl_1L$",
        r"^attn_bias_for_masking$",
        r"^Infinity_(in)?visible_",
        r"\.zero_k_bias$",
    )
    float32: ClassVar[str] = r"^(head|shared_ada_lin)"
    conditions: Conditions = "text"
    config: InfinityConfig
    network: Network
    cfg_insertion_layer = 0
    plan: CachePlan | None = None
    _encoder: TextEncoder | None = None

    @classmethod
    def build(cls, config: InfinityConfig) -> nn.Module:
        """The network with the official names."""
        return Network(
            config.depth, config.width, config.heads, config.chunks, config.bits, config.features, config.text_tokens
        )

    def setup(self) -> None:
        """Sizes and the authors' sampler."""
        config = self.config
        self.vocab_size = 2**config.bits
        self.default_sampler = Sampler(
            Guidance("constant", config.scale), config.temperature, top_k=900, top_p=0.97, filter="var"
        )
        self.use_grid(*config.grid)

    def preset(self, name: str) -> Sampler:
        """`default` is the notebooks' sampler, `paper` that of the evaluation script: guidance 4, temperature 1."""
        guidance = replace(self.default_sampler.guidance, scale=4.0)
        return (
            replace(self.default_sampler, guidance=guidance, temperature=1.0)
            if name == "paper"
            else super().preset(name)
        )

    def lower(self, network: nn.Module) -> None:
        """All of the blocks, as officially, and what reads the text and the codes."""
        super().lower(network)
        cast(Network, network).block_chunks.to(self.dtype)

    def use_grid(self, rows: int, columns: int) -> None:
        """Draw images of 16 * `rows` x 16 * `columns` px; raises `EvalkitError` for sizes that the table does not list."""
        if (rows, columns) not in SCHEDULES:
            raise EvalkitError(
                f"{self.name} has no scales for {16 * rows}x{16 * columns} px; give rows and columns of the official "
                "table, such as 16, 16 (256 px), 32, 32 (512 px) or 64, 64 (1024 px)"
            )
        self._use(SCHEDULES[rows, columns], finest((rows, columns)))

    def row_bytes(self) -> int:
        """Keys and values (a 1024 px image of the 2B model: 5.5 GB in float32), and the last scale's activations."""
        last, config = self.lengths[-1], self.config
        keys = self._cache_bytes(config.depth, config.width, self.tokens_per_image)
        return keys + last * (LOGIT * 2 * config.bits + 160 * config.width)

    def _use(self, scales: tuple[Grid, ...], largest: Grid) -> None:
        self.scales, self.lengths = scales, tuple(rows * columns for rows, columns in scales)
        self.tokens_per_image, self.side = sum(self.lengths), 16 * max(scales[-1])
        self.rows = self.rows_that_fit(self.device)
        table = rotary(scales, largest, self.config.width // self.config.heads)
        self.rope = turning(table).to(self.device)

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """Features [B, 512, 2048] of flan-t5-xl with their mask as one more channel, padded at the right."""
        if self._encoder is None:
            self._encoder = TextEncoder("flan-t5-xl", self.source.weights, self.source.device, self.dtype)
        values, mask = self._encoder([request.prompt or "" for request in requests], self.config.text_tokens)
        return TextFeatures(values, mask).packed()

    def logits(self, conditions: Tensor | TextFeatures, tokens: Tensor) -> Tensor:
        """float32 [B, N, bits, 2]: logits of 0 and 1 for each bit of `tokens` [B, N, bits], under the text alone.

        `conditions`: `TextFeatures`, their packed tensor [B, T, D + 1], or features [B, T, D] without padding.
        """
        text, tokens = self._text(conditions), tokens.to(self.device)
        if tuple(tokens.shape) != (len(text), self.tokens_per_image, self.config.bits):
            raise EvalkitError(
                f"{self.name} takes bits [{len(text)}, {self.tokens_per_image}, {self.config.bits}] for "
                f"{len(text)} texts; {tuple(tokens.shape)} given"
            )
        with torch.inference_mode():
            return self.teacher_forced(text, tokens)

    def teacher_forced(self, text: Tensor, tokens: Tensor) -> Tensor:
        """`logits` of packed texts, differentiable; of the first scales alone where `tokens` holds no more than those."""
        lengths = self.lengths[: reached(tokens.shape[1], self.lengths)]
        with self._autocast():
            prompt, sums = self.network.read(text), Sums(self.scales, self.config.patch)
            parts = [self.network.start(prompt)]
            for number, bits in enumerate(torch.split(tokens, list(lengths), 1)[:-1]):
                parts.append(self.network.embed(sums.after(number, bits), number + 1))
            mask = mask_of(lengths, self.device)
            return self.network.run(torch.cat(parts, 1), Stage(prompt, self.rope[:, : tokens.shape[1]], mask))

    def _text(self, conditions: Tensor | TextFeatures) -> Tensor:
        if isinstance(conditions, TextFeatures):
            conditions = conditions.packed()
        elif conditions.shape[-1] == self.config.features:
            conditions = TextFeatures(conditions, torch.ones(conditions.shape[:2])).packed()
        return conditions.to(self.device)

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, guidance, count = len(conditions), sampler.guidance, self.tokens_per_image
        draws = uniforms(seeds, count * self.config.bits).view(rows, count, -1).to(self.device)  # one for each bit
        text, mixed = self._text(conditions), self._mixed(guidance)
        found: list[Tensor] = []
        with self._autocast():
            prompt = self.network.read(text if guidance.off else torch.cat([text, self.network.null(text)]))
            plain = partial(self.network.new_cache, len(prompt.whole), count)
            cache = plain() if self.plan is None else self.plan.new_cache(plain, self.lengths)
            sums = Sums(self.scales, self.config.patch)
            x, start = self.network.start(prompt), 0
            for number, length in enumerate(self.lengths):
                guide = partial(guidance.combine, progress=number / max(len(self.lengths) - 1, 1))
                rope = self.rope[:, start : start + length]
                logits = self.network.run(x, Stage(prompt, rope, cache=cache, guide=guide, mixed=mixed))
                if not guidance.off and not mixed:
                    logits = guide(logits[:rows], logits[rows:])
                before = torch.cat(found, 1) if found else text.new_zeros(rows, 0, self.config.bits, dtype=torch.int64)
                step = Step(number, range(start, start + length), before, seeds)
                found.append(self.choose(logits, step, sampler, draws))
                start += length
                if number + 1 < len(self.lengths):
                    x = self.network.embed(sums.after(number, found[-1]), number + 1)
                    x = x.repeat(len(prompt.whole) // rows, 1, 1)
        return torch.cat(found, 1), len(self.lengths)

    def _mixed(self, guidance: Guidance) -> tuple[int, ...]:
        layer = self.cfg_insertion_layer
        if not -self.config.depth < layer <= 0:
            raise EvalkitError(
                f"cfg_insertion_layer {layer} given; 0 guides the logits of {self.name}, -1 to "
                f"{1 - self.config.depth} its blocks, counted from the end"
            )
        return () if guidance.off or layer == 0 else (self.config.depth + layer,)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        patch = self.config.patch
        parts = torch.split(tokens, list(self.lengths), 1)
        cells = [split(bits, grid, patch) for bits, grid in zip(parts, self.scales, strict=True)]
        rows, columns = self.scales[-1]
        codes = Codes(bits=torch.cat(cells, 1).to(torch.int8), grid=(rows * patch, columns * patch))
        return to_uint8(self.tokenizer.decode(codes), "truncate")
