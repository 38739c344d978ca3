"""ImageReward's network: BLIP's image and text encoders and a linear stack (Xu et al. 2023, arXiv:2304.05977).

Parameter names are those of ImageReward.pt (THUDM/ImageReward, Apache-2.0; models/BLIP/vit.py and med.py there): a vision
transformer, a BERT whose blocks attend to it after they attend to the text, and five linear layers without activations on
the first token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.linear_stack import LinearStack


@dataclass(frozen=True)
class RewardSize:
    """Sizes of the released model: ViT-L/16 at 224 px and BERT-base with the two tokens that BLIP adds."""

    side: int = 224
    patch: int = 16
    width: int = 1024
    layers: int = 24
    heads: int = 16
    text_width: int = 768
    text_layers: int = 12
    text_heads: int = 12
    vocabulary: int = 30524
    positions: int = 512


def _attend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """[B, N, W] of queries [B, N, W] and keys and values [B, M, W]; `mask` [B, 1, 1, M] is True where M is seen."""

    def split(x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], heads, -1).transpose(1, 2)

    return F.scaled_dot_product_attention(split(q), split(k), split(v), attn_mask=mask).transpose(1, 2).flatten(2)


class VitAttention(nn.Module):
    """Joint projection of queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, W]."""
        q, k, v = self.qkv(x).chunk(3, 2)
        out: Tensor = self.proj(_attend(q, k, v, self.heads))
        return out


class VitBlock(nn.Module):
    """Attention and a perceptron, each after a norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = VitAttention(width, heads)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, W]."""
        x = x + self.attn(self.norm1(x))
        hidden = F.gelu(self.mlp.get_submodule("fc1")(self.norm2(x)))
        out: Tensor = x + self.mlp.get_submodule("fc2")(hidden)
        return out


class Vit(nn.Module):
    """Images [B, 3, side, side] -> tokens [B, 1 + patches, W] after the last norm."""

    def __init__(self, size: RewardSize) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (size.side // size.patch) ** 2, size.width))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, size.width, size.patch, stride=size.patch)
        self.blocks = nn.ModuleList(VitBlock(size.width, size.heads) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """All tokens."""
        patches = self.patch_embed.get_submodule("proj")(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out


class BertAttention(nn.Module):
    """Attention to `seen`, which is the text itself or the image, then a norm of the sum."""

    def __init__(self, width: int, seen: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.self = nn.Module()
        self.self.query, self.self.key, self.self.value = (nn.Linear(w, width) for w in (width, seen, seen))
        self.output = _closing(width, width)

    def forward(self, x: Tensor, seen: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, N, W] -> [B, N, W]."""
        q, k, v = (self.self.get_submodule(n)(t) for n, t in (("query", x), ("key", seen), ("value", seen)))
        return _close(self.output, _attend(q, k, v, self.heads, mask), x)


class BertBlock(nn.Module):
    """Attention to the text, attention to the image, and a perceptron."""

    def __init__(self, size: RewardSize) -> None:
        super().__init__()
        width = size.text_width
        self.attention = BertAttention(width, width, size.text_heads)
        self.crossattention = BertAttention(width, size.width, size.text_heads)
        self.intermediate = nn.Module()
        self.intermediate.dense = nn.Linear(width, 4 * width)
        self.output = _closing(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor, image: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, W]."""
        x = self.crossattention(self.attention(x, x, mask), image)
        return _close(self.output, F.gelu(self.intermediate.get_submodule("dense")(x)), x)


class RewardNet(nn.Module):
    """The whole model; `forward` gives its outputs [B] before they are standardised."""

    def __init__(self, size: RewardSize) -> None:
        super().__init__()
        width = size.text_width
        self.blip = nn.Module()
        self.blip.visual_encoder = Vit(size)
        text = nn.Module()
        text.embeddings, text.encoder = nn.Module(), nn.Module()
        text.embeddings.word_embeddings = nn.Embedding(size.vocabulary, width)
        text.embeddings.position_embeddings = nn.Embedding(size.positions, width)
        text.embeddings.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        text.encoder.layer = nn.ModuleList(BertBlock(size) for _ in range(size.text_layers))
        self.blip.text_encoder = text
        self.mlp = LinearStack(width)

    def forward(self, images: Tensor, tokens: Tensor, seen: Tensor) -> Tensor:
        """Images [B, 3, side, side]; `tokens` [B, N] and `seen` [B, N], 1 where a token is no padding."""
        image = self.blip.get_submodule("visual_encoder")(images)
        text = self.blip.get_submodule("text_encoder")
        words, places = (text.get_submodule(f"embeddings.{n}_embeddings") for n in ("word", "position"))
        x = words(tokens) + places(torch.arange(tokens.shape[1], device=tokens.device))
        x = text.get_submodule("embeddings.LayerNorm")(x)
        mask = seen[:, None, None, :].bool()
        for block in text.get_submodule("encoder.layer").children():
            x = block(x, mask, image)
        out: Tensor = self.mlp(x[:, 0])
        return out


UNUSED = (r"position_ids$", r"^blip\.(vision|text)_proj\.")  # in the file, but not in the reward


def _closing(cin: int, width: int) -> nn.Module:
    part = nn.Module()
    part.dense, part.LayerNorm = nn.Linear(cin, width), nn.LayerNorm(width, eps=1e-12)
    return part


def _close(part: nn.Module, x: Tensor, before: Tensor) -> Tensor:
    out: Tensor = part.get_submodule("LayerNorm")(part.get_submodule("dense")(x) + before)
    return out
