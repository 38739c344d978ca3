"""ELM's binary autoencoders (arXiv 2410.16257; Pepper-lll/LMforImageGeneration bae/binaryae.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.conv import AttnBlock, Downsample, Upsample, group_norm
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register
from evalkit.weights.layout import unwrap


@dataclass(frozen=True)
class ElmConfig:
    """Sizes; `mult`: widths by level in units of `ch`, finest first; `sampled`: trained with Bernoulli bits."""

    bits: int = 16
    sampled: bool = True
    mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    ch: int = 128
    blocks: int = 2
    z: int = 256


class ElmResBlock(nn.Module):
    """norm-SiLU-conv twice plus a shortcut that is called `conv_out`; files carry one even where it is not used."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.norm1 = group_norm(cin)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.norm2 = group_norm(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        self.conv_out = nn.Conv2d(cin, cout, 1) if cin != cout else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H, W]."""
        h: Tensor = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.conv_out is None else self.conv_out(x))


class FlatStack(nn.Module):
    """Layers in one list, `blocks`, applied in order."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Through all layers; there is no activation between the last norm and the last convolution."""
        out: Tensor = self.blocks(x)
        return out


def level(cin: int, cout: int, count: int, attention: bool) -> list[nn.Module]:
    """Residual blocks of one resolution, each followed by attention at the coarsest one."""
    layers: list[nn.Module] = []
    for i in range(count):
        layers.append(ElmResBlock(cin if i == 0 else cout, cout))
        if attention:
            layers.append(AttnBlock(cout))
    return layers


def middle(width: int) -> list[nn.Module]:
    """Residual, attention, residual."""
    return [ElmResBlock(width, width), AttnBlock(width), ElmResBlock(width, width)]


def encoder(config: ElmConfig) -> FlatStack:
    """[B, 3, H, W] -> [B, z, H/f, W/f]."""
    widths = [config.ch * m for m in config.mult]
    last = len(widths) - 1
    layers: list[nn.Module] = [nn.Conv2d(3, config.ch, 3, padding=1)]
    for i, width in enumerate(widths):
        layers += level(widths[i - 1] if i else config.ch, width, config.blocks, i == last)
        if i < last:
            layers.append(Downsample(width))
    layers += [*middle(widths[-1]), group_norm(widths[-1]), nn.Conv2d(widths[-1], config.z, 3, padding=1)]
    return FlatStack(layers)


def generator(config: ElmConfig) -> FlatStack:
    """[B, z, h, w] -> [B, 3, h*f, w*f]; a norm comes first in the released models."""
    widths = [config.ch * m for m in config.mult]
    last = len(widths) - 1
    layers: list[nn.Module] = [group_norm(config.z), nn.Conv2d(config.z, widths[-1], 3, padding=1)]
    layers += middle(widths[-1])
    for i in range(last, -1, -1):
        layers += level(widths[min(i + 1, last)], widths[i], config.blocks, i == last)
        if i:
            layers.append(Upsample(widths[i]))
    return FlatStack([*layers, group_norm(widths[0]), nn.Conv2d(widths[0], 3, 3, padding=1)])


class BitQuantizer(nn.Module):
    """A probability for each bit, and one learned vector for each bit, summed where the bit is one."""

    def __init__(self, bits: int, z: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.Conv2d(z, bits, 1), nn.Sigmoid())
        self.embed = nn.Embedding(bits, z)

    def lookup(self, bits: Tensor) -> Tensor:
        """Features [B, z, h, w] of bits [B, k, h, w]."""
        return torch.einsum("bkhw,kd->bdhw", bits.float(), self.embed.weight)


class ElmNetwork(nn.Module):
    """Encoder, bit quantiser, generator."""

    def __init__(self, config: ElmConfig) -> None:
        super().__init__()
        self.encoder = encoder(config)
        self.quantize = BitQuantizer(config.bits, config.z)
        self.generator = generator(config)


@register("elm-bae-24", weights="elm-bae-24", config=ElmConfig(24))
@register("elm-bae-20", weights="elm-bae-20", config=ElmConfig(20))
@register("elm-bae-16-deter", weights="elm-bae-16-deter", config=ElmConfig(16, sampled=False))
@register("elm-bae-16", weights="elm-bae-16", config=ElmConfig(16))
class ElmBAE(NetworkTokenizer):
    """ELM's tokenizer; any sides that are multiples of 16.

    A code is the number whose most significant bit is the first channel, so that the generators' sub-codes (2 x 8,
    2 x 10, 2 x 12) are its upper and lower halves. `encode` takes the likelier value of each bit; `encode_sampled`
    draws it.
    """

    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unused: ClassVar[tuple[str, ...]] = (r"^generator\.logsigma\.", r"\.blocks\.\d+\.conv_out\.")
    architecture = ElmNetwork
    config: ElmConfig
    network: ElmNetwork

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """The keys under `ae.` (a discriminator and a perceptual loss lie beside them), or all keys of a bare file."""
        state = unwrap(checkpoint, cls.wrapping)
        inside = {key.removeprefix("ae."): value for key, value in state.items() if key.startswith("ae.")}
        return inside or state

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size, self.bits_of_index = 2**self.config.bits, self.config.bits
        self.multiple = 2 ** (len(self.config.mult) - 1)

    @torch.inference_mode()
    def encode_sampled(self, images: Tensor, *, seed: int = 0) -> Codes:
        """Codes with Bernoulli bits, as the official encode draws them; each image by itself from `seed`.

        `images`: float32 [B, 3, H, W] in [0, 1].
        """
        self.check_size(int(images.shape[2]), int(images.shape[3]))
        chance = self._chances(images.to(self.device, torch.float32))
        draw = torch.rand(1, *chance.shape[1:], generator=torch.Generator().manual_seed(seed))
        return self._pack(chance > draw.to(chance.device))

    def _chances(self, x: Tensor) -> Tensor:
        with self._exact():
            chance: Tensor = self.network.quantize.proj(self.network.encoder(x))
        return chance.float()

    def _pack(self, bits: Tensor) -> Codes:
        weights = 2 ** torch.arange(self.config.bits - 1, -1, -1, device=bits.device)
        indices = (bits.long() * weights[:, None, None]).sum(1)
        return Codes(indices=indices.flatten(1), grid=(bits.shape[2], bits.shape[3]))

    def _encode(self, x: Tensor) -> Codes:
        return self._pack(self._chances(x) > 0.5)

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        values = codes.values.to(self.device)
        if codes.bits is None:
            shifts = torch.arange(self.config.bits - 1, -1, -1, device=values.device)
            values = (values[:, :, None] >> shifts) & 1
        bits = (values > 0).transpose(1, 2).reshape(len(codes), self.config.bits, *codes.map_grid())
        out: Tensor = self.network.generator(self.network.quantize.lookup(bits))
        return out
