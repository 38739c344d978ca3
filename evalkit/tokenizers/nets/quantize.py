"""A table of codes: searched for the nearest one, and looked up."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.search import CodeSearch, nearest_code

__all__ = ["Codebook", "nearest_code"]


class Codebook(CodeSearch):
    """A table of codes (`embedding.weight` [v, d]) with nearest-code search; `l2` compares on the unit sphere."""

    def __init__(self, size: int, dim: int, *, l2: bool, by_dot: bool = False, used: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, dim)
        self.l2 = l2
        self.by_dot = by_dot
        if used:  # a training statistic that official files carry
            self.register_buffer("codebook_used", torch.zeros(used))

    def table(self) -> Tensor:
        """The codes as they are compared and looked up: [v, d], unit length where `l2`."""
        weight = self.embedding.weight.float()
        return F.normalize(weight, dim=-1) if self.l2 else weight

    def indices(self, z: Tensor) -> Tensor:
        """Codes int64 [B, h*w] (raster order) of features `z` [B, d, h, w]."""
        flat = raster(z).float()
        if self.l2:
            flat = F.normalize(flat, dim=-1)
        return self.codes(flat, self.table(), len(z), by_dot=self.by_dot)

    def lookup(self, indices: Tensor, grid: tuple[int, int]) -> Tensor:
        """Features [B, d, h, w] of codes [B, h*w]."""
        return placed(self.table(), indices, grid)


def raster(z: Tensor) -> Tensor:
    """Features [B * h * w, d] of a map [B, d, h, w], position after position."""
    return z.permute(0, 2, 3, 1).reshape(-1, z.shape[1])


def placed(table: Tensor, indices: Tensor, grid: tuple[int, int]) -> Tensor:
    """The map [B, d, h, w] of rows of `table` [v, d] for codes [B, h*w] in raster order."""
    picked = F.embedding(indices.to(table.device), table)
    return picked.reshape(indices.shape[0], *grid, -1).permute(0, 3, 1, 2)
