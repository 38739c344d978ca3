"""MAR: latent vectors of a class in random order, many at once, each drawn by a small diffusion (2406.11838; LTH14/mar).

A request's randomness is one stream of its own seed: first the order of the positions, then, iteration by iteration, the
start of each latent that is drawn and one noise for each step of the diffusion head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.latent import Draw, LatentGenerator, guided, known_places, staged
from evalkit.generators.nets.diffusion_head import Respaced, Trace, spaced
from evalkit.generators.nets.mar import MarNet, put, take
from evalkit.generators.next_token import class_ids
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler


@dataclass(frozen=True)
class Part:
    """One iteration: the first `hidden` of an order are not known before it, the first `end` not after it.

    `following`: what the schedule of guidance counts as hidden after it.
    """

    hidden: int
    end: int
    following: int


def schedule(steps: int, length: int) -> list[Part]:
    """The iterations that draw all of `length` latents, at least one in each.

    >>> [part.end for part in schedule(3, 8)]
    [6, 4, 0]
    """
    parts: list[Part] = []
    hidden = length
    for step in range(steps):
        if hidden == 0:
            break
        following = max(1, min(hidden - 1, math.floor(length * math.cos(math.pi / 2 * (step + 1) / steps))))
        end = 0 if step == steps - 1 else following
        if end < hidden:  # the last latent is left to the last iteration, however many come before it
            parts.append(Part(hidden, end, following))
        hidden = end
    return parts


@dataclass(frozen=True)
class MarConfig:
    """Sizes of the transformers and (depth, width) of the head; `scale` of the authors' guidance."""

    width: int
    depth: int
    heads: int
    head: tuple[int, int]
    scale: float
    side: int = 16
    channels: int = 16
    buffer: int = 64
    classes: int = 1000


@register("mar-h", weights="mar-h", config=MarConfig(1280, 20, 16, (12, 1536), 3.2), tokenizer="mar-kl16")
@register("mar-l", weights="mar-l", config=MarConfig(1024, 16, 16, (8, 1280), 3.0), tokenizer="mar-kl16")
@register("mar-b", weights="mar-b", config=MarConfig(768, 12, 12, (6, 1024), 2.9), tokenizer="mar-kl16")
class Mar(LatentGenerator):
    """256 latents of 16 numbers; `Sampler.steps` iterations (256), `head_steps` steps of the diffusion head (100)."""

    config: MarConfig
    network: MarNet
    head_steps: str = "100"

    def setup(self) -> None:
        """The authors' sampler and the side follow from the configuration."""
        self.places = self.config.side**2 + self.config.buffer
        self.default_sampler = Sampler(Guidance("mar", self.config.scale), steps=256)
        self.side = 16 * self.config.side

    @classmethod
    def build(cls, config: MarConfig) -> MarNet:
        """The network with the official names."""
        sizes = (config.side, config.channels, config.buffer, config.classes)
        return MarNet(config.width, config.depth, config.heads, config.head, *sizes)

    def predict(self, conditions: Tensor, latents: Tensor, masked: Tensor) -> Tensor:
        """float32 [B, L, C]: what the head is told of each position, of latents [B, L, c] where `masked` [B, L] is 0.

        `conditions`: class ids; the id behind the last class is the unconditional one. Rows hide equally many.
        """
        return self.told(conditions, latents, known_places(masked))

    def told(self, conditions: Tensor, latents: Tensor, known: Tensor) -> Tensor:
        """`predict` where the places `known` [B, n] are given, ascending."""
        with torch.inference_mode(), self._autocast():
            cond = self.network.condition(conditions.to(self.device))
            known = known.to(self.device)
            z = self.network.decode(self.network.encode(latents.to(self.device), known, cond), known)
        return z.float()

    def draw_latents(self, conditions: Tensor, sampler: Sampler, orders: Tensor, draw: Draw) -> Tensor:
        """float32 [B, c, h, w] of class ids [B], with the `orders` [B, L] and the noise given."""
        rows, length = orders.shape
        tokens = torch.zeros(rows, length, self.config.channels, device=self.device)
        with torch.inference_mode():
            for part in schedule(sampler.steps or 256, length):
                places = orders[:, part.end : part.hidden].sort(1).values
                noise = staged(draw, places.shape[1], 1 + self.noises, self.device)
                new = self.trace(conditions, sampler, tokens, orders, part, places, noise)
                tokens = put(tokens, places, new.mean.reshape(rows, -1, self.config.channels))
        return self.as_map(tokens)

    def trace(
        self,
        conditions: Tensor,
        sampler: Sampler,
        tokens: Tensor,
        orders: Tensor,
        part: Part,
        places: Tensor,
        draw: Callable[[], Tensor],
    ) -> Trace:
        """Samples [B * n, c] of the latents at `places` [B, n], where those that `part` hides are not seen.

        `tokens` [B, L, c]; `draw` gives standard normal [B, n, c].
        """
        known = orders[:, part.hidden :].sort(1).values
        z, free = guided(self.told, sampler.guidance.off, conditions, self.config.classes, tokens, known)
        with self._autocast():
            return Respaced(self.head_steps).trace(
                self.network.diffloss.net,
                take(z, places).flatten(0, 1),
                None if free is None else take(free, places).flatten(0, 1),
                sampler.guidance.at((orders.shape[1] - part.following) / orders.shape[1]),
                lambda: draw().to(self.device).flatten(0, 1),
                sampler.temperature,
            )

    @property
    def noises(self) -> int:
        """Draws of an iteration beside the start."""
        return len(spaced(self.head_steps))

    def as_map(self, tokens: Tensor) -> Tensor:
        """Latents [B, c, h, w] of tokens [B, L, c]."""
        return tokens.transpose(1, 2).reshape(len(tokens), -1, self.config.side, self.config.side)

    def streams(self, requests: Sequence[Request]) -> tuple[Tensor, Draw]:
        """The orders [B, L] of the requests, and what draws on their noise."""
        streams = [torch.Generator().manual_seed(request.seed) for request in requests]
        orders = torch.stack([torch.randperm(self.config.side**2, generator=g) for g in streams]).to(self.device)

        def draw(count: int) -> Tensor:
            return torch.stack([torch.randn(count, self.config.channels, generator=g) for g in streams])

        return orders, draw

    def class_ids(self, requests: Sequence[Request]) -> Tensor:
        """int64 [B]."""
        return class_ids(requests, self.config.classes, self.name, self.device)

    def _latents(self, requests: Sequence[Request], sampler: Sampler) -> Tensor:
        return self.draw_latents(self.class_ids(requests), sampler, *self.streams(requests))

    def evaluations(self, sampler: Sampler) -> int:
        """Iterations of the transformers for one image; the head runs `head_steps` times in each."""
        return len(schedule(sampler.steps or 256, self.config.side**2))
