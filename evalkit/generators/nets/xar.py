"""xAR's transformers: cells of an image one after another, each denoised as a whole (OliverRensu/xAR, models/xar.py)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.nets.diffusion_head import TimeEmbedding

EPS = 1e-6
CELLS = 4


class RmsNorm(nn.Module):
    """Root mean square norm, with learned scales or without."""

    def __init__(self, width: int, *, learned: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)) if learned else None

    def forward(self, x: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        y = (x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + EPS)).type_as(x)
        return y if self.weight is None else y * self.weight


class Attention(nn.Module):
    """Self-attention with rotary positions; `past`: keys and values of finished cells."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, rope: Tensor, mask: Tensor | None, past: Past | None, layer: int) -> Tensor:
        """[B, n, C] -> [B, n, C]; `rope` [2, n, D]; `mask` [n, m] is True where a position may look."""
        b, n, width = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        q, k = _rotate(q, rope), _rotate(k, rope)
        if past is not None:
            k, v = past.extend(layer, k, v)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y: Tensor = self.proj(out.transpose(1, 2).reshape(b, n, width))
        return y


class GatedMlp(nn.Module):
    """Two layers, the first gated by GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = int(width * 4 * 2 / 3.0)
        self.fc1_g, self.fc1_x = nn.Linear(width, hidden), nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        y: Tensor = self.fc2(F.gelu(self.fc1_g(x)) * self.fc1_x(x))
        return y


class Block(nn.Module):
    """Attention and gated network; each cell is scaled and shifted by its own class and time."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = RmsNorm(width), RmsNorm(width)
        self.attn, self.mlp = Attention(width, heads), GatedMlp(width)
        self.ada_lin = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(
        self, x: Tensor, cond: Tensor, rope: Tensor, mask: Tensor | None, past: Past | None, layer: int
    ) -> Tensor:
        """`cond` [B, cells, C]."""
        per = x.shape[1] // cond.shape[1]
        six = self.ada_lin(cond).view(*cond.shape[:2], 6, -1).repeat_interleave(per, 1)
        gate1, gate2, scale1, scale2, shift1, shift2 = six.unbind(2)
        x = x + self.attn(self.norm1(x) * (scale1 + 1) + shift1, rope, mask, past, layer) * gate1
        y: Tensor = x + self.mlp(self.norm2(x) * (scale2 + 1) + shift2) * gate2
        return y


class Past:
    """Keys and values of finished cells; `keep` counts how many of the next positions become part of it."""

    def __init__(self) -> None:
        self.held: dict[int, tuple[Tensor, Tensor]] = {}
        self.keep = 0

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values with the new ones behind."""
        if layer in self.held:
            before = self.held[layer]
            k, v = torch.cat([before[0], k], 2), torch.cat([before[1], v], 2)
        if self.keep:
            self.held[layer] = (k[:, :, : self.keep], v[:, :, : self.keep])
        return k, v


class XarNet(nn.Module):
    """Positions are ordered cell by cell, row by row in each."""

    rope: Tensor

    def __init__(self, width: int, depth: int, heads: int, side: int, channels: int, classes: int) -> None:
        super().__init__()
        length = side * side
        self.cell = length // CELLS
        self.class_emb, self.time_embed = nn.Embedding(classes + 1, width), TimeEmbedding(width)
        self.z_proj, self.z_proj_ln = nn.Linear(channels, width), RmsNorm(width, learned=True)
        self.encoder_pos_embed_learned = nn.Parameter(torch.zeros(1, length, width))
        self.encoder_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.encoder_norm = RmsNorm(width, learned=True)
        self.decoder_embed = nn.Linear(width, width)
        self.decoder_pos_embed_learned = nn.Parameter(torch.zeros(1, length, width))
        self.decoder_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.decoder_norm = RmsNorm(width, learned=True)
        self.pred = nn.Linear(width, channels)
        self.register_buffer("rope", _rope(side, width // heads), persistent=False)

    def encode(self, x: Tensor, cond: Tensor, start: int, mask: Tensor | None, past: Past | None) -> Tensor:
        """[B, n, C] of latents [B, n, c] at the positions from `start` on."""
        places = slice(start, start + x.shape[1])
        x = self.z_proj_ln(self.z_proj(x) + self.encoder_pos_embed_learned[:, places])
        for layer, block in enumerate(self.encoder_blocks):
            x = block(x, cond, self.rope[:, places], mask, past, layer)
        y: Tensor = self.encoder_norm(x)
        return y

    def decode(self, x: Tensor, cond: Tensor, start: int, mask: Tensor | None, past: Past | None) -> Tensor:
        """Velocities [B, n, c] of encoded positions."""
        places = slice(start, start + x.shape[1])
        x = self.decoder_embed(x) + self.decoder_pos_embed_learned[:, places]
        for layer, block in enumerate(self.decoder_blocks, len(self.encoder_blocks)):
            x = block(x, cond, self.rope[:, places], mask, past, layer)
        y: Tensor = self.pred(self.decoder_norm(x))
        return y

    def condition(self, classes: Tensor, times: Tensor) -> Tensor:
        """[B, cells, C] of class ids [B] and times [B, cells] in [0, 1]."""
        steps = (times * 1000).long()
        y: Tensor = self.class_emb(classes)[:, None] + self.time_embed(steps.flatten()).unflatten(0, steps.shape)
        return y

    def cell_mask(self, start: int, end: int) -> Tensor:
        """[end - start, end]: a position sees its own cell and those before."""
        cells = torch.arange(end, device=self.rope.device) // self.cell
        return cells[start:, None] >= cells[None, :]


def _rope(side: int, head: int) -> Tensor:
    """[2, L, D]: cosines and sines, rows in the first half of a head and columns in the second, cell by cell."""
    half = head // 2
    rates = 1.0 / (10000 ** (torch.arange(0, half, 2)[: half // 2].float() / half))
    angles = torch.outer(torch.arange(side).float(), rates).repeat_interleave(2, -1)
    grid = torch.cat([angles[:, None].expand(-1, side, -1), angles[None].expand(side, -1, -1)], -1)
    cells = grid.reshape(2, side // 2, 2, side // 2, head).permute(0, 2, 1, 3, 4).reshape(side * side, head)
    return torch.stack([cells.cos(), cells.sin()])


def _rotate(x: Tensor, rope: Tensor) -> Tensor:
    a, b = x[..., ::2], x[..., 1::2]
    turned = torch.stack([-b, a], -1).flatten(-2)
    return (x * rope[0] + turned * rope[1]).to(x.dtype)
