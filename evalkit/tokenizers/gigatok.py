"""GigaTok's 1-D tokenizers (arXiv 2504.08736; SilentView/GigaTok modelling/tokenizer.py, configs/vq)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.llamagen import Encoder, Level, LlamaGenConfig, middle
from evalkit.tokenizers.nets.conv import AdaptiveGroupNorm, DepthToSpaceUpsample, group_norm
from evalkit.tokenizers.nets.qformer import MapToSequence, SequenceToMap
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register


@dataclass(frozen=True)
class QFormerSize:
    """Width, number of layers and number of heads."""

    width: int
    layers: int
    heads: int


SMALL, BASE, LARGE = QFormerSize(512, 6, 8), QFormerSize(768, 12, 12), QFormerSize(1024, 24, 16)
XL, XXL = QFormerSize(1280, 36, 20), QFormerSize(1536, 48, 24)


@dataclass(frozen=True)
class GigaTokConfig:
    """One checkpoint's sizes; `mult` lists the widths by level in units of `ch`, finest level first."""

    encoder: QFormerSize
    decoder: QFormerSize
    codes: int = 16384
    code_dim: int = 8
    tokens: int = 256
    size: int = 256
    mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    ch: int = 128
    blocks: int = 2
    z: int = 256

    @property
    def patches(self) -> int:
        """Positions of the map between the convolutions and the Q-Formers."""
        return int((self.size // 2 ** (len(self.mult) - 1)) ** 2)

    @property
    def convolutions(self) -> LlamaGenConfig:
        """The convolutional part, which is LlamaGen's without attention."""
        return LlamaGenConfig(mult=self.mult, ch=self.ch, blocks=self.blocks, z=self.z, attention=False)


class StyledDecoder(nn.Module):
    """[B, z, h, w] -> [B, 3, h*f, w*f]; before each level its input scales and shifts the normalised features.

    `adaptive` is numbered in order of execution, as the levels are (Open-MAGVIT2 numbers both by resolution).
    """

    def __init__(self, config: GigaTokConfig) -> None:
        super().__init__()
        widths = [config.ch * m for m in reversed(config.mult)]
        last = len(widths) - 1
        inputs = [widths[0], *widths[:-1]]
        self.conv_in = nn.Conv2d(config.z, widths[0], 3, padding=1)
        self.mid = middle(widths[0], False)
        self.conv_blocks = nn.ModuleList(
            Level(
                inputs[i],
                width,
                config.blocks + 1,
                False,
                DepthToSpaceUpsample(width) if i < last else None,
                "upsample",
            )
            for i, width in enumerate(widths)
        )
        self.adaptive = nn.ModuleList(AdaptiveGroupNorm(config.z, width) for width in inputs)
        self.norm_out = group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Images in the network's own range, not clamped."""
        x = self.conv_in(z)
        for block in self.mid:
            x = block(x)
        for style, level in zip(self.adaptive, self.conv_blocks, strict=True):
            x = level(style(x, z))
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out


class GigaTokVQ(nn.Module):
    """Convolutions, Q-Former to a sequence, l2-normalised codebook, Q-Former back to a map, convolutions."""

    def __init__(self, config: GigaTokConfig) -> None:
        super().__init__()
        there, back = config.encoder, config.decoder
        self.encoder = Encoder(config.convolutions)
        self.s2to1encoder = MapToSequence(
            config.z, there.width, there.layers, there.heads, config.tokens, config.patches
        )
        self.quant_conv = nn.Conv2d(config.z, config.code_dim, 1)
        self.quantize = Codebook(config.codes, config.code_dim, l2=True)
        self.post_quant_conv = nn.Conv2d(config.code_dim, config.z, 1)
        self.s1to2decoder = SequenceToMap(config.z, back.width, back.layers, back.heads, config.tokens, config.patches)
        self.decoder = StyledDecoder(config)


@register("gigatok-xlxxl", weights="VQ_XLXXL256_e300.pt", config=GigaTokConfig(XL, XXL))
@register("gigatok-bl-dino", weights="VQ_BL256_dino_disc.pt", config=GigaTokConfig(BASE, LARGE))
@register("gigatok-bl", weights="VQ_BL256_e200.pt", config=GigaTokConfig(BASE, LARGE), aliases=("gigatok",))
@register("gigatok-sb", weights="VQ_SB256_e200.pt", config=GigaTokConfig(SMALL, BASE))
@register("gigatok-ss", weights="VQ_SS256_e100.pt", config=GigaTokConfig(SMALL, SMALL))
class GigaTok(NetworkTokenizer):
    """GigaTok: 256 codes in a learned order for a 256 x 256 image."""

    wrapping: ClassVar[tuple[str, ...]] = ("ema", "model", "state_dict")
    unused: ClassVar[tuple[str, ...]] = (r"^s1to2decoder\.distill_mlp\.", r"^quantize\.codebook_used$")
    architecture = GigaTokVQ
    config: GigaTokConfig
    network: GigaTokVQ

    def setup(self) -> None:
        """The positions are learned, so the side is fixed."""
        self.vocab_size, self.fixed_count = self.config.codes, self.config.tokens
        self.native_size = self.config.size
        self.fixed_size = True

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.quant_conv(self.network.s2to1encoder(self.network.encoder(x)))
        return Codes(indices=self.network.quantize.indices(z))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        z = self.network.quantize.lookup(codes.values, (1, self.config.tokens))
        out: Tensor = self.network.decoder(self.network.s1to2decoder(self.network.post_quant_conv(z)))
        return out
