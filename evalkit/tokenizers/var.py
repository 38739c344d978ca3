"""VAR's multi-scale residual VQ-VAE (arXiv:2404.02905; FoundationVision/VAR, models/vqvae.py and quant.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.residual import Choose, ResidualCodebook
from evalkit.tokenizers.nets.taming import TamingConfig, TamingDecoder, TamingEncoder
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register

NET = TamingConfig(ch=160, z=32, attention=frozenset({4}), fused=True)


@dataclass(frozen=True)
class VarConfig:
    """`scales`: sides of the code maps, coarse to fine; the last times 16 is the image's side."""

    scales: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
    net: TamingConfig = NET
    codes: int = 4096


class VarVqvae(nn.Module):
    """Encoder, 3x3 projections around the residual quantiser, decoder."""

    def __init__(self, config: VarConfig) -> None:
        super().__init__()
        z = config.net.z
        self.encoder = TamingEncoder(config.net)
        self.decoder = TamingDecoder(config.net)
        self.quantize = ResidualCodebook(config.codes, z)
        self.quant_conv = nn.Conv2d(z, z, 3, padding=1)
        self.post_quant_conv = nn.Conv2d(z, z, 3, padding=1)


@register("var-512", weights="vae_ch160v4096z32.pth", config=VarConfig((1, 2, 3, 4, 6, 9, 13, 18, 24, 32)))
@register("var", weights="vae_ch160v4096z32.pth", config=VarConfig(), aliases=("var-256",))
class Var(NetworkTokenizer):
    """Codes are the scales one after the other, raster order in each (680 at 256 px, 2240 at 512 px)."""

    wrapping: ClassVar[tuple[str, ...]] = ()
    unused: ClassVar[tuple[str, ...]] = (r"^quantize\.ema_vocab_hit_SV$",)
    fixed_size = True
    architecture = VarVqvae
    config: VarConfig
    network: VarVqvae

    def setup(self) -> None:
        """Vocabulary and size follow from the configuration."""
        self.vocab_size = self.config.codes
        self.multiple = self.config.net.stride
        self.native_size = self.config.scales[-1] * self.multiple

    @property
    def scale_lengths(self) -> tuple[int, ...]:
        """Codes of each scale."""
        return tuple(side * side for side in self.config.scales)

    def tokens_per_image(self, height: int, width: int) -> int:
        """All scales together."""
        self.check_size(height, width)
        return sum(self.scale_lengths)

    @torch.inference_mode()
    def encode_choosing(self, images: Tensor, choose: Choose) -> Codes:
        """Codes that `choose` picks scale by scale inside the residual loop, for images [B, 3, H, W] in [0, 1]."""
        self.check_size(int(images.shape[2]), int(images.shape[3]))
        with self._exact():
            return self._quantise(images.to(self.device, torch.float32) * 2 - 1, choose)

    def _encode(self, x: Tensor) -> Codes:
        return self._quantise(x, None)

    def _quantise(self, x: Tensor, choose: Choose | None) -> Codes:
        f = self.network.quant_conv(self.network.encoder(x))
        parts = self.network.quantize.encode(f, self.config.scales, choose)
        return Codes(indices=torch.cat(parts, 1), scale_lengths=self.scale_lengths)

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        total = sum(self.scale_lengths)
        if codes.indices is None or codes.indices.shape[1] != total:
            raise EvalkitError(
                f"{self.name} decodes {total} codes per image (all scales); {tuple(codes.values.shape)} given"
            )
        parts = list(torch.split(codes.indices.to(self.device), list(self.scale_lengths), dim=1))
        f = self.network.quantize.decode(parts, self.config.scales)
        out: Tensor = self.network.decoder(self.network.post_quant_conv(f))
        return out.clamp(-1, 1)
