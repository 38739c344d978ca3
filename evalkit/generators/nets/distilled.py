"""Networks of Distilled Decoding: from noise at every place to all codes at once (arXiv 2412.17153).

They are VAR's and LlamaGen's, with latents instead of codes as inputs: a place sees the coarser scales (the places before
it) and itself. Each place is told whether it holds noise or what is known already. The official files are VAR/models/dd.py
and LlamaGen/autoregressive/models/dd.py of microsoft/distilled_decoding.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from evalkit.generators.llamagen import LlamaGenConfig, LlamaGenNet
from evalkit.generators.nets.next_scale import plain_norm
from evalkit.generators.var import VarConfig, VarNet


class ToLatents(nn.Module):
    """From hidden states to latents, scaled and shifted by the condition and a table of its own."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, dim)
        self.scale_shift_table = nn.Parameter(torch.zeros(2, width))

    def forward(self, x: Tensor, cond: Tensor) -> Tensor:
        """[B, n, C] and the condition [B, 1, C] -> [B, n, d]."""
        shift, scale = (self.scale_shift_table + cond).chunk(2, 1)
        y: Tensor = self.linear(plain_norm(x) * (1 + scale) + shift)
        return y


def kinds(count: int, known: int, device: torch.device) -> Tensor:
    """int64 [1 + count]: 1 for the class and the first `known` places, 0 for noise."""
    return (torch.arange(count + 1, device=device) <= known).long()


class DistilledVarNet(VarNet):
    """All scales in one pass; the class has a scale of its own before them."""

    def __init__(self, config: VarConfig) -> None:
        super().__init__(replace(config, scales=(1, *config.scales)))
        width, self.scales = config.head * config.depth, (1, *config.scales)
        self.n_d_embed = nn.Embedding(2, width)
        self.layerwise_n_d_embed = nn.ModuleList(nn.Linear(width, width) for _ in range(config.depth + 1))
        self.final_layer_conti = ToLatents(width, config.dim)

    def forward(self, classes: Tensor, latents: Tensor, known: int) -> tuple[Tensor, Tensor]:
        """(latents [B, L, d], float32 logits [B, L, V]) of latents [B, L, d] whose first `known` places are no noise."""
        cond = self.class_emb(classes)
        told = self.n_d_embed(kinds(latents.shape[1], known, latents.device))
        x = torch.cat([self.start(cond), self.word_embed(latents)], 1) + self.positions(self.scales) + told
        level = torch.cat([torch.full((side * side,), i) for i, side in enumerate(self.scales)]).to(x.device)
        mask = (level[:, None] > level) | torch.eye(len(level), dtype=torch.bool, device=x.device)
        steer = self.shared_ada_lin(cond)
        for number, block in enumerate(self.blocks):
            x = block(x, steer, mask, None, number, self.layerwise_n_d_embed[number](told))
        x = (x.float() + self.layerwise_n_d_embed[-1](told))[:, 1:]
        with torch.autocast(x.device.type, enabled=False):
            x, cond = x.float(), cond.float()
            return self.final_layer_conti(x, cond[:, None]), self.head(self.head_nm(x, cond))


class DistilledLlamaGenNet(LlamaGenNet):
    """All codes of the raster in one causal pass, from noise at their own places."""

    def __init__(self, config: LlamaGenConfig, dim: int = 8) -> None:
        super().__init__(config)
        self.tok_embeddings = nn.Linear(dim, config.width)  # type: ignore[assignment]  # of latents, not of codes
        self.n_d_embed = nn.Embedding(2, config.width)
        self.final_layer_conti = ToLatents(config.width, dim)

    def forward(self, classes: Tensor, latents: Tensor, known: int) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """(latents [B, L, d], float32 logits [B, L, V]) of latents [B, L, d] whose first `known` places are no noise."""
        cond = self.condition(classes)
        x = torch.cat([cond, self.tok_embeddings(latents)], 1)
        x = x + self.n_d_embed(kinds(latents.shape[1], known, x.device))
        x = self.run(x, cond, None)[:, 1:]
        return self.final_layer_conti(x, cond), self.output(self.norm(x)).float()
