"""Hi-MAR: first a coarse map of pivots, then the fine map under them, both as MAR draws (2505.20288; HiDream-ai/himar).

A request's randomness is one stream of its own seed: the orders of the pivots and of the latents, then what the iterations
draw: for each pivot as MAR does, for the fine map as a whole its start and one noise for each step of its head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.latent import Draw, LatentGenerator, guided, known_places, staged
from evalkit.generators.nets.diffusion_head import Respaced
from evalkit.generators.nets.global_head import denoise
from evalkit.generators.nets.hi_mar import HiMarNet
from evalkit.generators.nets.mar import put, take
from evalkit.generators.next_token import class_ids
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler


@dataclass(frozen=True)
class HiMarConfig:
    """Sizes of the transformers, (depth, width) of the pivots' head and (depth, width, heads) of the fine map's.

    `scales`: the authors' guidance of the pivots and of the fine map; `steps`: their iterations over the fine map.
    """

    width: int
    depth: int
    heads: int
    head: tuple[int, int]
    global_head: tuple[int, int, int]
    scales: tuple[float, float]
    steps: int
    sides: tuple[int, int] = (8, 16)
    channels: int = 16
    buffer: int = 64
    classes: int = 1000


BASE = HiMarConfig(768, 12, 12, (6, 1024), (6, 512, 8), (2.7, 2.5), 4)
LARGE = HiMarConfig(1024, 16, 16, (8, 1280), (8, 512, 8), (3.5, 3.5), 4)
HUGE = HiMarConfig(1280, 20, 16, (12, 1536), (12, 768, 12), (5.5, 3.2), 12)


@register("hi-mar-h", weights="hi-mar-h", config=HUGE, tokenizer="mar-kl16")
@register("hi-mar-l", weights="hi-mar-l", config=LARGE, tokenizer="mar-kl16")
@register("hi-mar-b", weights="hi-mar-b", config=BASE, tokenizer="mar-kl16")
class HiMar(LatentGenerator):
    """64 pivots in 32 iterations, then 256 latents of 16 numbers in `Sampler.steps` (4, or 12 for the largest).

    `head_steps`, `global_steps`: steps of the two diffusion heads (100 and 250).
    """

    wrapping = ("model_ema",)
    unused = (r"^cond_tokens$", r"^cond_diffloss\.net\.c_pos_embed$")
    config: HiMarConfig
    network: HiMarNet
    head_steps: str = "100"
    global_steps: str = "250"

    def setup(self) -> None:
        """The authors' sampler and the side follow from the configuration."""
        self.places = sum(side**2 for side in self.config.sides) + self.config.buffer
        coarse, fine = self.config.scales
        self.default_sampler = Sampler(Guidance("hi-mar", fine, start=coarse), steps=self.config.steps)
        self.side = 16 * self.config.sides[1]

    @classmethod
    def build(cls, config: HiMarConfig) -> HiMarNet:
        """The network with the official names."""
        sizes = (config.sides, config.channels, config.buffer, config.classes)
        return HiMarNet(config.width, config.depth, config.heads, config.head, config.global_head, *sizes)

    @property
    def coarse_steps(self) -> int:
        """Iterations over the pivots."""
        return 4 * self.config.sides[0]

    def predict_pivots(self, conditions: Tensor, pivots: Tensor, masked: Tensor) -> Tensor:
        """float32 [B, S, C]: what is told of each pivot, of pivots [B, S, c] where `masked` [B, S] is 0.

        `conditions`: class ids; the id behind the last class is the unconditional one. Rows hide equally many.
        """
        return self.told_pivots(conditions, pivots, known_places(masked))

    def told_pivots(self, conditions: Tensor, pivots: Tensor, known: Tensor) -> Tensor:
        """`predict_pivots` where the places `known` [B, n] are given, ascending."""
        with torch.inference_mode(), self._autocast():
            cond = self.network.condition(conditions.to(self.device))
            z = self.network.coarse(pivots.to(self.device), known.to(self.device), cond)
        return z.float()

    def predict(self, conditions: Tensor, told: Tensor, latents: Tensor, masked: Tensor) -> Tensor:
        """float32 [B, L, C]: the same of each latent, where `told` [B, S, C] is what the first phase said of the pivots."""
        return self.told(conditions, told, latents, known_places(masked))

    def told(self, conditions: Tensor, told: Tensor, latents: Tensor, known: Tensor) -> Tensor:
        """`predict` where the places `known` [B, n] are given, ascending."""
        with torch.inference_mode(), self._autocast():
            cond = self.network.condition(conditions.to(self.device))
            z = self.network.fine(told.to(self.device), latents.to(self.device), known.to(self.device), cond)
        return z.float()

    def draw_pivots(self, conditions: Tensor, sampler: Sampler, orders: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """(pivots [B, S, c], what was told of each when it was drawn [B, S, C]) in the `orders` [B, S] given."""
        guidance, (rows, count) = sampler.guidance.coarse, orders.shape
        pivots = torch.zeros(rows, count, self.config.channels, device=self.device)
        told = torch.zeros(rows, count, self.config.width, device=self.device)
        respaced, nothing = Respaced(self.head_steps), self.config.classes
        with torch.inference_mode(), self._autocast():
            for hidden, following, end in _schedule(count, self.coarse_steps):
                known = orders[:, hidden:].sort(1).values
                z, free = guided(self.told_pivots, guidance.off, conditions, nothing, pivots, known)
                places = orders[:, end:hidden].sort(1).values
                now = take(z, places)
                noise = staged(draw, places.shape[1], 1 + len(respaced.taken), self.device)
                new = respaced.sample(
                    self.network.diffloss.net,
                    now.flatten(0, 1),
                    None if free is None else take(free, places).flatten(0, 1),
                    guidance.at((count - following) / count),
                    lambda noise=noise: noise().flatten(0, 1),  # type: ignore[misc]
                    sampler.temperature,
                )
                pivots = put(pivots, places, new.reshape(rows, -1, self.config.channels))
                told = put(told, places, now)
        return pivots, told

    def draw_latents(
        self, conditions: Tensor, told: Tensor, sampler: Sampler, orders: Tensor, draw: Callable[[], Tensor]
    ) -> Tensor:
        """float32 [B, c, h, w] under `told` [B, S, C] of the pivots; `draw` gives standard normal [B, L, c].

        Each iteration draws all that is hidden, together; what stays hidden is drawn anew by the next.
        """
        guidance, (rows, count) = sampler.guidance, orders.shape
        x = torch.zeros(rows, count, self.config.channels, device=self.device)
        respaced, nothing = Respaced(self.global_steps), self.config.classes
        with torch.inference_mode(), self._autocast():
            for hidden, following, _ in _schedule(count, sampler.steps or self.config.steps):
                hide = torch.zeros(rows, count, device=self.device).scatter(1, orders[:, :hidden], 1.0) > 0
                known = orders[:, hidden:].sort(1).values
                z, free = guided(self.told, guidance.off, conditions, nothing, told, x, known)
                x = denoise(
                    self.network.cond_diffloss.net,
                    respaced,
                    (z, free),
                    guidance.at((count - following) / count),
                    x,
                    hide,
                    staged(lambda _: draw(), count, 1 + len(respaced.taken), self.device),
                    sampler.temperature,
                )
        side = self.config.sides[1]
        return x.transpose(1, 2).reshape(rows, -1, side, side)

    def _latents(self, requests: Sequence[Request], sampler: Sampler) -> Tensor:
        streams = [torch.Generator().manual_seed(request.seed) for request in requests]
        coarse, fine = (side**2 for side in self.config.sides)

        def draw(count: int = fine) -> Tensor:
            return torch.stack([torch.randn(count, self.config.channels, generator=g) for g in streams])

        orders = [[torch.randperm(n, generator=g) for n in (coarse, fine)] for g in streams]
        first, second = (torch.stack(each).to(self.device) for each in zip(*orders, strict=True))
        conditions = class_ids(requests, self.config.classes, self.name, self.device)
        _, told = self.draw_pivots(conditions, sampler, first, draw)
        return self.draw_latents(conditions, told, sampler, second, draw)

    def evaluations(self, sampler: Sampler) -> int:
        """Iterations of the transformers for one image; a head runs all its steps in each."""
        return self.coarse_steps + (sampler.steps or self.config.steps)


def _schedule(count: int, steps: int) -> Iterator[tuple[int, int, int]]:
    """(hidden now, hidden next by the cosine rule, hidden next) of each iteration; the last leaves nothing hidden."""
    hidden = count
    for step in range(steps):
        following = max(1, min(hidden - 1, math.floor(count * math.cos(math.pi / 2 * (step + 1) / steps))))
        end = 0 if step == steps - 1 else following
        yield hidden, following, end
        hidden = end
