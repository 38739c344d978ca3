"""MAR's diffusion head: a small network that turns noise into one latent vector, under what the transformer says of it.

Betas follow the cosine schedule of 1,000 steps; sampling takes a few of them (Nichol and Dhariwal 2021, 2102.09672), with
learned variances. (LTH14/mar, models/diffloss.py and diffusion/)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.errors import EvalkitError

STEPS, FREQUENCIES, EPS = 1000, 256, 1e-6


class TimeEmbedding(nn.Module):
    """The step as sines and cosines, through two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """[n] -> [n, width]."""
        half = FREQUENCIES // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t.device) / half)
        angles = t[:, None].float() * rates
        y: Tensor = self.mlp(torch.cat([angles.cos(), angles.sin()], -1))
        return y


class ResBlock(nn.Module):
    """Two layers beside a shortcut, scaled, shifted and gated by the condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_ln = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """[n, width] -> [n, width]."""
        shift, scale, gate = self.adaLN_modulation(y).chunk(3, -1)
        out: Tensor = x + gate * self.mlp(self.in_ln(x) * (1 + scale) + shift)
        return out


class FinalLayer(nn.Module):
    """A norm, scaled and shifted by the condition, and the way out."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """[n, width] -> [n, channels]."""
        shift, scale = self.adaLN_modulation(y).chunk(2, -1)
        out: Tensor = self.linear(F.layer_norm(x, (x.shape[-1],), eps=EPS) * (1 + scale) + shift)
        return out


class DiffusionMlp(nn.Module):
    """Noise and variance of latent vectors: [n, 2 x channels] at the original step t [n] under conditions [n, z]."""

    def __init__(self, channels: int, z: int, depth: int, width: int) -> None:
        super().__init__()
        self.time_embed, self.cond_embed = TimeEmbedding(width), nn.Linear(z, width)
        self.input_proj = nn.Linear(channels, width)
        self.res_blocks = nn.ModuleList(ResBlock(width) for _ in range(depth))
        self.final_layer = FinalLayer(width, 2 * channels)

    def forward(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """float32 [n, 2 x channels]."""
        y = self.time_embed(t) + self.cond_embed(c)
        x = self.input_proj(x)
        for block in self.res_blocks:
            x = block(x, y)
        out: Tensor = self.final_layer(x, y)
        return out.float()


def spaced(counts: str) -> list[int]:
    """The original steps that are taken; `100`: a hundred evenly, `8,0`: eight in the first half and none in the second.

    >>> spaced("10")[-1], spaced("8,0")[-1]
    (999, 499)
    """
    try:
        sections = [int(each) for each in counts.split(",")]
    except ValueError:
        raise EvalkitError(f"steps of the diffusion head are numbers such as 100 or 8,0; {counts!r} given") from None
    taken: set[int] = set()
    start = 0
    for index, count in enumerate(sections):
        size = STEPS // len(sections) + (1 if index < STEPS % len(sections) else 0)
        if not 0 <= count <= size:
            raise EvalkitError(f"{count} steps do not fit a section of {size}; {counts!r} given")
        stride = 1.0 if count <= 1 else (size - 1) / (count - 1)
        taken |= {start + round(i * stride) for i in range(count)}
        start += size
    return sorted(taken)


@dataclass
class Trace:
    """What a sampling's last step drew from, and how wide the steps before it were.

    `mean`, `deviation` [n, c] of the last step's normal law; `widths` [n, c]: summed logarithms of the other deviations.
    """

    mean: Tensor
    deviation: Tensor
    widths: Tensor

    def rows(self, count: int) -> list[Trace]:
        """Those of each of `count` images, which lie one after the other."""
        parts = (each.chunk(count) for each in (self.mean, self.deviation, self.widths))
        return [Trace(*row) for row in zip(*parts, strict=True)]

    @classmethod
    def joined(cls, parts: Sequence[Trace]) -> Trace:
        """One after the other."""
        return cls(*(torch.cat([getattr(each, name) for each in parts]) for name in ("mean", "deviation", "widths")))


class Respaced:
    """Sampling with a few of the steps; coefficients in float64, applied in float32."""

    def __init__(self, counts: str) -> None:
        self.taken = spaced(counts)
        ends = [math.cos((i / STEPS + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(STEPS + 1)]
        betas = np.minimum(1 - np.array(ends[1:]) / np.array(ends[:-1]), 0.999)
        kept = np.cumprod(1 - betas)[self.taken]
        before = np.append(1.0, kept[:-1])
        self.betas, self.kept = 1 - kept / before, kept
        variance = self.betas * (1 - before) / (1 - kept)
        self.low = np.log(np.append(variance[1], variance[1:]) if len(variance) > 1 else self.betas)
        self.high = np.log(self.betas)
        self.first = self.betas * np.sqrt(before) / (1 - kept)
        self.second = (1 - before) * np.sqrt(1 - self.betas) / (1 - kept)

    def step(self, out: Tensor, x: Tensor, index: int, noise: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """(x one step earlier, the guess of x at 0) from the head's `out` [n, 2c] for `x` [n, c] at taken step `index`."""
        mean, guess = self.mean(out.chunk(2, -1)[0], x, index)
        deviation = torch.exp(self.width(out, index))
        return (mean + deviation * noise * temperature if index else mean), guess

    def width(self, out: Tensor, index: int) -> Tensor:
        """The logarithm of the standard deviation [n, c] at taken step `index`."""
        share = (out.chunk(2, -1)[1] + 1) / 2
        return 0.5 * (share * _f(self.high[index]) + (1 - share) * _f(self.low[index]))

    def mean(self, eps: Tensor, x: Tensor, index: int) -> tuple[Tensor, Tensor]:
        """(mean of x one step earlier, the guess of x at 0) where `eps` is the noise seen in `x`, of any one shape."""
        guess = _f(np.sqrt(1 / self.kept[index])) * x - _f(np.sqrt(1 / self.kept[index] - 1)) * eps
        return _f(self.first[index]) * guess + _f(self.second[index]) * x, guess

    def sample(
        self,
        head: DiffusionMlp,
        z: Tensor,
        free: Tensor | None,
        scale: float,
        draw: Callable[[], Tensor],
        temperature: float,
    ) -> Tensor:
        """Latent vectors [n, c] under `z` [n, d]; `free`: the unconditional ones for guidance at `scale`.

        `draw` gives standard normal [n, c]: the start, then one for each step (the last is not used).
        """
        return self.trace(head, z, free, scale, draw, temperature).mean

    def trace(
        self,
        head: DiffusionMlp,
        z: Tensor,
        free: Tensor | None,
        scale: float,
        draw: Callable[[], Tensor],
        temperature: float,
    ) -> Trace:
        """As `sample`, with the law of the last step; the sample is its mean, as no noise is added there."""
        x = draw()
        widths = deviation = torch.zeros_like(x)
        both = z if free is None else torch.cat([z, free])
        for index in reversed(range(len(self.taken))):
            t = torch.full((len(both),), self.taken[index], device=z.device)
            out = head(x if free is None else torch.cat([x, x]), t, both)
            if free is not None:
                cond, uncond = out.chunk(2)
                c = x.shape[-1]
                out = torch.cat([uncond[:, :c] + scale * (cond[:, :c] - uncond[:, :c]), cond[:, c:]], -1)
            width = self.width(out, index)
            widths = widths + width if index else widths
            deviation = torch.exp(width) * temperature
            x, _ = self.step(out, x, index, draw(), temperature)
        return Trace(x, deviation, widths)


def _f(value: float) -> float:
    return float(np.float32(value))
