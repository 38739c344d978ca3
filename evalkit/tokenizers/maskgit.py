"""MaskGIT's VQGAN (arXiv 2202.04200), as bytedance/1d-tokenizer converted it (modeling/modules/maskgit_vqgan.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.maskgit import Decoder, Encoder, MaskGitConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import MapTokenizer


@dataclass(frozen=True)
class MaskGitVQConfig:
    """Sizes of the network and of its codebook."""

    net: MaskGitConfig = field(default_factory=MaskGitConfig)
    codes: int = 1024


class MaskGitVQ(nn.Module):
    """Encoder, codebook by plain L2 distance, decoder."""

    def __init__(self, config: MaskGitVQConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.net)
        self.decoder = Decoder(config.net)
        self.quantize = Codebook(config.codes, config.net.z, l2=False)


@register("maskgit-vqgan", weights="maskgit-vqgan-imagenet-f16-256.bin", config=MaskGitVQConfig())
class MaskGitVQGAN(MapTokenizer):
    """MaskGIT's tokenizer; any sides that are multiples of 16. The official decode clamps to [0, 1]."""

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    architecture = MaskGitVQ
    projected = False
    config: MaskGitVQConfig
    network: MaskGitVQ

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size = self.config.codes
        self.multiple = self.config.net.stride

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        return super()._decode(codes, seed, noise).clamp(0.0, 1.0)
