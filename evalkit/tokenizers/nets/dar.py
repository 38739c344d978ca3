"""Transformer blocks of D-AR (showlab/D-AR tokenizer/tokenizer_image/tokenizer_transformer.py and diff_decoder.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.flux import rotate, rotation
from evalkit.tokenizers.nets.vit import attend_heads

EPS = 1e-6


@dataclass(frozen=True)
class DarSize:
    """`width` of the tokens and of each head; half of a head's channels turn with the row, half with the column."""

    width: int = 768
    head: int = 64

    def turn(self, rows: int, columns: int, device: torch.device) -> Tensor:
        """Rotary angles of the patches of a grid, row by row."""
        return rotation(0, rows, columns, (0, self.head // 2, self.head // 2), device)


def plain_norm(x: Tensor) -> Tensor:
    """Layer normalisation over the last axis without parameters."""
    return F.layer_norm(x, x.shape[-1:], eps=EPS)


class Attention(nn.Module):
    """Multi-head attention with a LayerNorm on the queries and on the keys of each head."""

    def __init__(self, size: DarSize) -> None:
        super().__init__()
        self.head = size.head
        self.q = nn.Linear(size.width, size.width)
        self.k = nn.Linear(size.width, size.width)
        self.v = nn.Linear(size.width, size.width)
        self.q_norm = nn.LayerNorm(size.head, eps=EPS)
        self.k_norm = nn.LayerNorm(size.head, eps=EPS)
        self.proj = nn.Linear(size.width, size.width)

    def forward(
        self,
        x: Tensor,
        source: Tensor | None = None,
        *,
        turn: Tensor | None = None,
        turn_source: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """[B, N, W] of queries from `x` and keys and values from `source` (default: `x`).

        `turn`, `turn_source`: rotary angles of the first queries and of the first keys; the others stay as they are.
        """
        source = x if source is None else source
        q, k = self.q_norm(self._heads(self.q(x))), self.k_norm(self._heads(self.k(source)))
        q, k, v = _turned(q, turn), _turned(k, turn_source), self._heads(self.v(source))
        out: Tensor = self.proj(attend_heads(q.to(v.dtype), k.to(v.dtype), v, mask))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-1], -1, self.head).transpose(1, 2)


def _turned(x: Tensor, turn: Tensor | None) -> Tensor:
    if turn is None:
        return x
    count = turn.shape[1]
    return torch.cat((rotate(x[:, :, :count], turn), x[:, :, count:]), dim=2)


class Mlp(nn.Module):
    """Linear, SiLU, linear under the names fc1 and fc2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] -> [..., W]."""
        out: Tensor = self.fc2(F.silu(self.fc1(x)))
        return out


class GatedBlock(nn.Module):
    """x + gate1 * attention(norm1 x), then x + gate2 * mlp(norm2 x)."""

    def __init__(self, size: DarSize) -> None:
        super().__init__()
        self.attention = Attention(size)
        self.mlp = Mlp(size.width)
        self.norm1 = nn.LayerNorm(size.width, eps=EPS)
        self.norm2 = nn.LayerNorm(size.width, eps=EPS)
        self.gate1 = nn.Parameter(torch.zeros(size.width))
        self.gate2 = nn.Parameter(torch.zeros(size.width))

    def forward(self, x: Tensor, mask: Tensor, turn: Tensor | None = None) -> Tensor:
        """[B, N, W] -> [B, N, W]; `turn` acts on the first tokens."""
        x = x + self.attention(self.norm1(x), turn=turn, turn_source=turn, mask=mask) * self.gate1
        out: Tensor = x + self.mlp(self.norm2(x)) * self.gate2
        return out


class TimeEmbedding(nn.Module):
    """Cosines, then sines, of 1000 t at frequencies from 1 down towards 1/10000, and two linear layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.waves = width // 2
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """[B] -> [B, W]."""
        places = torch.arange(self.waves, dtype=torch.float32, device=t.device)
        angles = (1000.0 * t.float())[:, None] * torch.exp(-math.log(10000) * places / self.waves)
        out: Tensor = self.mlp(torch.cat((angles.cos(), angles.sin()), dim=-1))
        return out


class DenoisingBlock(nn.Module):
    """Self-attention and an MLP; time and what cross-attention reads from the codes scale, shift and gate them."""

    def __init__(self, size: DarSize) -> None:
        super().__init__()
        width = size.width
        self.attention = Attention(size)
        self.cross_attn = Attention(size)
        self.mlp = Mlp(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.time_embed = TimeEmbedding(width)
        self.cond_embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, x: Tensor, condition: Tensor, t: Tensor, turn: Tensor) -> Tensor:
        """Patches [B, N, W], condition [B, M, W], times [B] -> patches [B, N, W]; each patch has its own modulation."""
        source = plain_norm(self.cond_embed(condition))
        read = self.cross_attn(plain_norm(x), source, turn=turn)
        modulation = self.adaLN_modulation(self.time_embed(t)[:, None] + read)
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = modulation.chunk(6, dim=-1)
        x = x + gate * self.attention(plain_norm(x) * (1 + scale) + shift, turn=turn, turn_source=turn)
        out: Tensor = x + mlp_gate * self.mlp(plain_norm(x) * (1 + mlp_scale) + mlp_shift)
        return out


class DenoisingCore(nn.Module):
    """The velocity of noisy images, given a few code features (official name: diff_decoder.net)."""

    def __init__(self, size: DarSize, depth: int, patch: int) -> None:
        super().__init__()
        self.size, self.patch = size, patch
        self.cond_mlp = nn.Linear(size.width, size.width)
        self.conv_in = nn.Conv2d(3 * patch**2, size.width, 1)
        self.conv_out = nn.Conv2d(size.width, 3 * patch**2, 1)
        self.blocks = nn.ModuleList(DenoisingBlock(size) for _ in range(depth))

    def forward(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Images [B, 3, H, W], times [B] and features [B, M, W] -> velocities [B, 3, H, W]."""
        condition = plain_norm(self.cond_mlp(condition))
        h = self.conv_in(F.pixel_unshuffle(x, self.patch))
        rows, columns = int(h.shape[2]), int(h.shape[3])
        turn = self.size.turn(rows, columns, x.device)
        h = h.flatten(2).transpose(1, 2)
        for block in self.blocks:
            h = block(h, condition, t, turn)
        h = plain_norm(h).transpose(1, 2).reshape(len(h), -1, rows, columns)
        return F.pixel_shuffle(self.conv_out(h), self.patch)
