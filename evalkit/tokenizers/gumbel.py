"""taming's VQGAN with a Gumbel quantiser (CompVis/taming-transformers, models/vqgan.py, modules/vqvae/quantize.py)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.taming import TamingConfig, TamingDecoder, TamingEncoder
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.taming import Taming, VqganConfig

F8 = VqganConfig(TamingConfig(mult=(1, 1, 2, 4), attention=frozenset({3})), codes=8192)


class GumbelCodebook(nn.Module):
    """A 1x1 convolution to one score a code (`proj`), and the table of codes (`embed`)."""

    def __init__(self, features: int, size: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(features, size, 1)
        self.embed = nn.Embedding(size, dim)


class GumbelVqgan(nn.Module):
    """Encoder, 1x1 projections around a codebook that is chosen from by score, decoder."""

    def __init__(self, config: VqganConfig) -> None:
        super().__init__()
        self.encoder = TamingEncoder(config.net)
        self.decoder = TamingDecoder(config.net)
        self.quantize = GumbelCodebook(config.net.z, config.codes, config.code_dim)
        self.quant_conv = nn.Conv2d(config.net.z, config.code_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.code_dim, config.net.z, 1)


@register("taming-gumbel-f8-8192", weights="taming-gumbel-f8-8192", config=F8)
class TamingGumbel(Taming):
    """OpenImages VQGAN with stride 8; the best-scored code of each position.

    The official forward pass adds Gumbel noise to the scores also outside training, so its codes vary from call to
    call; these are the codes it makes most often.
    """

    network: GumbelVqgan  # type: ignore[assignment]

    @classmethod
    def build(cls, config: VqganConfig) -> nn.Module:
        """The network with the official names."""
        return GumbelVqgan(config)

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.quant_conv(self.network.encoder(x))
        scores = self.network.quantize.proj(z)
        return Codes(indices=scores.argmax(1).flatten(1), grid=(int(z.shape[2]), int(z.shape[3])))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        picked = F.embedding(codes.values.to(self.device), self.network.quantize.embed.weight)
        z = picked.reshape(len(codes), *codes.map_grid(), -1).permute(0, 3, 1, 2)
        out: Tensor = self.network.decoder(self.network.post_quant_conv(z))
        return out
