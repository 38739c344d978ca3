"""The grounds of the second edition: plain, gradient, wood, brick, grass and fabric, each from formulas and a seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from evalkit.world.second.noise import hashed, smooth, uniform
from evalkit.world.second.scene import SIDE

# the two ends of each ground's tones, in the order of vocabulary.GROUNDS
_TONES = (
    ((150, 150, 150), (245, 245, 245)),
    ((130, 135, 140), (240, 235, 230)),
    ((160, 118, 76), (216, 176, 128)),
    ((148, 92, 74), (188, 130, 108)),
    ((88, 124, 66), (130, 164, 96)),
    ((140, 130, 140), (226, 216, 206)),
)
_CHROMA = 22.0  # levels by which channels of one tone differ at most


def draw_grounds(seeds: Tensor, kinds: Tensor) -> Tensor:
    """float32 [B, 3, SIDE, SIDE] in 0..255 for seeds [B] and numbers of grounds [B]."""
    out = torch.empty(len(seeds), 3, SIDE, SIDE, device=seeds.device)
    for kind, draw in enumerate(_DRAWN):
        chosen = (kinds == kind).nonzero()[:, 0]
        if len(chosen):
            out[chosen] = draw(seeds[chosen], kind)
    return out


def _tone(seeds: Tensor, kind: int, salt: int) -> Tensor:
    """[B, 3, 1, 1]: a colour between the ends of a ground, its channels moved a little."""
    low, high = torch.tensor(_TONES[kind], device=seeds.device, dtype=torch.float32)
    mixed: Tensor = low + (high - low) * uniform(seeds, salt) + _CHROMA * (uniform(seeds, salt + 1, 3) - 0.5)
    return mixed[..., None, None]


def _axes(seeds: Tensor) -> tuple[Tensor, Tensor]:
    """Places of pixels as [1, 1, SIDE, 1] downwards and [1, 1, 1, SIDE] to the right."""
    along = torch.arange(SIDE, device=seeds.device, dtype=torch.float32)
    return along.view(1, 1, SIDE, 1), along.view(1, 1, 1, SIDE)


def _number(seeds: Tensor, salt: int, low: float, high: float) -> Tensor:
    """[B, 1, 1, 1] between `low` and `high`."""
    return (low + (high - low) * uniform(seeds, salt))[..., None, None]


def _plain(seeds: Tensor, kind: int) -> Tensor:
    return _tone(seeds, kind, 10) + 8 * (smooth(seeds, 12, 4, 4) - 0.5)


def _gradient(seeds: Tensor, kind: int) -> Tensor:
    y, x = _axes(seeds)
    down, right = _number(seeds, 14, -1, 1), _number(seeds, 15, -1, 1)
    share = (down * (y / SIDE - 0.5) + right * (x / SIDE - 0.5)) / (down.abs() + right.abs() + 0.01) + 0.5
    return torch.lerp(_tone(seeds, kind, 10), _tone(seeds, kind, 16), share)


def _wood(seeds: Tensor, kind: int) -> Tensor:
    y, _ = _axes(seeds)
    board = (y + _number(seeds, 14, 0, 30)) / _number(seeds, 15, 18, 32)
    tones = 18 * (_of_tile(seeds, board.floor(), torch.zeros_like(board)) - 0.5)
    fibres = 26 * (smooth(seeds, 16, 32, 3) - 0.5) + 10 * (smooth(seeds, 17, 8, 2) - 0.5)
    return _tone(seeds, kind, 10) + tones + fibres - 45 * (board - board.floor() < 0.05)


def _brick(seeds: Tensor, kind: int) -> Tensor:
    y, x = _axes(seeds)
    height = _number(seeds, 14, 10, 15)
    row = (y + _number(seeds, 15, 0, 15)) / height
    column = (x + _number(seeds, 16, 0, 30)) / (2.2 * height) + 0.5 * (row.floor() % 2)
    bricks = _tone(seeds, kind, 10) + 24 * (_of_tile(seeds, row.floor(), column.floor()) - 0.5)
    joint = ((row - row.floor()) * height < 1.6) | ((column - column.floor()) * 2.2 * height < 1.6)
    return torch.where(joint, _number(seeds, 17, 176, 206), bricks + 8 * (smooth(seeds, 18, 24, 24) - 0.5))


def _grass(seeds: Tensor, kind: int) -> Tensor:
    blades = 44 * (smooth(seeds, 14, 16, 48) - 0.5) + 22 * (smooth(seeds, 15, 6, 6) - 0.5)
    return _tone(seeds, kind, 10) + blades


def _fabric(seeds: Tensor, kind: int) -> Tensor:
    y, x = _axes(seeds)
    period = _number(seeds, 14, 10, 20)
    down = ((y + _number(seeds, 15, 0, 20)) / period) % 1 < _number(seeds, 16, 0.3, 0.6)
    right = ((x + _number(seeds, 17, 0, 20)) / period) % 1 < _number(seeds, 16, 0.3, 0.6)
    thread = torch.lerp(_tone(seeds, kind, 10), _tone(seeds, kind, 18), 0.5 * (down.float() + right.float()))
    return thread + 6 * ((y + x) % 2 - 0.5)


def _of_tile(seeds: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """A number in [0, 1) for each tile of a wall: seeds [B], whole rows and columns [B, 1, SIDE, 1 or SIDE]."""
    tile = (rows * 131 + columns).to(torch.int32) + hashed(seeds + 77).view(-1, 1, 1, 1)
    return (hashed(tile) & 0xFFFF).float() / 2**16


_DRAWN: tuple[Callable[[Tensor, int], Tensor], ...] = (_plain, _gradient, _wood, _brick, _grass, _fabric)
