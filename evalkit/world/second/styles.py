"""The styles of the second edition: what is done to a drawn scene so that it looks like a sketch, a neon sign and so on."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.world.second.noise import smooth, uniform
from evalkit.world.second.scene import SIDE


def apply_styles(images: Tensor, styles: Tensor, seeds: Tensor) -> Tensor:
    """Images [B, 3, SIDE, SIDE] in 0..255 with the filters of their styles [B]; style 0, a photo, is left as it is."""
    images = images.clone()
    for number, draw in enumerate(_DRAWN, start=1):
        chosen = (styles == number).nonzero()[:, 0]
        if len(chosen):
            images[chosen] = draw(images[chosen], seeds[chosen])
    return images


def _row(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device).view(1, 3, 1, 1)


def _luma(x: Tensor) -> Tensor:
    return 0.299 * x[:, :1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:]


def _blur(x: Tensor, side: int) -> Tensor:
    reach = side // 2
    return F.avg_pool2d(F.pad(x, (reach,) * 4, mode="replicate"), side, 1)


def _edges(x: Tensor) -> Tensor:
    """[B, 1, SIDE, SIDE]: the largest step of any channel to the pixels at the right and below."""
    padded = F.pad(x, (0, 1, 0, 1), mode="replicate")
    steps = (padded[..., :-1, 1:] - x).abs() + (padded[..., 1:, :-1] - x).abs()
    return steps.amax(1, keepdim=True)


def _lines(x: Tensor) -> Tensor:
    """[B, 1, SIDE, SIDE] in [0, 1]: edges as shares of the strongest of each image, the weakest left out."""
    edges = _edges(_blur(x, 3))
    return (1.25 * edges / edges.amax((2, 3), keepdim=True).clamp(min=1) - 0.25).clamp(min=0).sqrt()


def _sketch(x: Tensor, seeds: Tensor) -> Tensor:
    paper = 238 - 0.2 * (255 - _luma(x))
    return (paper - 190 * _lines(x)).clamp(30, 250).expand(-1, 3, -1, -1)


def _watercolor(x: Tensor, seeds: Tensor) -> Tensor:
    washed = _blur(_blur(x, 3), 3)
    paper = 14 * (smooth(seeds, 30, 48, 48) - 0.5)
    return 0.75 * washed + 0.25 * 255 + paper - 0.35 * _edges(washed)


def _pixels(x: Tensor, seeds: Tensor) -> Tensor:
    coarse = F.avg_pool2d(x, 3)
    return F.interpolate((coarse / 36).round() * 36, scale_factor=3.0, mode="nearest")


def _sepia(x: Tensor, seeds: Tensor) -> Tensor:
    along = torch.linspace(-1, 1, SIDE, device=x.device)
    corner = 1 - 0.22 * (along.view(1, 1, SIDE, 1).square() + along.view(1, 1, 1, SIDE).square())
    return (1.15 * _luma(x) - 16) * _row((1.06, 0.88, 0.66), x) * corner


def _night(x: Tensor, seeds: Tensor) -> Tensor:
    return x * _row((0.44, 0.5, 0.7), x) + _row((4, 8, 26), x)


def _poster(x: Tensor, seeds: Tensor) -> Tensor:
    smooth_areas = _blur(x, 3)
    grey = _luma(smooth_areas)
    vivid = grey + 2.4 * (smooth_areas - grey)
    return ((1.3 * (vivid - 128) + 128) / 85).round().clamp(0, 3) * 85


def _neon(x: Tensor, seeds: Tensor) -> Tensor:
    lines = 235 * _lines(x)
    glow = 0.35 + 0.65 * uniform(seeds, 32, 3)[..., None, None]
    return _row((10, 8, 24), x) + (lines + 0.6 * _blur(lines, 5)) * glow


_DRAWN: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    _sketch,
    _watercolor,
    _pixels,
    _sepia,
    _night,
    _poster,
    _neon,
)
