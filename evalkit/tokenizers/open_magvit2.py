"""Open-MAGVIT2's lookup-free tokenizers (arXiv 2409.04410; TencentARC/SEED-Voken src/Open_MAGVIT2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.bits import signs_of, signs_to_indices
from evalkit.tokenizers.nets.conv import AdaptiveGroupNorm, DepthToSpaceUpsample, ResBlock, group_norm
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import MapTokenizer
from evalkit.weights.layout import dotless_ema, unwrap


@dataclass(frozen=True)
class OpenMagvitConfig:
    """One checkpoint's sizes; each of the `bits` channels is one bit; `mult`: widths in units of `ch`, finest first."""

    bits: int = 18
    mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    size: int = 256
    ch: int = 128
    blocks: int = 4

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return tuple(self.ch * m for m in self.mult)


def residual_blocks(cin: int, cout: int, count: int) -> nn.ModuleList:
    """`count` blocks without biases, the first of which changes the width."""
    return nn.ModuleList(ResBlock(cin if i == 0 else cout, cout, bias=False) for i in range(count))


class Level(nn.Module):
    """One resolution: residual blocks, then a a change of size under the key `name`."""

    def __init__(self, cin: int, cout: int, count: int, name: str = "", resize: nn.Module | None = None) -> None:
        super().__init__()
        self.block = residual_blocks(cin, cout, count)
        self.resize_name = name
        if resize is not None:
            self.add_module(name, resize)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H', W']."""
        for block in self.block:
            x = block(x)
        if self.resize_name:
            x = self.get_submodule(self.resize_name)(x)
        return x


class Encoder(nn.Module):
    """[B, 3, H, W] -> [B, bits, H/f, W/f]."""

    def __init__(self, config: OpenMagvitConfig) -> None:
        super().__init__()
        widths = config.widths
        inputs = [config.ch, *widths[:-1]]
        self.conv_in = nn.Conv2d(3, config.ch, 3, padding=1, bias=False)
        self.down = nn.ModuleList(
            Level(cin, cout, config.blocks, "downsample", nn.Conv2d(cout, cout, 3, stride=2, padding=1))
            for cin, cout in zip(inputs[:-1], widths[:-1], strict=True)
        )
        self.down.append(Level(inputs[-1], widths[-1], config.blocks))
        self.mid_block = residual_blocks(widths[-1], widths[-1], config.blocks)
        self.norm_out = group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], config.bits, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features whose signs are the bits."""
        x = self.conv_in(x)
        for block in (*self.down, *self.mid_block):
            x = block(x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out


class Decoder(nn.Module):
    """[B, bits, h, w] -> [B, 3, h*f, w*f]; `up` and `adaptive` are numbered finest first and run from the coarsest."""

    def __init__(self, config: OpenMagvitConfig) -> None:
        super().__init__()
        widths = config.widths
        inputs = [*widths[1:], widths[-1]]
        self.conv_in = nn.Conv2d(config.bits, widths[-1], 3, padding=1)
        self.mid_block = residual_blocks(widths[-1], widths[-1], config.blocks)
        self.up = nn.ModuleList([Level(inputs[0], widths[0], config.blocks)])
        for cin, cout in zip(inputs[1:], widths[1:], strict=True):
            self.up.append(Level(cin, cout, config.blocks, "upsample", DepthToSpaceUpsample(cout)))
        self.adaptive = nn.ModuleList(AdaptiveGroupNorm(config.bits, width) for width in inputs)
        self.norm_out = group_norm(widths[0])
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Images in the network's own range, not clamped."""
        x = self.conv_in(z)
        for block in self.mid_block:
            x = block(x)
        for style, level in zip(reversed(self.adaptive), reversed(self.up), strict=True):
            x = level(style(x, z))
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out


class OpenMagvitNetwork(nn.Module):
    """Encoder and decoder; the quantiser has no parameters."""

    def __init__(self, config: OpenMagvitConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)


@register("open-magvit2-pretrain-262144", weights="pretrain256_262144.ckpt", config=OpenMagvitConfig())
@register("open-magvit2-pretrain-16384", weights="pretrain256_16384.ckpt", config=OpenMagvitConfig(bits=14))
@register("open-magvit2-128", weights="imagenet_128_L.ckpt", config=OpenMagvitConfig(mult=(1, 2, 2, 4), size=128))
@register("open-magvit2-256", weights="imagenet_256_L.ckpt", config=OpenMagvitConfig())
class OpenMagvit(MapTokenizer):
    """Open-MAGVIT2; any sides that are multiples of 16 (the 128 px model: of 8). Also decodes `bits` of 0 and 1."""

    unused: ClassVar[tuple[str, ...]] = (r"^loss\.", r"^quantize\.(mask|zero|codebook)$")
    architecture = OpenMagvitNetwork
    projected = False
    config: OpenMagvitConfig
    network: OpenMagvitNetwork

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """The moving average of the weights, with which the authors measure."""
        return dotless_ema(unwrap(checkpoint, ("state_dict",)), network)

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size, self.bits_of_index = 2**self.config.bits, self.config.bits
        self.native_size = self.config.size
        self.multiple = 2 ** (len(self.config.mult) - 1)

    def _indices(self, z: Tensor) -> Tensor:
        return signs_to_indices(z)

    def _vectors(self, codes: Codes) -> Tensor:
        return signs_of(codes, self.config.bits, self.device)
