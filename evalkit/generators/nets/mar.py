"""MAR's transformers: an encoder of what is known, a decoder of what is not, in any order (LTH14/mar, models/mar.py)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.nets.diffusion_head import EPS, DiffusionMlp


class Attention(nn.Module):
    """Plain self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        b, n, width = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        out: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, width))
        return out


class Mlp(nn.Module):
    """Two layers with exact GELU."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Block(nn.Module):
    """A block of a vision transformer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.attn, self.mlp = Attention(width, heads), Mlp(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        """[B, n, C] -> [B, n, C]."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Head(nn.Module):
    """Holds the diffusion head under its official name."""

    def __init__(self, channels: int, z: int, depth: int, width: int) -> None:
        super().__init__()
        self.net = DiffusionMlp(channels, z, depth, width)


class MarNet(nn.Module):
    """`known` [B, n]: positions whose latents are given, ascending, the same number in each row."""

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        head: tuple[int, int],
        side: int,
        channels: int,
        buffer: int,
        classes: int,
    ) -> None:
        super().__init__()
        length = side * side
        self.buffer = buffer
        self.class_emb = nn.Embedding(classes, width)
        self.fake_latent = nn.Parameter(torch.zeros(1, width))
        self.z_proj, self.z_proj_ln = nn.Linear(channels, width), nn.LayerNorm(width, eps=EPS)
        self.encoder_pos_embed_learned = nn.Parameter(torch.zeros(1, length + buffer, width))
        self.encoder_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.encoder_norm = nn.LayerNorm(width, eps=EPS)
        self.decoder_embed = nn.Linear(width, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.decoder_pos_embed_learned = nn.Parameter(torch.zeros(1, length + buffer, width))
        self.decoder_blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.decoder_norm = nn.LayerNorm(width, eps=EPS)
        self.diffusion_pos_embed_learned = nn.Parameter(torch.zeros(1, length, width))
        self.diffloss = Head(channels, width, *head)

    def condition(self, classes: Tensor) -> Tensor:
        """[B, C] of class ids; the id behind the last class is the unconditional one."""
        return class_or_none(self.class_emb, self.fake_latent, classes)

    def encode(self, latents: Tensor, known: Tensor, condition: Tensor) -> Tensor:
        """[B, buffer + n, C] of latents [B, L, c], of which those at `known` are seen."""
        x = self.z_proj(latents)
        x = torch.cat([condition[:, None].expand(-1, self.buffer, -1), x], 1) + self.encoder_pos_embed_learned
        x = take(self.z_proj_ln(x), behind(self.buffer, known))
        for block in self.encoder_blocks:
            x = block(x)
        out: Tensor = self.encoder_norm(x)
        return out

    def decode(self, encoded: Tensor, known: Tensor) -> Tensor:
        """[B, L, C]: what the diffusion head is told of each position."""
        x = self.decoder_embed(encoded)
        total = self.decoder_pos_embed_learned.shape[1]
        x = put(self.mask_token.to(x.dtype).expand(len(x), total, -1), behind(self.buffer, known), x)
        x = x + self.decoder_pos_embed_learned
        for block in self.decoder_blocks:
            x = block(x)
        out: Tensor = self.decoder_norm(x)[:, self.buffer :] + self.diffusion_pos_embed_learned
        return out


def class_or_none(table: nn.Embedding, none: Tensor, classes: Tensor) -> Tensor:
    """[B, C] of class ids [B]; the id behind the table's last is `none` [1, C]."""
    count = table.num_embeddings
    known: Tensor = table(classes.clamp(max=count - 1))
    return torch.where((classes < count)[:, None], known, none)


def behind(buffer: int, places: Tensor) -> Tensor:
    """[B, buffer + n]: the buffer's places, then `places` [B, n] moved behind it."""
    front = torch.arange(buffer, device=places.device).expand(len(places), -1)
    return torch.cat([front, places + buffer], 1)


def take(x: Tensor, places: Tensor) -> Tensor:
    """[B, n, C]: what stands at `places` [B, n] of x [B, L, C]."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))


def put(x: Tensor, places: Tensor, new: Tensor) -> Tensor:
    """x [B, L, C] with `new` [B, n, C] at `places` [B, n]."""
    return x.scatter(1, places[..., None].expand(-1, -1, x.shape[-1]), new)
