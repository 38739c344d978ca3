"""taming's VQGAN with a Gumbel quantiser (CompVis/taming-transformers, models/vqgan.py, modules/vqvae/quantize.py)."""

from __future__ import annotations

from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.quantize import placed
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

    architecture = GumbelVqgan
    network: GumbelVqgan  # type: ignore[assignment]

    def _indices(self, z: Tensor) -> Tensor:
        scores: Tensor = self.network.quantize.proj(z)
        return scores.argmax(1).flatten(1)

    def _vectors(self, codes: Codes) -> Tensor:
        return placed(self.network.quantize.embed.weight, codes.values, codes.map_grid())
