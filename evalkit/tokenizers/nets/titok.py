"""TiTok's transformer encoder and decoder (arXiv 2406.07550; bytedance/1d-tokenizer modeling/modules/blocks.py)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from evalkit.tokenizers.nets.maskgit import MaskGitConfig
from evalkit.tokenizers.nets.vit import ClipBlock


@dataclass(frozen=True)
class VitSize:
    """Width, number of blocks and number of heads."""

    width: int
    layers: int
    heads: int


SMALL, BASE, LARGE = VitSize(512, 8, 8), VitSize(768, 12, 12), VitSize(1024, 24, 16)


@dataclass(frozen=True)
class TiTokConfig:
    """One checkpoint's sizes.

    `legacy`: the two-stage models, whose encoder mixes up two axes and whose decoder predicts MaskGIT's codes.
    `codes`: size of the codebook, or 0 for the VAE variants.
    """

    tokens: int
    encoder: VitSize
    decoder: VitSize
    codes: int = 8192
    token_dim: int = 64
    legacy: bool = False
    size: int = 256
    patch: int = 16
    pixel_codes: int = 1024
    pixel: MaskGitConfig = field(default_factory=MaskGitConfig)

    @property
    def grid(self) -> int:
        """Patches on each side."""
        return self.size // self.patch


class _Sequence(nn.Module):
    """What encoder and decoder share: class token, positions, blocks and the two norms around them."""

    def __init__(self, config: TiTokConfig, size: VitSize) -> None:
        super().__init__()
        scale = size.width**-0.5
        self.config = config
        self.class_embedding = nn.Parameter(scale * torch.randn(1, size.width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(config.grid**2 + 1, size.width))
        self.latent_token_positional_embedding = nn.Parameter(scale * torch.randn(config.tokens, size.width))
        self.ln_pre = nn.LayerNorm(size.width)
        self.transformer = nn.ModuleList(ClipBlock(size.width, size.heads) for _ in range(size.layers))
        self.ln_post = nn.LayerNorm(size.width)

    def run(self, patches: Tensor, latents: Tensor) -> Tensor:
        """Class token, patches [B, P, W] and latents [B, N, W] through the blocks: [B, 1+P+N, W]."""
        cls = self.class_embedding.expand(patches.shape[0], 1, -1)
        x = torch.cat([cls, patches], dim=1) + self.positional_embedding
        x = torch.cat([x, latents + self.latent_token_positional_embedding], dim=1)
        y: Tensor = self.ln_pre(x)
        for block in self.transformer:
            y = block(y)
        return y


class TiTokEncoder(_Sequence):
    """[B, 3, S, S] and latent tokens [N, W] -> [B, d, 1, N]."""

    def __init__(self, config: TiTokConfig) -> None:
        super().__init__(config, config.encoder)
        width = config.encoder.width
        self.patch_embed = nn.Conv2d(3, width, config.patch, stride=config.patch)
        self.conv_out = nn.Conv2d(width, config.token_dim if config.codes else 2 * config.token_dim, 1)

    def forward(self, x: Tensor, latent_tokens: Tensor) -> Tensor:
        """Features before quantisation (VAE: mean and log variance) of images on [0, 1]."""
        patches = self.patch_embed(x).flatten(2).transpose(1, 2)
        y = self.run(patches, latent_tokens.expand(x.shape[0], -1, -1))
        y = self.ln_post(y[:, -self.config.tokens :])
        b, n, w = y.shape
        # the two-stage checkpoints were trained with the token axis read as the channel axis, without a transposition
        y = y.reshape(b, w, n, 1) if self.config.legacy else y.transpose(1, 2).unsqueeze(3)
        out: Tensor = self.conv_out(y)
        return out.reshape(b, -1, 1, n)


class TiTokDecoder(_Sequence):
    """[B, d, 1, N] -> logits over MaskGIT's codes [B, V, g, g] (legacy), or images [B, 3, S, S]."""

    def __init__(self, config: TiTokConfig) -> None:
        super().__init__(config, config.decoder)
        width = config.decoder.width
        self.mask_token = nn.Parameter(width**-0.5 * torch.randn(1, 1, width))
        self.decoder_embed = nn.Linear(config.token_dim, width)
        if config.legacy:
            self.ffn = nn.Sequential(
                nn.Conv2d(width, 2 * width, 1), nn.Tanh(), nn.Conv2d(2 * width, config.pixel_codes, 1)
            )
        else:
            self.ffn = nn.Sequential(nn.Conv2d(width, 3 * config.patch**2, 1))
            self.conv_out = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """From codes' vectors or latents."""
        config = self.config
        b, patches = z.shape[0], config.grid**2
        x = self.run(self.mask_token.expand(b, patches, -1), self.decoder_embed(z.flatten(2).transpose(1, 2)))
        x = self.ln_post(x[:, 1 : 1 + patches]).transpose(1, 2).reshape(b, -1, config.grid, config.grid)
        y: Tensor = self.ffn(x)
        if config.legacy:
            return y
        y = y.view(b, config.patch, config.patch, 3, config.grid, config.grid).permute(0, 3, 4, 1, 5, 2)
        out: Tensor = self.conv_out(y.reshape(b, 3, config.size, config.size))
        return out
