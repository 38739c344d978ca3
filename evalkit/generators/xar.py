"""xAR: four cells of an image, each drawn by a flow that sees the cells before (2502.20388; OliverRensu/xAR).

A request's randomness is one stream of its own seed: for each cell the start, then one noise for each step but the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.latent import LatentGenerator, staged
from evalkit.generators.nets.xar import CELLS, Past, XarNet
from evalkit.generators.next_token import class_ids
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler

LAST = 0.04  # the time from which the last, noiseless step is taken
Draw = Callable[[], Tensor]  # standard normal [B, cell, c]


@cache
def times(steps: int) -> tuple[float, ...]:
    """The times of a cell's steps, from noise (1) to the image (0)."""
    return (*torch.linspace(1.0, LAST, steps, dtype=torch.float64).tolist(), 0.0)


@dataclass(frozen=True)
class XarConfig:
    """Sizes of the transformers; `scale` and `steps` of the authors' sampler."""

    width: int
    depth: int
    heads: int
    scale: float
    steps: int
    side: int = 16
    channels: int = 16
    classes: int = 1000


@register("xar-h", weights="xAR-H.pth", config=XarConfig(1280, 20, 16, 2.2, 50), tokenizer="mar-kl16")
@register("xar-l", weights="xAR-L.pth", config=XarConfig(1024, 16, 16, 2.3, 50), tokenizer="mar-kl16")
@register("xar-b", weights="xAR-B.pth", config=XarConfig(768, 8, 12, 2.7, 40), tokenizer="mar-kl16")
class Xar(LatentGenerator):
    """256 latents of 16 numbers; `Sampler.steps` steps of the flow for each cell."""

    unused = (r"^mask$", r"\.rope\.freqs(_cos|_sin)?$")
    takes = frozenset({"guidance", "steps"})
    config: XarConfig
    network: XarNet

    @classmethod
    def build(cls, config: XarConfig) -> XarNet:
        """The network with the official names."""
        sizes = (config.side, config.channels, config.classes)
        return XarNet(config.width, config.depth, config.heads, *sizes)

    def setup(self) -> None:
        """The authors' sampler and the side follow from the configuration."""
        self.places = self.config.side**2
        self.default_sampler = Sampler(Guidance("xar", self.config.scale), steps=self.config.steps)
        self.side = 16 * self.config.side

    def predict(self, conditions: Tensor, latents: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """(encoded [B, L, C], velocities [B, L, c]) of all cells at once, of latents [B, L, c] at `times` [B, 4]."""
        with torch.inference_mode(), self._autocast():
            cond = self.network.condition(conditions.to(self.device), times.to(self.device))
            mask = self.network.cell_mask(0, latents.shape[1])
            encoded = self.network.encode(latents.to(self.device), cond, 0, mask, None)
            return encoded.float(), self.network.decode(encoded, cond, 0, mask, None).float()

    def draw_latents(self, conditions: Tensor, sampler: Sampler, draw: Draw) -> Tensor:
        """float32 [B, c, h, w] of class ids [B], with the noise given."""
        rows, steps = len(conditions), sampler.steps or self.config.steps
        both = torch.cat([conditions, torch.full_like(conditions, self.config.classes)])
        past = Past()
        done: list[Tensor] = []
        with torch.inference_mode(), self._autocast():
            for cell in range(CELLS):
                scale = sampler.guidance.at(cell / (CELLS - 1))
                before = done[-1] if done else None
                done.append(self._flow(both, before, cell, scale, steps, past, draw))
        x, half = torch.cat(done, 1), self.config.side // 2
        maps = x.reshape(rows, 2, 2, half, half, -1).permute(0, 5, 1, 3, 2, 4)
        return maps.reshape(rows, -1, 2 * half, 2 * half)

    def _flow(
        self, both: Tensor, before: Tensor | None, cell: int, scale: float, steps: int, past: Past, draw: Draw
    ) -> Tensor:
        """The latents of one cell [B, n, c] by Euler-Maruyama steps; `before`: the cell before it, seen at time 0."""
        noises = staged(lambda _: draw(), 0, steps, self.device)
        x = noises().double()
        for i, (t, following) in enumerate(pairwise(times(steps))):
            last = i == steps - 1
            noise = None if last else noises().double()
            v = self._velocity(both, x, before if i == 0 else None, cell, t, past, first=i == 0).double()
            twice = torch.cat([x, x])
            score = ((1 - t) / -1.0 * v - twice) / (t**2 + (1 - t) * t)
            drift = v - t * score
            cond, free = drift.chunk(2)
            drift = free + scale * (cond - free) if scale > 1 else cond
            step = following - t
            x = x + drift * step
            if noise is not None:
                x = x + (2 * t) ** 0.5 * noise * abs(step) ** 0.5
        return x.float()

    def _velocity(
        self, both: Tensor, x: Tensor, before: Tensor | None, cell: int, t: float, past: Past, *, first: bool
    ) -> Tensor:
        size = self.network.cell
        here = x.float() if before is None else torch.cat([before, x.float()], 1)
        start = cell * size + size - here.shape[1]
        now = torch.full((len(both), 1), t, dtype=torch.float32, device=both.device)
        cond = self.network.condition(both, now if before is None else torch.cat([torch.zeros_like(now), now], 1))
        past.keep = cell * size if first else 0
        mask = self.network.cell_mask(start, (cell + 1) * size) if first else None
        twice = torch.cat([here, here])
        v = self.network.decode(self.network.encode(twice, cond, start, mask, past), cond, start, mask, past)
        return v[:, -size:]

    def _latents(self, requests: Sequence[Request], sampler: Sampler) -> Tensor:
        streams = [torch.Generator().manual_seed(request.seed) for request in requests]

        def draw() -> Tensor:
            return torch.stack([torch.randn(self.network.cell, self.config.channels, generator=g) for g in streams])

        conditions = class_ids(requests, self.config.classes, self.name, self.device)
        return self.draw_latents(conditions, sampler, draw)

    def evaluations(self, sampler: Sampler) -> int:
        """Runs of the network for one image."""
        return CELLS * (sampler.steps or self.config.steps)
