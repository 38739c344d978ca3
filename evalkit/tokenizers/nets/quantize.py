"""Nearest-code search in float32 that never holds more than a bounded piece of the distance matrix."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MATRIX_BYTES = 256 * 2**20  # of one piece of the [positions, codes] matrix


def nearest_code(z: Tensor, codebook: Tensor, *, by_dot: bool = False) -> Tensor:
    """Index int64 [n] of the code of `codebook` [v, d] nearest to each row of `z` [n, d] by squared L2 distance.

    `by_dot`: the largest dot product instead (IBQ). Ties go to the lower index. Computed in float32 whatever the
    autocast state, in pieces of at most `MATRIX_BYTES`.
    """
    with torch.autocast(z.device.type, enabled=False):
        z, codebook = z.float(), codebook.float()
        bias = torch.zeros_like(codebook[:, 0]) if by_dot else codebook.square().sum(1).mul_(-0.5)
        step = max(1, MATRIX_BYTES // (4 * codebook.shape[0]))
        pieces = [torch.addmm(bias, piece, codebook.t()).argmax(1) for piece in torch.split(z, step)]
    return torch.cat(pieces) if pieces else z.new_zeros(0, dtype=torch.long)


class Codebook(nn.Module):
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
        flat = z.permute(0, 2, 3, 1).reshape(-1, z.shape[1]).float()
        if self.l2:
            flat = F.normalize(flat, dim=-1)
        return nearest_code(flat, self.table(), by_dot=self.by_dot).reshape(z.shape[0], -1)

    def lookup(self, indices: Tensor, grid: tuple[int, int]) -> Tensor:
        """Features [B, d, h, w] of codes [B, h*w]."""
        picked = F.embedding(indices.to(self.embedding.weight.device), self.table())
        return picked.reshape(indices.shape[0], *grid, -1).permute(0, 3, 1, 2)
