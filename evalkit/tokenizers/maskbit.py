"""MaskBit's bit tokenizers and VQGAN+ (arXiv 2409.16211; markweberdev/maskbit modeling/conv_vqgan.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.tokenizers.base import Codes, NetworkTokenizer
from evalkit.tokenizers.nets.maskgit import Decoder, Encoder, MaskGitConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.registry import register


@dataclass(frozen=True)
class MaskBitConfig:
    """Sizes of the network; `codes`: size of the codebook, or 0 where each of the `net.z` channels is one bit."""

    net: MaskGitConfig
    codes: int = 0


def bit_config(bits: int) -> MaskBitConfig:
    """A lookup-free tokenizer of `bits` bits a code."""
    return MaskBitConfig(MaskGitConfig(z=bits, maskbit=True))


def signs_to_indices(z: Tensor) -> Tensor:
    """Codes int64 [B, h*w] of features [B, bits, h, w]: channel k gives 2^k where it is above zero."""
    weights = 2 ** torch.arange(z.shape[1], device=z.device)
    indices: Tensor = ((z > 0).long() * weights[:, None, None]).sum(1)
    return indices.flatten(1)


def indices_to_signs(indices: Tensor, bits: int, grid: tuple[int, int]) -> Tensor:
    """Features [B, bits, h, w] of +1 and -1 from codes [B, h*w]."""
    on = (indices[:, None, :] >> torch.arange(bits, device=indices.device)[:, None]) & 1
    return (on * 2 - 1).float().reshape(-1, bits, *grid)


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
class MaskBit(NetworkTokenizer):
    """MaskBit or VQGAN+; any sides that are multiples of 16. Bit models also decode `bits` [B, N, bits] of 0 and 1."""

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unused: ClassVar[tuple[str, ...]] = (r"^quantize\.(bits_to_indices|codebook)$",)
    config: MaskBitConfig
    network: MaskBitNetwork

    @classmethod
    def build(cls, config: MaskBitConfig) -> nn.Module:
        """The network with the official names; the lookup-free tables in the files follow from the number of bits."""
        return MaskBitNetwork(config)

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size = self.config.codes or 2**self.config.net.z
        self.bits_of_index = None if self.config.codes else self.config.net.z
        self.multiple = self.config.net.stride

    def tokens_per_image(self, height: int, width: int) -> int:
        """One code for each stride x stride block."""
        return (height // self.multiple) * (width // self.multiple)

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.encoder(x)
        indices = self.network.quantize.indices(z) if self.config.codes else signs_to_indices(z)
        return Codes(indices=indices, grid=(z.shape[2], z.shape[3]))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        values = codes.values.to(self.device)
        if self.config.codes:
            z = self.network.quantize.lookup(values, codes.map_grid())
        elif codes.bits is not None:
            signs = (values > 0).float() * 2 - 1
            z = signs.transpose(1, 2).reshape(len(codes), -1, *codes.map_grid())
        else:
            z = indices_to_signs(values, self.config.net.z, codes.map_grid())
        out: Tensor = self.network.decoder(z)
        return out
