"""Q-Formers between a square map and a 1-D sequence (arXiv 2504.08736; SilentView/GigaTok modelling/tokenizer)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.vit import PackedAttention, attend_heads


class QueryAttention(PackedAttention):
    """Multi-head attention whose queries, keys and values come from different sequences."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """`q` [B, Lq, W], `k` and `v` [B, Lk, W] -> [B, Lq, W]."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        heads = [
            F.linear(x, weight, bias).view(*x.shape[:2], self.heads, -1).transpose(1, 2)
            for x, weight, bias in zip((q, k, v), weights, biases, strict=True)
        ]
        out: Tensor = self.out_proj(attend_heads(heads[0], heads[1], heads[2]))
        return out


class QFormerLayer(nn.Module):
    """Self-attention, cross-attention and MLP, each after a norm; positions are added to queries and keys only."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = QueryAttention(width, heads)
        self.multihead_attn = QueryAttention(width, heads)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, x: Tensor, memory: Tensor, x_position: Tensor, memory_position: Tensor) -> Tensor:
        """Queries [B, Q, W] that read `memory` [B, M, W]; the memory is not normalised."""
        y = self.norm1(x)
        x = x + self.self_attn.attend(y + x_position, y + x_position, y)
        y = self.norm2(x)
        x = x + self.multihead_attn.attend(y + x_position, memory + memory_position, memory)
        out: Tensor = x + self.linear2(F.gelu(self.linear1(self.norm3(x))))
        return out


class _QFormer(nn.Module):
    """What both directions share: positions of patches and of latent tokens, the norms around, the layers."""

    def __init__(self, z: int, width: int, layers: int, heads: int, tokens: int, patches: int) -> None:
        super().__init__()
        scale = width**-0.5
        self.positional_embedding = nn.Parameter(scale * torch.randn(patches, 1, width))
        self.latent_token_positional_embedding = nn.Parameter(scale * torch.randn(tokens, 1, width))
        self.ln_pre = nn.LayerNorm(z)
        self.transformer = nn.ModuleList(QFormerLayer(width, heads) for _ in range(layers))
        self.ln_post = nn.LayerNorm(width)

    def run(self, queries: Tensor, memory: Tensor, query_position: Tensor, memory_position: Tensor) -> Tensor:
        """Queries [B, Q, W] through the layers and the norm; positions are [L, 1, W]."""
        x = queries
        for layer in self.transformer:
            x = layer(x, memory, query_position.transpose(0, 1), memory_position.transpose(0, 1))
        out: Tensor = self.ln_post(x)
        return out


def coarse_to_fine_queries(grid: Tensor, tokens: int) -> Tensor:
    """First queries [B, N, W] from a map [B, W, h, w]: its mean, then means of 1, 2, 4, … N/2 blocks in raster order.

    Each step halves the blocks, the columns first; N is a power of two.
    """
    parts = [grid.mean((2, 3), keepdim=True).flatten(2)]
    for level in range(tokens.bit_length() - 1):
        parts.append(F.adaptive_avg_pool2d(grid, (2 ** (level // 2), 2 ** ((level + 1) // 2))).flatten(2))
    return torch.cat(parts, dim=2).transpose(1, 2)


class MapToSequence(_QFormer):
    """[B, z, g, g] -> [B, z, 1, N]: the latent tokens start from block means of the map."""

    def __init__(self, z: int, width: int, layers: int, heads: int, tokens: int, patches: int) -> None:
        super().__init__(z, width, layers, heads, tokens, patches)
        self.tokens = tokens
        self.encoder_embed = nn.Linear(z, width)
        self.global_proj = nn.Linear(width, width)
        self.conv_out = nn.Conv2d(width, z, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features before `quant_conv`."""
        memory = self.encoder_embed(self.ln_pre(x.flatten(2).transpose(1, 2)))
        grid = memory.transpose(1, 2).reshape(len(x), -1, x.shape[2], x.shape[3])
        queries = self.global_proj(coarse_to_fine_queries(grid, self.tokens))
        y = self.run(queries, memory, self.latent_token_positional_embedding, self.positional_embedding)
        out: Tensor = self.conv_out(y.transpose(1, 2).unsqueeze(2))
        return out


class SequenceToMap(_QFormer):
    """[B, z, 1, N] -> [B, z, g, g]: every patch starts from the first token."""

    def __init__(self, z: int, width: int, layers: int, heads: int, tokens: int, patches: int) -> None:
        super().__init__(z, width, layers, heads, tokens, patches)
        self.side = round(patches**0.5)
        self.decoder_embed = nn.Linear(z, width)
        self.conv_out = nn.Conv2d(width, z, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Features for the convolutional decoder."""
        memory = self.decoder_embed(self.ln_pre(z.flatten(2).transpose(1, 2)))
        queries = memory[:, :1].expand(-1, self.side**2, -1)
        y = self.run(queries, memory, self.positional_embedding, self.latent_token_positional_embedding)
        out: Tensor = self.conv_out(y.transpose(1, 2).reshape(len(z), -1, self.side, self.side))
        return out
