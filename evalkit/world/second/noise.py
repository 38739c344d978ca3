"""Numbers that follow from a seed by whole-number arithmetic alone: the same on every device and in every batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.world.second.scene import SIDE

_MIX = (-1640531535, -2048144777, -1028477379)  # odd 32-bit multipliers (xxHash's primes), as signed numbers


def hashed(numbers: Tensor) -> Tensor:
    """int32 numbers scattered over all 32 bits."""
    h = numbers.to(torch.int32)
    for multiplier, shift in zip(_MIX, (15, 13, 16), strict=True):
        h = h * multiplier
        h = h ^ ((h >> shift) & ((1 << (32 - shift)) - 1))
    return h


def uniform(seeds: Tensor, salt: int, count: int = 1) -> Tensor:
    """float32 [B, count] in [0, 1) for seeds [B]; another `salt` gives other numbers."""
    places = torch.arange(count, device=seeds.device, dtype=torch.int32) + 1000 * salt
    return _unit(hashed(hashed(seeds)[:, None] + places))


def lattice(seeds: Tensor, salt: int, rows: int, columns: int) -> Tensor:
    """float32 [B, 1, rows, columns] in [0, 1)."""
    return uniform(seeds, salt, rows * columns).view(-1, 1, rows, columns)


def smooth(seeds: Tensor, salt: int, rows: int, columns: int) -> Tensor:
    """float32 [B, 1, SIDE, SIDE] in [0, 1]: a lattice of random numbers with straight lines between them."""
    return F.interpolate(lattice(seeds, salt, rows, columns), (SIDE, SIDE), mode="bilinear", align_corners=False)


def grain(seeds: Tensor, salt: int) -> Tensor:
    """float32 [B, 1, SIDE, SIDE] with mean 0 and standard deviation 1: the sum of a number's four bytes."""
    places = torch.arange(SIDE * SIDE, device=seeds.device, dtype=torch.int32) + 100_000 * salt
    h = hashed(hashed(seeds)[:, None] + places)
    total = (h & 255) + ((h >> 8) & 255) + ((h >> 16) & 255) + ((h >> 24) & 255)
    return ((total - 510).float() / 147.8).view(-1, 1, SIDE, SIDE)


def _unit(h: Tensor) -> Tensor:
    return (h & 0xFFFFFF).float() / 2**24
