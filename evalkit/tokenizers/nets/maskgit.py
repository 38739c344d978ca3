"""MaskGIT's convolutional encoder and decoder, without attention (bytedance/1d-tokenizer modules/maskgit_vqgan.py).

MaskBit and VQGAN+ (markweberdev/maskbit modules/autoencoder.py) are the same network with strided convolutions down,
other names, and the decoder's levels listed in execution order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.conv import group_norm


@dataclass(frozen=True)
class MaskGitConfig:
    """Sizes; `mult`: widths by level in units of `ch`, finest first; `maskbit`: MaskBit's names, order and strides."""

    z: int = 256
    mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    ch: int = 128
    blocks: int = 2
    maskbit: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, finest first."""
        return tuple(self.ch * m for m in self.mult)

    @property
    def stride(self) -> int:
        """Pixels a code on each side."""
        return int(2 ** (len(self.mult) - 1))


class OutputShortcutBlock(nn.Module):
    """norm-SiLU-conv twice; where the width changes the 1x1 shortcut takes the *result*, and the input is dropped."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.norm1 = group_norm(cin)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.norm2 = group_norm(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.nin_shortcut = nn.Conv2d(cout, cout, 1, bias=False) if cin != cout else None

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H, W]."""
        h: Tensor = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return h + (x if self.nin_shortcut is None else self.nin_shortcut(h))


def residual_blocks(cin: int, cout: int, count: int) -> list[nn.Module]:
    """`count` blocks, the first of which changes the width."""
    return [OutputShortcutBlock(cin if i == 0 else cout, cout) for i in range(count)]


class Stage(nn.Module):
    """One level: residual blocks, then a change of size (`pool`, `down`, `up` or none)."""

    def __init__(self, cin: int, cout: int, count: int, *, resize: str, maskbit: bool) -> None:
        super().__init__()
        self.blocks_name = "res_blocks" if maskbit else "block"
        self.add_module(self.blocks_name, nn.Sequential(*residual_blocks(cin, cout, count)))
        self.resize = resize
        if resize == "down":
            self.down_conv = nn.Conv2d(cout, cout, 3, stride=2)
        elif resize == "up":
            self.upsample_conv = nn.Conv2d(cout, cout, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H', W']."""
        h: Tensor = self.get_submodule(self.blocks_name)(x)
        if self.resize == "pool":
            h = F.avg_pool2d(h, 2)
        elif self.resize == "down":  # "same" padding of even sides: nothing left and top, one right and bottom
            h = self.down_conv(F.pad(h, (0, 1, 0, 1)))
        elif self.resize == "up":
            h = self.upsample_conv(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return h


def middle(config: MaskGitConfig) -> nn.Module:
    """The blocks at the coarsest level; MaskGIT lists them bare."""
    width = config.widths[-1]
    if config.maskbit:
        return Stage(width, width, config.blocks, resize="", maskbit=True)
    return nn.Sequential(*residual_blocks(width, width, config.blocks))


class Encoder(nn.Module):
    """[B, 3, H, W] -> [B, z, H/f, W/f]."""

    def __init__(self, config: MaskGitConfig) -> None:
        super().__init__()
        widths = config.widths
        last = len(widths) - 1
        resize = "down" if config.maskbit else "pool"
        self.conv_in = nn.Conv2d(3, config.ch, 3, padding=1, bias=False)
        self.down = nn.Sequential(
            *(
                Stage(
                    widths[i - 1] if i else config.ch,
                    width,
                    config.blocks,
                    resize=resize if i < last else "",
                    maskbit=config.maskbit,
                )
                for i, width in enumerate(widths)
            )
        )
        self.mid = middle(config)
        self.norm_out = group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], config.z, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features before quantisation, of images on [0, 1]."""
        x = self.mid(self.down(self.conv_in(x)))
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out


class Decoder(nn.Module):
    """[B, z, h, w] -> [B, 3, h*f, w*f]; MaskGIT numbers the levels finest first, MaskBit in execution order."""

    def __init__(self, config: MaskGitConfig) -> None:
        super().__init__()
        widths = config.widths
        last = len(widths) - 1
        self.coarse_first = config.maskbit
        self.conv_in = nn.Conv2d(config.z, widths[-1], 3, padding=1)
        self.mid = middle(config)
        levels: Iterable[int] = range(last, -1, -1) if self.coarse_first else range(last + 1)
        self.up = nn.ModuleList(
            Stage(
                widths[min(i + 1, last)],
                widths[i],
                config.blocks,
                resize="up" if i else "",
                maskbit=config.maskbit,
            )
            for i in levels
        )
        self.norm_out = group_norm(widths[0])
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Images on the [0, 1] scale, not clamped."""
        x: Tensor = self.mid(self.conv_in(z))
        for stage in self.up if self.coarse_first else reversed(self.up):
            x = stage(x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out
