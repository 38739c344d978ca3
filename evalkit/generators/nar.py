"""NAR: the codes of a diagonal at once, from their neighbours above and to the left (arXiv 2503.10696; ThisisBillhe/NAR)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.generators.nets.decoder import ClassDecoder, DecoderSizes
from evalkit.generators.nets.llama import (
    SIZES,
    Context,
    KVCache,
    LayerCache,
    RMSNorm,
    reach_of,
    rope_2d,
    with_prefix,
)
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler


@dataclass(frozen=True)
class NarConfig(DecoderSizes):
    """Sizes of the network; `layers` serve the head to the right, one more that below."""

    grid: int = 16


def diagonal(number: int, grid: int) -> range:
    """Places in raster order of the codes whose row and column add up to `number`, from the top."""
    top, bottom = max(0, number - grid + 1), min(number, grid - 1)
    stride = max(grid - 1, 1)
    return range(number + top * stride, number + bottom * stride + 1, stride)


class NarNet(ClassDecoder):
    """LlamaGen's decoder whose last block feeds a second head."""

    def __init__(self, config: NarConfig) -> None:
        table = rope_2d(config.grid, config.grid, config.width // config.heads)
        super().__init__(config, with_prefix(table, 1), more=1)
        self.medusa_norm = RMSNorm(config.width)
        self.medusa_output = nn.Linear(config.width, config.codes, bias=False)
        self.grid = config.grid

    def both(self, x: Tensor, context: Context, cache: KVCache | None) -> tuple[Tensor, Tensor]:
        """float32 logits [B, n, V] of the code to the right of each position, and of the one below."""
        held: Sequence[LayerCache | None] = [None] * len(self.layers) if cache is None else cache.layers
        for layer, own in zip(self.layers[:-1], held[:-1], strict=True):
            x = layer(x, context, own)
        right = self.output(self.norm(x)).float()
        x = self.layers[-1](x, context, held[-1])
        return right, self.medusa_output(self.medusa_norm(x)).float()

    def forward(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts code i of `tokens` [B, N] from the diagonals before its own."""
        g = self.grid
        cond = self.condition(conditions)
        x = torch.cat([cond, self.tok_embeddings(tokens)], 1)
        steps = torch.arange(g, device=x.device)[:, None] + torch.arange(g, device=x.device)
        order = torch.cat([steps.new_full((1,), -1), steps.flatten()])
        everywhere = torch.arange(x.shape[1], device=x.device)
        right, below = self.both(x, self.context(everywhere, cond, order[:, None] >= order), None)
        first = (right[:, 0] + below[:, 0]) / 2
        right, below = (y[:, 1:].reshape(len(y), g, g, -1) for y in (right, below))
        out = torch.empty_like(right)
        out[:, 0, 0] = first
        out[:, 0, 1:], out[:, 1:, 0] = right[:, 0, :-1], below[:, :-1, 0]
        out[:, 1:, 1:] = (right[:, 1:, :-1] + below[:, :-1, 1:]) / 2
        return out.flatten(1, 2)

    def start(self, conditions: Tensor, cache: KVCache) -> Tensor:
        """float32 [B, 1, V] of the code in the corner."""
        right, below = self._through(self.condition(conditions), cache.places[:1], 0, cache)
        return (right + below) / 2

    def after(self, tokens: Tensor, number: int, places: Tensor, used: int, cache: KVCache) -> Tensor:
        """float32 [B, n, V] of diagonal `number` + 1 behind the codes [B, m] of diagonal `number`.

        `places` [m] of those in raster order; `used` positions of the cache are filled.
        """
        right, below = self._through(self.tok_embeddings(tokens), places + 1, used, cache)
        middle = (below[:, :-1] + right[:, 1:]) / 2
        return torch.cat([right[:, :1], middle, below[:, -1:]], 1) if number < self.grid - 1 else middle

    def _through(self, x: Tensor, places: Tensor, used: int, cache: KVCache) -> tuple[Tensor, Tensor]:
        """A diagonal sees itself and all that is in the cache."""
        end = used + x.shape[1]
        at, reach = cache.places[used:end], reach_of(end)
        seen = cache.up_to(at[-1:], reach).expand(len(at), -1)
        return self.both(x, replace(self.context(places, x, seen), at=at, reach=reach), cache)


def _model(size: str) -> Callable[[type[NextTokenGenerator]], type[NextTokenGenerator]]:
    name = f"nar-{size}"
    return register(name, weights=name, config=NarConfig(*SIZES[size]), tokenizer="llamagen-vq16")


@_model("xxl")
@_model("xl")
@_model("l")
@_model("m")
@_model("b")
class Nar(NextTokenGenerator):
    """Images of an ImageNet class at 256 px in 31 steps; `interval` of guidance counts codes."""

    architecture = NarNet
    network: NarNet
    config: NarConfig

    def setup(self) -> None:
        """Sizes and the sampler of the authors' script follow from the configuration."""
        super().setup()
        grid = self.config.grid
        self.tokens_per_image, self.rows_of_codes, self.side = grid**2, grid, 16 * grid

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """As for every generator, but for the codes of whole images alone, in raster order."""
        if tokens.shape[1] != self.tokens_per_image:
            raise EvalkitError(f"{self.name} takes all {self.tokens_per_image} codes; {tokens.shape[1]} given")
        return super().logits(conditions, tokens)

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        rows, grid, guidance = len(conditions), self.config.grid, sampler.guidance
        draws = draws.to(conditions.device)  # once, not at every step
        guided, steps = not guidance.off, 2 * grid - 1
        both = torch.cat([conditions, self.network.null(conditions)]) if guided else conditions
        cache = self.network.new_cache(len(both), grid**2)
        tokens = torch.zeros(rows, grid**2, dtype=torch.int64, device=conditions.device)
        known, last = tokens[:, :0], tokens[:, :0]
        lines = [diagonal(number, grid) for number in range(steps)]
        diagonals = [torch.arange(r.start, r.stop, r.step, device=tokens.device) for r in lines]
        for number in range(steps):
            guided = guided and (not number or guidance.active(known.shape[1]))
            x = torch.cat([last, last]) if guided else last
            if number:
                used = 1 + known.shape[1] - last.shape[1]
                logits = self.network.after(x, number - 1, diagonals[number - 1], used, cache)
            else:
                logits = self.network.start(both, cache)
            if guided:
                logits = guidance.combine(logits[:rows], logits[rows:], number / max(steps - 1, 1))
            places = diagonal(number, grid)
            last = self.choose(logits, Step(number, places, known, seeds), sampler, draws)
            tokens[:, diagonals[number]] = last
            known = torch.cat([known, last], 1)
        return tokens, steps
