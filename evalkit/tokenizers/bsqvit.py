"""BSQ-ViT (arXiv 2406.07548; zhaoyue-zephyrus/bsq-vit transcoder/models/bsqvit.py and transformer.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.vit import ClipBlock
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register


@dataclass(frozen=True)
class BsqVitConfig:
    """`bits` of a code, one code for each patch of a `size` image; the rest are sizes of the transformers."""

    bits: int
    size: int = 256
    patch: int = 8
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.size // self.patch


class Blocks(nn.Module):
    """Transformer blocks under the name `resblocks`."""

    def __init__(self, config: BsqVitConfig) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(ClipBlock(config.width, config.heads) for _ in range(config.layers))

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, W]."""
        for block in self.resblocks:
            x = block(x)
        return x


class Trunk(nn.Module):
    """What encoder and decoder share: learned positions, a norm, the blocks, a norm."""

    def __init__(self, config: BsqVitConfig) -> None:
        super().__init__()
        self.patch, self.grid = config.patch, config.grid
        self.positional_embedding = nn.Parameter(torch.zeros(config.grid**2, config.width))
        self.ln_pre = nn.LayerNorm(config.width)
        self.transformer = Blocks(config)
        self.ln_post = nn.LayerNorm(config.width)

    def through(self, x: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, W]."""
        out: Tensor = self.ln_post(self.transformer(self.ln_pre(x + self.positional_embedding)))
        return out


class Encoder(Trunk):
    """Images [B, 3, H, W] to features [B, N, W] of their patches."""

    def __init__(self, config: BsqVitConfig) -> None:
        super().__init__(config)
        self.conv1 = nn.Linear(3 * config.patch**2, config.width, bias=False)  # the official name of a linear layer

    def forward(self, x: Tensor) -> Tensor:
        """Patches are flattened channel first, then row, then column."""
        p, g = self.patch, self.grid
        patches = x.reshape(len(x), 3, g, p, g, p).permute(0, 2, 4, 1, 3, 5).reshape(len(x), g * g, 3 * p * p)
        return self.through(self.conv1(patches))


class Decoder(Trunk):
    """Features [B, N, W] to images [B, 3, H, W], not clamped."""

    def __init__(self, config: BsqVitConfig) -> None:
        super().__init__(config)
        self.ffn = nn.Sequential(nn.Linear(config.width, config.hidden), nn.Tanh())
        self.conv_out = nn.Linear(config.hidden, 3 * config.patch**2)

    def forward(self, h: Tensor) -> Tensor:
        """The encoder's patch order, undone."""
        p, g = self.patch, self.grid
        pixels = self.conv_out(self.ffn(self.through(h))).reshape(len(h), g, g, 3, p, p)
        out: Tensor = pixels.permute(0, 3, 1, 4, 2, 5).reshape(len(h), 3, g * p, g * p)
        return out


class BsqVitNetwork(nn.Module):
    """Encoder and decoder around projections to and from the bits."""

    def __init__(self, config: BsqVitConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_embed = nn.Linear(config.width, config.bits)
        self.post_quant_embed = nn.Linear(config.bits, config.width)


@register("bsqvit-b36", weights="bsqvit-b36", config=BsqVitConfig(36))
@register("bsqvit-b18g2", weights="bsqvit-b18g2", config=BsqVitConfig(18))
@register("bsqvit-b18", weights="bsqvit-b18", config=BsqVitConfig(18))
class BsqVit(NetworkTokenizer):
    """BSQ-ViT at 256 px; an index is the number that the bits spell, channel 0 its highest digit.

    Bits [B, N, bits] decode as well as indices do. The official training script clamps images after decoding, to
    [-1, 1]; as everywhere, `decode` leaves that to the caller.
    """

    wrapping: ClassVar[tuple[str, ...]] = ("ema_state_dict", "state_dict")
    prefixes: ClassVar[tuple[str, ...]] = ("module.", "module.")
    unused: ClassVar[tuple[str, ...]] = (r"^quantize\.(basis|group_basis)$",)
    fixed_size = True
    architecture = BsqVitNetwork
    config: BsqVitConfig
    network: BsqVitNetwork

    def setup(self) -> None:
        """Vocabulary and side follow from the configuration."""
        self.vocab_size, self.bits_of_index = 2**self.config.bits, self.config.bits
        self.native_size = self.config.size
        self.multiple = self.config.patch
        self.places = 2 ** torch.arange(self.config.bits - 1, -1, -1, device=self.device)

    def tokens_per_image(self, height: int, width: int) -> int:
        """One code for each patch."""
        return self.config.grid**2

    def _encode(self, x: Tensor) -> Codes:
        # The official code brings the vectors to unit length before it takes their signs, which moves no sign.
        positive = self.network.quant_embed(self.network.encoder(x)) > 0
        return Codes(indices=(positive * self.places).sum(-1))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        bits, count = self.config.bits, self.config.grid**2
        given = codes.values.to(self.device)
        if codes.latent is not None or tuple(given.shape[1:]) != (
            (count, bits) if codes.bits is not None else (count,)
        ):
            raise EvalkitError(
                f"{self.name} decodes indices [B, {count}] or bits [B, {count}, {bits}]; "
                f"codes of shape {tuple(given.shape)} given"
            )
        if codes.indices is not None:
            given = (given[:, :, None] & self.places) != 0
        q = (given.float() * 2 - 1) / bits**0.5
        out: Tensor = self.network.decoder(self.network.post_quant_embed(q))
        return out
