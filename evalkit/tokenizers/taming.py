"""VQGAN of taming-transformers (arXiv:2012.09841; CompVis/taming-transformers, models/vqgan.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.nets.taming import TamingConfig, TamingDecoder, TamingEncoder
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import MapTokenizer


@dataclass(frozen=True)
class VqganConfig:
    """The shared network, and the size of the codebook."""

    net: TamingConfig = TamingConfig(attention=frozenset({4}))  # noqa: RUF009 - frozen
    codes: int = 1024
    code_dim: int = 256


class Vqgan(nn.Module):
    """Encoder, 1x1 projections around a plain codebook, decoder."""

    def __init__(self, config: VqganConfig) -> None:
        super().__init__()
        self.encoder = TamingEncoder(config.net)
        self.decoder = TamingDecoder(config.net)
        self.quantize = Codebook(config.codes, config.code_dim, l2=False)
        self.quant_conv = nn.Conv2d(config.net.z, config.code_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.code_dim, config.net.z, 1)


@register("taming-f16-16384", weights="taming-f16-16384", config=VqganConfig(codes=16384))
@register("taming-f16-1024", weights="taming-f16-1024", config=VqganConfig())
class Taming(MapTokenizer):
    """ImageNet VQGAN with stride 16; any sides that are multiples of 16."""

    wrapping: ClassVar[tuple[str, ...]] = ("state_dict",)
    unused: ClassVar[tuple[str, ...]] = (r"^loss\.",)
    architecture: ClassVar[type[nn.Module] | None] = Vqgan
    config: VqganConfig
    network: Vqgan

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size = self.config.codes
        self.multiple = self.config.net.stride
