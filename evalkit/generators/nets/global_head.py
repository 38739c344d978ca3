"""Hi-MAR's second diffusion head: a transformer that denoises a whole map at once (HiDream-ai/himar, models/models.py).

The noise's variance is not learned: it is the schedule's beta.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.nets.adaptive import modulate, modulation
from evalkit.generators.nets.diffusion_head import EPS, FinalLayer, Respaced, TimeEmbedding
from evalkit.generators.nets.mar import Attention
from evalkit.generators.nets.next_scale import FeedForward


class Pointwise(nn.Module):
    """A 1 x 1 convolution over places in a row."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, c] -> [B, L, width]."""
        return F.linear(x, self.proj.weight.flatten(1), self.proj.bias)


class Block(nn.Module):
    """A block of a diffusion transformer, steered at each place by what is told of it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn, self.mlp = Attention(width, heads), FeedForward(width, 4.0)
        self.adaLN_modulation = modulation(width, 6)

    def forward(self, x: Tensor, steer: Tensor) -> Tensor:
        """[B, L, width] -> the same shape, under `steer` of that shape."""
        shift, scale, gate, shift2, scale2, gate2 = self.adaLN_modulation(steer).chunk(6, -1)
        x = x + gate * self.attn(modulate(_plain(x), shift, scale))
        out: Tensor = x + gate2 * self.mlp(modulate(_plain(x), shift2, scale2))
        return out


class GlobalHead(nn.Module):
    """The noise in maps of latents [B, L, c], under `told` [B, L, z]."""

    def __init__(self, channels: int, z: int, depth: int, width: int, heads: int, length: int) -> None:
        super().__init__()
        self.x_embedder, self.c_embedder = Pointwise(channels, width), Pointwise(z, width)
        self.t_embedder = TimeEmbedding(width)
        self.pos_embed = nn.Parameter(torch.zeros(1, length, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.final_layer = FinalLayer(width, channels)

    def forward(self, x: Tensor, t: Tensor, told: Tensor) -> Tensor:
        """float32 [B, L, c] at the original step t [B]; `told` [B, L, width] is through `c_embedder` already."""
        steer = self.t_embedder(t)[:, None] + told
        x = self.x_embedder(x) + self.pos_embed
        for block in self.blocks:
            x = block(x, steer)
        out: Tensor = self.final_layer(x, steer)
        return out.float()


def denoise(
    head: GlobalHead,
    respaced: Respaced,
    told: tuple[Tensor, Tensor | None],
    scale: float,
    latents: Tensor,
    hidden: Tensor,
    draw: Callable[[], Tensor],
    temperature: float,
) -> Tensor:
    """Maps of latents [B, L, c]: those `hidden` [B, L] are drawn; the others, noised as far, are seen by the head.

    `told`: what is said of each place [B, L, z] under the condition, and under none for guidance at `scale`. `draw` gives
    standard normal [B, L, c]: the start, then one for each step (the last is not used).
    """
    cond, free = told
    both = head.c_embedder(cond if free is None else torch.cat([cond, free]))
    x = start = draw()
    for index in reversed(range(len(respaced.taken))):
        kept = float(respaced.kept[index])
        x = torch.where(hidden[..., None], x, math.sqrt(kept) * latents + math.sqrt(1 - kept) * start)
        t = torch.full((len(both),), respaced.taken[index], device=x.device)
        eps = head(x if free is None else torch.cat([x, x]), t, both)
        if free is not None:
            guided, plain = eps.chunk(2)
            eps = plain + scale * (guided - plain)
        mean, _ = respaced.mean(eps, x, index)
        noise = draw()
        x = mean + math.exp(0.5 * float(respaced.high[index])) * noise * temperature if index else mean
    return torch.where(hidden[..., None], x, latents)


def _plain(x: Tensor) -> Tensor:
    return F.layer_norm(x, (x.shape[-1],), eps=EPS)
