"""MaskBit's bit tokenizers and VQGAN+ (arXiv 2409.16211; markweberdev/maskbit modeling/conv_vqgan.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.bits import signs_of, signs_to_indices
from evalkit.tokenizers.nets.maskgit import Decoder, Encoder, MaskGitConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import MapTokenizer


@dataclass(frozen=True)
class MaskBitConfig:
    """Sizes of the network; `codes`: size of the codebook, or 0 where each of the `net.z` channels is one bit."""

    net: MaskGitConfig
    codes: int = 0


def bit_config(bits: int) -> MaskBitConfig:
    """A lookup-free tokenizer of `bits` bits a code."""
    return MaskBitConfig(MaskGitConfig(z=bits, maskbit=True))


class MaskBitNetwork(nn.Module):
    """Encoder, decoder and, in VQGAN+, a codebook by plain L2 distance."""

    def __init__(self, config: MaskBitConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.net)
        self.decoder = Decoder(config.net)
        if config.codes:
            self.quantize = Codebook(config.codes, config.net.z, l2=False)


@register("vqgan-plus-12", weights="vqgan-plus-12", config=MaskBitConfig(MaskGitConfig(z=64, maskbit=True), codes=4096))
@register("vqgan-plus", weights="vqgan-plus", config=MaskBitConfig(MaskGitConfig(z=256, maskbit=True), codes=1024))
@register("maskbit-18", weights="maskbit_tokenizer_18bit.bin", config=bit_config(18))
@register("maskbit-16", weights="maskbit_tokenizer_16bit.bin", config=bit_config(16))
@register("maskbit-14", weights="maskbit_tokenizer_14bit.bin", config=bit_config(14))
@register("maskbit-12", weights="maskbit_tokenizer_12bit.bin", config=bit_config(12))
@register("maskbit-10", weights="maskbit_tokenizer_10bit.bin", config=bit_config(10))
class MaskBit(MapTokenizer):
    """MaskBit or VQGAN+; any sides that are multiples of 16. Bit models also decode `bits` [B, N, bits] of 0 and 1."""

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unused: ClassVar[tuple[str, ...]] = (r"^quantize\.(bits_to_indices|codebook)$",)
    architecture = MaskBitNetwork
    projected = False
    config: MaskBitConfig
    network: MaskBitNetwork

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size = self.config.codes or 2**self.config.net.z
        self.bits_of_index = None if self.config.codes else self.config.net.z
        self.multiple = self.config.net.stride

    def _indices(self, z: Tensor) -> Tensor:
        return super()._indices(z) if self.config.codes else signs_to_indices(z)

    def _vectors(self, codes: Codes) -> Tensor:
        return super()._vectors(codes) if self.config.codes else signs_of(codes, self.config.net.z, self.device)
