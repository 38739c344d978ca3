"""MAR's KL-16 autoencoder (arXiv:2406.11838; LTH14/mar, models/vae.py)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.taming import TamingConfig, TamingDecoder, TamingEncoder
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register

KL16 = TamingConfig(z=16, attention=frozenset({4}), moments=True)


class KlAutoencoder(nn.Module):
    """Encoder to mean and log-variance, 1x1 projections, decoder."""

    def __init__(self, config: TamingConfig) -> None:
        super().__init__()
        self.encoder = TamingEncoder(config)
        self.decoder = TamingDecoder(replace(config, attention=frozenset()))  # only its middle has attention
        self.quant_conv = nn.Conv2d(2 * config.z, 2 * config.z, 1)
        self.post_quant_conv = nn.Conv2d(config.z, config.z, 1)


@register("mar-kl16", weights="kl16.ckpt", config=KL16)
class MarKl16(NetworkTokenizer):
    """Continuous codes: the posterior's mean [B, 16, H/16, W/16], without the 0.2325 by which MAR scales it."""

    wrapping: ClassVar[tuple[str, ...]] = ("model",)
    unused: ClassVar[tuple[str, ...]] = (r"^loss\.",)
    architecture = KlAutoencoder
    config: TamingConfig
    network: KlAutoencoder

    def setup(self) -> None:
        """The stride follows from the configuration."""
        self.multiple = self.config.stride

    def _encode(self, x: Tensor) -> Codes:
        mean = self.network.quant_conv(self.network.encoder(x)).chunk(2, dim=1)[0]
        return Codes(latent=mean.float())

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        z = codes.values.to(self.device)
        out: Tensor = self.network.decoder(self.network.post_quant_conv(z))
        return out
