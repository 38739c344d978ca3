"""Autoencoders of diffusers besides AutoencoderKL: DC-AE, RAE and VQ-Diffusion's VQModel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.diffusers_vae import VaeConfig, modern_attention
from evalkit.tokenizers.library import LibraryTokenizer, check_setting
from evalkit.tokenizers.nets.quantize import placed, raster
from evalkit.tokenizers.nets.search import CodeSearch
from evalkit.tokenizers.registry import register


@dataclass(frozen=True)
class VqConfig:
    """Size of the codebook; everything else is in config.json."""

    codes: int


class LatentAutoencoder(LibraryTokenizer):
    """Networks whose `encode` gives `latent` and whose `decode` gives `sample`."""

    def _encode(self, x: Tensor) -> Codes:
        return Codes(latent=self.network.encode(x).latent.float())

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        out: Tensor = self.network.decode(codes.values.to(self.device)).sample
        return out


@register("dc-ae", weights="dc-ae", config=VaeConfig(channels=32, stride=32, native=1024))
class DcAe(LatentAutoencoder):
    """Deep-compression autoencoder f32c32 of Sana (arXiv:2410.10733); latents are not scaled."""

    library_class: ClassVar[str] = "AutoencoderDC"
    config: VaeConfig

    @classmethod
    def check_settings(cls, name: str, config: VaeConfig, stated: Mapping[str, Any], path: Path) -> None:
        """Raise `WeightsError` where the number of latent channels is another model's."""
        check_setting(name, path, stated, "latent_channels", "latent channels", config.channels)

    def setup(self) -> None:
        """The stride follows from the number of levels."""
        self.multiple, self.native_size = int(self.network.spatial_compression_ratio), self.config.native


@register("rae", weights="rae")
class Rae(LatentAutoencoder):
    """Frozen DINOv2 features and a ViT decoder (arXiv:2510.11690); latents are the normalised features [B, C, h, w].

    The network resizes images to its encoder's size itself; its decoder makes images of one size.
    """

    library_class: ClassVar[str] = "AutoencoderRAE"
    value_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    unused: ClassVar[tuple[str, ...]] = (r"^decoder\.decoder_pos_embed$",)  # computed from the sizes
    fixed_size = True

    def setup(self) -> None:
        """The image size follows from the number of patches and their size."""
        self.native_size, self.multiple = int(self.network.decoder_image_size), int(self.network.decoder_patch_size)


@register("vq-diffusion", weights="vq-diffusion", config=VqConfig(codes=4096))
class VqDiffusion(LibraryTokenizer):
    """VQ-Diffusion's ITHQ tokenizer (arXiv:2111.14822): 1x1 projections around a plain codebook."""

    library_class: ClassVar[str] = "VQModel"
    config: VqConfig

    @classmethod
    def check_settings(cls, name: str, config: VqConfig, stated: Mapping[str, Any], path: Path) -> None:
        """Raise `WeightsError` where the codebook is another model's."""
        check_setting(name, path, stated, "num_vq_embeddings", "codes", config.codes)

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """Attention parameters under their present names and shapes."""
        return modern_attention(checkpoint, network)

    def setup(self) -> None:
        """Vocabulary and stride follow from config.json."""
        self.vocab_size = self.config.codes
        self.multiple = 2 ** (len(self.network.config.block_out_channels) - 1)
        self.search = CodeSearch()

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.encode(x).latents
        return Codes(
            indices=self.search.codes(raster(z), self.network.quantize.embedding.weight, len(z)),
            grid=(int(z.shape[2]), int(z.shape[3])),
        )

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        z = placed(self.network.quantize.embedding.weight, codes.values, codes.map_grid())
        style = z if self.network.config.norm_type == "spatial" else None
        out: Tensor = self.network.decoder(self.network.post_quant_conv(z), style)
        return out
