"""The transformer layers of Hita: full or causal attention and a gated MLP (CVMI-Lab/Hita hita/core/transformer.py)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.vit import attend_heads


@dataclass(frozen=True)
class LayerSize:
    """Width, number of layers, number of heads, and width between the linear maps of the MLP."""

    width: int = 512
    layers: int = 3
    heads: int = 8
    hidden: int = 1368


class FullAttention(nn.Module):
    """Every position sees every other."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(width, width, bias=False)
        self.to_v = nn.Linear(width, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, W] -> [B, L, W]."""
        q, k, v = (split_heads(proj(x), self.heads) for proj in (self.to_q, self.to_k, self.to_v))
        out: Tensor = self.to_out(attend_heads(q, k, v))
        return out


class CausalAttention(nn.Module):
    """A position sees itself and earlier ones."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, W] -> [B, L, W]."""
        q, k, v = (split_heads(proj(x), self.heads) for proj in (self.q_proj, self.k_proj, self.v_proj))
        joined = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        out: Tensor = self.out_proj(joined)
        return out


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, L, W] -> [B, heads, L, W/heads]."""
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


class GatedMlp(nn.Module):
    """SwiGLU: silu of one half times the other, then a linear map."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.w12 = nn.Linear(width, 2 * hidden)
        self.w3 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] -> [..., W]."""
        gate, value = self.w12(x).chunk(2, dim=-1)
        out: Tensor = self.w3(F.silu(gate) * value)
        return out


class Layer(nn.Module):
    """Attention and MLP, each after a norm and added to the input."""

    def __init__(self, size: LayerSize, causal: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(size.width)
        self.attn1 = (CausalAttention if causal else FullAttention)(size.width, size.heads)
        self.norm2 = nn.LayerNorm(size.width)
        self.ffnet = GatedMlp(size.width, size.hidden)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, W] -> [B, L, W]."""
        x = x + self.attn1(self.norm1(x))
        out: Tensor = x + self.ffnet(self.norm2(x))
        return out


class Layers(nn.Module):
    """A stack of layers under the official name."""

    def __init__(self, size: LayerSize, causal: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(Layer(size, causal) for _ in range(size.layers)))

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, W] -> [B, L, W]."""
        out: Tensor = self.layers(x)
        return out
