"""MaskGIT's VQGAN (arXiv 2202.04200), as bytedance/1d-tokenizer converted it (modeling/modules/maskgit_vqgan.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor, nn

from evalkit.tokenizers.base import Codes, NetworkTokenizer
from evalkit.tokenizers.nets.maskgit import Decoder, Encoder, MaskGitConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.registry import register


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
class MaskGitVQGAN(NetworkTokenizer):
    """MaskGIT's tokenizer; any sides that are multiples of 16. The official decode clamps to [0, 1]."""

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    config: MaskGitVQConfig
    network: MaskGitVQ

    @classmethod
    def build(cls, config: MaskGitVQConfig) -> nn.Module:
        """The network with the official names."""
        return MaskGitVQ(config)

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size = self.config.codes
        self.multiple = self.config.net.stride

    def tokens_per_image(self, height: int, width: int) -> int:
        """One code for each stride x stride block."""
        return (height // self.multiple) * (width // self.multiple)

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.encoder(x)
        return Codes(indices=self.network.quantize.indices(z), grid=(z.shape[2], z.shape[3]))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        z = self.network.quantize.lookup(codes.values, codes.map_grid())
        out: Tensor = self.network.decoder(z)
        return out.clamp(0.0, 1.0)
