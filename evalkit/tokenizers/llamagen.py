"""LlamaGen's VQ-16 and VQ-8 (arXiv 2406.06525; FoundationVision/LlamaGen tokenizer/tokenizer_image/vq_model.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.conv import AttnBlock, Downsample, ResBlock, Upsample, group_norm
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import MapTokenizer


@dataclass(frozen=True)
class LlamaGenConfig:
    """Sizes of the network; `mult` lists the widths by level in units of `ch`, finest level first."""

    mult: tuple[int, ...] = (1, 1, 2, 2, 4)
    codes: int = 16384
    code_dim: int = 8
    ch: int = 128
    blocks: int = 2
    z: int = 256
    attention: bool = True


class Level(nn.Module):
    """One resolution of the encoder or decoder: residual blocks, attention where asked for, and a change of size."""

    def __init__(self, cin: int, cout: int, blocks: int, attention: bool, resize: nn.Module | None, name: str) -> None:
        super().__init__()
        self.res = nn.ModuleList(ResBlock(cin if i == 0 else cout, cout) for i in range(blocks))
        self.attn = nn.ModuleList(AttnBlock(cout) for _ in range(blocks)) if attention else nn.ModuleList()
        self.resize_name = name
        if resize is not None:
            self.add_module(name, resize)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H', W']."""
        for i, block in enumerate(self.res):
            x = block(x)
            if len(self.attn):
                x = self.attn[i](x)
        resize = self._modules.get(self.resize_name)
        return x if resize is None else resize(x)


def middle(width: int, attention: bool) -> nn.ModuleList:
    """Residual, attention, residual (or two residual blocks)."""
    blocks: list[nn.Module] = [ResBlock(width, width), ResBlock(width, width)]
    return nn.ModuleList([blocks[0], AttnBlock(width), blocks[1]] if attention else blocks)


class Encoder(nn.Module):
    """[B, 3, H, W] -> [B, z, H/f, W/f]."""

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        widths = [config.ch * m for m in config.mult]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(3, config.ch, 3, padding=1)
        self.conv_blocks = nn.ModuleList(
            Level(
                widths[max(i - 1, 0)] if i else config.ch,
                width,
                config.blocks,
                config.attention and i == last,
                Downsample(width) if i < last else None,
                "downsample",
            )
            for i, width in enumerate(widths)
        )
        self.mid = middle(widths[-1], config.attention)
        self.norm_out = group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], config.z, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Features before `quant_conv`."""
        x = self.conv_in(x)
        for block in (*self.conv_blocks, *self.mid):
            x = block(x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out


class Decoder(nn.Module):
    """[B, z, h, w] -> [B, 3, h*f, w*f]; level 0 is the deepest, the order of execution."""

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        widths = [config.ch * m for m in reversed(config.mult)]
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(config.z, widths[0], 3, padding=1)
        self.mid = middle(widths[0], config.attention)
        self.conv_blocks = nn.ModuleList(
            Level(
                widths[max(i - 1, 0)],
                width,
                config.blocks + 1,
                config.attention and i == 0,
                Upsample(width) if i < last else None,
                "upsample",
            )
            for i, width in enumerate(widths)
        )
        self.norm_out = group_norm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Images in the network's own range, not clamped."""
        x = self.conv_in(z)
        for block in (*self.mid, *self.conv_blocks):
            x = block(x)
        out: Tensor = self.conv_out(F.silu(self.norm_out(x)))
        return out


class LlamaGenVQ(nn.Module):
    """Encoder, 1x1 projections around an l2-normalised codebook, decoder."""

    def __init__(self, config: LlamaGenConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Codebook(config.codes, config.code_dim, l2=True, used=65536)
        self.quant_conv = nn.Conv2d(config.z, config.code_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.code_dim, config.z, 1)


VQ16, VQ8 = LlamaGenConfig(), LlamaGenConfig(mult=(1, 2, 2, 4))


@register("llamagen-vq16-t2i", weights="vq_ds16_t2i.pt", config=VQ16)
@register("llamagen-vq8", weights="vq_ds8_c2i.pt", config=VQ8)
@register("llamagen-vq16", weights="vq_ds16_c2i.pt", config=VQ16)
class LlamaGen(MapTokenizer):
    """LlamaGen's image tokenizer; any sides that are multiples of 16 (VQ-8: of 8)."""

    wrapping: ClassVar[tuple[str, ...]] = ("ema", "model", "state_dict")
    unused: ClassVar[tuple[str, ...]] = (r"^quantize\.codebook_used$",)
    architecture = LlamaGenVQ
    config: LlamaGenConfig
    network: LlamaGenVQ

    def setup(self) -> None:
        """Vocabulary and stride follow from the configuration."""
        self.vocab_size = self.config.codes
        self.multiple = 2 ** (len(self.config.mult) - 1)
