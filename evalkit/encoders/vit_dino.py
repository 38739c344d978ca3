"""Plain vision transformers under the official names of DINO (facebookresearch/dino), from timm's network.

DINO's own networks, and the CLIP networks that DreamSim keeps in DINO's layout, are of this shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from timm.layers import QuickGELU
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of images on [0, 1]


@dataclass(frozen=True)
class VitSize:
    """Sizes; `first_norm`: whether a norm follows the positions (CLIP), whose norms are of eps 1e-5; `quick`: its activation."""

    patch: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    side: int = 224
    first_norm: bool = False
    quick: bool = False


class PlainVit(nn.Module):
    """[B, 3, side, side] normalised -> tokens [B, 1 + patches, width]; parameters are named as in DINO's files."""

    def __init__(self, size: VitSize) -> None:
        super().__init__()
        network = VisionTransformer(
            img_size=size.side,
            patch_size=size.patch,
            embed_dim=size.width,
            depth=size.layers,
            num_heads=size.heads,
            num_classes=0,
            norm_layer=partial(nn.LayerNorm, eps=1e-5 if size.first_norm else 1e-6),
            act_layer=QuickGELU if size.quick else nn.GELU,
        )
        self.cls_token, self.pos_embed = network.cls_token, network.pos_embed
        self.patch_embed, self.blocks, self.norm = network.patch_embed, network.blocks, network.norm
        self.pos_drop = nn.LayerNorm(size.width, eps=1e-5) if size.first_norm else nn.Identity()

    def tokens(self, x: Tensor, layers: int | None = None) -> Tensor:
        """Tokens after all blocks, or the first `layers`; before the last norm."""
        patches: Tensor = self.patch_embed(x)
        y: Tensor = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], dim=1) + self.pos_embed
        for step in (self.pos_drop, *list(self.blocks)[:layers]):
            y = step(y)
        return y

    def keys(self, x: Tensor) -> Tensor:
        """The keys [B, 1 + patches, width] of the last block, heads side by side."""
        block = self.blocks[-1]
        y = block.norm1(self.tokens(x, len(self.blocks) - 1))
        _, keys, _ = block.attn.qkv(y).chunk(3, dim=-1)
        found: Tensor = keys
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The class token [B, width] after the last norm."""
        out: Tensor = self.norm(self.tokens(x))[:, 0]
        return out
