"""The renderer of the second edition: rows of scenes into images, as batched tensor operations on a CPU or a GPU.

An image does not depend on its batch. On one kind of device the same rows give the same bytes; on others a level may
be rounded differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.images.sample import Pixels
from evalkit.world.second.grounds import draw_grounds
from evalkit.world.second.noise import grain, uniform
from evalkit.world.second.pack import FIELDS, MOST_THINGS, pack, things_of
from evalkit.world.second.scene import SIDE, Scene
from evalkit.world.second.styles import apply_styles
from evalkit.world.second.vocabulary import CLASS_NAMES, COLORS

SPRITE = 48  # px of the atlas
_LEVELS = (48, 34, 24)  # px to which sprites are averaged for things that are no larger than the next
_PIECE = 64  # images drawn at a time, which fits a processor's cache


def render_scene(scene: Scene) -> Pixels:
    """uint8 [96, 96, 3] RGB image of `scene`."""
    return render_scenes([scene])[0]


def render_scenes(scenes: Sequence[Scene]) -> list[Pixels]:
    """uint8 [96, 96, 3] RGB images of the scenes."""
    drawn = render(pack(scenes)).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    return list(drawn)


def render(rows: Tensor) -> Tensor:
    """float32 [B, 3, SIDE, SIDE] of whole levels 0..255, from rows of `pack`, on the device of the rows."""
    size = _PIECE if rows.device.type == "cpu" else 1024
    return torch.cat([_render(piece) for piece in torch.split(rows, size)])


def _render(rows: Tensor) -> Tensor:
    seeds, kinds, styles = rows[:, 0], rows[:, 1], rows[:, 2]
    images, things = draw_grounds(seeds, kinds), things_of(rows)
    for place in range(MOST_THINGS):
        shown = (things[:, place, 0] >= 0).nonzero()[:, 0]
        if len(shown):
            drawn, left = _drawn(things[shown, place].long(), seeds[shown] + 17 * (place + 1))
            images[shown] = images[shown] * left + drawn
    styled = apply_styles(_lit(images, seeds), styles, seeds)
    film = (1 + 3 * uniform(seeds, 40))[..., None, None] * grain(seeds, 41)
    return (styled + film).round().clamp(0, 255)


def _lit(images: Tensor, seeds: Tensor) -> Tensor:
    """Images under a light of some strength and warmth that falls from one side."""
    level = 0.86 + 0.26 * uniform(seeds, 42)
    warmth = 1 + 0.08 * (uniform(seeds, 43, 3) - 0.5)
    fall = 0.24 * (uniform(seeds, 44, 2) - 0.5)
    along = torch.linspace(-1, 1, SIDE, device=images.device)
    slope = fall[:, 0].view(-1, 1, 1, 1) * along.view(1, 1, SIDE, 1) + fall[:, 1].view(-1, 1, 1, 1) * along
    return images * (level * warmth)[..., None, None] * (1 + slope)


def _drawn(things: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Things [n, FIELDS], each on an empty image: levels times opacity [n, 3, SIDE, SIDE], and what shows through."""
    kinds, colors, x, y, size, angle = things.unbind(1)
    sampled = F.grid_sample(_sprites(kinds, size), _grid(x, y, size, angle), align_corners=False)
    gain = 1 + 0.12 * (uniform(seeds, 50, 3) - 0.5)
    tint = _tints(seeds.device)[colors] + 24 * (uniform(seeds, 51, 3) - 0.5)
    natural = sampled[:, :3] * gain[..., None, None]
    painted = sampled[:, 3:4] * tint[..., None, None]
    return torch.where((colors == 0).view(-1, 1, 1, 1), natural, painted), 1 - sampled[:, 4:]


def _grid(x: Tensor, y: Tensor, size: Tensor, angle: Tensor) -> Tensor:
    """float32 [n, SIDE, SIDE, 2]: where in the sprite of a thing, from -1 to 1, each pixel of the image lies."""
    turn = angle.float() * (np.pi / 180)
    cos, sin = turn.cos().view(-1, 1, 1), turn.sin().view(-1, 1, 1)
    middles = torch.arange(SIDE, device=size.device) + 0.5
    down = (2 * (middles - y[:, None]) / size[:, None]).view(-1, SIDE, 1)
    right = (2 * (middles - x[:, None]) / size[:, None]).view(-1, 1, SIDE)
    return torch.stack([cos * right + sin * down, cos * down - sin * right], -1)


def _sprites(kinds: Tensor, size: Tensor) -> Tensor:
    """float32 [n, 5, 48, 48]: the sprites of classes, averaged for sizes [n]."""
    level = sum((size <= smaller).long() for smaller in _LEVELS[1:])
    return _atlas(kinds.device)[level, kinds]


@cache
def _tints(device: torch.device) -> Tensor:
    return torch.tensor([(0, 0, 0), *COLORS.values()], dtype=torch.float32, device=device)


@cache
def _atlas(device: torch.device) -> Tensor:
    """float32 [levels, classes, 5, 48, 48]: red, green, blue, and the shade that a tint is multiplied by, all times the
    opacity; opacity."""
    plain = torch.stack([_layers(i) for i in range(len(CLASS_NAMES))])
    small = [F.interpolate(plain, (s, s), mode="area") for s in _LEVELS]
    levels = [F.interpolate(x, (SPRITE, SPRITE), mode="bilinear", align_corners=False) for x in small]
    return torch.stack(levels).to(device)


def _layers(index: int) -> Tensor:
    rgba = torch.from_numpy(_sheet()[:, index * SPRITE : (index + 1) * SPRITE]).permute(2, 0, 1)
    alpha = rgba[3:] / 255
    grey = (rgba[:3] * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(0, keepdim=True)
    drawn = grey[alpha > 0.5]
    low, high = torch.quantile(drawn, torch.tensor([0.05, 0.95]))
    shade = 0.45 + 0.55 * ((grey - low) / (high - low).clamp(min=1)).clamp(0, 1)
    shade = (shade + 0.82 - shade[alpha > 0.5].mean()).clamp(0.3, 1)
    return torch.cat([rgba[:3] * alpha, shade * alpha, alpha])


@cache
def _sheet() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    data = (files("evalkit.world.second") / "data" / "sprites.png").read_bytes()
    bgra = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.float32)
    return np.ascontiguousarray(bgra[..., [2, 1, 0, 3]])


@cache
def extents() -> Tensor:
    """float32 [classes, 2]: width and height of what is drawn of each sprite, as shares of its longest side."""
    solid = _atlas(torch.device("cpu"))[0, :, 4] > 0.5
    return torch.stack([solid.any(dim=axis).sum(1) / SPRITE for axis in (1, 2)], 1)


def boxes(rows: Tensor) -> Tensor:
    """float32 [B, MOST_THINGS, 4]: centre x, y and width, height in pixels of the boxes of things (zeros: none)."""
    things = things_of(rows).float().view(-1, FIELDS)
    shape = extents().to(rows.device)[things[:, 0].long().clamp(min=0)] * things[:, 4:5]
    turn = things[:, 5] * (np.pi / 180)
    cos, sin = turn.cos(), turn.sin().abs()
    # corners of sprites are mostly empty, so a turned box grows by about half of what its corners reach
    width = shape[:, 0] * cos + 0.5 * shape[:, 1] * sin
    height = shape[:, 1] * cos + 0.5 * shape[:, 0] * sin
    found = torch.stack([things[:, 2], things[:, 3], width, height], 1) * (things[:, :1] >= 0)
    return found.view(-1, MOST_THINGS, 4)
