"""Hi-MAR's transformers: one pair for a coarse map of pivots and for the fine map (HiDream-ai/himar, models/himar.py).

Both phases have places for the pivots and behind them for the latents; tables hold the coarse phase first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evalkit.generators.nets.diffusion_head import EPS
from evalkit.generators.nets.global_head import GlobalHead
from evalkit.generators.nets.mar import Attention, Head, Mlp, behind, class_or_none, put, take

COARSE, FINE = 0, 1


class Block(nn.Module):
    """A block of a vision transformer whose halves are scaled and gated by the phase."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.attn, self.mlp = Attention(width, heads), Mlp(width, 4)
        self.adaLN_scale = nn.Parameter(torch.zeros(2, 1, 1, 4 * width))
        self.adaLN_shift = nn.Parameter(torch.zeros(2, 1, 1, 4 * width))

    def forward(self, x: Tensor, steer: Tensor, phase: int) -> Tensor:
        """[B, n, C] -> [B, n, C]; `steer` [4 C]."""
        four = steer * self.adaLN_scale[phase] + self.adaLN_shift[phase]
        scale1, gate1, scale2, gate2 = four.chunk(4, -1)
        x = x + gate1 * self.attn(self.norm1(x) * (1 + scale1))
        out: Tensor = x + gate2 * self.mlp(self.norm2(x) * (1 + scale2))
        return out


class HiMarNet(nn.Module):
    """`known` [B, n]: places of a map whose numbers are given, ascending, the same number in each row."""

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        head: tuple[int, int],
        global_head: tuple[int, int, int],
        sides: tuple[int, int],
        channels: int,
        buffer: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.pivots, fine = sides[0] ** 2, sides[1] ** 2
        self.length, self.buffer = self.pivots + fine, buffer
        places = 2 * (self.length + buffer)
        self.class_emb = nn.Embedding(classes, width)
        self.fake_latent = nn.Parameter(torch.zeros(1, width))
        self.z_proj, self.z_proj_ln = nn.Linear(channels, width), nn.LayerNorm(width, eps=EPS)
        self.cond_proj, self.cond_z_proj = nn.Linear(channels, width), nn.Linear(width, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 2 * self.length, width))
        self.encoder_pos_embed_learned = nn.Parameter(torch.zeros(1, places, width))
        self.encoder_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.encoder_task_emb = nn.Embedding(2, width)
        self.encoder_blocks_ada = nn.Sequential(nn.SiLU(), nn.Linear(width, 4 * width))
        self.encoder_norm = nn.LayerNorm(width, eps=EPS)
        self.decoder_embed = nn.Linear(width, width)
        self.decoder_pos_embed_learned = nn.Parameter(torch.zeros(1, places, width))
        self.decoder_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.decoder_task_emb = nn.Embedding(2, width)
        self.decoder_blocks_ada = nn.Sequential(nn.SiLU(), nn.Linear(width, 4 * width))
        self.decoder_norm = nn.LayerNorm(width, eps=EPS)
        self.diffusion_pos_embed_learned = nn.Parameter(torch.zeros(1, self.length, width))
        self.diffloss = Head(channels, width, *head)
        self.cond_diffloss = _Global(GlobalHead(channels, width, *global_head, fine))

    def condition(self, classes: Tensor) -> Tensor:
        """[B, C] of class ids; the id behind the last class is the unconditional one."""
        return class_or_none(self.class_emb, self.fake_latent, classes)

    def coarse(self, pivots: Tensor, known: Tensor, condition: Tensor) -> Tensor:
        """[B, S, C]: what is told of each pivot, of pivots [B, S, c] of which those at `known` are seen."""
        return self._run(COARSE, self.cond_proj(pivots), known, condition)[:, : self.pivots]

    def fine(self, told: Tensor, latents: Tensor, known: Tensor, condition: Tensor) -> Tensor:
        """[B, L, C]: what is told of each latent; `told` [B, S, C] of the pivots, latents [B, L, c] as in `coarse`."""
        x = torch.cat([self.cond_z_proj(told), self.z_proj(latents)], 1)
        return self._run(FINE, x, behind(self.pivots, known), condition)[:, self.pivots :]

    def _run(self, phase: int, x: Tensor, known: Tensor, condition: Tensor) -> Tensor:
        """[B, S + L, C]; `x` may leave out places at the end of which nothing is known."""
        x = torch.cat([condition[:, None].expand(-1, self.buffer, -1), x], 1)
        start, total = phase * (self.length + self.buffer), self.length + self.buffer
        known = behind(self.buffer, known)
        x = take(self.z_proj_ln(x + self.encoder_pos_embed_learned[:, start : start + x.shape[1]]), known)
        steer = self.encoder_blocks_ada(self.encoder_task_emb.weight[phase])
        for block in self.encoder_blocks:
            x = block(x, steer, phase)
        x = self.decoder_embed(self.encoder_norm(x))
        hidden = self.mask_token[:, phase * self.length : (phase + 1) * self.length].to(x.dtype)
        padded = torch.cat([torch.zeros_like(hidden[:, :1]).expand(-1, self.buffer, -1), hidden], 1)
        x = put(padded.expand(len(x), -1, -1), known, x)
        x = x + self.decoder_pos_embed_learned[:, start : start + total]
        steer = self.decoder_blocks_ada(self.decoder_task_emb.weight[phase])
        for block in self.decoder_blocks:
            x = block(x, steer, phase)
        out: Tensor = self.decoder_norm(x)[:, self.buffer :] + self.diffusion_pos_embed_learned
        return out


class _Global(nn.Module):
    """Holds the head of the fine map under its official name."""

    def __init__(self, net: GlobalHead) -> None:
        super().__init__()
        self.net = net
