"""The pre-norm transformer block with CLIP's parameter names (openai/CLIP clip/model.py); TiTok and BSQ-ViT use it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PackedAttention(nn.Module):
    """Multi-head self-attention; query, key and value projections are one matrix (nn.MultiheadAttention's names)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, L, W] -> [B, L, W]; `mask` is broadcast to [B, heads, L, L], true (or 0) where attention is allowed."""
        b, n, w = x.shape
        packed = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = packed.view(b, n, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        out: Tensor = self.out_proj(attend_heads(q, k, v, mask))
        return out


def attend_heads(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention of [B, heads, L, d] tensors, heads joined again: [B, L, heads*d]."""
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return out.transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    """Linear, exact GELU, linear under the names c_fc and c_proj."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.c_proj = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] -> [..., W]."""
        out: Tensor = self.c_proj(F.gelu(self.c_fc(x)))
        return out


class ClipBlock(nn.Module):
    """x + attn(ln_1 x), then x + mlp(ln_2 x); LayerNorm eps 1e-5, exact GELU."""

    def __init__(self, width: int, heads: int, *, ratio: float = 4.0) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = PackedAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, int(width * ratio))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, L, W] -> [B, L, W]."""
        x = x + self.attn(self.ln_1(x), mask)
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out
