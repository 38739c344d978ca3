"""DetailFlow's encoder and decoder on SigLIP2's blocks (ByteFlow-AI/DetailFlow modelling/modules/siglip2_vit.py)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.vit import attend_heads


@dataclass(frozen=True)
class SiglipSize:
    """Width, number of blocks, number of heads, and width between the two linear maps of a block."""

    width: int
    layers: int
    heads: int
    hidden: int


@dataclass(frozen=True)
class DetailFlowConfig:
    """One checkpoint's sizes; `group`: tokens that a step of the generator makes at once; `power`: of `resolution`."""

    tokens: int = 128
    group: int = 8
    codes: int = 8192
    code_dim: int = 8
    encoder: SiglipSize = SiglipSize(1152, 12, 16, 4304)
    decoder: SiglipSize = SiglipSize(768, 12, 12, 3072)
    size: int = 256
    patch: int = 16
    positions: int = 16  # side of the table of learned positions
    power: float = 1.5


class SiglipAttention(nn.Module):
    """Multi-head self-attention with separate projections, under transformers' names."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """[B, L, W] -> [B, L, W]; `mask` is true where attention is allowed."""
        b, n, w = x.shape
        q, k, v = (
            proj(x).view(b, n, self.heads, w // self.heads).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        out: Tensor = self.out_proj(attend_heads(q, k, v, mask))
        return out


class SiglipMlp(nn.Module):
    """Linear, GELU in its tanh form, linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """[..., W] -> [..., W]."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x), approximate="tanh"))
        return out


class SiglipBlock(nn.Module):
    """Pre-norm block; LayerNorm eps 1e-6."""

    def __init__(self, size: SiglipSize) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(size.width, eps=1e-6)
        self.self_attn = SiglipAttention(size.width, size.heads)
        self.layer_norm2 = nn.LayerNorm(size.width, eps=1e-6)
        self.mlp = SiglipMlp(size.width, size.hidden)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """[B, L, W] -> [B, L, W]."""
        x = x + self.self_attn(self.layer_norm1(x), mask)
        out: Tensor = x + self.mlp(self.layer_norm2(x))
        return out


class SiglipBody(nn.Module):
    """Learned positions, blocks and the final norm; `patch_dim` 0 leaves the patch embedding out (decoder)."""

    def __init__(self, size: SiglipSize, positions: int, patch_dim: int) -> None:
        super().__init__()
        self.positions = positions
        self.embeddings = nn.Module()
        if patch_dim:
            self.embeddings.patch_embedding = nn.Linear(patch_dim, size.width)
        self.embeddings.position_embedding = nn.Embedding(positions**2, size.width)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(SiglipBlock(size) for _ in range(size.layers))
        self.post_layernorm = nn.LayerNorm(size.width, eps=1e-6)

    def position_table(self, grid: int) -> Tensor:
        """Positions [1, grid*grid, W] of a square grid, resized from the learned one."""
        weight: Tensor = self.embeddings.get_parameter("position_embedding.weight")
        if grid == self.positions:
            return weight[None]
        table = weight.float().view(self.positions, self.positions, -1).permute(2, 0, 1)[None]
        small = F.interpolate(table, size=(grid, grid), mode="bilinear", align_corners=False, antialias=True)
        return small.flatten(2).transpose(1, 2)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens [B, L, W] through the blocks and the norm."""
        for block in self.encoder.get_submodule("layers").children():
            x = block(x, mask)
        out: Tensor = self.post_layernorm(x)
        return out


def ordered_mask(patches: int, tokens: int, group: int) -> Tensor:
    """Where attention is allowed, bool [P+N, P+N]: patches see patches; a token sees patches and tokens of its group
    and of earlier groups. In the first group a token sees only itself and earlier tokens.
    """
    place = torch.arange(tokens)
    step = torch.where(place < group, place, place // group * group + group - 1)  # the last place that a token sees
    mask = torch.zeros(patches + tokens, patches + tokens, dtype=torch.bool)
    mask[:, :patches] = True
    mask[patches:, patches:] = place[None, :] <= step[:, None]
    return mask


class DetailFlowEncoder(nn.Module):
    """[B, 3, S, S] -> [B, N, W] features of the ordered tokens."""

    def __init__(self, config: DetailFlowConfig) -> None:
        super().__init__()
        width = config.encoder.width
        self.config = config
        self.latent_pos_embed = nn.Parameter(0.02 * torch.randn(1, config.tokens, width))
        self.latent_tokens = nn.Parameter(0.02 * torch.randn(1, config.tokens, width))
        self.visual_model = SiglipBody(config.encoder, config.positions, 3 * config.patch**2)

    def forward(self, x: Tensor) -> Tensor:
        """Features before `quant_conv`."""
        b, _, h, _ = x.shape
        patch = self.config.patch
        grid = h // patch
        flat = x.reshape(b, 3, grid, patch, grid, patch).permute(0, 2, 4, 3, 5, 1).reshape(b, grid**2, -1)
        body = self.visual_model
        patches = body.embeddings.get_submodule("patch_embedding")(flat) + body.position_table(grid)
        tokens = (self.latent_tokens + self.latent_pos_embed).expand(b, -1, -1)
        mask = ordered_mask(grid**2, self.config.tokens, self.config.group).to(x.device)
        out: Tensor = body(torch.cat([patches, tokens], dim=1), mask)
        return out[:, grid**2 :]


class ToPixel(nn.Module):
    """One linear map from a token to its patch, in row, column, channel order."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.model = nn.Linear(width, 3 * patch**2)

    def forward(self, x: Tensor, grid: int) -> Tensor:
        """[B, g*g, W] -> [B, 3, g*patch, g*patch]."""
        y = self.model(x).view(x.shape[0], grid, grid, self.patch, self.patch, 3).permute(0, 5, 1, 3, 2, 4)
        out: Tensor = y.reshape(x.shape[0], 3, grid * self.patch, grid * self.patch)
        return out


class DetailFlowDecoder(nn.Module):
    """[B, t, W] token vectors (t up to N) -> [B, 3, side, side]."""

    def __init__(self, config: DetailFlowConfig) -> None:
        super().__init__()
        width = config.decoder.width
        self.config = config
        self.latent_pos_embed = nn.Parameter(0.02 * torch.randn(1, config.tokens, width))
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.visual_model = SiglipBody(config.decoder, config.positions, 0)
        self.to_pixel = ToPixel(width, config.patch)

    def forward(self, z: Tensor, side: int) -> Tensor:
        """Images in the network's own range, not clamped."""
        b, t, _ = z.shape
        grid = side // self.config.patch
        patches = (self.mask_token + self.visual_model.position_table(grid)).expand(b, -1, -1)
        x = self.visual_model(torch.cat([patches, z + self.latent_pos_embed[:, :t]], dim=1))
        out: Tensor = self.to_pixel(x[:, : grid**2], grid)
        return out
